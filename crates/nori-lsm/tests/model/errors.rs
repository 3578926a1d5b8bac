//! Every kind of error, as a user meets it, and what still holds after it.

use crate::run::ROOT;
use nori_env::sync::Arc;
use nori_env::{Fault, FaultFs, FaultRule, FileSystem, FsOp, MemFs};
use nori_lsm::{Background, Config, Error, ErrorKind, Lsm, WriteBatch};
use std::collections::HashSet;
use std::path::PathBuf;

fn config(fs: Arc<dyn FileSystem>) -> Config {
    Config::default()
        .file_system(fs)
        .background(Background::Manual)
        .memtable_bytes(4096)
        .max_sealed(1)
        .block_bytes(256)
        .block_cache_bytes(0)
        .disk_reserve_bytes(Some(0))
}

fn open(fs: &Arc<MemFs>) -> Lsm {
    let fs: Arc<dyn FileSystem> = Arc::<MemFs>::clone(fs);
    Lsm::open_with(ROOT, config(fs)).expect("opens")
}

fn filled(fs: &Arc<MemFs>) -> Lsm {
    let store = open(fs);
    fill(&store);
    store
}

fn fill(store: &Lsm) {
    (0..200).for_each(|n| store.put(format!("k{n:03}"), [7; 40]).expect("writes"));
    store.compact().expect("merges");
    assert_eq!(store.iter().count(), 200);
}

fn tables(fs: &MemFs) -> Vec<PathBuf> {
    let files = fs.files().into_iter().map(|(path, _)| path);
    files.filter(|path| path.extension().is_some_and(|e| e == "sst")).collect()
}

/// What a full scan yields: items, then the error that ended it.
fn scan(store: &Lsm) -> (usize, Option<Error>) {
    let mut iter = store.iter();
    let mut items = 0;
    loop {
        match iter.next() {
            Some(Ok(_)) => items += 1,
            Some(Err(e)) => {
                assert!(iter.next().is_none() && iter.next_back().is_none(), "it goes on");
                return (items, Some(e));
            }
            None => return (items, None),
        }
    }
}

fn io() -> Error {
    let disk = Arc::new(FaultFs::new(Arc::new(MemFs::new(1))));
    let store = Lsm::open_with(ROOT, config(Arc::<FaultFs>::clone(&disk))).expect("opens");
    fill(&store);
    let mut cursor = store.cursor();
    assert!(cursor.seek("k100").expect("moves"));
    disk.inject(FaultRule::new(Fault::Eio).on(FsOp::Read).path("sst/"));
    let e = store.get("k100").expect_err("the disk fails");
    assert_eq!(scan(&store).1.map(|e| e.kind()), Some(ErrorKind::Io));
    assert_eq!(cursor.last().expect_err("the disk fails").kind(), ErrorKind::Io);
    assert!(!cursor.is_valid() && cursor.key().is_none(), "it stands nowhere");
    assert!(!cursor.next().expect("nowhere"), "it stays there");
    disk.clear();
    assert!(cursor.last().expect("moves"), "the next move works");
    assert!(store.get("k100").expect("reads").is_some());
    e
}

fn corruption() -> Error {
    let fs = Arc::new(MemFs::new(2));
    let store = filled(&fs);
    let table = tables(&fs).pop().expect("a table");
    assert!(fs.corrupt(&table, 30, 0x10));
    let wrong = (0..200).map(|n| store.get(format!("k{n:03}")));
    let errors: Vec<Error> = wrong
        .filter_map(|got| match got {
            // What lies in other blocks is there.
            Ok(value) => {
                assert!(value.is_some(), "damage is never absence");
                None
            }
            Err(e) => Some(e),
        })
        .collect();
    assert!(errors.iter().all(|e| e.kind() == ErrorKind::Corruption), "{errors:?}");
    let e = errors.first().expect("a damaged block").clone();
    assert_eq!(scan(&store).1.map(|e| e.kind()), Some(ErrorKind::Corruption));
    let report = store.verify().expect("reads");
    assert!(!report.is_ok() && report.problems.len() == 1, "{report:?}");
    let merged = store.compact().expect_err("a merge reads it");
    assert_eq!(merged.kind(), ErrorKind::Corruption);
    store.put("k", "v").expect("other work goes on");
    assert!(e.to_string().contains("sst"), "{e}");
    // A store without its first file is damaged, never new.
    store.close().expect("closes");
    assert!(fs.remove_file(format!("{ROOT}/CURRENT")));
    let lost = Lsm::open_with(ROOT, config(fs)).expect_err("no CURRENT");
    assert_eq!(lost.kind(), ErrorKind::Corruption, "{lost}");
    e
}

fn locked() -> Error {
    let fs = Arc::new(MemFs::new(3));
    let _store = open(&fs);
    Lsm::open_with(ROOT, config(fs)).expect_err("it is open")
}

fn disk_full() -> Error {
    let fs = Arc::new(MemFs::new(4));
    let store = filled(&fs);
    fs.set_capacity(Some(fs.total_bytes() + 20_000));
    let before = |store: &Lsm| (store.metrics().last_sequence, store.iter().count());
    let (mut state, mut error) = (before(&store), None);
    for n in 0..10_000 {
        match store.put(format!("more {n}"), [n as u8; 200]) {
            Ok(()) => state = before(&store),
            Err(e) => {
                error = Some(e);
                break;
            }
        }
    }
    assert_eq!(before(&store), state, "nothing was written");
    fs.set_capacity(None);
    store.put("after", "v").expect("writes resume by themselves");
    assert!(store.health().poisoned.is_none());
    store.compact().expect("merges");
    assert_eq!(store.iter().count(), state.1 + 1);
    error.expect("the disk is full")
}

fn stalled() -> Error {
    let store = open(&Arc::new(MemFs::new(5)));
    for n in 0.. {
        let mut batch = WriteBatch::new();
        batch.put(format!("k{n}"), [0; 100]);
        let sequence = store.metrics().last_sequence;
        let Err(e) = store.try_write(&batch) else { continue };
        assert_eq!(store.metrics().last_sequence, sequence, "nothing was written");
        assert_eq!(store.iter().count(), n);
        assert!(store.step().expect("flushes"));
        store.try_write(&batch).expect("there is room again");
        assert_eq!(store.iter().count(), n + 1);
        return e;
    }
    unreachable!("the loop has no end")
}

fn invalid_argument() -> Error {
    let store = open(&Arc::new(MemFs::new(6)));
    let other = open(&Arc::new(MemFs::new(7)));
    let mut batch = WriteBatch::new();
    batch.put("k", "v").put_in(&other.keyspace("s").expect("creates"), "k", "v");
    let e = store.write(batch).expect_err("a keyspace of another store");
    assert_eq!(store.iter().count(), 0);
    e
}

fn format_too_new() -> Error {
    let fs = Arc::new(MemFs::new(8));
    filled(&fs).close().expect("closes");
    let path = format!("{ROOT}/CURRENT");
    let text = String::from_utf8(fs.read_file(&path).expect("is there")).expect("is text");
    let (start, _) = text.rsplit_once(" check=").expect("has a checksum");
    let newer = start.replace("format=1", "format=999");
    assert_ne!(newer, start);
    let sum = nori_types::checksum(0, newer.as_bytes());
    assert!(fs.write_file(&path, format!("{newer} check={sum:08x}\n").as_bytes()));
    let before = fs.digest();
    let reader: Arc<dyn FileSystem> = Arc::<MemFs>::clone(&fs);
    let read_only = Lsm::open_read_only_with(ROOT, config(reader)).expect_err("is too new");
    assert_eq!(read_only.kind(), ErrorKind::FormatTooNew);
    assert_eq!(fs.digest(), before);
    Lsm::open_with(ROOT, config(fs)).expect_err("is too new")
}

fn poisoned() -> Error {
    let mem = Arc::new(MemFs::new(9));
    let disk = Arc::new(FaultFs::new(Arc::<MemFs>::clone(&mem)));
    let store = Lsm::open_with(ROOT, config(Arc::<FaultFs>::clone(&disk))).expect("opens");
    fill(&store);
    disk.inject(FaultRule::new(Fault::Eio).on(FsOp::Sync).path("wal/").nth(0));
    let first = store.put("lost", "v").expect_err("the sync fails");
    assert!(matches!(first.kind(), ErrorKind::Io | ErrorKind::Poisoned), "{first}");
    disk.clear();
    // The disk is well again, but what the failed sync lost cannot be told.
    let e = store.put("k", "v").expect_err("poisoned");
    assert_eq!(store.sync().expect_err("poisoned").kind(), ErrorKind::Poisoned);
    let made = store.keyspace("new").map(|_| ()).expect_err("poisoned");
    assert_eq!(made.kind(), ErrorKind::Poisoned);
    assert!(store.health().poisoned.is_some());
    assert_eq!(store.iter().count(), 200, "reads go on, and never show what was not promised");
    drop(store);
    let again = open(&mem);
    again.put("k", "v").expect("a store that was opened again writes");
    assert!((201..=202).contains(&again.iter().count()));
    e
}

fn closed() -> Error {
    let store = open(&Arc::new(MemFs::new(10)));
    store.clone().close().expect("closes");
    let errors = [
        store.put("k", "v").err(),
        store.write(WriteBatch::new()).err(),
        store.multi_get(&["k"]).err(),
        store.first_key_value().err(),
        store.keyspace("s").err(),
        store.drop_keyspace("s").err(),
        store.checkpoint("/copy").err(),
        store.sync().err(),
        store.flush().err(),
        store.compact().err(),
        store.compact_range("a".."b").err(),
        store.wait_idle().err(),
        store.step().err(),
        store.split_at(&["k"]).err(),
        store.approximate_bytes("a".."b").err(),
        store.cursor().first().err(),
        store.iter().next().and_then(Result::err),
        store.snapshot().keyspace("default").err(),
    ];
    for (n, e) in errors.iter().enumerate() {
        let kind = e.as_ref().map(Error::kind);
        assert_eq!(kind, Some(ErrorKind::Closed), "verb {n}: {e:?}");
    }
    store.get("k").expect_err("closed")
}

fn read_only() -> Error {
    let fs = Arc::new(MemFs::new(11));
    filled(&fs).close().expect("closes");
    let reader = Lsm::open_read_only_with(ROOT, config(fs)).expect("opens");
    assert_eq!(reader.iter().count(), 200);
    reader.put("k", "v").expect_err("read-only")
}

fn keyspace_dropped() -> Error {
    let store = open(&Arc::new(MemFs::new(12)));
    let space = store.keyspace("s").expect("creates");
    space.put("k", "v").expect("writes");
    let (mut iter, mut cursor) = (space.iter(), space.cursor());
    let mut batch = WriteBatch::new();
    batch.put("k", "v").delete_in(&space, "k");
    store.drop_keyspace("s").expect("drops");
    let errors = [
        space.put("k", "v").err(),
        space.delete("k").err(),
        store.write(batch).err(),
        space.get("k").err(),
        space.contains_key("k").err(),
        space.multi_get(&["k"]).err(),
        space.multi_get::<&str>(&[]).err(),
        space.first_key_value().err(),
        space.last_key_value().err(),
        space.iter().next().and_then(Result::err),
        space.prefix("").next_back().and_then(Result::err),
        space.cursor().last().err(),
        space.compact_range("a".."z").err(),
        space.split_at(&["k"]).err(),
        space.approximate_bytes("a".."z").err(),
    ];
    for (n, e) in errors.iter().enumerate() {
        let kind = e.as_ref().map(Error::kind);
        assert_eq!(kind, Some(ErrorKind::KeyspaceDropped), "verb {n}: {e:?}");
    }
    assert_eq!(store.iter().count(), 0, "the batch wrote nothing");
    store.compact().expect("merges");
    assert!(cursor.last().expect("it was made before"), "a cursor keeps its moment");
    assert_eq!(iter.next().and_then(Result::ok).map(|i| i.0).as_deref(), Some(&b"k"[..]));
    space.get("k").expect_err("dropped")
}

#[test]
fn every_kind_of_error_can_be_met() {
    let all = [
        (ErrorKind::Io, io as fn() -> Error),
        (ErrorKind::Corruption, corruption),
        (ErrorKind::Locked, locked),
        (ErrorKind::DiskFull, disk_full),
        (ErrorKind::Stalled, stalled),
        (ErrorKind::InvalidArgument, invalid_argument),
        (ErrorKind::FormatTooNew, format_too_new),
        (ErrorKind::Poisoned, poisoned),
        (ErrorKind::Closed, closed),
        (ErrorKind::ReadOnly, read_only),
        (ErrorKind::KeyspaceDropped, keyspace_dropped),
    ];
    let mut texts = HashSet::new();
    for (kind, provoke) in all {
        let e = provoke();
        assert_eq!(e.kind(), kind, "{e}");
        let retryable = matches!(kind, ErrorKind::DiskFull | ErrorKind::Stalled);
        assert_eq!(e.is_retryable(), retryable, "{e}");
        assert!(texts.insert(e.to_string()), "two kinds say the same: {e}");
        println!("{kind:?}: {e}");
    }
}
