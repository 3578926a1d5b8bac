//! Writers beside readers and flushes.

use crate::explore::{Seen, dice};
use crate::rig::{Rig, join, kept, some_durability, spawn, writer};
use nori_env::Cut;
use nori_env::sync::Arc;
use nori_lsm::Durability;

/// Four writers whose groups form by themselves, two readers, and a crash at some moment.
pub fn writers_and_readers(seen: &Seen) {
    let mut dice = dice();
    let durability = some_durability(&mut dice);
    let rig = Rig::open(|config| config.memtable_bytes(64 << 10).durability(kept(durability)));
    let mut threads: Vec<_> = (0..4).map(|me| writer(&rig, me, 2, 40, &mut dice)).collect();
    let (mut own, told) = (dice.fork(), seen.clone());
    threads.push(spawn(&rig, move |rig| {
        let mut last = [0; 4];
        for _ in 0..4 {
            let me = own.index(4);
            last[me] = rig.look(me, last[me], &mut own);
            if last[me] == 1 {
                told.outcome("seen in the middle");
            }
        }
    }));
    let (mut own, told) = (dice.fork(), seen.clone());
    threads.push(spawn(&rig, move |rig| {
        let snapshot = rig.store.snapshot();
        for me in 0..2 {
            let first = crate::rig::whole(snapshot.prefix([me]));
            assert_eq!(crate::rig::whole(snapshot.prefix([me])), first, "a snapshot changed");
        }
        let promised = rig.promised();
        let cut = if durability == Durability::Synced { Cut::SyncedOnly } else { Cut::Kill };
        if promised.iter().sum::<u64>() % 8 != 0 {
            told.outcome("cut in the middle");
        }
        rig.check_crash(cut, &promised, &mut own);
    }));
    join(threads);
    rig.finish();
}

/// Memtables fill, are sealed and flushed, by the background and on request, while keys are read.
pub fn flush_beside_writes(seen: &Seen) {
    let mut dice = dice();
    let durability = some_durability(&mut dice);
    let rig = Rig::open(|config| config.durability(durability));
    let mut threads: Vec<_> = (0..2).map(|me| writer(&rig, me, 4, 1500, &mut dice)).collect();
    threads.push(spawn(&rig, |rig| rig.store.flush().expect("flushes")));
    let (mut own, told) = (dice.fork(), seen.clone());
    threads.push(spawn(&rig, move |rig| {
        let mut last = [0; 2];
        for _ in 0..6 {
            let me = own.index(2);
            last[me] = rig.look(me, last[me], &mut own);
            if (1..4).contains(&last[me]) {
                told.outcome("seen in the middle");
            }
        }
    }));
    join(threads);
    if rig.store.metrics().flushes > 1 {
        seen.outcome("flushed");
    }
    rig.finish();
}

/// Writers that fill memtables faster than they are flushed wait, and each of them is woken: the
/// scenario is patient, so one that is not is a deadlock.
pub fn stall_and_wake(seen: &Seen) {
    let mut dice = dice();
    let rig = Rig::open(|config| config.durability(Durability::Buffered).k_global(1));
    let threads: Vec<_> = (0..3).map(|me| writer(&rig, me, 5, 3000, &mut dice)).collect();
    join(threads);
    if rig.store.metrics().stalls > 0 {
        seen.outcome("stalled");
    }
    rig.store.wait_idle().expect("comes to rest");
    Arc::clone(&rig).store.pressure();
    rig.finish();
}
