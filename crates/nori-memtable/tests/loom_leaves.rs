//! Leaves and their fences: no entry is lost, shown twice or seen half, while leaves fill and
//! split. Under loom a leaf has three slots and the skip list two levels.

#![cfg(nori_loom)]
#![allow(clippy::unwrap_used)]

mod models;

use models::{Seen, explore, must_catch};
use nori_env::sync::{Arc, thread};
use nori_memtable::{Memtable, Plant};
use nori_types::{InternalIterator, InternalKey, Lookup, SeqNo, ValueKind};

/// What the assertions say that the twins must trip.
const LOST: &str = "an entry that was there is not met, or one is met twice";
const ABSENT: &str = "an entry that was there is not found";
const TWICE: &str = "not exactly one of two equal entries is taken";
/// What loom says of a cell that is read while, or not after, it is written.
const RACE: &str = "Causality violation";

/// Memtables of this size have a filter of one word.
const FILTERED: usize = 1_024;

/// A key of one letter.
fn insert(table: &Memtable, key: u8) -> bool {
    let group = table.enter().unwrap();
    group.insert(&[key], &[key], at(key), ValueKind::Value)
}

/// Numbers with which "d", where the leaves are cut, is a fence of two levels.
fn at(key: u8) -> SeqNo {
    SeqNo::new(3_000 + u64::from(key))
}

/// A full leaf of three entries.
fn full(keys: &[u8; 3]) -> Arc<Memtable> {
    let table = Arc::new(Memtable::with_capacity(FILTERED));
    keys.iter().for_each(|key| assert!(insert(&table, *key)));
    table
}

fn walk(table: &Arc<Memtable>) -> String {
    let (mut met, mut iter) = (String::new(), table.iter());
    iter.seek_first().unwrap();
    while iter.is_valid() {
        met.push(char::from(iter.key().user_key[0]));
        assert_eq!(iter.value(), iter.key().user_key);
        iter.next().unwrap();
    }
    met
}

fn walk_back(table: &Arc<Memtable>) -> String {
    let (mut met, mut iter) = (String::new(), table.iter());
    iter.seek_last().unwrap();
    while iter.is_valid() {
        met.insert(0, char::from(iter.key().user_key[0]));
        iter.prev().unwrap();
    }
    met
}

fn check_get(table: &Memtable, key: u8) {
    let found =
        matches!(table.get(&[key], SeqNo::MAX), Lookup::Found(value, _) if value == [key][..]);
    assert!(found, "{ABSENT}: {}", char::from(key));
}

/// Two writers of one key each, and one of a key that both write.
fn two_writers(seen: &Seen) {
    let table = Arc::new(Memtable::new());
    let shared = Arc::clone(&table);
    let other = thread::spawn(move || (insert(&shared, b'c'), insert(&shared, b'b')));
    let mine = insert(&table, b'c');
    insert(&table, b'a');
    let (theirs, _) = other.join().unwrap();
    assert!(mine != theirs, "{TWICE}");
    assert_eq!(walk(&table), "abc", "{LOST}");
    assert_eq!(table.len(), 3);
    seen.add(if mine { "first" } else { "second" });
}

/// Two writers at a full leaf: both find it full, both may split it, each writes to one half.
fn two_writers_and_a_split(seen: &Seen) {
    let table = full(b"fbd");
    let shared = Arc::clone(&table);
    let other = thread::spawn(move || {
        insert(&shared, b'a');
        shared.get(b"e", SeqNo::MAX) != Lookup::Absent
    });
    insert(&table, b'e');
    let met = other.join().unwrap();
    assert_eq!(walk(&table), "abdef", "{LOST}");
    assert_eq!(walk_back(&table), "abdef", "{LOST}");
    b"abdef".iter().for_each(|key| check_get(&table, *key));
    seen.add(if met { "met" } else { "alone" });
}

/// A writer that splits a full leaf and goes on to write; a reader.
fn a_split_and_a_reader(seen: &Seen, read: impl Fn(&Arc<Memtable>) -> String + Send + 'static) {
    let table = full(b"fbd");
    let shared = Arc::clone(&table);
    let reader = thread::spawn(move || read(&shared));
    insert(&table, b'e');
    seen.add(reader.join().unwrap());
    assert_eq!(walk(&table), "bdef", "{LOST}");
}

fn reader_walks(table: &Arc<Memtable>) -> String {
    let met = walk(table);
    assert!(met == "bdf" || met == "bdef", "{LOST}: {met:?}");
    met
}

fn reader_walks_back(table: &Arc<Memtable>) -> String {
    let met = walk_back(table);
    assert!(met == "bdf" || met == "bdef", "{LOST}: {met:?}");
    met
}

/// What is behind the target is in the leaf, or is the next one's fence.
fn reader_seeks(table: &Arc<Memtable>) -> String {
    let mut iter = table.iter();
    iter.seek(InternalKey::seek(b"c", SeqNo::MAX)).unwrap();
    assert!(iter.is_valid() && iter.key().user_key == b"d", "{LOST}");
    iter.prev().unwrap();
    assert!(iter.is_valid() && iter.key().user_key == b"b", "{LOST}");
    iter.seek_for_prev(InternalKey::behind(b"e")).unwrap();
    assert!(iter.is_valid(), "{LOST}");
    char::from(iter.key().user_key[0]).to_string()
}

fn reader_gets(table: &Arc<Memtable>) -> String {
    let met = walk(table).contains('e');
    b"bdf".iter().for_each(|key| check_get(table, *key));
    if met {
        check_get(table, b'e')
    }
    met.to_string()
}

#[test]
fn equal_entries_are_taken_once_and_others_all() {
    explore("leaf_inserts", &["first", "second"], two_writers);
}

#[test]
fn a_slot_that_is_looked_at_first_and_filled_second_loses_an_entry() {
    must_catch("leaf_two_steps", Some(Plant::SlotInTwoSteps), TWICE, two_writers);
}

#[test]
fn who_finds_a_leaf_full_splits_it_and_nothing_is_lost() {
    explore("leaf_split", &["alone", "met"], two_writers_and_a_split);
}

#[test]
fn a_leaf_replaced_twice_loses_an_entry() {
    let fault = Some(Plant::LeafInTwoSteps);
    must_catch("leaf_replaced_twice", fault, LOST, two_writers_and_a_split);
}

#[test]
fn a_writer_that_does_not_look_behind_its_leaf_misplaces_an_entry() {
    must_catch("leaf_unchecked", Some(Plant::WriterUnchecked), LOST, two_writers_and_a_split);
}

#[test]
fn a_leaf_cut_before_the_rest_is_linked_is_written_to_wrongly() {
    must_catch("leaf_cut_first", Some(Plant::SwapBeforeLink), LOST, two_writers_and_a_split);
}

#[test]
fn walks_meet_what_was_there_once() {
    let outcomes = ["bdef", "bdf"];
    explore("leaf_walk", &outcomes, |seen| a_split_and_a_reader(seen, reader_walks));
    explore("leaf_walk_back", &outcomes, |seen| a_split_and_a_reader(seen, reader_walks_back));
    explore("leaf_seek", &["d", "e"], |seen| a_split_and_a_reader(seen, reader_seeks));
}

#[test]
fn gets_find_what_was_there() {
    let outcomes = ["false", "true"];
    explore("leaf_get", &outcomes, |seen| a_split_and_a_reader(seen, reader_gets));
}

#[test]
fn a_full_leaf_shown_to_its_end_is_met_twice() {
    let fault = Some(Plant::UpperPartShown);
    must_catch("leaf_shown_twice", fault, LOST, |seen| a_split_and_a_reader(seen, reader_walks));
}

#[test]
fn a_leaf_cut_before_the_rest_is_linked_hides_it() {
    let fault = Some(Plant::SwapBeforeLink);
    must_catch("leaf_walk_cut", fault, LOST, |seen| a_split_and_a_reader(seen, reader_walks));
    must_catch("leaf_get_cut", fault, ABSENT, |seen| a_split_and_a_reader(seen, reader_gets));
}

#[test]
fn a_reader_that_does_not_look_behind_its_leaf_misses_an_entry() {
    let fault = Some(Plant::ReaderUnchecked);
    must_catch("leaf_get_unchecked", fault, ABSENT, |seen| a_split_and_a_reader(seen, reader_gets));
}

#[test]
fn a_key_added_to_the_filter_behind_its_entry_is_not_found() {
    let fault = Some(Plant::FilteredLate);
    must_catch("leaf_filtered_late", fault, ABSENT, |seen| a_split_and_a_reader(seen, reader_gets));
}

#[test]
fn leaves_and_fences_published_without_release_are_seen_half() {
    let faults = [("leaf_relaxed", Plant::LeafRelaxed), ("leaf_node_relaxed", Plant::NodeRelaxed)];
    for (name, fault) in faults {
        must_catch(name, Some(fault), RACE, |seen| a_split_and_a_reader(seen, reader_walks));
    }
}
