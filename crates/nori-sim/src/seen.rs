//! What runs met, so that a suite can say that it did something.

use crate::image::{Checked, ROOT};
use nori_env::{MemFs, Rng};
use nori_lsm::Lsm;
use std::fmt;
use std::path::Path;

/// What runs met. What never happened was never tested.
#[derive(Clone, Default)]
#[non_exhaustive]
pub struct Seen {
    /// Steps of programs.
    pub steps: u64,
    /// Images that were opened.
    pub images: u64,
    /// Those that were written to and opened again.
    pub again: u64,
    /// Crashes that programs went on from.
    pub crashes: u64,
    /// Those that fell into an opening.
    pub crashes_opening: u64,
    /// Faults that the disk was told to have, and had.
    pub faults: u64,
    /// Openings that failed by them.
    pub failed_opens: u64,
    /// Checkpoints that were opened after a crash.
    pub checkpoints: u64,
    /// Answers of reads that were compared.
    pub reads: u64,
    /// Slots that were cut.
    pub splits: u64,
    /// Slots that joined others.
    pub joins: u64,
    /// Runs that moved without being written.
    pub moves: u64,
    /// Merges.
    pub merges: u64,
    /// Images with a file of what was learned.
    pub heats: u64,
    /// Images in which that file was damaged.
    pub heats_spoilt: u64,
    /// Such a file, from an earlier life or another program.
    heat: Vec<u8>,
}

impl fmt::Debug for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Seen { steps, images, again, crashes, crashes_opening, faults, failed_opens, .. } =
            self;
        let Seen { checkpoints, reads, splits, joins, moves, merges, heats, heats_spoilt, .. } =
            self;
        write!(
            f,
            "{steps} steps, {reads} reads, {images} images ({again} opened twice), {crashes} \
             crashes ({crashes_opening} of openings), {faults} faults ({failed_opens} openings \
             failed), {checkpoints} checkpoints, {splits} splits, {joins} joins, {moves} moves, \
             {merges} merges, {heats} learned ({heats_spoilt} spoilt)"
        )
    }
}

impl Seen {
    /// Whether slots changed in every way, and everything that images are for was met.
    pub fn is_complete(&self) -> bool {
        let all = [
            self.splits,
            self.joins,
            self.moves,
            self.merges,
            self.heats,
            self.heats_spoilt,
            self.again,
            self.crashes,
            self.crashes_opening,
            self.faults,
            self.checkpoints,
        ];
        all.iter().all(|count| *count > 0)
    }

    /// Does something bad to the file of what was learned, which must not matter.
    pub(crate) fn spoil_heat(&mut self, disk: &MemFs, rng: &mut Rng) {
        let path = Path::new(ROOT).join("HEAT");
        let Some(mut bytes) = disk.read_file(&path) else { return };
        self.heats += 1;
        if !rng.chance(30) {
            self.heat = bytes;
            return;
        }
        self.heats_spoilt += 1;
        let at = rng.index(bytes.len().max(1));
        match rng.below(5) {
            0 => bytes.truncate(at),
            1 => bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= 0x20),
            2 => bytes.iter_mut().skip(at).for_each(|byte| *byte = 0),
            3 => bytes.clone_from(&self.heat),
            _ => {
                disk.remove_file(&path);
                return;
            }
        }
        disk.write_file(&path, &bytes);
    }

    /// Counts what a store did, and compares its books.
    pub(crate) fn note(&mut self, store: &Lsm) -> Checked<()> {
        let metrics = store.metrics();
        self.splits += metrics.slot_splits;
        self.joins += metrics.slot_joins;
        self.moves += metrics.trivial_moves;
        self.merges += metrics.compactions;
        let ledgers: Vec<_> = store.slots().into_iter().map(|slot| slot.ledger).collect();
        let sums = [
            (ledgers.iter().map(|l| l.flush_bytes).sum::<u64>(), metrics.flush_bytes),
            (ledgers.iter().map(|l| l.flushed_user_bytes).sum(), metrics.flushed_user_bytes),
            (ledgers.iter().map(|l| l.compactions).sum(), metrics.compactions),
            (
                ledgers.iter().map(|l| l.compaction_bytes_written).sum(),
                metrics.compaction_bytes_written,
            ),
            (ledgers.iter().map(|l| l.scans).sum(), metrics.scans),
        ];
        match sums.iter().find(|(booked, counted)| booked != counted) {
            Some(sums) => Err(format!("the books of the slots: {sums:?}")),
            None => Ok(()),
        }
    }
}
