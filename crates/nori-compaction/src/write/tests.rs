//! Where tables are cut, what they survive, and what a failure leaves.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::RunIter;
use crate::testing::{DIR, World, whole_run};
use nori_env::{Cut, Fault, FaultFs, FaultRule, FsOp, Rng};
use nori_testkit::{Entry, KeyGen, VecIter, collect, entries, plant_caught, run_seeds};
use std::cell::Cell;
use std::panic::catch_unwind;

fn keep_all() -> Retain<impl Fn(&[u8]) -> Option<SeqNo>> {
    Retain::new(vec![], false, |_| None)
}

/// A job over random entries with its settings.
struct Job {
    entries: Vec<Entry>,
    guards: Vec<Bytes>,
    table_bytes: u64,
    writeback_bytes: Option<u64>,
}

impl Job {
    fn random(rng: &mut Rng) -> Job {
        // Few keys: many versions of each.
        let mut keys = KeyGen::new(rng, 12);
        let count = rng.below(120) as usize;
        let entries = entries(rng, &mut keys, 1, count);
        let mut guards: Vec<Bytes> = (0..rng.below(4)).map(|_| keys.near(rng).into()).collect();
        guards.sort();
        let table_bytes = 100 + rng.below(800);
        let writeback_bytes = rng.chance(50).then(|| 1 + rng.below(300));
        Job { entries, guards, table_bytes, writeback_bytes }
    }

    fn run(&self, world: &World, plant: Option<Plant>) -> Result<Output> {
        self.run_on(&*world.fs, world, plant)
    }

    fn run_on(&self, fs: &dyn FileSystem, world: &World, plant: Option<Plant>) -> Result<Output> {
        let (options, number) = (World::options(), || world.new_number());
        let dir = Path::new(DIR);
        let to = Destination::new(fs, dir, &number, &options, self.table_bytes);
        let writeback_bytes = self.writeback_bytes;
        let to = Destination { guards: &self.guards, writeback_bytes, ..to };
        let mut retain = keep_all();
        retain.planted = Planted::one(plant);
        write_tables(&mut VecIter::new(self.entries.clone()), retain, &to)
    }
}

/// What every finished job owes: all entries, tables in order, no key and no guard cut through,
/// counts that are exact.
fn check(job: &Job, world: &World, output: &Output) {
    let mut iter = RunIter::new(whole_run(&output.tables), Arc::clone(&world.tables));
    assert_eq!(collect(&mut iter).unwrap(), job.entries);
    for pair in output.tables.windows(2) {
        assert!(pair[0].largest < pair[1].smallest, "versions of one key in two tables");
    }
    for table in &output.tables {
        let is_inside = |guard: &&Bytes| table.smallest < **guard && **guard <= table.largest;
        assert_eq!(job.guards.iter().find(is_inside), None, "a guard inside a table");
        let path = format!("{DIR}/{}", FileName::Table(table.number));
        assert_eq!(world.fs.read_file(path).map(|f| f.len() as u64), Some(table.bytes));
    }
    let count = job.entries.len() as u64;
    let tombstones = job.entries.iter().filter(|e| e.kind == ValueKind::Tombstone).count() as u64;
    let raw = job.entries.iter().map(|e| (e.key.len() + e.value.len()) as u64).sum();
    let expected = Stats {
        bytes_read: raw,
        bytes_written: world.fs.total_bytes(),
        entries_in: count,
        entries_out: count,
        tombstones_in: tombstones,
        tombstones_out: tombstones,
        ..Stats::default()
    };
    assert_eq!(output.stats, expected);
    assert_eq!(output.tables.iter().map(|t| t.raw_bytes).sum::<u64>(), raw);
    assert_eq!(output.tables.iter().map(|t| t.entries).sum::<u64>(), count);
    assert_eq!(world.files().len(), output.tables.len());
}

#[test]
fn tables_are_cut_between_keys_and_at_guards() {
    let mut tables = 0;
    run_seeds("-p nori-compaction tables_are_cut", 300, |seed| {
        let (job, world) = (Job::random(&mut Rng::new(seed)), World::new(seed));
        let output = job.run(&world, None).unwrap();
        check(&job, &world, &output);
        tables += output.tables.len();
    });
    println!("{tables} tables");
}

#[test]
fn a_key_split_by_a_cut_is_noticed() {
    let caught = (1..300).find(|seed| {
        let (job, world) = (Job::random(&mut Rng::new(*seed)), World::new(*seed));
        let output = job.run(&world, Some(Plant::KeySplitByCut)).unwrap();
        catch_unwind(std::panic::AssertUnwindSafe(|| check(&job, &world, &output))).is_err()
    });
    plant_caught(Plant::KeySplitByCut, "merge-tables", caught.expect("is caught"), "jobs");
}

#[test]
fn nothing_to_write_makes_no_file() {
    let world = World::new(1);
    let (entries, guards, writeback_bytes) = (vec![], vec![], Some(1));
    let job = Job { entries, guards, table_bytes: 100, writeback_bytes };
    let before = world.fs.operations();
    assert_eq!(job.run(&world, None).unwrap(), Output::default());
    assert_eq!(world.fs.operations(), before);
}

#[test]
fn what_is_reported_outlives_every_crash() {
    run_seeds("-p nori-compaction what_is_reported_outlives", 20, |seed| {
        let (job, world) = (Job::random(&mut Rng::new(seed)), World::new(seed));
        let output = job.run(&world, None).unwrap();
        for cut in Cut::ALL {
            let image = world.fs.crash(cut, seed);
            for table in &output.tables {
                let path = format!("{DIR}/{}", FileName::Table(table.number));
                let (now, then) = (world.fs.read_file(&path), image.read_file(&path));
                assert!(now == then, "{path} after {cut:?}");
            }
        }
    });
}

#[test]
fn an_unreadable_source_leaves_nothing() {
    let job = long_job();
    for damaged in 0..job.entries.len() {
        let world = World::new(5);
        let (options, number) = (World::options(), || world.new_number());
        let to = Destination::new(&*world.fs, Path::new(DIR), &number, &options, 100);
        let mut source = VecIter::new(job.entries.clone()).damage(damaged);
        let outcome = write_tables(&mut source, keep_all(), &to);
        assert!(matches!(outcome, Err(Error::Io(_))));
        assert_eq!(world.files(), [""; 0], "entry {damaged} damaged");
    }
}

#[test]
fn a_cancelled_job_stops_soon_and_leaves_nothing() {
    let big = big_entries();
    let everything = big.iter().map(|e| (e.value.len() + e.key.len()) as u64).sum::<u64>();
    for cancel_at in 0..6 {
        let world = World::new(1);
        let (options, number) = (World::options(), || world.new_number());
        let (flag, pulses, seen) = (AtomicBool::new(false), Cell::new(0), Cell::new(0));
        let progress = |bytes: u64| {
            flag.store(pulses.get() == cancel_at, Ordering::Relaxed);
            pulses.set(pulses.get() + 1);
            seen.set(seen.get() + bytes);
        };
        let to = Destination::new(&*world.fs, Path::new(DIR), &number, &options, 200_000);
        let to = Destination { cancelled: Some(&flag), progress: Some(&progress), ..to };
        let outcome = write_tables(&mut VecIter::new(big.clone()), keep_all(), &to);
        assert!(matches!(outcome, Err(Error::Cancelled)));
        assert_eq!(pulses.get(), cancel_at + 1);
        assert!(seen.get() < everything / 2);
        assert_eq!(world.files(), [""; 0]);
    }
}

/// A job of several tables.
fn long_job() -> Job {
    let mut jobs = (1..).map(|seed| Job::random(&mut Rng::new(seed)));
    let is_long = |job: &Job| job.entries.len() > 60 && job.table_bytes < 300;
    jobs.find(|job| is_long(job) && job.writeback_bytes.is_none()).unwrap()
}

#[test]
fn a_failure_of_any_call_is_told_and_leaves_nothing() {
    let (job, mut failed) = (long_job(), 0);
    for fault in [Fault::Eio, Fault::Enospc, Fault::ShortWrite] {
        for call in 0.. {
            let world = World::new(1);
            let fs = FaultFs::new(world.fs.clone());
            fs.inject(FaultRule::new(fault).nth(call));
            let outcome = job.run_on(&fs, &world, None);
            if fs.hits().is_empty() {
                check(&job, &world, &outcome.unwrap());
                break;
            }
            assert!(outcome.is_err(), "{:?}", fs.hits());
            assert_eq!(world.files(), [""; 0], "{:?}", fs.hits());
            failed += 1;
        }
    }
    println!("{failed} failures");
    assert!(failed > 30);
}

#[test]
fn a_file_whose_sync_failed_is_never_synced_again() {
    for sync in 0..4 {
        let world = World::new(1);
        let fs = FaultFs::new(world.fs.clone());
        fs.inject(FaultRule::new(Fault::Eio).on(FsOp::Sync).nth(sync));
        // Counts the calls behind the failed one: only removals may come.
        let outcome = long_job().run_on(&fs, &world, None);
        assert!(outcome.is_err());
        let failed = fs.hits()[0].operation;
        let made = sync + 1;
        assert_eq!(fs.operations(), failed + 1 + made, "one removal for each file made");
    }
}

/// Five megabytes in one table.
fn big_entries() -> Vec<Entry> {
    (0..100u32).map(|n| Entry::put(n.to_be_bytes(), 1, vec![7; 50_000])).collect()
}

#[test]
fn a_large_table_is_written_back_on_the_way() {
    let run = |writeback_bytes, sync| {
        let world = World::new(1);
        let fs = FaultFs::new(world.fs.clone());
        fs.inject(FaultRule::new(Fault::Eio).on(FsOp::Sync).nth(sync));
        let (number, options) = (|| world.new_number(), TableOptions::default());
        let options = TableOptions { compression: nori_sstable::Compression::None, ..options };
        let to = Destination::new(&fs, Path::new(DIR), &number, &options, 1 << 30);
        let to = Destination { writeback_bytes, ..to };
        let outcome = write_tables(&mut VecIter::new(big_entries()), keep_all(), &to);
        match fs.hits().first() {
            None => assert_eq!(outcome.unwrap().tables.len(), 1),
            Some(failed) => {
                // The file is given up at once: it is removed, and nothing else happens.
                assert!(matches!(outcome, Err(Error::Io(_))));
                assert_eq!(fs.operations(), failed.operation + 2);
                assert_eq!(world.files(), [""; 0]);
            }
        }
        !fs.hits().is_empty()
    };
    let syncs = |writeback_bytes| (0..).take_while(|sync| run(writeback_bytes, *sync)).count();
    assert_eq!(syncs(None), 1);
    assert_eq!(syncs(Some(1 << 20)), 1 + 4);
    assert_eq!(syncs(Some(1 << 30)), 1);
}

#[test]
fn guards_between_keys_that_continue_each_other_cut_between_them() {
    let keys = ["a", "ab", "ab\0", "ab\0\0", "aba", "abc", "b"];
    let versions = |key| (1..=9).rev().map(move |seq| Entry::put(key, seq, "v"));
    let entries: Vec<Entry> = keys.into_iter().flat_map(versions).collect();
    // At a key, behind a key, before the next one, twice at one place, outside of everything.
    let guards = ["", "ab", "ab\0", "ab\0\0\0", "abb", "abb", "abbb", "c"];
    for table_bytes in [1, 200, 1 << 20] {
        let guards = guards.map(Bytes::from).to_vec();
        let (entries, writeback_bytes) = (entries.clone(), None);
        let job = Job { entries, guards, table_bytes, writeback_bytes };
        let world = World::new(3);
        let output = job.run(&world, None).unwrap();
        check(&job, &world, &output);
        let starts = output.tables.iter().map(|t| t.smallest.escape_ascii().to_string());
        let starts: Vec<String> = starts.collect();
        match table_bytes {
            1 => assert_eq!(starts.len(), keys.len(), "each key has its table, all versions in it"),
            200 => assert!(starts.len() >= 5),
            _ => assert_eq!(starts, ["a", "ab", "ab\\x00", "aba", "abc"]),
        }
    }
}

#[test]
fn a_machine_that_stops_leaves_files_but_no_report() {
    let job = long_job();
    for call in 0.. {
        let world = World::new(1);
        let fs = FaultFs::new(world.fs.clone());
        fs.inject(FaultRule::new(Fault::Crash).nth(call));
        let outcome = job.run_on(&fs, &world, None);
        if !fs.has_crashed() {
            assert!(outcome.is_ok() && call > 10);
            return;
        }
        assert!(outcome.is_err(), "stopped at call {call}");
    }
}
