//! Closing a store under everything else.

use crate::explore::{Seen, dice};
use crate::rig::{ROOT, Rig, check_disk, join, spawn, whole};
use nori_env::sync::{Arc, thread};
use nori_lsm::{Durability, Error, ErrorKind, Result};

/// What a verb says of a store that may be closed: it did its work, or not at all.
fn closed<T>(done: Result<T>) -> bool {
    match done {
        Ok(_) => false,
        Err(Error::Closed) => true,
        Err(e) => panic!("{e}"),
    }
}

pub fn close_races(seen: &Seen) {
    let mut dice = dice();
    let rig = Rig::open(|config| config.durability(Durability::Buffered));
    rig.write(0, 100).expect("writes");
    rig.store.flush().expect("flushes");
    let mut threads = Vec::new();
    for me in 0..2 {
        let (mut own, told) = (dice.fork(), seen.clone());
        threads.push(spawn(&rig, move |rig| {
            for _ in 0..3 {
                if closed(rig.write(me, own.index(1500))) {
                    told.outcome("write refused");
                    rig.refused(me);
                    break;
                }
            }
        }));
    }
    let told = seen.clone();
    threads.push(spawn(&rig, move |rig| {
        for _ in 0..3 {
            let promised = rig.acked(0);
            match rig.store.get([0, 0]) {
                Ok(value) => assert!(value.is_some_and(|v| u64::from(v[7]) >= promised)),
                Err(e) => {
                    assert_eq!(e.kind(), ErrorKind::Closed);
                    told.outcome("read refused");
                }
            }
            let items: Vec<_> = rig.store.prefix([0]).collect();
            if let Some(Err(e)) = items.last() {
                assert_eq!(e.kind(), ErrorKind::Closed);
                told.outcome("iterator ended");
            }
        }
    }));
    let told = seen.clone();
    threads.push(spawn(&rig, move |rig| {
        if closed(rig.store.flush()) || closed(rig.store.compact()) {
            told.outcome("flush refused");
        }
    }));
    // Two close it. Whoever is told that it is closed may open it.
    let (other, pause) = (rig.store.clone(), dice.below(60));
    threads.push(thread::spawn(move || {
        (0..pause).for_each(|_| thread::yield_now());
        other.close().expect("closes");
    }));
    let pause = dice.below(60);
    (0..pause).for_each(|_| thread::yield_now());
    rig.store.clone().close().expect("closes");
    // Nothing writes to its files any more.
    let image = rig.disk.image();
    let (first, operations) = (check_disk(&image, ROOT, &rig.promised(), &[9; 4]), image.digest());
    let before = rig.disk.operations();
    join(threads);
    assert_eq!(rig.disk.operations(), before, "a closed store has touched its files");
    assert!(operations != 0);
    let promised = rig.promised();
    let tried: Vec<u64> = (0..4).map(|me| rig.tried(me)).collect();
    assert_eq!(check_disk(&rig.disk, ROOT, &promised, &tried), first, "the same as at once");
    let Ok(rig) = Arc::try_unwrap(rig) else { panic!("all threads have ended") };
    assert_eq!(whole_or_closed(&rig), None);
}

/// A closed store's handle answers, and says that it is closed.
fn whole_or_closed(rig: &Rig) -> Option<u64> {
    match rig.store.get([0, 0]) {
        Ok(_) => Some(whole(rig.store.prefix([0]))),
        Err(e) => {
            assert_eq!(e.kind(), ErrorKind::Closed);
            None
        }
    }
}
