//! Filling memtables.

use crate::{key, value};
use bytes::Bytes;
use nori_bench::Shuffle;
use nori_env::sync::Arc;
use nori_memtable::Memtable;
use nori_types::{SeqNo, ValueKind};
use std::ops::Range;

/// Puts of one group: the gate is entered once for each, as by a leader that writes for others.
const GROUP: u64 = 64;
const KEY_BYTES: usize = 16;
const BYTES: usize = super::ENTRY_BYTES as usize;

/// Keys and values of numbers, one buffer for each group of puts.
pub fn groups(numbers: impl IntoIterator<Item = u64>) -> Vec<Bytes> {
    let mut groups = Vec::new();
    let mut group = Vec::new();
    for number in numbers {
        group.extend_from_slice(&key(number));
        group.extend_from_slice(&value(number));
        if group.len() >= GROUP as usize * BYTES {
            groups.push(Bytes::from(std::mem::take(&mut group)));
        }
    }
    groups.push(Bytes::from(group));
    groups
}

/// Puts all entries of these groups; sequence numbers go on from `seq`. Gives the last one.
pub fn insert(memtable: &Memtable, groups: &[Bytes], seq: u64) -> u64 {
    let mut seq = seq;
    for group in groups {
        let Some(guard) = memtable.enter() else { return seq };
        for at in (0..group.len()).step_by(BYTES) {
            seq += 1;
            let (key, value) = group[at..at + BYTES].split_at(KEY_BYTES);
            guard.insert(key, value, SeqNo::new(seq), ValueKind::Value);
        }
    }
    seq
}

/// Every `step`-th number of `numbers`, in random order.
pub fn random_order(numbers: Range<u64>, step: u64) -> impl Iterator<Item = u64> {
    let count = (numbers.end - numbers.start).div_ceil(step.max(1));
    let order = Shuffle::new(count, numbers.start + step);
    (0..count).map(move |n| numbers.start + order.at(n) * step)
}

/// A sealed memtable with every `step`-th number of `numbers`, put in random order.
pub fn memtable(numbers: Range<u64>, step: u64, seq: u64) -> Arc<Memtable> {
    let table = Arc::new(Memtable::new());
    insert(&table, &groups(random_order(numbers, step)), seq);
    table.seal();
    table
}
