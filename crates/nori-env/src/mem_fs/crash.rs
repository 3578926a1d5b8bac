//! What a kill or a power cut leaves of a tree.
//!
//! 1. The result depends on the tree, the cut and the seed, on nothing else.
//! 2. What was synced is never touched: every cut keeps a file's `disk` bytes wherever no
//!    unsynced change lies, and a directory's synced entries.
//! 3. After a power cut view and disk are one; after a kill everything is as it was, pending
//!    changes included, since the machine lives on.

use super::content::Content;
use super::tree::{Change, FileNode, Tree};
use crate::Rng;
use std::collections::BTreeMap;
use std::sync::Arc;

/// How a process or a machine ends, for [`MemFs::crash`](crate::MemFs::crash).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Cut {
    /// The process dies, the machine lives: unsynced changes stay in the page cache.
    Kill,
    /// As `Kill`, and pages that a failed sync had marked clean were evicted meanwhile: reads
    /// now show what the disk has.
    KillEvict,
    /// Power is cut; only what was synced is there.
    SyncedOnly,
    /// Power is cut just after everything happened to be written.
    AllWritten,
    /// A prefix of the unsynced operations, over all files and directories, made it.
    PrefixOfOps,
    /// Any subset of sectors, each holding a prefix of the writes that touched it, and any
    /// subset of directory changes.
    RandomSectors,
    /// A prefix of the operations, and a part of the write that follows.
    TornLast,
    /// All lengths made it, the bytes of an unsynced tail are zero from some point on.
    ZeroTail,
    /// All lengths made it, any subset of sectors, stale bytes of other files in the rest.
    GarbageTail,
}

impl Cut {
    /// All of them: two kills, then seven power cuts.
    pub const ALL: [Cut; 9] = [
        Cut::Kill,
        Cut::KillEvict,
        Cut::SyncedOnly,
        Cut::AllWritten,
        Cut::PrefixOfOps,
        Cut::RandomSectors,
        Cut::TornLast,
        Cut::ZeroTail,
        Cut::GarbageTail,
    ];

    /// Whether only the process dies.
    pub fn is_kill(self) -> bool {
        matches!(self, Cut::Kill | Cut::KillEvict)
    }
}

/// The dice of one crash, thrown once for all files.
struct Dice {
    cut: Cut,
    /// Operations before this one made it (`PrefixOfOps`, `TornLast`).
    limit: u64,
    /// Percent of sectors and directory changes that made it.
    keep: u64,
    sector: usize,
}

/// The tree after the crash; `ops` is the number of the next operation.
pub(super) fn crash(tree: &Tree, ops: u64, cut: Cut, sectors: &[usize], rng: &mut Rng) -> Tree {
    let mut next = tree.clone();
    let first = first_pending(tree).unwrap_or(ops);
    let dice = Dice {
        cut,
        limit: first + rng.below(ops.saturating_sub(first) + 1),
        keep: *rng.pick(&[0, 10, 50, 90, 100]),
        sector: (*rng.pick(sectors)).max(1),
    };
    let all: Vec<&Arc<FileNode>> = tree.files.values().collect();
    for (ino, file) in &tree.files {
        if cut == Cut::Kill || file.is_settled() {
            continue;
        }
        let after = if cut == Cut::KillEvict {
            evicted(file)
        } else {
            let stale = &rng.pick(&all).view;
            FileNode::settled(survive(file, &dice, stale, rng))
        };
        next.files.insert(*ino, Arc::new(after));
    }
    if !cut.is_kill() {
        for dir in next.dirs.values_mut().filter(|d| !d.pending.is_empty()) {
            let dir = Arc::make_mut(dir);
            for change in std::mem::take(&mut dir.pending) {
                if keeps_entry(change.op, &dice, rng) {
                    change.apply(&mut dir.disk);
                }
            }
            dir.view = dir.disk.clone();
        }
    }
    // The process is gone, and its handles with it.
    next.collect(&|_| false);
    next
}

fn first_pending(tree: &Tree) -> Option<u64> {
    let files = tree.files.values().filter_map(|f| f.pending.first().map(Change::op));
    let dirs = tree.dirs.values().filter_map(|d| d.pending.first().map(|c| c.op));
    files.chain(dirs).min()
}

fn evicted(file: &FileNode) -> FileNode {
    let mut view = file.disk.clone();
    file.pending.iter().for_each(|c| c.apply(&mut view));
    FileNode { view, lost: false, ..file.clone() }
}

fn keeps_entry(op: u64, dice: &Dice, rng: &mut Rng) -> bool {
    match dice.cut {
        Cut::SyncedOnly => false,
        Cut::AllWritten | Cut::ZeroTail => true,
        Cut::PrefixOfOps | Cut::TornLast => op < dice.limit,
        _ => rng.chance(dice.keep.clamp(20, 95)),
    }
}

/// What a power cut leaves of one file.
fn survive(file: &FileNode, dice: &Dice, stale: &Content, rng: &mut Rng) -> Content {
    let mut out = file.disk.clone();
    match dice.cut {
        Cut::AllWritten => file.pending.iter().for_each(|c| c.apply(&mut out)),
        Cut::ZeroTail => {
            file.pending.iter().for_each(|c| c.apply(&mut out));
            let synced = file.disk.len().min(out.len());
            out.zero_from(synced + rng.index(out.len() - synced + 1));
        }
        Cut::PrefixOfOps | Cut::TornLast => {
            for change in &file.pending {
                match change {
                    _ if change.op() < dice.limit => change.apply(&mut out),
                    Change::Write { op, at, data }
                        if *op == dice.limit && dice.cut == Cut::TornLast =>
                    {
                        out.write(*at, &data[..rng.index(data.len() + 1)]);
                    }
                    _ => {}
                }
            }
        }
        Cut::RandomSectors | Cut::GarbageTail => some_sectors(&mut out, file, dice, stale, rng),
        Cut::Kill | Cut::KillEvict | Cut::SyncedOnly => {}
    }
    out
}

/// Any subset of sectors; each holds a prefix of the writes that touched it.
fn some_sectors(out: &mut Content, file: &FileNode, dice: &Dice, stale: &Content, rng: &mut Rng) {
    if dice.cut == Cut::GarbageTail {
        fill_with_stale(out, file.view.len(), stale);
    } else if rng.chance(30) && file.view.len() > out.len() {
        // The length is metadata of its own: it may be there before the bytes.
        out.resize(file.view.len());
    }
    let sector = dice.sector;
    // How many of the file's changes each sector saw.
    let mut seen: BTreeMap<usize, usize> = BTreeMap::new();
    for (index, change) in file.pending.iter().enumerate() {
        match change {
            Change::Resize { len, .. } => {
                if rng.chance(dice.keep) {
                    out.resize(*len);
                }
            }
            Change::Write { at, data, .. } => {
                for number in at / sector..(at + data.len()).div_ceil(sector) {
                    let changes = file.pending.len();
                    let seen = *seen.entry(number).or_insert_with(|| {
                        if rng.chance(dice.keep) { changes } else { rng.index(changes + 1) }
                    });
                    if index < seen {
                        let from = (number * sector).max(*at);
                        let to = ((number + 1) * sector).min(at + data.len());
                        out.write(from, &data[from - at..to - at]);
                    }
                }
            }
        }
    }
}

fn fill_with_stale(out: &mut Content, len: usize, stale: &Content) {
    let start = out.len();
    if len <= start {
        return;
    }
    let mut tail = vec![0xa5; len - start];
    stale.read(start, &mut tail);
    out.write(start, &tail);
}
