//! The algebra of versions, one story per rule.

#![allow(clippy::unwrap_used)]

mod moves;

use super::*;
use crate::{Error, Run};
use nori_types::TableMeta;

fn key(user: &str) -> Bytes {
    Bytes::from([b"\0", user.as_bytes()].concat())
}

/// A table of 100 bytes over user keys of "default".
fn meta(number: u64, first: &str, last: &str) -> TableMeta {
    TableMeta {
        number: FileNumber(number),
        id: number,
        bytes: 100,
        entries: 10,
        tombstones: 2,
        smallest: key(first),
        largest: key(last),
        seq_min: SeqNo::new(1),
        seq_max: SeqNo::new(1),
        raw_bytes: 100,
    }
}

fn next(version: &Version, edit: VersionEdit) -> Version {
    let next = version.apply(&edit).unwrap();
    next.check().unwrap();
    version.check_successor(&next).unwrap();
    next.retire(version, &edit);
    next
}

fn flush(version: &Version, tables: &[TableMeta]) -> Version {
    let last = tables.iter().map(|t| t.seq_max).max().unwrap_or_default();
    next(version, version.edit_flush(tables, &|_| true, 0, last, Position::default()))
}

fn split(version: &Version, guards: &[&str]) -> Version {
    let guards: Vec<Bytes> = guards.iter().map(|g| key(g)).collect();
    next(version, version.edit_split(&guards, false).unwrap())
}

/// Each slot's runs as `first..end:bytes`, oldest first.
fn shape(version: &Version) -> Vec<String> {
    let text = |b: &Bytes| b.get(1..).unwrap_or_default().escape_ascii().to_string();
    let table = |t: &crate::TableRef| {
        format!("{}..{}:{}", text(&t.range.lo), text(t.range.hi.as_ref().unwrap()), t.bytes)
    };
    let run = |run: &Arc<Run>| run.tables.iter().map(table).collect::<Vec<_>>().join("+");
    version.slots().map(|s| s.runs.iter().map(run).collect::<Vec<_>>().join(" ")).collect()
}

#[test]
fn a_flush_adds_one_clipped_reference_to_each_slot_with_entries() {
    let v = split(&Version::new(), &["f", "m", "t"]);
    let not_in_f = |range: &KeyRange| range.lo != key("f");
    let edit =
        v.edit_flush(&[meta(1, "b", "p")], &not_in_f, 7, SeqNo::new(9), Position::new(7, 64));
    let v = next(&v, edit);
    assert_eq!(shape(&v), ["b..f:50", "", "m..p\\x00:50", "", ""]);
    assert_eq!((v.flushed, v.last_seq, v.wal_floor), (1, SeqNo::new(9), 7));
    assert_eq!((v.durable, v.next_file), (Position::new(7, 64), 2));
    let v = flush(&v, &[]);
    assert_eq!(v.flushed, 2, "a flush of which nothing survives counts");
    assert!(v.edit_flush(&[], &|_| true, 0, SeqNo::ZERO, Position::default()).flush == Some(3));
}

#[test]
fn clips_never_widen() {
    let v = flush(&Version::new(), &[meta(1, "a", "z")]);
    let v = split(&v, &["m"]);
    assert_eq!(shape(&v), ["a..m:50", "m..z\\x00:50", ""]);
    let (left, right) = (v.slot(0).unwrap().id, v.slot(1).unwrap().id);
    let pinned = v.slot(0).unwrap().runs.clone();
    let v = next(&v, v.edit_replace(left, &pinned, &[meta(2, "a", "c")], &[], 1).unwrap());
    let v = next(&v, v.edit_merge_slots(left, right).unwrap());
    // Two references stay two; what the merge of the left half dropped stays hidden.
    assert_eq!(shape(&v), ["a..c\\x00:100+m..z\\x00:50", ""]);
    assert!(v.obsolete().is_empty());
}

#[test]
fn a_merge_replaces_what_it_pinned_and_nothing_else() {
    let v = flush(&flush(&Version::new(), &[meta(1, "a", "z")]), &[meta(2, "b", "y")]);
    let slot = v.slot(0).unwrap().id;
    let pinned = v.slot(0).unwrap().runs.clone();
    let busy = flush(&v, &[meta(3, "c", "d")]);
    let edit =
        busy.edit_replace(slot, &pinned, &[meta(4, "a", "k"), meta(5, "l", "z")], &[key("l")], 1);
    let edit = edit.unwrap();
    let done = next(&busy, edit.clone());
    assert_eq!(shape(&done), ["a..k\\x00:100 c..d\\x00:100", "l..z\\x00:100", ""]);
    assert_eq!(done.slot(0).unwrap().id, slot, "the first part keeps the name");
    // The same edit again: the pinned runs are gone.
    assert!(matches!(done.apply(&edit), Err(Error::Misfit(_))));
    let again = done.edit_replace(slot, &pinned, &[], &[], 1);
    assert!(matches!(again, Err(Error::Misfit(_))));
}

#[test]
fn a_file_is_obsolete_once_the_last_version_lets_go() {
    let v1 = split(&flush(&Version::new(), &[meta(1, "a", "z")]), &["m"]);
    let compacted = |v: &Version, index: usize, outputs: &[TableMeta]| {
        let slot = v.slot(index).unwrap();
        next(v, v.edit_replace(slot.id, &slot.runs.clone(), outputs, &[], 1).unwrap())
    };
    let v2 = compacted(&v1, 0, &[meta(2, "a", "b")]);
    let v3 = compacted(&v2, 1, &[]);
    let queue = v3.obsolete().clone();
    drop(v2);
    assert!(queue.is_empty(), "the oldest version still holds table 1");
    drop(v1);
    assert_eq!(queue.take(), [FileNumber(1)]);
    drop(v3);
    assert!(queue.is_empty(), "closing queues nothing");
}

#[test]
fn an_output_that_no_slot_references_is_obsolete_at_once() {
    let v = Version::new();
    let edit =
        v.edit_flush(&[meta(1, "a", "z")], &|_| false, 0, SeqNo::new(1), Position::default());
    let v = next(&v, edit);
    assert_eq!(v.obsolete().take(), [FileNumber(1)]);
}

#[test]
fn keyspaces_are_cut_off_the_empty_tail() {
    let at = |n| Position::new(1, n);
    let v = Version::new();
    let v = next(&v, v.edit_create_keyspace("a", SeqNo::new(3), at(64)).unwrap());
    let v = next(&v, v.edit_create_keyspace("b", SeqNo::new(4), at(80)).unwrap());
    assert_eq!(v.slot_count(), 4);
    assert_eq!(v.catalog.by_name("b").unwrap().id, 2);
    assert_eq!((v.last_known(), v.durable), (SeqNo::new(4), at(80)));
    assert!(v.edit_create_keyspace("a", SeqNo::new(5), at(0)).is_err());
    assert!(v.edit_split(&[key_prefix(9)], false).is_err(), "above all keyspaces");
    let (b, tail) = (v.slot(2).unwrap().id, v.slot(3).unwrap().id);
    assert!(v.edit_merge_slots(b, tail).is_err() && v.edit_merge_slots(b, b).is_err());

    let v = next(&v, v.edit_split(&[Bytes::from_static(b"\x01m")], true).unwrap());
    let edit = |v: &Version, oldest| v.edit_purge_slot(v.slot(1).unwrap().id, SeqNo::new(oldest));
    assert!(edit(&v, 99).is_err(), "it lives");
    let v = next(&v, v.edit_drop_keyspace(1, SeqNo::new(9), at(90)).unwrap());
    assert!(edit(&v, 8).is_err() && edit(&v, 9).is_ok());
    assert!(v.edit_drop_keyspace(1, SeqNo::new(10), at(90)).is_err());
    assert!(v.edit_drop_keyspace(0, SeqNo::new(10), at(90)).is_err());
    assert_eq!(v.last_known(), SeqNo::new(9));
    // A user's guard stands for ever in a living keyspace, not in a dropped one.
    let (left, right) = (v.slot(1).unwrap().id, v.slot(2).unwrap().id);
    let v = next(&v, v.edit_merge_slots(left, right).unwrap());
    assert_eq!(v.catalog.next_id(), 3, "ids are not reused");
}

#[test]
fn user_guards_come_in_any_order_and_stay() {
    let v = Version::new();
    let guards = ["t", "f", "t", "m", ""].map(key);
    let v = next(&v, v.edit_split(&guards, true).unwrap());
    let kept: Vec<bool> = v.slots().map(|s| s.kept).collect();
    assert_eq!(kept, [false, true, true, true, true, false]);
    assert!(v.edit_merge_slots(v.slot(1).unwrap().id, v.slot(2).unwrap().id).is_err());
    let again = v.edit_split(&guards, true).unwrap();
    assert!(again.changes.is_empty(), "{again:?}");
    let v = split(&Version::new(), &["m"]);
    let v = next(&v, v.edit_split(&[key("m")], true).unwrap());
    assert!(v.slot(1).unwrap().kept && v.slot_count() == 3);
}

#[test]
fn trivial_moves_never_pass_a_run_they_overlap() {
    let v = flush(&Version::new(), &[meta(1, "a", "f")]);
    let v = flush(&flush(&v, &[meta(2, "e", "k")]), &[meta(3, "m", "p")]);
    let id = v.slot(0).unwrap().id;
    assert!(v.edit_move_run(id, 1, 0, 1).is_err(), "they overlap");
    assert!(v.edit_move_run(id, 0, 1, 1).is_err() && v.edit_move_run(id, 9, 0, 1).is_err());
    assert!(v.edit_move_run(id, 2, 2, 1).is_err(), "an older fragment must go first");
    let v = next(&v, v.edit_move_run(id, 0, 0, 1).unwrap());
    assert_eq!(v.slot(0).unwrap().runs.iter().filter(|r| r.is_fragment()).count(), 2);
    assert!(v.edit_move_run(id, 0, 0, 1).is_err(), "it is no fragment any more");
    assert!(v.edit_move_run(id, 2, 0, 1).is_err(), "fragments stay in order");
    let v = next(&v, v.edit_move_run(id, 1, 1, 1).unwrap());
    let v = next(&v, v.edit_move_run(id, 2, 0, 1).unwrap());
    assert_eq!(shape(&v), ["a..f\\x00:100+m..p\\x00:100 e..k\\x00:100", ""]);
}

#[test]
fn levels_are_given_by_merges_and_kept_by_the_rest() {
    let levels = |v: &Version, slot: usize| -> Vec<u8> {
        v.slot(slot).unwrap().runs.iter().map(|run| run.level).collect()
    };
    let v = split(&Version::new(), &["m"]);
    let v = flush(&flush(&v, &[meta(1, "a", "z")]), &[meta(2, "a", "z")]);
    let (left, right) = (v.slot(0).unwrap().id, v.slot(1).unwrap().id);
    let pinned = v.slot(0).unwrap().runs[..1].to_vec();
    assert!(v.edit_replace(left, &pinned, &[meta(3, "a", "c")], &[], 0).is_err());
    let v = next(&v, v.edit_replace(left, &pinned, &[meta(3, "a", "c")], &[], 6).unwrap());
    assert_eq!((levels(&v, 0), levels(&v, 1)), (vec![6, 0], vec![0, 0]));
    // Any run gets another level in its place; none becomes a fragment again.
    assert!(v.edit_move_run(left, 0, 0, 0).is_err() && v.edit_move_run(left, 0, 0, 6).is_err());
    assert!(v.edit_move_run(left, 1, 1, 0).is_err());
    // Slots merge newest with newest: a fragment if one of the two is, else the deeper level.
    let merged = |v: &Version| levels(&next(v, v.edit_merge_slots(left, right).unwrap()), 0);
    assert_eq!(merged(&v), [0, 0]);
    let relevel = |v: &Version, slot: SlotId, run: usize, level: u8| {
        next(v, v.edit_move_run(slot, run, run, level).unwrap())
    };
    let v = relevel(&relevel(&v, left, 0, 7), right, 0, 3);
    assert_eq!(merged(&v), [7, 0]);
    let v = relevel(&relevel(&v, left, 1, 1), right, 1, 2);
    assert_eq!((levels(&v, 0), levels(&v, 1)), (vec![7, 1], vec![3, 2]));
    assert_eq!(merged(&v), [7, 2]);
    assert_eq!(levels(&split(&v, &["b"]), 1), [7, 1]);
    // A run that another joins keeps its level, whatever the caller says.
    let v = flush(&v, &[meta(4, "k", "l")]);
    let joined = next(&v, v.edit_move_run(left, 2, 0, 9).unwrap_or_default());
    assert_eq!(levels(&joined, 0), [7, 1, 0], "run 1 is in the way");
    let v = next(&v, v.edit_replace(left, &v.slot(0).unwrap().runs[1..2], &[], &[], 1).unwrap());
    assert_eq!(levels(&next(&v, v.edit_move_run(left, 1, 0, 9).unwrap()), 0), [7]);
}

#[test]
fn merged_slots_pair_runs_from_the_newest_on() {
    let v = split(&Version::new(), &["m"]);
    let v =
        flush(&flush(&flush(&v, &[meta(1, "a", "c")]), &[meta(2, "b", "z")]), &[meta(3, "n", "o")]);
    let v = flush(&v, &[meta(4, "p", "p")]);
    let v = next(&v, v.edit_merge_slots(v.slot(0).unwrap().id, v.slot(1).unwrap().id).unwrap());
    assert_eq!(shape(&v)[0], "m..z\\x00:50 a..c\\x00:100+n..o\\x00:100 b..m:50+p..p\\x00:100");
    let seqs: Vec<u64> = v.slot(0).unwrap().runs.iter().map(|r| r.flush_seq).collect();
    assert_eq!(seqs, [2, 3, 4]);
}

/// A run that a move has made younger than the one behind it, beside fragments of older flushes.
#[test]
fn merged_slots_keep_fragments_in_the_order_of_their_flushes() {
    let v = split(&Version::new(), &["m"]);
    let (left, right) = (v.slot(0).unwrap().id, v.slot(1).unwrap().id);
    let v = flush(&v, &[meta(1, "b", "e"), meta(2, "n", "p")]);
    let v = next(&v, v.edit_move_run(left, 0, 0, 1).unwrap());
    let v = flush(&v, &[meta(3, "b", "e"), meta(4, "n", "p")]);
    let v = next(&v, v.edit_move_run(left, 1, 1, 1).unwrap());
    let v = flush(&v, &[meta(5, "g", "h")]);
    let v = next(&v, v.edit_move_run(left, 2, 0, 1).unwrap());
    assert_eq!(v.slot(0).unwrap().runs.iter().map(|r| r.flush_seq).collect::<Vec<_>>(), [3, 2]);
    let v = next(&v, v.edit_merge_slots(left, right).unwrap());
    let runs = &v.slot(0).unwrap().runs;
    assert_eq!(runs.iter().map(|r| (r.level, r.flush_seq)).collect::<Vec<_>>(), [(0, 1), (0, 2)]);
}

#[test]
fn measured_edits_know_the_bytes_of_their_clips() {
    let v = flush(&Version::new(), &[meta(1, "a", "z")]);
    let measure = |number: FileNumber, range: &KeyRange| {
        assert_eq!(number, FileNumber(1));
        Some(if range.lo == key("m") { 90 } else { 10 })
    };
    let edit = v.measured(v.edit_split(&[key("m")], false).unwrap(), &measure).unwrap();
    assert_eq!(shape(&next(&v, edit)), ["a..m:10", "m..z\\x00:90", ""]);
}

#[test]
fn an_install_copies_only_what_it_touches() {
    let guards: Vec<String> = (0..1000).map(|i| format!("{i:04}")).collect();
    let guards: Vec<&str> = guards.iter().map(String::as_str).collect();
    let v = split(&Version::new(), &guards);
    let flushed = flush(&v, &[meta(1, "0500", "0500")]);
    let shared = v.chunks.iter().zip(&flushed.chunks).filter(|(a, b)| Arc::ptr_eq(a, b)).count();
    assert_eq!((v.chunks.len(), shared), (16, 15));
    assert!(Arc::ptr_eq(&v.guards, &flushed.guards));
    let cut = split(&flushed, &["0500x"]);
    let shared = flushed.chunks.iter().zip(&cut.chunks).filter(|(a, b)| Arc::ptr_eq(a, b)).count();
    assert_eq!(shared, 7, "only what lies behind the new guard is copied");
}
