//! A slot through flushes and merges, beside its whole history.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::testing::{DIR, World, file, run, whole_run};
use nori_env::Rng;
use nori_manifest::TableRef;
use nori_testkit::{Entry, KeyGen, VecIter, VersionedMap, collect, run_seeds};
use nori_types::{FileNumber, KeyRange, TableMeta, ValueKind};
use std::ops::Range;
use std::path::Path;

/// A slot with its runs, the history that went into it, and readers of it.
struct Slot {
    world: World,
    runs: Vec<Arc<Run>>,
    memtable: Vec<Entry>,
    oracle: VersionedMap,
    snapshots: Vec<SeqNo>,
    seq: u64,
}

impl Slot {
    fn new(seed: u64) -> Slot {
        let (world, oracle) = (World::new(seed), VersionedMap::new());
        Slot { world, runs: vec![], memtable: vec![], oracle, snapshots: vec![], seq: 0 }
    }

    fn write(&mut self, key: &[u8], value: Option<&[u8]>) {
        self.seq += 1;
        let entry = match value {
            Some(value) => Entry::put(key, self.seq, value),
            None => Entry::delete(key, self.seq),
        };
        self.oracle.apply(&entry);
        self.memtable.push(entry);
    }

    fn stripes(&self) -> Vec<SeqNo> {
        let visible = SeqNo::new(self.seq);
        self.snapshots.iter().copied().chain([visible]).collect()
    }

    fn job<T>(&self, run: impl FnOnce(&Destination<'_>) -> T) -> T {
        let (options, number) = (World::options(), || self.world.new_number());
        let to = Destination::new(&*self.world.fs, Path::new(DIR), &number, &options, 400);
        run(&to)
    }

    fn flush(&mut self) {
        let mut entries = std::mem::take(&mut self.memtable);
        entries.sort_by(|a, b| a.internal_key().cmp(&b.internal_key()));
        let mut source = VecIter::new(entries);
        let output = self.job(|to| flush(&mut source, self.stripes(), |_| None, to)).unwrap();
        self.runs.extend((!output.tables.is_empty()).then(|| whole_run(&output.tables)));
    }

    /// Merges some of the runs; a flush may come between the merge and its install.
    fn compact(&mut self, runs: Range<usize>, flushes: bool) -> Output {
        let pinned = self.runs[runs.clone()].to_vec();
        let retain = Retain::new(self.stripes(), runs.start == 0, |_| None);
        let output = self.job(|to| compact(&pinned, &self.world.tables, retain, to)).unwrap();
        check_counts(&pinned, &output);
        if flushes {
            self.flush();
        }
        let made = (!output.tables.is_empty()).then(|| whole_run(&output.tables));
        self.runs.splice(runs, made);
        output
    }

    /// Cuts the clips at a key: what a split does to references.
    fn split_clips(&mut self, at: &[u8]) {
        let halves = |run: &Run| {
            let cuts =
                [KeyRange::new(vec![], Some(at.to_vec().into())), KeyRange::new(at.to_vec(), None)];
            let parts = run.tables.iter().flat_map(|t| {
                cuts.clone().map(|cut| (file(&t.file.meta), t.range.intersection(&cut)))
            });
            parts.filter(|(_, range)| !range.is_empty()).collect::<Vec<_>>()
        };
        self.runs = self.runs.iter().map(|r| run(halves(r))).collect();
    }

    /// What a reader at `at` finds in the runs.
    fn scan(&self, at: SeqNo) -> Vec<(Vec<u8>, Vec<u8>)> {
        let newest_first = self.runs.iter().rev();
        let sources =
            newest_first.map(|r| RunIter::new(r.clone(), self.world.tables.clone())).collect();
        let all = collect(&mut MergeIter::new(sources)).unwrap();
        let mut last = None;
        let visible = all.into_iter().filter(|e| e.seq <= at);
        let newest = visible.filter(|e| last.replace(e.key.clone()).as_ref() != Some(&e.key));
        let values = newest.filter(|e| e.kind == ValueKind::Value);
        values.map(|e| (e.key.to_vec(), e.value.to_vec())).collect()
    }

    fn check(&self) {
        for at in self.stripes() {
            let expected = self.oracle.scan(&KeyRange::all(), at);
            let expected: Vec<_> = expected.map(|(k, v)| (k.to_vec(), v.to_vec())).collect();
            assert_eq!(self.scan(at), expected, "at {at}");
        }
    }
}

/// What a merge counts can be set against what its inputs and outputs say of themselves.
fn check_counts(pinned: &[Arc<Run>], output: &Output) {
    let (stats, tables) = (output.stats, &output.tables);
    assert_eq!(stats.input_bytes, pinned.iter().map(|run| run.bytes).sum::<u64>());
    assert_eq!(stats.bytes_written, tables.iter().map(|t| t.bytes).sum::<u64>());
    assert_eq!(stats.entries_out, tables.iter().map(|t| t.entries).sum::<u64>());
    assert_eq!(stats.tombstones_out, tables.iter().map(|t| t.tombstones).sum::<u64>());
    assert_eq!(stats.entries_in, stats.entries_out + stats.entries_dropped);
    assert_eq!(stats.tombstones_in, stats.tombstones_out + stats.tombstones_dropped);
    let whole = pinned.iter().flat_map(|run| &run.tables).all(TableRef::is_whole);
    let files = |count: fn(&TableMeta) -> u64| -> u64 {
        pinned.iter().flat_map(|run| &run.tables).map(|t| count(&t.file.meta)).sum()
    };
    if whole {
        assert_eq!(stats.entries_in, files(|meta| meta.entries), "a version was read twice");
        assert_eq!(stats.tombstones_in, files(|meta| meta.tombstones));
        assert_eq!(stats.bytes_read, files(|meta| meta.raw_bytes));
        assert_eq!(stats.input_bytes, files(|meta| meta.bytes));
    }
}

#[test]
fn a_slot_answers_as_its_history_through_flushes_and_merges() {
    let (mut jobs, mut between, mut alone, mut dropped) = (0, 0, 0, 0);
    run_seeds("-p nori-compaction a_slot_answers", 60, |seed| {
        let rng = &mut Rng::new(seed);
        let mut keys = KeyGen::new(rng, 20);
        let mut slot = Slot::new(seed);
        for _ in 0..40 {
            for _ in 0..rng.below(12) {
                let (key, value) = (keys.next(rng), format!("value {}", rng.below(1000)));
                slot.write(&key, rng.chance(70).then_some(value.as_bytes()));
            }
            match rng.below(10) {
                0 => slot.snapshots.push(SeqNo::new(slot.seq)),
                1 if !slot.snapshots.is_empty() => {
                    slot.snapshots.remove(rng.below(slot.snapshots.len() as u64) as usize);
                }
                2 => slot.split_clips(&keys.near(rng)),
                _ => {}
            }
            slot.flush();
            if rng.chance(40) && !slot.runs.is_empty() {
                // Any neighbours: older runs may lie below them, newer ones above.
                let all = slot.runs.len();
                let first = rng.index(all);
                let end = if rng.chance(40) { all } else { first + 1 + rng.index(all - first) };
                for _ in 0..rng.below(6) {
                    let key = keys.next(rng);
                    slot.write(&key, rng.chance(50).then_some(&b"meanwhile"[..]));
                }
                let output = slot.compact(first..end, rng.chance(50));
                slot.flush();
                jobs += 1;
                between += u64::from(first > 0 && end < all);
                alone += u64::from(end - first == 1);
                dropped += output.stats.entries_dropped;
            }
            slot.check();
        }
        slot.snapshots.clear();
        slot.flush();
        slot.compact(0..slot.runs.len(), false);
        slot.check();
        // After the last full merge nothing is left but what a reader sees.
        let left: u64 = slot.runs.iter().map(|r| r.entries).sum();
        assert_eq!(left, slot.scan(SeqNo::MAX).len() as u64);
    });
    println!(
        "{jobs} merges, {between} with runs on both sides, {alone} of one run, \
         dropped {dropped} entries"
    );
    assert!(between.min(alone) * 20 > jobs);
}

#[test]
fn a_flush_keeps_tombstones_and_drops_what_is_shadowed_or_purged() {
    let slot = Slot::new(1);
    let mut memtable = VecIter::new(vec![
        Entry::delete("a", 9),
        Entry::put("a", 4, "hidden"),
        Entry::put("a", 2, "seen at 3"),
        Entry::put("z", 5, "of a dropped keyspace"),
        Entry::delete("z", 1),
    ]);
    let stripes = vec![SeqNo::new(9), SeqNo::new(3)];
    let dropped_at = |seq| move |key: &[u8]| (key == b"z").then_some(SeqNo::new(seq));
    // A reader at 3 is older than the drop at 6, not than the drop at 3.
    for (dropped, left) in [(6, 4), (3, 2)] {
        let output =
            slot.job(|to| flush(&mut memtable, stripes.clone(), dropped_at(dropped), to)).unwrap();
        assert_eq!(output.stats.entries_out, left);
        assert_eq!(output.stats.tombstones_dropped, u64::from(dropped == 3));
        let tombstones: u64 = output.tables.iter().map(|t| t.tombstones).sum();
        assert_eq!(tombstones, 2 - u64::from(dropped == 3));
    }
}

#[test]
fn a_missing_input_ends_the_merge_and_leaves_no_output() {
    let mut slot = Slot::new(1);
    for round in 0..3 {
        for n in 0..40u32 {
            slot.write(&n.to_be_bytes(), Some(format!("round {round}").as_bytes()));
        }
        slot.flush();
    }
    let before = slot.world.files();
    let victim = slot.runs[1].tables.last().map_or(FileNumber(0), |t| t.file.meta.number);
    assert!(slot.world.fs.remove_file(format!("{DIR}/{victim}.sst")));
    let retain = Retain::new(slot.stripes(), true, |_| None);
    let outcome = slot.job(|to| compact(&slot.runs, &slot.world.tables, retain, to));
    assert!(matches!(outcome, Err(Error::Table(_))));
    assert_eq!(slot.world.files().len(), before.len() - 1);
}

/// Where numbers of entries became zero, the tables say what they were merged from.
#[test]
fn tables_of_a_merge_of_all_that_is_old_name_its_inputs() {
    let mut slot = Slot::new(4);
    for round in 0..4 {
        for n in 0..60 {
            slot.write(format!("key {n:02} {round}").as_bytes(), Some(b"some value"));
        }
        slot.flush();
    }
    let numbers = |runs: &[Arc<Run>]| -> Vec<FileNumber> {
        let refs = runs.iter().flat_map(|run| &run.tables);
        let mut numbers: Vec<FileNumber> = refs.map(|table| table.file.number()).collect();
        numbers.sort_unstable();
        numbers
    };
    let named = |slot: &Slot, run: &Run| -> Vec<Vec<FileNumber>> {
        let tables = &slot.world.tables;
        let open = |t: &TableRef| tables.open(&t.file.meta).unwrap().properties().clone();
        run.tables.iter().map(|table| open(table).merged_from).collect()
    };
    let (old, young) = (numbers(&slot.runs[..2]), numbers(&slot.runs[2..]));
    assert!(old.len() > 2 && young.len() > 2);
    assert!(slot.runs.iter().flat_map(|run| named(&slot, run)).all(|names| names.is_empty()));
    slot.compact(2..4, false);
    slot.compact(0..2, false);
    assert!(slot.runs[0].tables.len() > 1);
    let names = named(&slot, &slot.runs[0]);
    assert!(names.iter().all(|names| !names.is_empty() && names.len() < old.len()));
    let mut all: Vec<FileNumber> = names.concat();
    all.sort_unstable();
    all.dedup();
    assert_eq!(all, old, "each table those that it overlaps, together all");
    // Their entries have numbers.
    assert!(named(&slot, &slot.runs[1]).iter().all(|names| names.is_empty()));
    // Between its first and its last key all of a part that was cut is there.
    let at = nori_types::successor(&slot.runs[0].tables[0].file.meta.smallest);
    slot.split_clips(&at);
    let cut = slot.runs[0].tables.iter().find(|table| !table.is_whole()).unwrap().clone();
    let merge = |run: Arc<Run>| {
        let retain = Retain::new(vec![SeqNo::new(9999)], true, |_| None);
        let output = slot.job(|to| {
            let to = Destination { table_bytes: 1 << 20, ..*to };
            compact(&[run], &slot.world.tables, retain, &to)
        });
        named(&slot, &whole_run(&output.unwrap().tables))
    };
    let part = (Arc::clone(&cut.file), cut.range.clone());
    assert_eq!(merge(run([part.clone()])), [vec![cut.file.number()]]);
    // With a key behind the cut it is not: of the other part nothing is known here.
    let behind = slot.world.write(&[Entry::put("key 59 9", 999, "value")], 400);
    let far = (file(&behind[0]), KeyRange::new(behind[0].smallest.clone(), Some(behind[0].end())));
    assert_eq!(merge(run([part, far])), [vec![behind[0].number]]);
}
