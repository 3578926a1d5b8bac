//! The seal gate: a flush that waited for it holds every acknowledged write, and the counts are
//! exact; and it never waits for ever.

#![cfg(nori_loom)]
#![allow(clippy::unwrap_used)]

mod models;

use models::{Seen, explore, must_catch};
use nori_env::sync::{Arc, thread};
use nori_memtable::{Memtable, Plant};
use nori_types::{InternalIterator, SeqNo, ValueKind};

/// What the assertions say that the twins must trip.
const LOST: &str = "the flush differs from what was acknowledged";
const MEMBER: &str = "the flush misses a member of the group";

fn insert(table: &Memtable, seq: u64) -> bool {
    let Some(group) = table.enter() else { return false };
    group.insert(b"k", b"v", SeqNo::new(seq), ValueKind::Value)
}

/// What a memtable takes that holds some entries.
fn charge(entries: usize) -> usize {
    let table = Memtable::new();
    (0..entries as u64).for_each(|seq| assert!(insert(&table, seq)));
    table.bytes()
}

/// What a flush reads: the sequence numbers in order, and whether the counts fit them.
fn read(table: &Arc<Memtable>) -> (Vec<u64>, usize) {
    let (mut held, mut iter) = (Vec::new(), table.iter());
    iter.seek_last().unwrap();
    while iter.is_valid() {
        assert_eq!((iter.key().user_key, iter.value()), (&b"k"[..], &b"v"[..]));
        held.push(iter.key().seq.get());
        iter.prev().unwrap();
    }
    (held, table.bytes())
}

/// Two writers, each its own group; a flush seals, waits and reads.
fn writers_and_a_flush(seen: &Seen, waits: bool) {
    let table = Arc::new(Memtable::new());
    let shared = Arc::clone(&table);
    let flush = thread::spawn(move || {
        shared.seal();
        if waits {
            shared.wait_quiescent();
            assert!(shared.enter().is_none());
        }
        read(&shared)
    });
    let shared = Arc::clone(&table);
    let other = thread::spawn(move || insert(&shared, 2));
    let acknowledged = [(1, insert(&table, 1)), (2, other.join().unwrap())];
    let acknowledged: Vec<u64> = acknowledged.iter().filter(|w| w.1).map(|w| w.0).collect();
    let (held, bytes) = flush.join().unwrap();
    assert_eq!(held, acknowledged, "{LOST}");
    assert_eq!(bytes, charge(held.len()), "the count is exact");
    seen.add(format!("{held:?}"));
}

/// One group of two members, who insert under the leader's entry; a flush that looks in now and
/// then, as a background step does.
fn a_group_and_a_look(seen: &Seen, reads_too_early: bool) {
    let table = Arc::new(Memtable::new());
    let group = Arc::new(table.enter_owned().unwrap());
    let shared = Arc::clone(&table);
    let flush = thread::spawn(move || {
        shared.seal();
        let early = shared.is_quiescent();
        (early || reads_too_early).then(|| read(&shared))
    });
    let other = Arc::clone(&group);
    let member = thread::spawn(move || {
        // Sealed or not, a member never asks.
        assert!(other.insert(b"k", b"v", SeqNo::new(2), ValueKind::Value));
        drop(other);
    });
    group.insert(b"k", b"v", SeqNo::new(1), ValueKind::Tombstone);
    member.join().unwrap();
    // The leader leaves when all members are done.
    drop(group);
    let looked = flush.join().unwrap();
    if let Some((held, bytes)) = &looked {
        assert_eq!((&held[..], *bytes), (&[1, 2][..], charge(2)), "{MEMBER}");
    }
    table.wait_quiescent();
    assert_eq!(read(&table), (vec![1, 2], charge(2)));
    assert_eq!((table.len(), table.tombstones(), table.last_seq().get()), (2, 1, 2));
    seen.add(if looked.is_some() { "came after the group" } else { "came too early" });
}

#[test]
fn a_flush_holds_every_acknowledged_write() {
    let outcomes = ["[1, 2]", "[1]", "[2]", "[]"];
    explore("seal_gate", &outcomes, |seen| writers_and_a_flush(seen, true));
}

#[test]
fn a_flush_that_does_not_wait_loses_a_write() {
    must_catch("seal_gate_no_wait", None, LOST, |seen| writers_and_a_flush(seen, false));
}

#[test]
fn a_writer_that_looks_first_and_counts_second_is_lost() {
    let fault = Some(Plant::EnterInTwoSteps);
    must_catch("seal_gate_two_steps", fault, LOST, |seen| writers_and_a_flush(seen, true));
}

#[test]
fn a_writer_that_leaves_without_release_is_lost() {
    let fault = Some(Plant::LeaveRelaxed);
    must_catch("seal_gate_leave_relaxed", fault, LOST, |seen| writers_and_a_flush(seen, true));
}

#[test]
fn a_look_finds_the_whole_group_or_waits() {
    let outcomes = ["came after the group", "came too early"];
    explore("seal_gate_group", &outcomes, |seen| a_group_and_a_look(seen, false));
}

#[test]
fn a_look_that_reads_too_early_misses_a_member() {
    must_catch("seal_gate_group_early", None, MEMBER, |seen| a_group_and_a_look(seen, true));
}

#[test]
fn a_group_that_leaves_without_release_is_lost() {
    let fault = Some(Plant::LeaveRelaxed);
    must_catch("seal_gate_group_relaxed", fault, MEMBER, |seen| a_group_and_a_look(seen, false));
}

#[test]
fn a_wake_up_outside_the_lock_may_come_before_the_wait() {
    let fault = Some(Plant::WakeUnlocked);
    let model = |seen: &Seen| writers_and_a_flush(seen, true);
    must_catch("seal_gate_wake_unlocked", fault, "deadlock", model);
}
