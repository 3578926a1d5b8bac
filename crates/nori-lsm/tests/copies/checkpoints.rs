//! A checkpoint is one moment of a store that goes on, whole or not there at all.

use crate::{key, tiny};
use nori_env::sync::Arc;
use nori_env::{Cut, Fault, FaultFs, FaultRule, FileSystem, FsOp, MemFs};
use nori_lsm::{CheckpointProgress, ErrorKind, Lsm, WriteBatch};
use std::ops::ControlFlow;
use std::path::Path;

const COPY: &str = "/copy";

/// A store with tables, a sealed memtable's worth of log, and an active memtable.
fn filled(fs: Arc<dyn FileSystem>) -> Lsm {
    let store = Lsm::open_with("/store", tiny(fs)).expect("opens");
    let side = store.keyspace("side").expect("makes");
    for n in 0..300 {
        let mut batch = WriteBatch::new();
        batch.put(key(n), format!("old {n}")).put_in(&side, key(n), "side");
        store.write(batch).expect("writes");
    }
    (0..100).step_by(7).for_each(|n| store.delete(key(n)).expect("deletes"));
    store
}

/// All that a store shows.
fn shown(store: &Lsm) -> Vec<(String, Vec<u8>, Vec<u8>)> {
    let mut all = Vec::new();
    for name in store.keyspaces() {
        for item in store.keyspace(&name).expect("is there").iter() {
            let (key, value) = item.expect("reads");
            all.push((name.clone(), key.to_vec(), value.to_vec()));
        }
    }
    all
}

/// While files are linked and copied, the store is written to, flushed, merged, and loses a
/// keyspace; the copy shows none of it. If writers waited, the watcher's own writes would hang.
#[test]
fn writers_go_on_and_the_copy_is_the_moment_it_was_asked_for() {
    let fs = Arc::new(MemFs::new(1));
    let store = filled(fs.clone());
    let before = shown(&store);
    let sequence = store.snapshot().sequence();
    let (mut calls, mut last) = (0, CheckpointProgress::default());
    let info = store.checkpoint_with(COPY, &mut |progress| {
        calls += 1;
        last = progress;
        (0..40).for_each(|n| store.put(key(n), format!("new {calls}")).expect("writes"));
        match calls {
            2 => store.flush().expect("flushes"),
            3 => store.compact().expect("merges"),
            4 => store.drop_keyspace("side").expect("drops"),
            5 => drop(store.keyspace("later").expect("makes")),
            _ => store.wait_idle().expect("works"),
        }
        ControlFlow::Continue(())
    });
    let info = info.expect("copies");
    assert!(calls > 6 && info.tables > 2 && info.log_bytes > 0, "{calls} calls, {info:?}");
    assert_eq!((last.files_done, last.bytes_done), (last.files, last.bytes));
    assert_eq!(last.bytes, info.bytes + info.log_bytes);
    assert_eq!(info.sequence, sequence);
    let copy = Lsm::open_with(COPY, tiny(fs.clone())).expect("opens");
    assert_eq!(copy.recovery().last_sequence, sequence);
    assert_eq!(shown(&copy), before);
    assert!(copy.verify().expect("reads").is_ok());
    assert_eq!(store.keyspaces(), ["default", "later"]);
    assert_eq!(
        store.get(key(0)).expect("reads").as_deref(),
        Some(format!("new {calls}").as_bytes())
    );
}

/// Ended at any call, a copy leaves nothing, and the next one takes its place.
#[test]
fn a_cancelled_copy_leaves_nothing() {
    let fs = Arc::new(MemFs::new(2));
    let store = filled(fs.clone());
    let before = shown(&store);
    for stop_at in 1.. {
        let mut calls = 0;
        let done = store.checkpoint_with(COPY, &mut |_| {
            calls += 1;
            if calls == stop_at { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        let Err(error) = done else {
            assert!(stop_at > 5, "it was ended at {stop_at} calls only");
            break;
        };
        assert_eq!(error.kind(), ErrorKind::Cancelled);
        assert_eq!(fs.list(Path::new(COPY)).expect("is there"), Vec::<String>::new());
    }
    let copy = Lsm::open_with(COPY, tiny(fs)).expect("opens");
    assert_eq!(shown(&copy), before);
}

/// Every call of a copy fails once: the store goes on, and what is left is no store. Where tables
/// cannot be linked they are copied.
#[test]
fn a_failed_copy_leaves_no_store_and_hurts_nobody() {
    for linkable in [true, false] {
        let (mut at, mut failed, mut done) = (0, 0, false);
        while !done {
            at += 1;
            let disk = MemFs::new(3);
            let faults = Arc::new(FaultFs::new(Arc::new(disk.clone())));
            let store = filled(faults.clone());
            let before = shown(&store);
            if !linkable {
                faults.inject(FaultRule::new(Fault::Eio).on(FsOp::Link));
            }
            faults.inject(FaultRule::new(Fault::Eio).nth(at));
            let before_copy = faults.operations();
            let copied = store.checkpoint(COPY);
            done = faults.operations() - before_copy < at;
            faults.clear();
            match copied {
                Ok(_) => {
                    let copy = Lsm::open_with(COPY, tiny(faults.clone())).expect("opens");
                    assert_eq!(shown(&copy), before);
                }
                Err(error) => {
                    failed += 1;
                    assert_eq!(error.kind(), ErrorKind::Io, "{error}");
                    let none = Lsm::open_with(COPY, tiny(faults.clone()).create_if_missing(false));
                    let what = format!("call {at}: {error}");
                    assert_eq!(none.map(drop).expect_err(&what).kind(), ErrorKind::InvalidArgument);
                }
            }
            assert_eq!(shown(&store), before);
        }
        assert!(failed > 15, "{failed} of {at}");
    }
}

/// Power is cut at each call of a copy, and after it: what opens as a store holds all of it.
#[test]
fn a_copy_that_power_cuts_short_is_whole_or_no_store() {
    let (mut whole, mut none, mut at, mut done) = (0, 0, 0, false);
    while !done {
        at += 1;
        let disk = MemFs::new(4);
        let faults = Arc::new(FaultFs::new(Arc::new(disk.clone())));
        let store = filled(faults.clone());
        let before = shown(&store);
        faults.inject(FaultRule::new(Fault::Crash).after(at - 1));
        done = store.checkpoint(COPY).is_ok();
        for cut in Cut::ALL {
            let image = Arc::new(disk.crash(cut, at));
            let opened = Lsm::open_with(COPY, tiny(image).create_if_missing(false));
            match opened {
                Ok(copy) => {
                    whole += 1;
                    assert_eq!(shown(&copy), before, "call {at}, {cut:?}");
                }
                Err(e) if !done => {
                    none += 1;
                    // Tables without CURRENT are no new store either.
                    let kinds = [ErrorKind::InvalidArgument, ErrorKind::Corruption];
                    assert!(kinds.contains(&e.kind()), "call {at}, {cut:?}: {e}");
                }
                Err(e) => panic!("a finished copy, {cut:?}: {e}"),
            }
        }
        drop(store);
    }
    assert!(whole > 9 && none > 100, "{whole} whole, {none} none");
}

/// A reader's checkpoint holds what the log held, and a writer beside it goes on.
#[test]
fn a_store_that_is_read_beside_its_writer_can_be_copied() {
    let fs = Arc::new(MemFs::new(5));
    let store = filled(fs.clone());
    let before = shown(&store);
    let reader = Lsm::open_read_only_with("/store", tiny(fs.clone())).expect("reads");
    store.put("later", "v").expect("writes");
    let info = reader.checkpoint(COPY).expect("copies");
    assert_eq!(info.sequence + 1, store.snapshot().sequence());
    let copy = Lsm::open_with(COPY, tiny(fs.clone())).expect("opens");
    assert_eq!(shown(&copy), before);
    // A table that the writer has removed meanwhile is an error, not a hole.
    store.compact().expect("merges");
    store.wait_idle().expect("works");
    let late = reader.checkpoint("/late").expect_err("tables are gone");
    assert_eq!(late.kind(), ErrorKind::Io);
    assert!(!fs.exists(Path::new("/late/CURRENT")).expect("asks"));
}
