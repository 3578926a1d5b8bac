//! What a caller waits for, and what not.

use crate::run::ROOT;
use nori_env::sync::Arc;
use nori_env::sync::atomic::{AtomicBool, Ordering};
use nori_env::sync::thread;
use nori_env::{Fault, FaultFs, FaultRule, FsOp, MemFs};
use nori_lsm::{Background, Config, ErrorKind, Lsm, WriteBatch};
use std::time::Duration;

/// A writer that never pauses fills a memtable while another is flushed. A flush that waited for
/// those too might never return.
#[test]
fn a_flush_waits_only_for_what_was_written_before_it() {
    // Tables take their time, the writer does not.
    let fs = FaultFs::new(Arc::new(MemFs::new(1)));
    fs.inject(FaultRule::new(Fault::Latency(Duration::from_millis(2))).on(FsOp::Sync).path("sst/"));
    let config = Config::default()
        .file_system(Arc::new(fs))
        .background(Background::Manual)
        .memtable_bytes(4096)
        .max_sealed(3)
        .k_global(16)
        .disk_reserve_bytes(Some(0));
    let store = Lsm::open_with(ROOT, config).expect("opens");
    let ends = Arc::new(AtomicBool::new(false));
    let writer = {
        let (store, ends) = (store.clone(), Arc::clone(&ends));
        thread::spawn(move || {
            let mut batch = WriteBatch::new();
            batch.put("k", [0; 5000]);
            while !ends.load(Ordering::Relaxed) {
                match store.try_write(&batch) {
                    Err(e) if e.kind() == ErrorKind::Stalled => thread::yield_now(),
                    done => done.expect("writes"),
                }
            }
        })
    };
    while store.metrics().flushes < 30 {
        let before = store.metrics().flushes;
        store.flush().expect("flushes");
        let flushed = store.metrics().flushes - before;
        assert!(flushed <= 4, "{flushed} memtables: three sealed and the active one were due");
    }
    ends.store(true, Ordering::Relaxed);
    writer.join().expect("the writer");
}
