//! What a child writes: number n of writer w of a run is the same for whoever asks.
//!
//! 1. Writers touch their own keys and the key [`LAST`], so the state of a store is one number for
//!    each writer.
//! 2. A batch also sets its writer's counter, to a [`Stamp`](crate::Stamp); even numbers are
//!    batches, so at most the last write of a writer is not told by its counter.
//! 3. A value names the run, the writer and the number it is from: two runs that use one number
//!    again (the first was lost) write different bytes.

use crate::message::{Counts, WRITERS};
use nori_env::Rng;
use std::time::Duration;

/// The key that every batch of every writer sets.
pub(crate) const LAST: &[u8] = b"last";

/// Keys of a writer in a keyspace.
const KEYS: usize = 40;

/// When the writes of a run are durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// When they return.
    Synced,
    /// With the next sync in the background, some milliseconds later.
    Interval,
    /// When something makes them so.
    Buffered,
}

impl Mode {
    const ALL: [Mode; 3] = [Mode::Synced, Mode::Interval, Mode::Buffered];
}

/// A lie that a child is told to tell, to see that it is caught.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lie {
    /// None.
    Honest,
    /// Writes are acknowledged before they are written.
    AckFirst,
    /// A batch is written in two.
    SplitBatch,
    /// Single deletes are acknowledged and not written.
    SkipDelete,
    /// A writer writes number n + 1 before n.
    Swap,
    /// Buffered writes are told to be durable.
    DurableWhenBuffered,
}

impl Lie {
    /// All but [`Lie::Honest`].
    pub const ALL: [Lie; 5] =
        [Lie::AckFirst, Lie::SplitBatch, Lie::SkipDelete, Lie::Swap, Lie::DurableWhenBuffered];
}

/// A run of a child.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Explains everything but the order of threads and the moment of the end.
    pub seed: u64,
    /// The last number of each writer that the store holds.
    pub start: Counts,
    /// Writers that write, 1 to [`WRITERS`].
    pub writers: usize,
    /// Writes of all writers before the child closes by itself.
    pub limit: u64,
    /// When they are durable.
    pub mode: Mode,
    /// What is done wrong.
    pub lie: Lie,
}

impl Plan {
    /// A random run.
    pub fn random(rng: &mut Rng, start: Counts) -> Plan {
        Plan {
            seed: rng.next_u64() >> 1,
            start,
            writers: 1 + rng.index(WRITERS),
            limit: *rng.pick(&[20, 100, 400, 1500]) + rng.below(200),
            mode: *rng.pick(&Mode::ALL),
            lie: Lie::Honest,
        }
    }

    /// The time between two syncs in the background.
    pub fn interval(&self) -> Duration {
        Duration::from_micros(500 + self.seed % 4000)
    }

    /// As an argument of a command.
    pub fn to_arg(&self) -> String {
        let [a, b, c, d] = self.start;
        let (mode, lie) = (self.mode as usize, self.lie as usize);
        format!("{},{a},{b},{c},{d},{},{},{mode},{lie}", self.seed, self.writers, self.limit)
    }

    /// Back from an argument; `None` if it is no plan.
    pub fn from_arg(arg: &str) -> Option<Plan> {
        let words: Vec<u64> = arg.split(',').map(|w| w.parse().ok()).collect::<Option<_>>()?;
        let [seed, a, b, c, d, writers, limit, mode, lie] = words[..] else { return None };
        let lies = || Lie::ALL.into_iter().chain([Lie::Honest]);
        Some(Plan {
            seed,
            start: [a, b, c, d],
            writers: usize::try_from(writers).ok().filter(|w| (1..=WRITERS).contains(w))?,
            limit,
            mode: Mode::ALL.into_iter().find(|m| *m as u64 == mode)?,
            lie: lies().find(|l| *l as u64 == lie)?,
        })
    }
}

/// One key of a write. `value` is `None` for a delete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edit {
    /// Whether it is in the keyspace "other" and not in "default".
    pub is_other: bool,
    /// The key.
    pub key: Vec<u8>,
    /// What it is set to.
    pub value: Option<Vec<u8>>,
}

/// One write of a writer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Write {
    /// A batch, which sets the writer's counter and the key of the last batch besides.
    Batch(Vec<Edit>),
    /// A single put or delete in "default".
    Single(Edit),
}

/// Whether a number is a batch (invariant 2).
pub(crate) fn is_batch(seed: u64, writer: usize, number: u64) -> bool {
    number.is_multiple_of(2) || rng_of(seed, writer, number).below(10) < 4
}

/// Write `number` of `writer` in the run of `seed`.
pub fn write_of(seed: u64, writer: usize, number: u64) -> Write {
    let mut rng = rng_of(seed, writer, number);
    let kind = rng.below(10);
    if number.is_multiple_of(2) || kind < 4 {
        let edits = 1 + rng.index(6);
        let edits = (0..edits).map(|n| {
            let is_delete = rng.chance(30);
            edit(&mut rng, (seed, writer, number, n), is_delete)
        });
        return Write::Batch(edits.collect());
    }
    let single = edit(&mut rng, (seed, writer, number, 0), kind < 7);
    Write::Single(Edit { is_other: false, ..single })
}

/// The counter of a writer.
pub(crate) fn counter_key(writer: usize) -> Vec<u8> {
    format!("w{writer}/n").into_bytes()
}

/// Whether write `number` is made durable by itself, whatever the store's mode is.
pub(crate) fn is_synced_alone(seed: u64, writer: usize, number: u64) -> bool {
    let h = mixed(seed, writer, number);
    number.is_multiple_of(2) && h.is_multiple_of(37)
}

fn edit(rng: &mut Rng, from: (u64, usize, u64, usize), is_delete: bool) -> Edit {
    let (seed, writer, number, n) = from;
    let key = format!("w{writer}/k{:02}", rng.index(KEYS)).into_bytes();
    let is_other = rng.chance(30);
    let mut value = format!("{seed}:{writer}:{number}:{n}:").into_bytes();
    let bytes = if rng.chance(3) { 3000 } else { 200 };
    value.resize(value.len() + rng.index(bytes), b'a' + (number % 26) as u8);
    Edit { is_other, key, value: (!is_delete).then_some(value) }
}

fn mixed(seed: u64, writer: usize, number: u64) -> u64 {
    let salted = seed ^ (writer as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (salted ^ number.wrapping_mul(0xd1b5_4a32_d192_ed03)).wrapping_mul(0xff51_afd7_ed55_8ccd) >> 7
}

fn rng_of(seed: u64, writer: usize, number: u64) -> Rng {
    Rng::new(mixed(seed, writer, number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plans_come_back_from_arguments() {
        let mut rng = Rng::new(1);
        for lie in Lie::ALL {
            let plan = Plan { lie, ..Plan::random(&mut rng, [1, 2, 3, 4]) };
            assert_eq!(Plan::from_arg(&plan.to_arg()), Some(plan));
        }
        assert_eq!(Plan::from_arg("1,2,3"), None);
        assert_eq!(Plan::from_arg("1,0,0,0,0,9,1,0,0"), None, "too many writers");
    }

    #[test]
    fn a_single_write_stands_between_batches() {
        let mut singles = 0;
        for number in 0..1000 {
            let is_single = matches!(write_of(7, 1, number), Write::Single(_));
            assert_eq!(is_batch(7, 1, number), !is_single);
            assert!(!is_single || number % 2 == 1);
            singles += usize::from(is_single);
        }
        assert!(singles > 200);
    }
}
