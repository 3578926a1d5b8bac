//! Damage at rest: small stores with files of every kind; each byte of each file changed in
//! several ways, each file cut at each length and grown, pieces swapped inside files and between
//! them, files swapped, removed, doubled and renamed.
//!
//! Expected of every one of them: the right answers, or a typed error that names the file. Only
//! bytes of the log that nothing promised to be durable may be taken for what a power cut leaves.
//!
//! A seed is one store and every 127th thing that can happen to it; the seeds go through the kinds
//! of stores and all that can happen to each. `NORI_SEEDS=762` is everything once.

#![cfg(not(any(nori_loom, nori_shuttle)))]

#[cfg(nori_plant)]
mod blind;
mod damage;
mod judge;
mod sample;

use judge::{Door, Outcome, Tally, judge};
use nori_env::sync::Arc;
use nori_env::{Cut, MemFs};
use nori_lsm::{ErrorKind, Lsm};
use nori_testkit::run_suite;
use sample::{KINDS, Kind, ROOT, Sample, kind_of, overwrite};

/// A seed takes one in so many of the things that can happen to a store.
const SHARE: usize = 127;

/// The store of a seed, and which share of the damage is its turn.
fn of_seed(seed: u64) -> (Sample, usize) {
    let kinds = KINDS.len() as u64;
    let (turn, kind) = ((seed - 1) / kinds, KINDS[((seed - 1) % kinds) as usize]);
    let sample = Sample::new(kind, 1 + turn / SHARE as u64);
    (sample, (turn % SHARE as u64) as usize)
}

fn sweep(seed: u64, door: Door, tally: &mut Tally) -> u64 {
    let (sample, share) = of_seed(seed);
    let mut opens = 0;
    for damage in damage::all(&sample).iter().skip(share).step_by(SHARE) {
        match judge(&sample, damage, door, tally) {
            Ok(outcome) => opens += u64::from(outcome.is_some()),
            Err(wrong) => {
                let (kind, files) = (sample.kind, damage.files());
                let files: Vec<_> = files.iter().map(|f| sample.files[*f].0.display()).collect();
                panic!("{kind:?} store, {damage:?} of {files:?}: {wrong}");
            }
        }
    }
    opens
}

#[test]
fn an_undamaged_store_is_whole() {
    for kind in KINDS {
        let sample = Sample::new(kind, 1);
        assert!(sample.states.windows(2).all(|pair| pair[0].0 < pair[1].0));
        let some = |what: &str| sample.files.iter().any(|(path, _)| kind_of(path) == what);
        assert!(["log", "table", "manifest", "CURRENT"].into_iter().all(some));
        assert_eq!(some("HEAT"), matches!(kind, Kind::Slots), "{kind:?}");
        assert!(sample.records.len() > 10, "{kind:?}: {} records", sample.records.len());
        let (bytes, files) = (sample.bytes(), sample.files.len());
        println!("{kind:?}: {bytes} bytes in {files} files");
        for door in [Door::Write, Door::Read] {
            let untouched = judge::undamaged(&sample, door);
            assert_eq!(untouched, Ok(Outcome::Whole), "{kind:?} {door:?}");
        }
    }
}

#[test]
fn damage_is_never_believed() {
    let mut tally = Tally::default();
    let test = "-p nori-lsm --test corruption damage_is_never_believed";
    run_suite("corruption", "opens", test, 6, |seed| sweep(seed, Door::Write, &mut tally));
    tally.print("opened to write");
    assert!(tally.total() > 500);
}

#[test]
fn damage_is_never_believed_by_readers() {
    let mut tally = Tally::default();
    let test = "-p nori-lsm --test corruption damage_is_never_believed_by_readers";
    run_suite("corruption-read-only", "opens", test, 6, |seed| sweep(seed, Door::Read, &mut tally));
    tally.print("opened to read");
    assert!(tally.total() > 500);
}

/// A drop whose edit is damaged must not undo itself under the writes that came after it: the
/// history would have a hole. With nothing behind it, it was the last element and may be missing.
#[test]
fn a_lost_change_of_keyspaces_is_missed_by_what_came_after_it() {
    for followed in [true, false] {
        let disk = MemFs::new(5);
        let config = |fs: &MemFs| Kind::Usual.config(Arc::new(fs.clone()));
        let store = Lsm::open_with(ROOT, config(&disk)).expect("opens");
        let space = store.keyspace("users").expect("creates");
        space.put("name", "value").expect("writes");
        store.put("before", "1").expect("writes");
        store.drop_keyspace("users").expect("drops");
        if followed {
            store.put("behind", "2").expect("writes");
        }
        let disk = disk.crash(Cut::Kill, 5);
        let (path, len) = disk
            .files()
            .into_iter()
            .find(|(path, _)| kind_of(path) == "manifest")
            .expect("there is one");
        for at in len - 40..len {
            let damaged = disk.image();
            let bytes = disk.read_file(&path).expect("is there");
            overwrite(&damaged, &path, &bytes[..at as usize]);
            let opened = Lsm::open_with(ROOT, config(&damaged));
            match opened {
                Err(e) => assert!(followed && e.kind() == ErrorKind::Corruption, "{at}: {e}"),
                Ok(store) => {
                    assert!(!followed, "cut at {at}: {:?}", store.keyspaces());
                    assert_eq!(store.iter().count(), 1);
                }
            }
        }
        assert_eq!(Lsm::open_with(ROOT, config(&disk)).expect("opens").keyspaces(), ["default"]);
    }
}
