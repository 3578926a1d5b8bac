//! Scenes: something happens exactly between two steps of something else.
//!
//! Each passes on the store as it is and fails on at least one planted fault. They run on one
//! thread: the store lets the test in at a point between the two steps.

use nori_env::sync::{Arc, Mutex};
use nori_env::{Cut, Fault, FaultFs, FaultRule, FileSystem, FsOp, MemFs};
use nori_lsm::{Background, Config, Durability, ErrorKind, Lsm, Point, WriteBatch, at};
use std::collections::BTreeMap;
use std::path::PathBuf;

type Scene = fn() -> Result<(), String>;
type Keys = Vec<(Vec<u8>, Vec<u8>)>;

/// Everything a store shows.
fn state(store: &Lsm) -> nori_lsm::Result<BTreeMap<String, Keys>> {
    let read = |name: String| {
        let items = store.keyspace(&name)?.iter();
        let items = items.map(|item| item.map(|(k, v)| (k.to_vec(), v.to_vec())));
        Ok((name, items.collect::<nori_lsm::Result<Keys>>()?))
    };
    store.keyspaces().into_iter().map(read).collect()
}

pub(crate) const ALL: &[(&str, Scene)] = &[
    ("a merge between a read's two loads", read_over_merge),
    ("a drop between a read's two loads", read_over_drop),
    ("a merge while a snapshot is taken", snapshot_over_merge),
    ("a read between a group's record and its entries", read_while_inserting),
    ("a snapshot and a rotation before a flush", snapshot_before_flush),
    ("a snapshot and a flush before a merge", snapshot_before_merge),
    ("a read while a flush writes", read_while_flushing),
    ("a flush while a merge writes", flush_while_merging),
    ("a rotation before a flush is installed", rotation_before_install),
    ("a purge while a keyspace is dropped", purge_while_dropping),
    ("a merge while a checkpoint is made", merge_while_checkpointing),
    ("an iterator over merged tables", iterator_over_merge),
    ("a snapshot of a dropped keyspace", snapshot_of_dropped),
    ("damage in the manifest's last edit", damaged_edit),
    ("a failed edit that reached the disk", failed_edit_on_disk),
    ("a keyspace whose edit failed", failed_keyspace),
    ("tables of a poisoned store and a log that lost its end", poisoned_log_replayed),
];

fn open_with(fs: Arc<dyn FileSystem>) -> Lsm {
    let config = Config::default()
        .file_system(fs)
        .background(Background::Manual)
        .memtable_bytes(4096)
        .max_sealed(3)
        .k_global(1)
        .block_cache_bytes(0)
        .max_open_files(1)
        .disk_reserve_bytes(Some(0));
    Lsm::open_with("/store", config).expect("opens")
}

fn open_on(disk: &MemFs) -> Lsm {
    open_with(Arc::new(disk.clone()))
}

fn open() -> Lsm {
    open_on(&MemFs::new(1))
}

/// What a visit at a point found wrong.
#[derive(Clone, Default)]
struct Found(Arc<Mutex<Option<String>>>);

impl Found {
    fn wrong(&self, what: impl Into<String>) {
        self.0.lock().get_or_insert(what.into());
    }

    fn result(&self) -> Result<(), String> {
        self.0.lock().clone().map_or(Ok(()), Err)
    }
}

pub(crate) fn expect(shown: Option<impl AsRef<[u8]>>, expected: &[&str]) -> Result<(), String> {
    let shown = shown.map(|v| String::from_utf8_lossy(v.as_ref()).into_owned());
    match &shown {
        Some(value) if expected.contains(&value.as_str()) => Ok(()),
        _ => Err(format!("{shown:?}, not one of {expected:?}")),
    }
}

/// Runs steps until none is due.
pub(crate) fn settle(store: &Lsm) {
    for _ in 0..50 {
        if !store.step().expect("works") {
            return;
        }
    }
}

fn overwrite_and_merge(store: &Lsm) {
    store.put("k", "new").expect("writes");
    store.compact().expect("merges");
}

fn fill_one_memtable(store: &Lsm) {
    let sealed = store.metrics().memtables_sealed;
    while store.metrics().memtables_sealed == sealed {
        store.put("fill", vec![1; 600]).expect("writes");
    }
}

fn read_over_merge() -> Result<(), String> {
    let store = open();
    store.put("k", "old").expect("writes");
    store.flush().expect("flushes");
    let other = store.clone();
    at(Point::Reading, move || overwrite_and_merge(&other));
    expect(store.get("k").expect("reads"), &["old", "new"])
}

fn read_over_drop() -> Result<(), String> {
    let store = open();
    let space = store.keyspace("s").expect("made");
    space.put("k", "v").expect("writes");
    store.flush().expect("flushes");
    let other = store.clone();
    at(Point::Reading, move || {
        other.drop_keyspace("s").expect("drops");
        settle(&other);
    });
    match space.get("k") {
        Ok(shown) => expect(shown, &["v"]),
        Err(e) if e.kind() == ErrorKind::KeyspaceDropped => Ok(()),
        Err(e) => Err(e.to_string()),
    }
}

/// Half of what changed meanwhile is merged, and so loses its sequence numbers.
fn snapshot_over_merge() -> Result<(), String> {
    let store = open();
    store.split_at(&["m"]).expect("splits");
    let write = |store: &Lsm, value: &str| {
        let mut batch = WriteBatch::new();
        batch.put("a", value).put("z", value);
        store.write(batch).expect("writes");
        store.flush().expect("flushes");
    };
    write(&store, "old");
    let other = store.clone();
    at(Point::Registering, move || {
        write(&other, "new");
        other.compact_range(.."m").expect("merges");
    });
    let snapshot = store.snapshot();
    let shown = |key: &str| snapshot.get(key).expect("reads");
    if shown("a") == shown("z") && shown("a").is_some() {
        return Ok(());
    }
    Err(format!("a snapshot shows half a batch: {:?} and {:?}", shown("a"), shown("z")))
}

fn read_while_inserting() -> Result<(), String> {
    let store = open();
    let (found, other) = (Found::default(), store.clone());
    let (heard, before) = (found.clone(), store.metrics().last_sequence);
    at(Point::Inserting, move || {
        let visible = other.metrics().last_sequence > before;
        if visible && other.get("k").expect("reads").is_none() {
            heard.wrong("a visible write is not there");
        }
    });
    store.put("k", "v").expect("writes");
    found.result()
}

fn snapshot_before_flush() -> Result<(), String> {
    let store = open();
    store.put("k", "old").expect("writes");
    let (held, other) = (Arc::new(Mutex::new(None)), store.clone());
    let kept = Arc::clone(&held);
    at(Point::FlushStarts, move || {
        *kept.lock() = Some(other.snapshot());
        other.put("k", "new").expect("writes");
        fill_one_memtable(&other);
    });
    settle(&store);
    let snapshot = held.lock().take().expect("the flush was tried");
    expect(snapshot.get("k").expect("reads"), &["old"])
}

fn snapshot_before_merge() -> Result<(), String> {
    let store = open();
    store.put("k", "old").expect("writes");
    store.flush().expect("flushes");
    let (held, other) = (Arc::new(Mutex::new(None)), store.clone());
    let kept = Arc::clone(&held);
    at(Point::MergeStarts, move || {
        *kept.lock() = Some(other.snapshot());
        other.put("k", "new").expect("writes");
        other.flush().expect("flushes");
    });
    store.compact().expect("merges");
    let snapshot = held.lock().take().expect("the merge was tried");
    expect(snapshot.get("k").expect("reads"), &["old"])
}

fn read_while_flushing() -> Result<(), String> {
    let store = open();
    store.put("k", "v").expect("writes");
    let (found, other) = (Found::default(), store.clone());
    let heard = found.clone();
    at(Point::FlushWritten, move || {
        if other.get("k").expect("reads").is_none() {
            heard.wrong("a key is gone while it is flushed");
        }
    });
    store.flush().expect("flushes");
    found.result()
}

fn flush_while_merging() -> Result<(), String> {
    let store = open();
    store.put("k", "old").expect("writes");
    store.flush().expect("flushes");
    let other = store.clone();
    at(Point::MergeWritten, move || {
        other.put("k", "new").expect("writes");
        other.flush().expect("flushes");
    });
    store.compact().expect("merges");
    expect(store.get("k").expect("reads"), &["new"])
}

fn rotation_before_install() -> Result<(), String> {
    let store = open();
    store.put("k", "old").expect("writes");
    let other = store.clone();
    at(Point::Logged, move || {
        other.put("k", "new").expect("writes");
        fill_one_memtable(&other);
        other.put("behind", "v").expect("writes");
    });
    store.flush().expect("flushes");
    expect(store.get("k").expect("reads"), &["new"])?;
    expect(store.get("behind").expect("reads"), &["v"])
}

fn purge_while_dropping() -> Result<(), String> {
    let store = open();
    let space = store.keyspace("s").expect("made");
    space.put("k", "v").expect("writes");
    store.flush().expect("flushes");
    let (found, other, reader) = (Found::default(), store.clone(), space.clone());
    let heard = found.clone();
    at(Point::Dropping, move || {
        settle(&other);
        match reader.get("k") {
            Ok(Some(_)) => {}
            Err(e) if e.kind() == ErrorKind::KeyspaceDropped => {}
            shown => heard.wrong(format!("{shown:?}")),
        }
    });
    store.drop_keyspace("s").expect("drops");
    found.result()
}

fn merge_while_checkpointing() -> Result<(), String> {
    let disk = MemFs::new(2);
    let store = open_on(&disk);
    for n in 0..4 {
        store.put("k", format!("{n}")).expect("writes");
        store.flush().expect("flushes");
    }
    let (shown, other) = (state(&store).expect("reads"), store.clone());
    at(Point::Checkpointing, move || settle(&other));
    store.checkpoint("/copy").expect("copies");
    let config = Config::default().background(Background::Manual);
    let config = config.file_system(Arc::new(disk.crash(Cut::SyncedOnly, 2)));
    let copy = Lsm::open_with("/copy", config).map_err(|e| e.to_string())?;
    let copied = state(&copy).map_err(|e| e.to_string())?;
    if copied == shown { Ok(()) } else { Err(format!("{copied:?}, not {shown:?}")) }
}

fn iterator_over_merge() -> Result<(), String> {
    let store = open();
    for n in 0..3 {
        store.put(format!("k{n}"), "v").expect("writes");
        store.flush().expect("flushes");
    }
    let iter = store.iter();
    store.compact().expect("merges");
    settle(&store);
    let items = iter.collect::<nori_lsm::Result<Vec<_>>>().map_err(|e| e.to_string())?;
    if items.len() == 3 { Ok(()) } else { Err(format!("{} of 3 items", items.len())) }
}

fn snapshot_of_dropped() -> Result<(), String> {
    let store = open();
    let space = store.keyspace("s").expect("made");
    space.put("k", "v").expect("writes");
    store.flush().expect("flushes");
    let snapshot = store.snapshot();
    store.drop_keyspace("s").expect("drops");
    settle(&store);
    let view = snapshot.keyspace("s").map_err(|e| e.to_string())?;
    expect(view.get("k").map_err(|e| e.to_string())?, &["v"])
}

/// Behind the last promise damage looks like a torn edit. Tables that the edit may have named are
/// put aside, not deleted.
fn damaged_edit() -> Result<(), String> {
    let disk = MemFs::new(3);
    let store = open_on(&disk);
    for n in 0..2 {
        store.put(format!("k{n}"), "v").expect("writes");
        store.flush().expect("flushes");
    }
    store.compact().expect("merges");
    let shown = state(&store).expect("reads");
    let left = disk.crash(Cut::SyncedOnly, 3);
    let manifest = left.files().into_iter().find(|(p, _)| p.to_string_lossy().contains("MANIFEST"));
    let (path, bytes) = manifest.expect("one manifest");
    assert!(left.corrupt(&path, bytes - 1, 1));
    let store = open_on(&left);
    if state(&store).expect("reads") != shown {
        return Err("the inputs of the merge are not there".to_string());
    }
    let aside = |(path, _): &(PathBuf, u64)| path.parent().is_some_and(|d| d.ends_with("lost"));
    let lost = left.files().iter().filter(|file| aside(file)).count();
    let told = store.recovery().tables_lost.len();
    if (lost, told) == (1, 1) { Ok(()) } else { Err(format!("{lost} tables aside, {told} told")) }
}

/// The sync of an edit fails, the process dies, and the page cache shows the edit to the next one:
/// the tables that it names must still be there.
fn failed_edit_on_disk() -> Result<(), String> {
    let disk = MemFs::new(4);
    let faults = FaultFs::new(Arc::new(disk.clone()));
    let store = open_with(Arc::new(faults.clone()));
    for n in 0..2 {
        store.put("k", format!("{n}")).expect("writes");
        store.flush().expect("flushes");
    }
    settle(&store);
    store.put("k", "last").expect("writes");
    store.flush().expect("flushes");
    faults.inject(FaultRule::new(Fault::Eio).on(FsOp::Sync).path("MANIFEST").nth(0));
    assert!(store.compact_range("k"..).is_err());
    // A new manifest cannot be made either.
    faults.inject(FaultRule::new(Fault::Eio).on(FsOp::Create).path("MANIFEST"));
    for _ in 0..5 {
        let _ = store.step();
    }
    let left = disk.crash(Cut::Kill, 4);
    let config = Config::default().background(Background::Manual).file_system(Arc::new(left));
    let again = Lsm::open_with("/store", config).map_err(|e| e.to_string())?;
    expect(again.get("k").map_err(|e| e.to_string())?, &["last"])
}

/// A deleted key must not come back from a log whose end the failed sync lost, when its tombstone
/// has been merged away.
fn poisoned_log_replayed() -> Result<(), String> {
    let disk = MemFs::new(5);
    let faults = FaultFs::new(Arc::new(disk.clone()));
    let store = open_with(Arc::new(faults.clone()));
    store.put("k", "deleted").expect("writes");
    let mut batch = WriteBatch::new();
    batch.delete("k");
    store.write_with(batch, Durability::Buffered).expect("writes");
    faults.inject(FaultRule::new(Fault::Eio).on(FsOp::Sync).path("/wal/").nth(0));
    assert!(store.sync().is_err());
    store.compact().expect("a poisoned store still writes tables");
    let again = open_on(&disk.crash(Cut::SyncedOnly, 5));
    match again.get("k").map_err(|e| e.to_string())? {
        None => Ok(()),
        Some(value) => Err(format!("the deleted key came back: {value:?}")),
    }
}

/// A keyspace that the caller was refused must not be there later, if the store went on writing.
fn failed_keyspace() -> Result<(), String> {
    let disk = MemFs::new(6);
    let faults = FaultFs::new(Arc::new(disk.clone()));
    let store = open_with(Arc::new(faults.clone()));
    faults.inject(FaultRule::new(Fault::Eio).on(FsOp::Sync).path("MANIFEST").nth(0));
    let refused = store.keyspace("s").is_err();
    let goes_on = store.put("k", "v").is_ok();
    let again = open_on(&disk.crash(Cut::Kill, 6));
    if refused && goes_on && again.keyspaces().contains(&"s".to_string()) {
        return Err("a refused keyspace is there".to_string());
    }
    Ok(())
}
