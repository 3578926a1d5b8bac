//! Publication: sequence numbers, log, inserts, visible number. A reader at S sees exactly the
//! entries 1 to S, whole groups of them.

#![cfg(nori_loom)]
#![allow(clippy::unwrap_used)]

mod models;

use models::{Seen, explore, must_catch};
use nori_env::sync::{Arc, Mutex, thread};
use nori_memtable::{Memtable, Plant, Visible};
use nori_types::{InternalIterator, Lookup, SeqNo, ValueKind};

/// What the assertions say that the twins must trip.
const HOLE: &str = "a reader does not see exactly the entries up to its number";
const BACK: &str = "the visible number is not that of the last group";
const TWICE: &str = "a number was given twice";
/// What loom says of a cell that is read while, or not after, it is written.
const RACE: &str = "Causality violation";

/// Which step of the protocol is out of place.
#[derive(Clone, Copy, PartialEq)]
enum Swap {
    Nothing,
    /// The visible number moves on before the inserts.
    PublishFirst,
    /// A group does not wait until the groups before it are visible.
    OutOfTurn,
    /// Sequence numbers are taken outside the lock under which the log is written.
    LogUnordered,
}

struct Store {
    table: Arc<Memtable>,
    visible: Visible,
    /// The commit lock, and under it the log: the last number of each group.
    log: Mutex<Vec<u64>>,
    swap: Swap,
}

fn key(seq: u64) -> [u8; 1] {
    // Later keys sort before earlier ones: a walk meets the newest first.
    [b'z' - seq as u8]
}

impl Store {
    fn new(swap: Swap) -> Arc<Store> {
        let (table, visible) = (Arc::new(Memtable::new()), Visible::new(SeqNo::ZERO));
        Arc::new(Store { table, visible, log: Mutex::new(Vec::new()), swap })
    }

    /// Commits a group of `count` writes.
    fn commit(&self, count: u64) {
        let group = self.table.enter().unwrap();
        let mut log = self.log.lock();
        let before = log.last().copied().unwrap_or(0);
        if self.swap == Swap::LogUnordered {
            drop(log);
            thread::yield_now();
            log = self.log.lock();
        }
        log.push(before + count);
        drop(log);
        if self.swap == Swap::PublishFirst {
            self.publish(before, before + count);
        }
        for seq in before + 1..=before + count {
            let fresh = group.insert(&key(seq), &key(seq), SeqNo::new(seq), ValueKind::Value);
            assert!(fresh, "{TWICE}");
        }
        if self.swap != Swap::PublishFirst {
            self.publish(before, before + count);
        }
    }

    fn publish(&self, before: u64, last: u64) {
        if self.swap == Swap::OutOfTurn {
            while !self.visible.publish(self.visible.load(), SeqNo::new(last)) {
                thread::yield_now();
            }
            return;
        }
        while !self.visible.publish(SeqNo::new(before), SeqNo::new(last)) {
            thread::yield_now();
        }
    }

    /// Reads at the visible number; returns it.
    fn read(&self) -> u64 {
        let now = self.visible.load();
        let mut iter = self.table.iter();
        let mut seen = Vec::new();
        iter.seek_first().unwrap();
        while iter.is_valid() {
            let seq = iter.key().seq;
            assert_eq!(
                (iter.key().user_key, iter.value()),
                (&key(seq.get())[..], &key(seq.get())[..])
            );
            if seq <= now {
                seen.insert(0, seq.get());
            }
            iter.next().unwrap();
        }
        assert!(seen.iter().copied().eq(1..=now.get()), "{HOLE} at {now}: {seen:?}");
        now.get()
    }

    /// As [`Store::read`]; the newest entry is found by its key too.
    fn read_and_get(&self) -> u64 {
        let now = SeqNo::new(self.read());
        let newest = self.table.get(&key(now.get()), now);
        assert_eq!(matches!(newest, Lookup::Found(_, seq) if seq == now), now > SeqNo::ZERO);
        now.get()
    }
}

fn two_groups_and_a_reader(seen: &Seen, swap: Swap) {
    let store = Store::new(swap);
    let shared = Arc::clone(&store);
    let reader = thread::spawn(move || shared.read());
    let shared = Arc::clone(&store);
    let other = thread::spawn(move || shared.commit(1));
    store.commit(2);
    other.join().unwrap();
    let at = reader.join().unwrap();
    assert_eq!(store.read(), 3, "{BACK}");
    let log = store.log.lock().clone();
    assert!(log == [1, 3] || log == [2, 3], "the log is in the order of the sequence: {log:?}");
    assert!(at == 0 || log.contains(&at), "half a group is visible at {at}: {log:?}");
    assert_eq!(store.table.last_seq(), SeqNo::new(3));
    seen.add(at.to_string());
}

#[test]
fn a_reader_sees_all_up_to_its_number_in_whole_groups() {
    // 1: the small group came first. 2: the large one did.
    let outcomes = ["0", "1", "2", "3"];
    explore("publication", &outcomes, |seen| two_groups_and_a_reader(seen, Swap::Nothing));
}

fn one_group_and_a_reader(seen: &Seen, swap: Swap) {
    let store = Store::new(swap);
    let shared = Arc::clone(&store);
    let reader = thread::spawn(move || {
        let first = shared.read_and_get();
        let second = shared.read();
        assert!(first <= second, "the visible number went back");
        (first, second)
    });
    store.commit(2);
    let (first, second) = reader.join().unwrap();
    seen.add(format!("{first} then {second}"));
}

#[test]
fn a_group_appears_at_once_and_stays() {
    let outcomes = ["0 then 0", "0 then 2", "2 then 2"];
    explore("publication_one", &outcomes, |seen| one_group_and_a_reader(seen, Swap::Nothing));
}

#[test]
fn a_number_published_without_release_shows_holes() {
    let fault = Some(Plant::PublishRelaxed);
    let model = |seen: &Seen| one_group_and_a_reader(seen, Swap::Nothing);
    must_catch("publication_relaxed", fault, HOLE, model);
}

#[test]
fn an_entry_linked_without_release_is_seen_half_written() {
    let fault = Some(Plant::SlotRelaxed);
    let model = |seen: &Seen| one_group_and_a_reader(seen, Swap::Nothing);
    must_catch("publication_link_relaxed", fault, RACE, model);
}

#[test]
fn publishing_before_inserting_shows_holes() {
    let model = |seen: &Seen| one_group_and_a_reader(seen, Swap::PublishFirst);
    must_catch("publication_first", None, HOLE, model);
}

#[test]
fn publishing_out_of_turn_takes_the_number_back() {
    let model = |seen: &Seen| two_groups_and_a_reader(seen, Swap::OutOfTurn);
    must_catch("publication_out_of_turn", None, BACK, model);
}

#[test]
fn numbers_taken_outside_the_log_lock_are_given_twice() {
    let model = |seen: &Seen| two_groups_and_a_reader(seen, Swap::LogUnordered);
    must_catch("publication_log_unordered", None, TWICE, model);
}
