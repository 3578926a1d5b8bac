//! The feed of changes, one promise after the other. `follow` has the random programs.

use crate::{key, tiny};
use nori_env::MemFs;
use nori_env::sync::{Arc, thread};
use nori_lsm::{Background, Change, Durability, ErrorKind, Lsm, WriteBatch};
use std::time::Duration;

fn open(fs: &Arc<MemFs>, retention: u64) -> Lsm {
    let config = tiny(fs.clone()).wal_retention_bytes(retention);
    Lsm::open_with("/store", config).expect("opens")
}

fn sequences(store: &Lsm, from: u64) -> Vec<u64> {
    let mut changes = store.changes(from).expect("follows");
    std::iter::from_fn(|| changes.try_next().expect("reads")).map(|c| c.sequence()).collect()
}

#[test]
fn batches_and_changes_of_keyspaces_come_in_order() {
    let fs = Arc::new(MemFs::new(1));
    let store = open(&fs, 0);
    let mut changes = store.changes(0).expect("follows");
    let side = store.keyspace("side").expect("makes");
    let mut batch = WriteBatch::new();
    batch.put("a", "1").put_in(&side, "b", "2").delete("a");
    store.write(batch).expect("writes");
    store.drop_keyspace("side").expect("drops");
    store.keyspace("side").expect("makes it again");
    let mut seen = Vec::new();
    while let Some(change) = changes.try_next().expect("reads") {
        seen.push(match change {
            Change::KeyspaceCreated { sequence, name } => format!("{sequence} +{name}"),
            Change::KeyspaceDropped { sequence, name } => format!("{sequence} -{name}"),
            Change::Batch { sequence, writes } => {
                let writes = writes.iter().map(|w| {
                    let value = w.value.as_ref().map(|v| v.escape_ascii().to_string());
                    format!(" {}/{}={value:?}", w.keyspace, w.key.escape_ascii())
                });
                format!("{sequence}{}", writes.collect::<String>())
            }
            other => panic!("{other:?}"),
        });
    }
    let batch = r#"4 default/a=Some("1") side/b=Some("2") default/a=None"#;
    assert_eq!(seen, ["1 +side", batch, "5 -side", "6 +side"]);
}

#[test]
fn without_retention_the_log_reaches_back_to_the_last_flush() {
    let fs = Arc::new(MemFs::new(2));
    let store = open(&fs, 0);
    (0..10).for_each(|n| store.put(key(n), "v").expect("writes"));
    assert_eq!(sequences(&store, 4), [5, 6, 7, 8, 9, 10]);
    store.flush().expect("flushes");
    store.put("last", "v").expect("writes");
    assert_eq!(sequences(&store, 10), [11]);
    assert_eq!(sequences(&store, 11), Vec::<u64>::new());
    let late = store.changes(9).map(drop).expect_err("gone");
    assert_eq!(late.kind(), ErrorKind::SeqNoTooOld);
    assert!(late.to_string().contains("behind 9 are gone, the log begins with 11"), "{late}");
    let ahead = store.changes(12).map(drop).expect_err("not there yet");
    assert_eq!(ahead.kind(), ErrorKind::InvalidArgument);
}

#[test]
fn retention_reaches_back_over_flushes_and_openings() {
    let fs = Arc::new(MemFs::new(3));
    for round in 0..4 {
        let store = open(&fs, 1 << 20);
        (0..200).for_each(|n| store.put(key(n), "v").expect("writes"));
        store.compact().expect("merges");
        let expected: Vec<u64> = (1..=200 * (round + 1)).collect();
        assert_eq!(sequences(&store, 0), expected);
        store.close().expect("closes");
    }
    // Opened without retention, nothing is left of it.
    drop(open(&fs, 0));
    let store = open(&fs, 1 << 20);
    assert_eq!(store.changes(799).map(drop).expect_err("gone").kind(), ErrorKind::SeqNoTooOld);
    assert_eq!(sequences(&store, 800), Vec::<u64>::new());
}

#[test]
fn a_follower_that_falls_behind_is_told() {
    let fs = Arc::new(MemFs::new(4));
    let store = open(&fs, 8 << 10);
    let mut changes = store.changes(0).expect("follows");
    store.put("first", "v").expect("writes");
    assert_eq!(changes.try_next().expect("reads").map(|c| c.sequence()), Some(1));
    (0..2_000).for_each(|n| store.put(key(n), "v").expect("writes"));
    let error = loop {
        match changes.try_next() {
            Ok(change) => assert!(change.is_some_and(|c| c.sequence() == 2), "a gap"),
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind(), ErrorKind::SeqNoTooOld);
    assert!(changes.next().is_none(), "the feed has ended");
}

/// Buffered writes are synced before they are shown: after a power cut the store has them.
#[test]
fn what_is_shown_survives_a_power_cut() {
    let fs = Arc::new(MemFs::new(5));
    let config = tiny(fs.clone()).durability(Durability::Buffered);
    let store = Lsm::open_with("/store", config.clone()).expect("opens");
    let mut changes = store.changes(0).expect("follows");
    (0..20).for_each(|n| store.put(key(n), "v").expect("writes"));
    let mut last = 0;
    while let Some(change) = changes.try_next().expect("reads") {
        last = change.sequence();
    }
    assert_eq!(last, 20);
    let disk = Arc::new(fs.crash(nori_env::Cut::SyncedOnly, 1));
    let again = Lsm::open_with("/store", config.file_system(disk)).expect("opens");
    assert_eq!(again.recovery().last_sequence, 20);
}

/// A waiting follower hears of a write at once, and of the end when the store is closed.
#[test]
fn a_follower_waits_for_writes_and_ends_with_the_store() {
    let fs = Arc::new(MemFs::new(6));
    let config = tiny(fs).background(Background::Threads(1)).wal_retention_bytes(1 << 20);
    let store = Lsm::open_with("/store", config).expect("opens");
    let changes = store.changes(0).expect("follows");
    let follower = thread::spawn(move || {
        changes.map(|change| change.expect("reads").sequence()).collect::<Vec<_>>()
    });
    let writers: Vec<_> = (0..3)
        .map(|w: u32| {
            let store = store.clone();
            thread::spawn(move || {
                (0..500).for_each(|n| store.put(key(w * 1000 + n), "v").expect("writes"));
            })
        })
        .collect();
    writers.into_iter().for_each(|w| w.join().expect("no panic"));
    let mut last = store.changes(1_499).expect("follows");
    let got = last.next_within(Duration::from_secs(10)).expect("reads");
    assert_eq!(got.map(|c| c.sequence()), Some(1_500));
    assert_eq!(last.next_within(Duration::from_millis(1)).expect("reads"), None);
    // The follower has its own pace; it holds the store open no longer than its handles do.
    thread::sleep(Duration::from_millis(300));
    drop(store);
    let seen = follower.join().expect("no panic");
    assert_eq!(seen, (1..=1_500).collect::<Vec<_>>());
}

#[test]
fn a_reader_and_a_closed_store_have_no_feed() {
    let fs = Arc::new(MemFs::new(7));
    let store = open(&fs, 0);
    let reader = Lsm::open_read_only_with("/store", tiny(fs.clone())).expect("reads");
    assert_eq!(reader.changes(0).map(drop).expect_err("none").kind(), ErrorKind::ReadOnly);
    let mut changes = store.changes(0).expect("follows");
    store.clone().close().expect("closes");
    assert_eq!(changes.try_next().expect_err("closed").kind(), ErrorKind::Closed);
    assert_eq!(store.changes(0).map(drop).expect_err("closed").kind(), ErrorKind::Closed);
}
