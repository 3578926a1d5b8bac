//! Disks that fail or are full, under several threads.

use crate::explore::{Seen, dice};
use crate::rig::{ROOT, Rig, check_disk, join, spawn};
use nori_env::sync::{Arc, thread};
use nori_env::{Cut, Fault, FaultFs, FaultRule, FsOp, MemFs};
use nori_lsm::{Durability, ErrorKind};
use std::sync::atomic::{AtomicU64, Ordering};

/// The log's sync fails once, under groups of writers: no member of that group is acknowledged or
/// shown, nobody writes any more, reads go on.
pub fn sync_fails(seen: &Seen) {
    let mut dice = dice();
    let disk = MemFs::new(1);
    let faults = FaultFs::new(Arc::new(disk.clone()));
    let rig = Rig::open_on(disk.clone(), Arc::new(faults.clone()), |config| {
        config.durability(Durability::Synced).memtable_bytes(64 << 10)
    });
    let rule = FaultRule::new(Fault::Eio).on(FsOp::Sync).path("/wal/");
    faults.inject(rule.nth(dice.below(4)));
    let failed = Arc::new(AtomicU64::new(0));
    let mut threads = Vec::new();
    for me in 0..3 {
        let (mut own, told, failed) = (dice.fork(), seen.clone(), Arc::clone(&failed));
        threads.push(spawn(&rig, move |rig| {
            for _ in 0..3 {
                let Err(e) = rig.write(me, own.index(100)) else { continue };
                match e.kind() {
                    ErrorKind::Io if failed.fetch_add(1, Ordering::Relaxed) > 0 => {
                        told.outcome("a group failed together");
                    }
                    ErrorKind::Io => {}
                    ErrorKind::Poisoned => told.outcome("poisoned"),
                    other => panic!("{other:?}: {e}"),
                }
                return;
            }
        }));
    }
    let (mut own, told, hits) = (dice.fork(), seen.clone(), faults.clone());
    threads.push(spawn(&rig, move |rig| {
        let mut last = [0; 3];
        for _ in 0..4 {
            let me = own.index(3);
            last[me] = rig.look(me, last[me], &mut own);
            if !hits.hits().is_empty() {
                told.outcome("read after it");
            }
        }
    }));
    join(threads);
    let promised = rig.promised();
    let tried: Vec<u64> = (0..4).map(|me| rig.tried(me)).collect();
    for me in 0..3 {
        let shown = crate::rig::whole(rig.store.prefix([me as u8]));
        assert_eq!(shown, promised[me], "writer {me}: what was not acknowledged is not shown");
    }
    if !faults.hits().is_empty() {
        assert!(failed.load(Ordering::Relaxed) > 0, "a sync failed and nobody was told");
        let refused = rig.store.put("more", "").map_err(|e| e.kind());
        assert_eq!(refused, Err(ErrorKind::Poisoned));
    }
    for cut in [Cut::Kill, Cut::SyncedOnly] {
        check_disk(&disk.crash(cut, dice.next_u64()), ROOT, &promised, &tried);
    }
    let Ok(rig) = Arc::try_unwrap(rig) else { panic!("all threads have ended") };
    // A poisoned log says so; what is in memory is in tables all the same.
    let _ = rig.store.close();
    check_disk(&disk, ROOT, &promised, &tried);
}

/// The disk is full for a while. Writers are refused, and what was refused is not there; when
/// there is room again they go on, with nothing opened anew.
pub fn disk_is_full(seen: &Seen) {
    let mut dice = dice();
    let rig = Rig::open(|config| config.durability(Durability::Synced));
    let room = rig.disk.total_bytes() + dice.below(12 << 10);
    rig.disk.set_capacity(Some(room));
    let refusals = Arc::new(AtomicU64::new(0));
    let mut threads = Vec::new();
    for me in 0..2 {
        let (mut own, told, refusals) = (dice.fork(), seen.clone(), Arc::clone(&refusals));
        threads.push(spawn(&rig, move |rig| {
            let mut last = 0;
            for _ in 0..5 {
                while let Err(e) = rig.write(me, own.index(1500)) {
                    let kinds = [ErrorKind::DiskFull, ErrorKind::Stalled];
                    assert!(kinds.contains(&e.kind()), "{e}");
                    rig.refused(me);
                    refusals.fetch_add(1, Ordering::Relaxed);
                    told.outcome("refused");
                    last = rig.look(me, last, &mut own);
                    thread::yield_now();
                }
            }
        }));
    }
    let (told, pause) = (seen.clone(), dice.below(40));
    threads.push(spawn(&rig, move |rig| {
        (0..pause).for_each(|_| thread::yield_now());
        rig.disk.set_capacity(None);
        if refusals.load(Ordering::Relaxed) > 0 {
            told.outcome("went on");
        }
    }));
    join(threads);
    assert_eq!((rig.acked(0), rig.acked(1)), (5, 5));
    rig.finish();
}
