//! A keyspace is dropped while it is written to, read, flushed and merged.

use crate::explore::{Seen, dice};
use crate::rig::{Rig, join, spawn, whole};
use nori_env::sync::Arc;
use nori_lsm::{Durability, ErrorKind};
// std's: no scheduling point.
use std::sync::atomic::{AtomicBool, Ordering};

pub fn drop_under_way(seen: &Seen) {
    let mut dice = dice();
    let rig = Rig::open(|config| config.durability(Durability::Buffered));
    let space = rig.store.keyspace("side").expect("is made");
    // Writer 1 has its batches in the keyspace; writer 0 stays outside.
    rig.write(0, 50).expect("writes");
    for _ in 0..2 {
        rig.write_to(1, dice.index(900), Some(&space)).expect("writes");
    }
    rig.store.flush().expect("flushes");
    let mut threads = Vec::new();
    let (own, told) = (space.clone(), seen.clone());
    threads.push(spawn(&rig, move |rig| {
        for _ in 0..2 {
            match rig.write_to(1, 40, Some(&own)) {
                Ok(()) => told.outcome("writer came first"),
                Err(e) => {
                    assert_eq!(e.kind(), ErrorKind::KeyspaceDropped, "{e}");
                    told.outcome("drop came first");
                    rig.refused(1);
                    break;
                }
            }
        }
    }));
    let [dropping, remaking] = [(); 2].map(|()| Arc::new(AtomicBool::new(false)));
    let (begun, remade) = (Arc::clone(&dropping), Arc::clone(&remaking));
    let told = seen.clone();
    threads.push(spawn(&rig, move |rig| {
        let snapshot = rig.store.snapshot();
        let [late, new] = [begun, remade].map(|flag| flag.load(Ordering::Relaxed));
        let Ok(view) = snapshot.keyspace("side") else {
            assert!(late, "a keyspace is gone that nobody has dropped");
            return;
        };
        told.outcome("snapshot of it");
        let first = whole(view.prefix([1]));
        // The one made anew is empty.
        assert!(first >= 2 || first == 0 && new, "{first} of 2");
        assert_eq!(whole(view.prefix([1])), first, "a snapshot changed");
    }));
    let own = space.clone();
    threads.push(spawn(&rig, move |_| {
        let items: Result<Vec<_>, _> = own.iter().collect();
        match items {
            Ok(items) => assert!(items.len() >= 4, "all or an error: {items:?}"),
            Err(e) => assert_eq!(e.kind(), ErrorKind::KeyspaceDropped, "{e}"),
        }
    }));
    threads.push(spawn(&rig, |rig| {
        rig.store.compact().expect("merges");
    }));
    threads.push(spawn(&rig, move |rig| {
        dropping.store(true, Ordering::Relaxed);
        rig.store.drop_keyspace("side").expect("is there");
        // One of that name made anew has nothing of the old one.
        remaking.store(true, Ordering::Relaxed);
        let again = rig.store.keyspace("side").expect("is made");
        assert_eq!(again.iter().count(), 0, "keys of a dropped keyspace");
        assert_eq!(rig.look(0, 0, &mut nori_env::Rng::new(1)), 1);
    }));
    join(threads);
    assert_eq!(space.get([1, 0]).map_err(|e| e.kind()), Err(ErrorKind::KeyspaceDropped));
    drop(space);
    assert_eq!(rig.store.prefix([1]).count(), 0, "the default keyspace has none of it");
    // On disk writer 1 has nothing: its keyspace is gone.
    let (disk, promised) = (rig.disk.clone(), [rig.acked(0), 0]);
    rig.store.clone().close().expect("closes");
    crate::rig::check_disk(&disk, crate::rig::ROOT, &promised, &promised);
}
