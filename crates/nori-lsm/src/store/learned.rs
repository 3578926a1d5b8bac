//! What the scheduler has learned, and the books of the slots, kept over restarts.
//!
//! ```text
//! HEAT       "noriheat" 8   format 4   slots 4   decisions 4   slot...   decision...   checksum 4
//! slot       id 8   k 8   reads/s 8   writes/s 8   unit 8   depth 8   mean 8   pulls 8   books 88
//! decision   16 numbers of 8   length 2   reason
//! ```
//! All numbers little-endian, rates and factors as 64-bit floats; the checksum covers everything
//! before it. The file only guides: it is replaced now and then and when the store is closed, and
//! one that is missing, old or damaged costs nothing but the time to learn anew. So no failure
//! here is anybody's failure.

use crate::ledger::SlotLedger;
use crate::metrics::Decision;
use crate::store::state::{Paths, Store};
use nori_env::{FileSystem, OpenMode};
use nori_scheduler::Learned;
use nori_types::{FileName, Reader, checksum};
use std::time::Duration;

const MAGIC: &[u8; 8] = b"noriheat";
const FORMAT: u32 = 1;

/// A file that is longer is not ours.
const FILE_BYTES_MAX: u64 = 1 << 28;

/// Decisions that are kept.
const DECISIONS_KEPT: usize = 64;

/// How often the file is replaced while the store is open.
const SAVE_EVERY: Duration = Duration::from_secs(300);

/// What one process leaves to the next.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Memory {
    pub(crate) slots: Vec<(Learned, SlotLedger)>,
    pub(crate) decisions: Vec<Decision>,
}

fn put_u64(out: &mut Vec<u8>, number: u64) {
    out.extend_from_slice(&number.to_le_bytes());
}

fn put_f64(out: &mut Vec<u8>, number: f64) {
    put_u64(out, number.to_bits());
}

fn count(len: usize) -> [u8; 4] {
    u32::try_from(len).unwrap_or(0).to_le_bytes()
}

fn encode(memory: &Memory) -> Vec<u8> {
    let mut out = Vec::new();
    out.extend_from_slice(MAGIC);
    out.extend_from_slice(&FORMAT.to_le_bytes());
    out.extend_from_slice(&count(memory.slots.len()));
    out.extend_from_slice(&count(memory.decisions.len()));
    for (slot, ledger) in &memory.slots {
        put_u64(&mut out, slot.slot);
        put_u64(&mut out, slot.k);
        let numbers =
            [slot.reads_per_s, slot.writes_per_s, slot.unit, slot.depth, slot.mean, slot.pulls];
        numbers.iter().for_each(|number| put_f64(&mut out, *number));
        ledger.put(&mut out);
    }
    memory.decisions.iter().for_each(|decision| put_decision(&mut out, decision));
    let sum = checksum(0, &out);
    out.extend_from_slice(&sum.to_le_bytes());
    out
}

fn put_decision(out: &mut Vec<u8>, d: &Decision) {
    let flags = u64::from(d.forced) | u64::from(d.explored) << 1;
    let (runs, before, k) = (d.runs as u64, d.runs_before as u64, d.k as u64);
    [d.slot, flags, runs, before, k].iter().for_each(|n| put_u64(out, *n));
    [d.heat, d.prior, d.mean, d.bonus, d.score].iter().for_each(|n| put_f64(out, *n));
    [d.predicted_bytes, d.bytes_read, d.bytes_written].iter().for_each(|n| put_u64(out, *n));
    // What was not learned is no number.
    [d.reward, d.ratio].iter().for_each(|n| put_f64(out, n.unwrap_or(f64::NAN)));
    put_u64(out, u64::try_from(d.elapsed.as_micros()).unwrap_or(u64::MAX));
    let reason = d.reason.as_bytes();
    let length = u16::try_from(reason.len()).unwrap_or(0);
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(&reason[..usize::from(length)]);
}

/// `None` for bytes that are not whole, not ours, or of another format.
fn decode(bytes: &[u8]) -> Option<Memory> {
    let (body, sum) = bytes.split_at_checked(bytes.len().checked_sub(4)?)?;
    if checksum(0, body).to_le_bytes() != sum {
        return None;
    }
    let mut reader = Reader::new(body);
    if reader.bytes(8).ok()? != MAGIC || reader.u32().ok()? != FORMAT {
        return None;
    }
    let (slots, decisions) = (reader.u32().ok()?, reader.u32().ok()?);
    let mut memory = Memory::default();
    for _ in 0..slots {
        memory.slots.push(read_slot(&mut reader)?);
    }
    for _ in 0..decisions {
        memory.decisions.push(read_decision(&mut reader)?);
    }
    reader.is_empty().then_some(memory)
}

fn read_slot(reader: &mut Reader<'_>) -> Option<(Learned, SlotLedger)> {
    let (slot, k) = (reader.u64().ok()?, reader.u64().ok()?);
    let mut number = || Some(f64::from_bits(reader.u64().ok()?)).filter(|n| n.is_finite());
    let learned = Learned {
        slot,
        k,
        reads_per_s: number()?,
        writes_per_s: number()?,
        unit: number()?,
        depth: number()?,
        mean: number()?,
        pulls: number()?,
    };
    Some((learned, SlotLedger::read(reader)?))
}

fn read_decision(reader: &mut Reader<'_>) -> Option<Decision> {
    let mut word = || reader.u64().ok();
    let (slot, flags) = (word()?, word()?);
    let [runs, runs_before, k] = [word()?, word()?, word()?].map(|n| n as usize);
    let mut number = || word().map(f64::from_bits);
    let [heat, prior, mean, bonus, score] = [number()?, number()?, number()?, number()?, number()?];
    let [predicted_bytes, bytes_read, bytes_written] = [word()?, word()?, word()?];
    let mut number = || word().map(f64::from_bits);
    let [reward, ratio] = [number()?, number()?].map(|n| Some(n).filter(|n| !n.is_nan()));
    let elapsed = Duration::from_micros(word()?);
    let length = reader.u16().ok()?;
    let reason = String::from_utf8_lossy(reader.bytes(usize::from(length)).ok()?).into_owned();
    let (forced, explored) = (flags & 1 != 0, flags & 2 != 0);
    Some(Decision {
        slot,
        reason,
        forced,
        explored,
        runs,
        runs_before,
        k,
        heat,
        prior,
        mean,
        bonus,
        score,
        predicted_bytes,
        bytes_read,
        bytes_written,
        reward,
        ratio,
        elapsed,
    })
}

/// What an earlier process left; nothing if that cannot be read.
pub(crate) fn load(fs: &dyn FileSystem, paths: &Paths) -> Memory {
    read(fs, paths).unwrap_or_default()
}

/// Whether HEAT can be read.
pub(crate) fn heat_is_good(fs: &dyn FileSystem, paths: &Paths) -> bool {
    read(fs, paths).is_some()
}

fn read(fs: &dyn FileSystem, paths: &Paths) -> Option<Memory> {
    let file = fs.open(&paths.heat(), OpenMode::Read).ok()?;
    if file.len().ok()? > FILE_BYTES_MAX {
        return None;
    }
    decode(&file.read_all().ok()?)
}

impl Store {
    /// Writes down what the scheduler has learned, if it has been a while.
    pub(crate) fn save_learned_now_and_then(&self) {
        let now = self.config.clock.now();
        let mut saved_at = self.learned_at.lock();
        if now.saturating_sub(*saved_at) >= SAVE_EVERY {
            *saved_at = now;
            drop(saved_at);
            self.save_learned();
        }
    }

    /// Writes down what the scheduler has learned.
    pub(crate) fn save_learned(&self) {
        let memory = self.brain.memory(DECISIONS_KEPT);
        let known = |slot: &(Learned, SlotLedger)| slot.1 != SlotLedger::default();
        // Nothing to remember, as in a store that was only opened.
        if memory.slots.iter().any(known) {
            let _ = self.write_learned(&encode(&memory));
        }
    }

    fn write_learned(&self, bytes: &[u8]) -> Result<(), nori_env::FsError> {
        let temporary = self.paths.root.join(format!("{}.tmp", FileName::Heat));
        match self.fs.remove(&temporary) {
            Err(error) if !error.is_not_found() => return Err(error),
            _ => {}
        }
        let file = self.fs.open(&temporary, OpenMode::CreateNew)?;
        file.write_at(bytes, 0)?;
        file.sync_all()?;
        // Whether the old or the new file is there after a crash does not matter.
        self.fs.rename(&temporary, &self.paths.heat())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some() -> Memory {
        let learned = |slot: u64| Learned {
            slot,
            k: 3,
            reads_per_s: 1.5,
            writes_per_s: 1e9,
            unit: 4096.0,
            depth: 0.25,
            mean: 1.0,
            pulls: 7.0,
        };
        let ledger = SlotLedger { flush_bytes: 5, scans: 6, ..SlotLedger::default() };
        let decision = Decision {
            slot: 9,
            reason: "too many runs".into(),
            explored: true,
            k: 2,
            score: 0.5,
            reward: Some(0.25),
            elapsed: Duration::from_millis(3),
            ..Decision::default()
        };
        let slots = vec![(learned(1), ledger), (learned(u64::MAX), SlotLedger::default())];
        Memory { slots, decisions: vec![decision] }
    }

    #[test]
    fn it_comes_back_and_damage_is_forgotten_not_believed() {
        let good = encode(&some());
        assert_eq!(decode(&good), Some(some()));
        assert_eq!(decode(&encode(&Memory::default())), Some(Memory::default()));
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 0x10;
            assert_eq!(decode(&bad), None, "byte {at}");
            assert_eq!(decode(&good[..at]), None, "cut at {at}");
        }
    }
}
