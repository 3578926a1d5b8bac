//! Trivial moves and cuts at the borders of tables: changes that cost one manifest record.

use super::*;
use nori_env::Rng;
use nori_testkit::run_seeds;

fn levels(version: &Version, slot: usize) -> Vec<u8> {
    version.slot(slot).unwrap().runs.iter().map(|run| run.level).collect()
}

/// A flush whose fragments move where they can, in slots that are not `busy`.
fn flush_and_move(version: &Version, tables: &[TableMeta], busy: &[SlotId]) -> Version {
    let last = tables.iter().map(|t| t.seq_max).max().unwrap_or_default();
    let edit = version.edit_flush(tables, &|_| true, 0, last, Position::default());
    let edit = version.with_moves(edit, 1, &|slot| !busy.contains(&slot)).unwrap();
    next(version, edit)
}

#[test]
fn a_load_in_key_order_leaves_one_run_per_slot() {
    let mut v = split(&Version::new(), &["0400", "0800"]);
    for i in 0..100 {
        // Every third table also straddles a guard now and then.
        let (first, last) = (format!("{:04}", i * 12), format!("{:04}", i * 12 + 11));
        v = flush_and_move(&v, &[meta(i + 1, &first, &last)], &[]);
    }
    let runs: Vec<usize> = v.slots().map(|slot| slot.runs.len()).collect();
    assert_eq!(runs, [1, 1, 1, 0]);
    let refs: usize = v.slots().map(|slot| slot.tables().count()).sum();
    assert_eq!(refs, 100 + 2, "two tables straddle a guard, none was rewritten");
    assert!(v.slots().flat_map(|slot| &slot.runs).all(|run| run.level == 1));
    assert!(v.obsolete().is_empty());
}

#[test]
fn a_load_in_any_order_moves_nothing_but_the_first_fragment() {
    let mut v = split(&Version::new(), &["m"]);
    for number in 1..=10 {
        v = flush_and_move(&v, &[meta(number, "b", "y")], &[]);
    }
    for slot in [0, 1] {
        assert_eq!(levels(&v, slot), [1, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        assert!(v.trivial_moves(v.slot(slot).unwrap().id, 1).is_none());
    }
}

#[test]
fn a_fragment_goes_as_deep_as_it_can_and_no_deeper() {
    let v = flush_and_move(&Version::new(), &[meta(1, "a", "f")], &[]);
    let v = flush_and_move(&v, &[meta(2, "e", "k")], &[]);
    let id = v.slot(0).unwrap().id;
    let v = next(&v, v.edit_move_run(id, 0, 0, 7).unwrap());
    let v = next(&v, v.edit_move_run(id, 1, 1, 6).unwrap());
    // Over both runs: the older one takes it. Only over the newer one: that one.
    let v = flush_and_move(&v, &[meta(3, "m", "p")], &[]);
    let v = flush_and_move(&v, &[meta(4, "b", "c")], &[]);
    assert_eq!(
        shape(&v),
        ["a..f\\x00:100+m..p\\x00:100 b..c\\x00:100+e..k\\x00:100", ""],
        "4 lies beside run 1 but over table 1 of run 0",
    );
    assert_eq!(levels(&v, 0), [7, 6], "the runs keep their levels");
    // Between the tables of a run there is room, too.
    let v = flush_and_move(&v, &[meta(5, "g", "h")], &[]);
    assert_eq!(levels(&v, 0), [7, 6, 0], "5 lies over run 1");
    let v = flush_and_move(&v, &[meta(6, "x", "z")], &[]);
    assert_eq!(levels(&v, 0), [7, 6, 0, 0], "an older fragment stays, so do those behind it");
}

#[test]
fn what_a_busy_slot_missed_is_made_up_for_later() {
    let v = split(&Version::new(), &["m"]);
    let (left, right) = (v.slot(0).unwrap().id, v.slot(1).unwrap().id);
    let mut v = flush_and_move(&v, &[meta(1, "a", "z")], &[left]);
    for (number, first, last) in [(2, "n", "n"), (3, "f", "g"), (4, "b", "c"), (5, "g", "h")] {
        v = flush_and_move(&v, &[meta(number, first, last)], &[left]);
    }
    assert_eq!((levels(&v, 0), levels(&v, 1)), (vec![0; 4], vec![1, 0]));
    assert!(v.trivial_moves(right, 1).is_none(), "2 lies over 1");
    // A merge took the oldest run away meanwhile: the oldest fragment becomes a run, the next
    // joins it, the third overlaps both.
    let pinned = v.slot(0).unwrap().runs[..1].to_vec();
    let v = next(&v, v.edit_replace(left, &pinned, &[], &[], 1).unwrap());
    let v = next(&v, v.trivial_moves(left, 3).unwrap());
    assert_eq!(shape(&v)[0], "b..c\\x00:100+f..g\\x00:100 g..h\\x00:100");
    assert_eq!(levels(&v, 0), [3, 0]);
    assert_eq!(v.slot(0).unwrap().runs[0].flush_seq, 4);
    assert!(v.trivial_moves(left, 1).is_none());
    assert!(v.trivial_moves(SlotId(99), 1).is_none());
}

#[test]
fn a_straddling_table_moves_in_one_slot_and_stays_in_the_other() {
    let v = split(&Version::new(), &["m"]);
    let v = flush_and_move(&v, &[meta(1, "n", "z")], &[]);
    let v = flush_and_move(&v, &[meta(2, "c", "p")], &[]);
    assert_eq!(shape(&v), ["c..m:50", "n..z\\x00:100 m..p\\x00:50", ""]);
    assert_eq!((levels(&v, 0), levels(&v, 1)), (vec![1], vec![1, 0]));
    // The moved half keeps its clip through a merge of the slots.
    let (left, right) = (v.slot(0).unwrap().id, v.slot(1).unwrap().id);
    let pinned = v.slot(1).unwrap().runs.clone();
    let v = next(&v, v.edit_replace(right, &pinned, &[], &[], 1).unwrap());
    let v = flush_and_move(&v, &[meta(3, "o", "o")], &[]);
    let v = next(&v, v.edit_merge_slots(left, right).unwrap());
    assert_eq!(shape(&v)[0], "c..m:50+o..o\\x00:100", "what 2 held from m on is gone for good");
}

#[test]
fn a_flush_with_its_moves_is_one_edit_that_can_be_refused() {
    let v = flush_and_move(&Version::new(), &[meta(1, "a", "c")], &[]);
    let edit = v.edit_flush(&[meta(2, "d", "f")], &|_| true, 0, SeqNo::new(1), Position::default());
    let edit = v.with_moves(edit, 1, &|_| true).unwrap();
    assert_eq!(edit.moved().collect::<Vec<_>>(), [v.slot(0).unwrap().id]);
    assert_eq!(edit.fragments().map(|f| f.1.0).collect::<Vec<_>>(), [2]);
    // Against another version the move does not fit, and then neither does the flush.
    let split = split(&v, &["b"]);
    assert!(matches!(split.apply(&edit), Err(Error::Misfit(_))));
    let moved = edit.changes.iter().cloned().map(|change| match change {
        crate::edit::SlotChange::Move { slot, from, to, level } => {
            crate::edit::SlotChange::Move { slot, from, to, level: level + 1 }
        }
        other => other,
    });
    let forged = VersionEdit { changes: moved.collect(), ..edit };
    assert!(matches!(v.apply(&forged), Err(Error::Misfit(_))), "run 0 has another level");
}

#[test]
fn moves_agree_with_a_search_for_the_deepest_place() {
    run_seeds("-p nori-manifest moves_agree_with_a_search", 200, |seed| {
        let mut rng = Rng::new(seed);
        let name = |at: u64| format!("{at:03}");
        let mut v = split(&Version::new(), &["040"]);
        for number in 1..=20 {
            let first = rng.below(80);
            let last = first + rng.below(30);
            let before = flush(&v, &[meta(number, &name(first), &name(last))]);
            let mut expected = before.clone();
            for index in [0, 1] {
                let id = before.slot(index).unwrap().id;
                let mut moved = true;
                while std::mem::take(&mut moved) {
                    let runs = &expected.slot(index).unwrap().runs;
                    let Some(from) = runs.iter().position(|run| run.is_fragment()) else { break };
                    let joins = (0..from).map(|to| expected.edit_move_run(id, from, to, 1));
                    let alone = (from == 0).then(|| expected.edit_move_run(id, 0, 0, 1));
                    if let Some(Ok(edit)) = joins.chain(alone).find(Result::is_ok) {
                        expected = next(&expected, edit);
                        moved = true;
                    }
                }
            }
            let mut moved = before.clone();
            for index in [0, 1] {
                if let Some(edit) = moved.trivial_moves(before.slot(index).unwrap().id, 1) {
                    moved = next(&moved, edit);
                }
            }
            assert_eq!(shape(&moved), shape(&expected));
            assert_eq!(levels(&moved, 0), levels(&expected, 0));
            let stays = rng.chance(30);
            v = if stays { before } else { moved };
        }
    });
}

#[test]
fn the_median_border_halves_the_largest_run() {
    let border = |v: &Version| {
        let guard = v.median_border(v.slot(0).unwrap().id);
        guard.map(|guard| guard[1..].escape_ascii().to_string())
    };
    let sized = |number: u64, first: &str, last: &str, bytes: u64| {
        let mut meta = meta(number, first, last);
        meta.bytes = bytes;
        meta
    };
    assert_eq!(border(&Version::new()), None, "nothing to halve");
    let one = flush(&Version::new(), &[meta(1, "apple", "cherry")]);
    assert_eq!(border(&one), None, "no border");
    let two = flush(&one, &[meta(2, "apple", "cherry"), meta(3, "damson", "fig")]);
    assert_eq!(border(&two).as_deref(), Some("d"), "the shortest key between the tables");
    let tables = [sized(4, "aa", "ab", 10), sized(5, "ac", "ad", 60), sized(6, "ae", "af", 30)];
    let uneven = flush(&two, &tables);
    assert_eq!(border(&uneven).as_deref(), Some("d"), "the larger run decides");
    let tables = [sized(7, "aa", "ab", 900), sized(8, "ac", "ad", 250), sized(9, "ae", "af", 50)];
    let lopsided = flush(&uneven, &tables);
    assert_eq!(border(&lopsided).as_deref(), Some("ac"), "a quarter on the short side is enough");
    let heavy = [sized(10, "aa", "ab", 9000), sized(11, "ac", "ad", 2500)];
    assert_eq!(border(&flush(&lopsided, &heavy)), None, "less than a quarter is not");
    // It is a guard that the slot can be cut at.
    let id = two.slot(0).unwrap().id;
    let guard = two.median_border(id).unwrap();
    assert_eq!(
        shape(&next(&two, two.edit_split(&[guard], false).unwrap())),
        ["apple..cherry\\x00:100 apple..cherry\\x00:100", "damson..fig\\x00:100", ""],
    );
    // Two clips of one table that touch, in one run: the border is where they touch.
    let v = split(&flush(&Version::new(), &[meta(1, "a", "z")]), &["m"]);
    let v = next(&v, v.edit_merge_slots(v.slot(0).unwrap().id, v.slot(1).unwrap().id).unwrap());
    assert_eq!(border(&v).as_deref(), Some("m"));
}
