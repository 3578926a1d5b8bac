//! Merges, cuts of slots and files that go, beside readers.

use crate::explore::{Seen, dice};
use crate::rig::{Rig, join, spawn, whole, writer};
use crate::twins::{Twin, broken};
use nori_env::Rng;
use nori_env::sync::Arc;
use nori_lsm::Durability;

/// A store with a few runs in its slot.
fn filled(threads: usize, runs: usize, dice: &mut Rng) -> Arc<Rig> {
    let rig = Rig::open(|config| {
        let config = config.background(nori_lsm::Background::Threads(threads));
        config.durability(Durability::Buffered)
    });
    for _ in 0..runs {
        for me in 0..2 {
            rig.write(me, dice.index(300)).expect("writes");
        }
        rig.store.flush().expect("flushes");
    }
    rig
}

/// Versions are overwritten, flushed and merged while snapshots of them are taken, read and let
/// go of.
pub fn merge_and_snapshots(seen: &Seen) {
    let mut dice = dice();
    let rig = filled(1, 1, &mut dice);
    let mut threads = vec![writer(&rig, 0, 3, 300, &mut dice)];
    threads.push(spawn(&rig, |rig| {
        rig.store.flush().expect("flushes");
        rig.store.compact().expect("merges");
    }));
    for _ in 0..2 {
        let (mut own, told) = (dice.fork(), seen.clone());
        threads.push(spawn(&rig, move |rig| {
            let (mut last, promised) = (0, rig.acked(0));
            for _ in 0..2 {
                let snapshot = rig.store.snapshot();
                let first = whole(snapshot.prefix([0]));
                assert!(first >= last.max(promised), "{first} after {last} and {promised}");
                if (2..4).contains(&first) {
                    told.outcome("snapshot in the middle");
                }
                last = rig.look(0, first, &mut own);
                let now = broken(Twin::SnapshotOfNow).then(|| rig.store.snapshot());
                let again = whole(now.as_ref().unwrap_or(&snapshot).prefix([0]));
                assert_eq!(again, first, "a snapshot changed");
                let cell = snapshot.get([0, 0]).expect("reads").expect("is there");
                assert_eq!(cell[7], first as u8, "a snapshot changed");
            }
        }));
    }
    join(threads);
    if rig.store.metrics().compactions > 0 {
        seen.outcome("merged");
    }
    rig.finish();
}

/// Slots are cut under flushes, merges and scans.
pub fn split_during_flush(seen: &Seen) {
    let mut dice = dice();
    let rig = filled(1, 1, &mut dice);
    let mut threads: Vec<_> = (0..2).map(|me| writer(&rig, me, 3, 1200, &mut dice)).collect();
    let guards: [&[u8]; 4] = [&[0, 1], &[1], &[1, 0x80], &[0, 0x80, 0, 2]];
    let (first, second) = (*dice.pick(&guards), *dice.pick(&guards));
    threads.push(spawn(&rig, move |rig| {
        rig.store.split_at(&[first]).expect("cuts");
        rig.store.split_at(&[second, &[1, 1]]).expect("cuts");
    }));
    threads.push(spawn(&rig, |rig| {
        rig.store.flush().expect("flushes");
        rig.store.compact_range([0u8]..[1u8]).expect("merges");
    }));
    let (mut own, told) = (dice.fork(), seen.clone());
    threads.push(spawn(&rig, move |rig| {
        let mut last = [0; 2];
        for _ in 0..4 {
            let me = own.index(2);
            last[me] = rig.look(me, last[me], &mut own);
            if (2..4).contains(&last[me]) {
                told.outcome("seen in the middle");
            }
        }
    }));
    join(threads);
    if rig.store.slots().len() > 2 {
        seen.outcome("split");
    }
    rig.finish();
}

/// An iterator walks over tables that merges have replaced and that are about to be deleted.
pub fn iterator_and_reclaim(seen: &Seen) {
    let mut dice = dice();
    let rig = filled(2, 3, &mut dice);
    let mut threads = Vec::new();
    for me in 0..2u8 {
        let told = seen.clone();
        threads.push(spawn(&rig, move |rig| {
            let deleted = rig.store.metrics().tables_deleted;
            let snapshot = rig.store.snapshot();
            let iter = rig.store.prefix([me]);
            assert_eq!(whole(iter), 3, "what was there when the iterator was made");
            assert_eq!(whole(snapshot.prefix([me])), 3, "what the snapshot was made of");
            if rig.store.metrics().tables_deleted > deleted {
                told.outcome("deleted under way");
            }
        }));
    }
    for _ in 0..2 {
        threads.push(spawn(&rig, |rig| {
            rig.store.compact().expect("merges");
        }));
    }
    join(threads);
    rig.finish();
}
