//! Checkpoints and periodic syncs beside writers.

use crate::explore::{Seen, dice};
use crate::rig::{Board, ROOT, Rig, check_disk, join, spawn, writer};
use nori_env::Cut;
use nori_env::sync::{Arc, thread};
use nori_lsm::Durability;
use std::time::Duration;

/// A checkpoint is one moment of the store, durable when it is done, at whatever moment it is
/// taken: during writes, rotations, flushes, merges.
pub fn checkpoint(seen: &Seen) {
    let mut dice = dice();
    let rig = Rig::open(|config| config.durability(Durability::Buffered));
    rig.write(0, 50).expect("writes");
    rig.store.flush().expect("flushes");
    let mut threads: Vec<_> = (0..2).map(|me| writer(&rig, me, 4, 1500, &mut dice)).collect();
    threads.push(spawn(&rig, |rig| {
        rig.store.compact().expect("merges");
    }));
    let (mut own, told) = (dice.fork(), seen.clone());
    threads.push(spawn(&rig, move |rig| {
        let promised = rig.promised();
        let made = rig.store.checkpoint("/copy").expect("copies");
        let tried = [rig.tried(0), rig.tried(1)];
        let image = rig.disk.crash(Cut::SyncedOnly, own.next_u64());
        let found = check_disk(&image, "/copy", &promised[..2], &tried);
        // Each batch is three operations.
        assert_eq!(made.sequence, 3 * found.iter().sum::<u64>(), "one moment: {found:?}");
        if found != [5, 4] && found != [1, 0] {
            told.outcome("copied in the middle");
        }
    }));
    join(threads);
    rig.finish();
}

/// The store syncs each second. What was acknowledged before a periodic sync survives a power cut
/// after it; the rest may not.
pub fn interval_sync(seen: &Seen) {
    let mut dice = dice();
    let every = Duration::from_secs(1);
    let rig =
        Rig::open(|config| config.durability(Durability::Interval(every)).memtable_bytes(64 << 10));
    let mut threads: Vec<_> = (0..2).map(|me| writer(&rig, me, 3, 60, &mut dice)).collect();
    let (mut own, told) = (dice.fork(), seen.clone());
    let promised: Board<[u64; 4]> = Board::default();
    let shared = Arc::clone(&promised);
    threads.push(spawn(&rig, move |rig| {
        let mut events = rig.store.events();
        let before = rig.promised();
        rig.clock.advance(every);
        // The sync that comes now was begun after the clock had moved: nobody else syncs.
        while !std::iter::from_fn(|| events.try_next())
            .any(|event| matches!(event, nori_lsm::VizEvent::WalSynced { .. }))
        {
            // With nothing to sync there is no sync.
            if before == [0; 4] && own.chance(20) {
                return;
            }
            thread::yield_now();
        }
        told.outcome("synced by the background");
        *shared.lock() = before;
        rig.check_crash(Cut::SyncedOnly, &before, &mut own);
    }));
    join(threads);
    let tried: Vec<u64> = (0..4).map(|me| rig.tried(me)).collect();
    let image = rig.disk.crash(Cut::SyncedOnly, dice.next_u64());
    let found = check_disk(&image, ROOT, &*promised.lock(), &tried);
    if found != tried {
        seen.outcome("unsynced is lost");
    }
    rig.finish();
}
