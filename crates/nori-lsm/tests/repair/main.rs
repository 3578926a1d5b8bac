//! Damaged stores and what a repair makes of them.
//!
//! A seed is one store, left by a killed process, and damage of every kind to files of every kind:
//! removed, cut, one byte changed, overwritten. What was in undamaged bytes must be there with its
//! right value; nothing may be there that was never written; the damaged store stays as it is.

#![cfg(not(any(nori_loom, nori_shuttle)))]

mod counted;
mod damage;
mod judge;
mod sample;
mod states;
mod unfinished;

use damage::Damage;
use judge::judge;
use nori_env::sync::Arc;
use nori_lsm::{ErrorKind, Lsm};
use nori_testkit::run_suite;
use sample::{INTO, ROOT, Sample, config};

#[test]
fn repairs_keep_what_is_undamaged() {
    run_suite(
        "repair",
        "repairs",
        "-p nori-lsm --test repair repairs_keep_what_is_undamaged",
        6,
        |seed| {
            let sample = Sample::new(seed);
            let all = damage::choose(&sample, seed);
            for damage in &all {
                if let Err(wrong) = judge(&sample, damage) {
                    panic!("{}: {wrong}", damage.tell(&sample));
                }
            }
            all.len() as u64
        },
    );
}

#[test]
fn an_undamaged_store_repairs_to_the_same_contents() {
    for seed in 1..=8 {
        let sample = Sample::new(seed);
        let report = judge(&sample, &Damage::default()).expect("the same");
        assert!(report.is_whole(), "{report:?}");
        assert!(report.keys > 0 && report.tables > 0, "{report:?}");
    }
}

#[test]
fn an_open_store_is_refused() {
    let sample = Sample::new(1);
    let config = config(Arc::new(sample.disk.clone()));
    let store = Lsm::open_with(ROOT, config.clone()).expect("opens");
    let refused = Lsm::repair_with(ROOT, INTO, config.clone()).map_err(|e| e.kind());
    assert_eq!(refused, Err(ErrorKind::Locked));
    store.close().expect("closes");
    assert!(Lsm::repair_with(ROOT, INTO, config).expect("repairs").is_whole());
}

#[test]
fn places_that_will_not_do_are_refused() {
    let sample = Sample::new(1);
    let config = config(Arc::new(sample.disk.clone()));
    let before = sample.disk.files();
    for (from, into) in [("/none", INTO), (ROOT, "/store/inside"), (ROOT, ROOT), (ROOT, "/full")] {
        if into == "/full" {
            assert!(sample.disk.write_file("/full/file", b"x"));
        }
        let refused = Lsm::repair_with(from, into, config.clone()).map_err(|e| e.kind());
        assert_eq!(refused, Err(ErrorKind::InvalidArgument), "{from} into {into}");
    }
    assert_eq!(sample.disk.files().len(), before.len() + 1);
}
