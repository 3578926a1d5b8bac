//! Slots that join and are purged while others look for slots to join, purge and merge.

use crate::explore::{Seen, dice};
use crate::rig::{Rig, join, spawn, whole};
use nori_env::sync::Arc;
use nori_lsm::{Background, Durability};

/// A store of many slots that may all join, as a later process with larger slots finds it.
fn shrunk() -> Arc<Rig> {
    let mut dice = dice();
    let rig = Rig::open(|config| {
        let config = config.background(Background::Manual).durability(Durability::Buffered);
        config.slot_target_bytes(Some(1024)).table_bytes(1024)
    });
    let space = rig.store.keyspace("gone").expect("creates");
    for round in 0..6 {
        for me in 0..2 {
            rig.write(me, 900 + dice.index(100)).expect("writes");
        }
        space.put([round], [round; 900]).expect("writes");
        rig.store.flush().expect("flushes");
    }
    rig.store.compact().expect("merges");
    rig.store.drop_keyspace("gone").expect("drops");
    rig.reopen(|config| config.background(Background::Manual).slot_target_bytes(Some(1 << 20)))
}

/// Every step that is due is done by one of two threads, and none of them fails.
pub fn join_under_way(seen: &Seen) {
    let rig = shrunk();
    let before = rig.store.slots().len();
    let steps = |rig: &Rig| while rig.store.step().expect("works") {};
    let threads: Vec<_> = (0..2).map(|_| spawn(&rig, steps)).collect();
    join(threads);
    let joins = rig.store.metrics().slot_joins;
    if joins > 1 {
        seen.outcome("joined");
    }
    assert_eq!(rig.store.slots().len() as u64 + joins, before as u64);
    assert_eq!([0u8, 1].map(|me| whole(rig.store.prefix([me]))), [6, 6]);
    rig.finish();
}
