//! Writers who outrun the disk, and what a store tells of its work.

use crate::{ROOT, config, key, on};
use nori_env::sync::Arc;
use nori_env::{Fault, FaultFs, FaultRule, FsOp, MemFs};
use nori_lsm::{Background, Durability, ErrorKind, Lsm, PressureZone, VizEvent, WriteBatch};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// A disk that takes long over tables: writers are slowed down in small steps and lose nothing,
/// and the zones they come through follow each other.
#[test]
#[allow(clippy::disallowed_methods)] // How long a put takes is what this is about.
fn a_slow_disk_slows_writers_a_little_each() {
    let disk = MemFs::new(31);
    let faults = FaultFs::new(on(&disk));
    let slow = Fault::Latency(Duration::from_millis(2));
    faults.inject(FaultRule::new(slow).on(FsOp::Sync).path(".sst"));
    faults.inject(FaultRule::new(slow).on(FsOp::Create).path(".sst"));
    let config = config(Arc::new(faults))
        .background(Background::Threads(1))
        .durability(Durability::Buffered)
        .memtable_bytes(64 << 10)
        .table_bytes(64 << 10)
        .block_bytes(4096);
    let store = Lsm::open_with(ROOT, config).expect("opens");
    let mut events = store.events();
    let (mut worst, mut stalled) = (Duration::ZERO, 0u32);
    for n in 0..6_000 {
        let start = Instant::now();
        store.put(key(n), vec![n as u8; 1000]).expect("writes");
        let took = start.elapsed();
        worst = worst.max(took);
        stalled += u32::from(took > Duration::from_millis(500));
    }
    let metrics = store.metrics();
    assert!(metrics.paced_us > 0, "nobody was slowed down: {metrics:?}");
    assert!(stalled < 3, "{stalled} puts of more than half a second, the worst {worst:?}");
    store.wait_idle().expect("works");
    let mut zone = PressureZone::Green;
    let mut seen = BTreeSet::new();
    while let Some(event) = events.try_next() {
        if let VizEvent::PressureZone { before, after, pressure } = event {
            assert_eq!(before, zone, "the zones must follow each other");
            let zones = [0.5, 0.75, 0.9].map(|end| pressure >= end);
            let expected = zones.iter().filter(|reached| **reached).count();
            assert_eq!(after as usize, expected, "{pressure} is not in {after:?}");
            zone = after;
            seen.insert(after);
        }
    }
    assert!(seen.contains(&PressureZone::Yellow), "{seen:?}");
    for n in 0..6_000 {
        assert_eq!(store.get(key(n)).expect("reads"), Some(vec![n as u8; 1000].into()));
    }
    let info = store.pressure();
    assert!(info.pressure < 0.5 && info.pace_bytes_per_s.is_none(), "{info:?}");
}

/// Where nothing can be flushed, writes end at the limit; those that only delete go a little
/// further, and what was refused was not written.
#[test]
fn a_store_that_is_stuck_takes_deletes_for_a_while() {
    let disk = MemFs::new(32);
    let faults = FaultFs::new(on(&disk));
    let store = Lsm::open_with(ROOT, config(Arc::new(faults.clone()))).expect("opens");
    faults.inject(FaultRule::new(Fault::Eio).on(FsOp::Create).path(".sst"));
    let mut written = 0;
    let refused = loop {
        let mut batch = WriteBatch::new();
        batch.put(key(written), [1; 100]);
        match store.try_write(&batch) {
            Ok(()) => written += 1,
            Err(e) => break e,
        }
    };
    assert_eq!(refused.kind(), ErrorKind::Stalled);
    assert!(store.pressure().pressure >= 1.0 && store.pressure().zone == PressureZone::Red);
    let mut deleted = 0;
    for n in 0..written {
        let mut batch = WriteBatch::new();
        batch.delete(key(n));
        match store.try_write(&batch) {
            Ok(()) => deleted += 1,
            Err(e) => {
                assert_eq!(e.kind(), ErrorKind::Stalled);
                break;
            }
        }
    }
    assert!(deleted > 0 && deleted < written, "{deleted} of {written}");
    faults.clear();
    store.wait_idle().expect("works again");
    assert_eq!(store.iter().count(), written - deleted);
    assert_eq!(store.get(key(written)).expect("reads"), None, "it was refused");
}
