//! The store as a user meets it: what is written is read back, now and after opening again.

use nori_env::MemFs;
use nori_env::sync::Arc;
use nori_lsm::{Background, Config, ErrorKind, Lsm, WriteBatch};

fn config(fs: &Arc<MemFs>) -> Config {
    Config::default()
        .file_system(Arc::<MemFs>::clone(fs))
        .background(Background::Manual)
        .memtable_bytes(8 << 10)
        .block_bytes(256)
        .table_bytes(4 << 10)
        .disk_reserve_bytes(Some(0))
}

fn open(fs: &Arc<MemFs>) -> Lsm {
    Lsm::open_with("/store", config(fs)).expect("opens")
}

fn all(items: nori_lsm::Iter) -> Vec<(Vec<u8>, Vec<u8>)> {
    items.map(|item| item.map(|(k, v)| (k.to_vec(), v.to_vec())).expect("reads")).collect()
}

fn key(n: u32) -> Vec<u8> {
    format!("key-{n:05}").into_bytes()
}

#[test]
fn writes_are_read_back_through_flushes_merges_and_reopening() {
    let fs = Arc::new(MemFs::new(1));
    let store = open(&fs);
    assert!(store.recovery().created);
    for n in 0..2_000 {
        store.put(key(n), format!("value {n}")).expect("writes");
    }
    for n in (0..2_000).step_by(3) {
        store.delete(key(n)).expect("writes");
    }
    let check = |store: &Lsm| {
        for n in 0..2_000 {
            let expected = (n % 3 != 0).then(|| format!("value {n}").into_bytes());
            assert_eq!(store.get(key(n)).expect("reads").map(|v| v.to_vec()), expected, "{n}");
        }
        let items = all(store.iter());
        assert_eq!(items.len(), 2_000 - 667);
        assert!(items.windows(2).all(|w| w[0].0 < w[1].0));
        let mut back: Vec<_> = store.iter().rev().map(|i| i.expect("reads").0.to_vec()).collect();
        back.reverse();
        assert!(back.iter().eq(items.iter().map(|i| &i.0)));
    };
    check(&store);
    store.flush().expect("flushes");
    check(&store);
    store.compact().expect("merges");
    check(&store);
    assert_eq!(store.metrics().runs_max, 1);
    store.close().expect("closes");
    let store = open(&fs);
    assert_eq!(store.recovery().records, 0, "nothing is replayed after a clean close");
    check(&store);
    assert!(store.verify().expect("reads").is_ok());
}

#[test]
fn what_was_only_in_the_log_is_replayed_after_a_crash() {
    let fs = Arc::new(MemFs::new(2));
    let store = open(&fs);
    store.put("a", "1").expect("writes");
    let mut batch = WriteBatch::new();
    batch.put("b", "2").put("c", "3").delete("a");
    store.write(batch).expect("writes");
    let image = Arc::new(fs.crash(nori_env::Cut::SyncedOnly, 7));
    drop(store);
    let store = open(&image);
    assert_eq!(store.recovery().records, 2);
    let expected = vec![(b"b".to_vec(), b"2".to_vec()), (b"c".to_vec(), b"3".to_vec())];
    assert_eq!(all(store.iter()), expected);
}

#[test]
fn snapshots_and_iterators_show_their_moment() {
    let fs = Arc::new(MemFs::new(3));
    let store = open(&fs);
    store.put("k", "old").expect("writes");
    let snapshot = store.snapshot();
    let iter = store.iter();
    store.put("k", "new").expect("writes");
    store.put("l", "new").expect("writes");
    store.compact().expect("merges");
    assert_eq!(snapshot.get("k").expect("reads").as_deref(), Some(&b"old"[..]));
    assert_eq!(all(snapshot.iter()).len(), 1);
    assert_eq!(all(iter), vec![(b"k".to_vec(), b"old".to_vec())]);
    assert_eq!(store.pins().len(), 1);
    drop(snapshot);
    assert!(store.pins().is_empty());
}

#[test]
fn iterators_meet_in_the_middle_and_ranges_may_be_odd() {
    let fs = Arc::new(MemFs::new(4));
    let store = open(&fs);
    store.split_at(&["key-00003", "key-00006"]).expect("splits");
    (0..9).for_each(|n| store.put(key(n), "v").expect("writes"));
    store.flush().expect("flushes");
    let mut iter = store.iter();
    let mut taken = Vec::new();
    for turn in 0..20 {
        let item = if turn % 2 == 0 { iter.next() } else { iter.next_back() };
        taken.extend(item.map(|i| i.expect("reads").0.to_vec()));
    }
    taken.sort();
    assert_eq!(taken, (0..9).map(key).collect::<Vec<_>>());
    assert_eq!(store.range(key(7)..key(2)).count(), 0, "inverted");
    assert_eq!(store.range(key(2)..key(2)).count(), 0, "empty");
    assert_eq!(store.range(key(2)..=key(2)).count(), 1);
    assert_eq!(store.prefix("key-0000").count(), 9);
    assert_eq!(store.slots().iter().filter(|s| s.keyspace == "default").count(), 3);
}

#[test]
fn keyspaces_are_apart_and_a_dropped_one_fails() {
    let fs = Arc::new(MemFs::new(5));
    let store = open(&fs);
    let users = store.keyspace("users").expect("creates");
    let mut batch = WriteBatch::new();
    batch.put("k", "default").put_in(&users, "k", "users");
    store.write(batch).expect("writes");
    let before = store.snapshot();
    assert_eq!(users.get("k").expect("reads").as_deref(), Some(&b"users"[..]));
    store.drop_keyspace("users").expect("drops");
    assert_eq!(users.get("k").expect_err("dropped").kind(), ErrorKind::KeyspaceDropped);
    assert_eq!(users.put("k", "v").expect_err("dropped").kind(), ErrorKind::KeyspaceDropped);
    assert_eq!(store.keyspaces(), ["default"]);
    let old = before.keyspace("users").expect("existed then");
    assert_eq!(old.get("k").expect("reads").as_deref(), Some(&b"users"[..]));
    let again = store.keyspace("users").expect("creates");
    assert_eq!(again.get("k").expect("reads"), None, "a new keyspace of an old name is empty");
    drop((old, before));
    store.compact().expect("merges");
    drop((users, again));
    store.close().expect("closes");
    let store = open(&fs);
    assert_eq!(store.keyspaces(), ["default", "users"]);
    assert_eq!(store.keyspace("users").expect("exists").iter().count(), 0);
    assert_eq!(store.get("k").expect("reads").as_deref(), Some(&b"default"[..]));
}

#[test]
fn closing_ends_every_handle() {
    let fs = Arc::new(MemFs::new(6));
    let store = open(&fs);
    store.put("k", "v").expect("writes");
    let (clone, mut iter, snapshot) = (store.clone(), store.iter(), store.snapshot());
    let locked = Lsm::open_with("/store", config(&fs)).expect_err("is open");
    assert_eq!(locked.kind(), ErrorKind::Locked);
    store.close().expect("closes");
    assert_eq!(clone.get("k").expect_err("closed").kind(), ErrorKind::Closed);
    assert_eq!(clone.put("k", "v").expect_err("closed").kind(), ErrorKind::Closed);
    assert_eq!(snapshot.get("k").expect_err("closed").kind(), ErrorKind::Closed);
    assert_eq!(iter.next().map(|i| i.expect_err("closed").kind()), Some(ErrorKind::Closed));
    assert!(iter.next().is_none(), "after an error it ends");
    assert!(clone.close().is_ok(), "closing again");
    let again = open(&fs);
    assert!(again.contains_key("k").expect("reads"));
}

#[test]
fn read_only_sees_everything_and_writes_nothing() {
    let fs = Arc::new(MemFs::new(7));
    let store = open(&fs);
    store.put("flushed", "1").expect("writes");
    store.flush().expect("flushes");
    store.put("in the log", "2").expect("writes");
    let before = fs.digest();
    let reader = Lsm::open_read_only_with("/store", config(&fs)).expect("opens beside a writer");
    assert_eq!(all(reader.iter()).len(), 2);
    assert_eq!(reader.put("k", "v").expect_err("read-only").kind(), ErrorKind::ReadOnly);
    assert_eq!(reader.flush().expect_err("read-only").kind(), ErrorKind::ReadOnly);
    reader.close().expect("closes");
    assert_eq!(fs.digest(), before, "a reader changes no byte");
}

#[test]
fn destroying_removes_only_what_is_noris() {
    let fs = Arc::new(MemFs::new(8));
    let store = open(&fs);
    store.put("k", "v").expect("writes");
    let is_locked = Lsm::destroy_with("/store", &config(&fs)).expect_err("is open");
    assert_eq!(is_locked.kind(), ErrorKind::Locked);
    store.close().expect("closes");
    fs.write_file("/store/notes.txt", b"mine");
    Lsm::destroy_with("/store", &config(&fs)).expect("destroys");
    assert_eq!(fs.files().len(), 1, "{:?}", fs.files());
    let none = Lsm::destroy_with("/store", &config(&fs)).expect_err("gone");
    assert_eq!(none.kind(), ErrorKind::InvalidArgument);
}

#[test]
fn a_checkpoint_is_a_store_of_its_own() {
    let fs = Arc::new(MemFs::new(9));
    let store = open(&fs);
    (0..500).for_each(|n| store.put(key(n), "v").expect("writes"));
    let info = store.checkpoint("/copy").expect("copies");
    assert!(info.tables > 0);
    store.put("later", "v").expect("writes");
    let copy = Lsm::open_with("/copy", config(&fs)).expect("opens");
    assert_eq!(copy.iter().count(), 500);
    copy.put("only here", "v").expect("writes");
    assert_eq!(store.get("only here").expect("reads"), None);
    let full = store.checkpoint("/copy").expect_err("not empty");
    assert_eq!(full.kind(), ErrorKind::InvalidArgument);
}

#[test]
fn threads_flush_and_merge_by_themselves() {
    let fs = Arc::new(MemFs::new(10));
    let threads = config(&fs).background(Background::Threads(2)).k_global(2);
    let store = Lsm::open_with("/store", threads).expect("opens");
    let writers: Vec<_> = (0..4)
        .map(|w: u32| {
            let store = store.clone();
            nori_env::sync::thread::spawn(move || {
                (0..2_000).for_each(|n| store.put(key(w * 10_000 + n), "v").expect("writes"));
            })
        })
        .collect();
    writers.into_iter().for_each(|w| w.join().expect("no panic"));
    store.wait_idle().expect("works");
    assert_eq!(store.iter().count(), 8_000);
    let metrics = store.metrics();
    assert!(metrics.flushes > 0 && metrics.compactions > 0, "{metrics:?}");
    assert!(metrics.runs_max <= 2, "{metrics:?}");
    store.close().expect("closes");
}

#[test]
fn a_merge_reads_no_more_than_the_tables_hold() {
    let fs = Arc::new(MemFs::new(11));
    let store = open(&fs);
    for key in ["a", "b"] {
        store.put(key, "v".repeat(10_000)).expect("writes");
        store.flush().expect("flushes");
    }
    let tables = store.metrics().table_bytes;
    store.compact().expect("merges");
    let metrics = store.metrics();
    assert_eq!(metrics.compaction_bytes_read, tables);
    assert_eq!(metrics.compaction_bytes_written, metrics.table_bytes);
    assert_eq!(store.decisions(10).len(), 1);
}
