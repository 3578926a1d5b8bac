//! What the manifest's tests share: random edits, versions as text, a file system that fails or
//! lies on demand.

#![allow(dead_code, unreachable_pub, clippy::unwrap_used)]

use bytes::Bytes;
use nori_env::sync::{Arc, Mutex};
use nori_env::{File, FileLock, FileSystem, FsError, FsResult, OpenMode, Rng};
use nori_manifest::{SlotId, Version, VersionEdit};
use nori_types::{FileNumber, KeyRange, SeqNo, TableMeta, successor};
use nori_wal::Position;
use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};

pub const DIR: &str = "/store";

/// A version as text: everything that must survive a restart, but for the next file number.
pub fn dump(version: &Version) -> String {
    let mut out = String::new();
    for k in version.catalog.iter() {
        writeln!(out, "keyspace {} {:?} {:?} {:?}", k.id, k.name, k.created, k.dropped).unwrap();
    }
    for file in version.tables() {
        writeln!(out, "{:?}", file.meta).unwrap();
    }
    for slot in version.slots() {
        writeln!(out, "slot {} {:?} kept {}", slot.id, slot.range, slot.kept).unwrap();
        for run in &slot.runs {
            write!(out, "  flush {} level {}:", run.flush_seq, run.level).unwrap();
            for t in &run.tables {
                write!(out, " {} {:?} {}b", t.file.number(), t.range, t.bytes).unwrap();
            }
            writeln!(out).unwrap();
        }
    }
    let v = version;
    let (floor, durable) = (v.wal_floor, v.durable);
    writeln!(out, "flushed {} last {} floor {floor} durable {durable}", v.flushed, v.last_seq)
        .unwrap();
    out
}

/// Makes edits that could happen next.
pub struct Edits {
    pub rng: Rng,
    next_file: u64,
    seq: u64,
}

impl Edits {
    pub fn new(seed: u64, version: &Version) -> Edits {
        let (next_file, seq) = (version.next_file, version.last_known().get());
        Edits { rng: Rng::new(seed), next_file: next_file.max(100), seq }
    }

    fn meta(&mut self, smallest: Bytes, largest: Bytes) -> TableMeta {
        self.next_file += 1;
        self.seq += 1;
        let entries = 1 + self.rng.below(1000);
        TableMeta {
            number: FileNumber(self.next_file),
            id: self.rng.next_u64(),
            bytes: 100 + self.rng.below(10_000),
            entries,
            tombstones: self.rng.below(entries),
            smallest,
            largest,
            seq_min: SeqNo::new(self.seq),
            seq_max: SeqNo::new(self.seq),
            raw_bytes: 7,
        }
    }

    fn key(&mut self, keyspace: u32) -> Bytes {
        let len = self.rng.below(4);
        let tail = (0..len).map(|_| b'a' + self.rng.below(26) as u8).collect::<Vec<_>>();
        Bytes::from([&nori_manifest::key_prefix(keyspace)[..], &tail].concat())
    }

    fn durable(&mut self, version: &Version) -> Position {
        let durable = version.durable;
        Position::new(durable.segment + self.rng.below(2), durable.offset + self.rng.below(99))
    }

    /// Some edit that fits `version`.
    pub fn next(&mut self, version: &Version) -> VersionEdit {
        loop {
            if let Some(edit) = self.attempt(version) {
                return edit;
            }
        }
    }

    fn attempt(&mut self, v: &Version) -> Option<VersionEdit> {
        let durable = self.durable(v);
        let slot = Arc::clone(v.slot(self.rng.index(v.slot_count())).unwrap());
        match self.rng.below(10) {
            0 | 1 => Some(self.flush(v, durable)),
            2 | 3 => {
                let edit = self.flush(v, durable);
                let skipped = self.rng.below(3);
                v.with_moves(edit, 1, &|slot| slot.0 % 3 != skipped).ok()
            }
            4 | 5 => self.replace(v, slot.id),
            6 => {
                let keyspace = self.rng.below(v.catalog.next_id().into()) as u32;
                let guards = [self.key(keyspace), self.key(keyspace)];
                let kept = self.rng.chance(20);
                v.edit_split(&guards, kept).ok().filter(|edit| v.apply(edit).is_ok())
            }
            7 => {
                let index = self.rng.index(v.slot_count() - 1);
                let (a, b) = (v.slot(index).unwrap().id, v.slot(index + 1).unwrap().id);
                v.edit_merge_slots(a, b).ok()
            }
            8 if self.rng.chance(50) => v.trivial_moves(slot.id, 2),
            8 => {
                let from = self.rng.index(slot.runs.len().max(1));
                let to = self.rng.index(from + 1);
                v.edit_move_run(slot.id, from, to, 1 + self.rng.below(7) as u8).ok()
            }
            _ => {
                self.seq += 1;
                let at = SeqNo::new(self.seq);
                let id = self.rng.below(v.catalog.next_id().into()) as u32;
                match self.rng.below(3) {
                    0 if v.catalog.next_id() < 9 => {
                        v.edit_create_keyspace(&format!("space {at}"), at, durable).ok()
                    }
                    1 => v.edit_drop_keyspace(id, at, durable).ok(),
                    _ => v.edit_purge_slot(slot.id, at).ok(),
                }
            }
        }
    }

    pub fn flush(&mut self, v: &Version, durable: Position) -> VersionEdit {
        let count = self.rng.below(v.catalog.next_id().into()) as u32 + 1;
        let mut tables = Vec::new();
        for keyspace in 0..count.min(3) {
            let (a, b) = (self.key(keyspace), self.key(keyspace));
            tables.push(self.meta(a.clone().min(b.clone()), a.max(b)));
        }
        let dice = Mutex::new(Rng::new(self.rng.next_u64()));
        let has = |_: &KeyRange| dice.lock().chance(70);
        self.seq += 1;
        v.edit_flush(&tables, &has, durable.segment, SeqNo::new(self.seq), durable)
    }

    fn replace(&mut self, v: &Version, id: SlotId) -> Option<VersionEdit> {
        let (_, slot) = v.slot_by_id(id)?;
        let hi = slot.range.hi.clone()?;
        let first = self.rng.index(slot.runs.len().max(1));
        let pinned = slot.runs.get(first..).filter(|runs| !runs.is_empty())?;
        let refs = pinned.iter().flat_map(|run| &run.tables);
        let (mut keys, mut tables) = (Vec::new(), Vec::new());
        keys.extend(refs.map(|t| t.range.lo.clone()));
        keys.sort();
        keys.dedup();
        for key in &keys {
            if self.rng.chance(80) {
                let mut meta = self.meta(key.clone(), key.clone());
                (meta.seq_min, meta.seq_max) = (SeqNo::ZERO, v.last_seq);
                tables.push(meta);
            }
        }
        let guard = successor(keys.last()?);
        let cut = self.rng.chance(30) && guard > slot.range.lo && guard < hi;
        let guards = if cut { vec![guard] } else { vec![] };
        v.edit_replace(id, pinned, &tables, &guards, 1 + self.rng.below(7) as u8).ok()
    }
}

/// What happens to a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is done.
    Done,
    /// It is not done, and the caller is not told.
    Forgotten,
    /// It fails.
    Eio,
}

/// Decides by the number of the call, the operation and the path.
pub type Judge = Arc<dyn Fn(u64, &str, &Path) -> Fate + Send + Sync>;

/// A file system whose changing calls are judged.
#[derive(Clone)]
pub struct Judged {
    inner: Arc<dyn FileSystem>,
    judge: Judge,
    calls: Arc<Mutex<u64>>,
}

impl Judged {
    pub fn new(
        inner: Arc<dyn FileSystem>,
        judge: impl Fn(u64, &str, &Path) -> Fate + Send + Sync + 'static,
    ) -> Judged {
        Judged { inner, judge: Arc::new(judge), calls: Arc::new(Mutex::new(0)) }
    }

    pub fn calls(&self) -> u64 {
        *self.calls.lock()
    }

    fn call(
        &self,
        op: &'static str,
        path: &Path,
        run: impl FnOnce() -> FsResult<()>,
    ) -> FsResult<()> {
        let number = {
            let mut calls = self.calls.lock();
            *calls += 1;
            *calls - 1
        };
        match (self.judge)(number, op, path) {
            Fate::Done => run(),
            Fate::Forgotten => Ok(()),
            Fate::Eio => Err(FsError::new(op, path, io::Error::other("injected"))),
        }
    }
}

impl std::fmt::Debug for Judged {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Judged").finish_non_exhaustive()
    }
}

impl FileSystem for Judged {
    fn open(&self, path: &Path, mode: OpenMode) -> FsResult<Arc<dyn File>> {
        if mode == OpenMode::CreateNew {
            self.call("create", path, || Ok(()))?;
        }
        let inner = self.inner.open(path, mode)?;
        Ok(Arc::new(JudgedFile { inner, fs: self.clone() }))
    }
    fn rename(&self, from: &Path, to: &Path) -> FsResult<()> {
        self.call("rename", to, || self.inner.rename(from, to))
    }
    fn remove(&self, path: &Path) -> FsResult<()> {
        self.call("remove", path, || self.inner.remove(path))
    }
    fn hard_link(&self, from: &Path, to: &Path) -> FsResult<()> {
        self.inner.hard_link(from, to)
    }
    fn list(&self, dir: &Path) -> FsResult<Vec<String>> {
        self.inner.list(dir)
    }
    fn create_dir_all(&self, dir: &Path) -> FsResult<()> {
        self.inner.create_dir_all(dir)
    }
    fn remove_dir(&self, dir: &Path) -> FsResult<()> {
        self.inner.remove_dir(dir)
    }
    fn exists(&self, path: &Path) -> FsResult<bool> {
        self.inner.exists(path)
    }
    fn sync_dir(&self, dir: &Path) -> FsResult<()> {
        self.call("sync_dir", dir, || self.inner.sync_dir(dir))
    }
    fn lock(&self, path: &Path) -> FsResult<Option<Box<dyn FileLock>>> {
        self.inner.lock(path)
    }
    fn free_space(&self, dir: &Path) -> FsResult<u64> {
        self.inner.free_space(dir)
    }
    fn random(&self) -> u64 {
        self.inner.random()
    }
}

#[derive(Debug)]
struct JudgedFile {
    inner: Arc<dyn File>,
    fs: Judged,
}

impl File for JudgedFile {
    fn path(&self) -> &Path {
        self.inner.path()
    }
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> FsResult<usize> {
        self.inner.read_at(buffer, offset)
    }
    fn write_at(&self, data: &[u8], offset: u64) -> FsResult<()> {
        // A failed write may have written a part.
        let done = self.fs.call("write", self.path(), || self.inner.write_at(data, offset));
        if done.is_err() {
            self.inner.write_at(&data[..data.len() / 2], offset)?;
        }
        done
    }
    fn sync_data(&self) -> FsResult<()> {
        let done = self.fs.call("sync", self.path(), || self.inner.sync_data());
        if done.is_err() {
            self.inner.lose_unsynced();
        }
        done
    }
    fn sync_all(&self) -> FsResult<()> {
        self.sync_data()
    }
    fn truncate(&self, len: u64) -> FsResult<()> {
        self.inner.truncate(len)
    }
    fn allocate(&self, len: u64) -> FsResult<()> {
        self.inner.allocate(len)
    }
    fn len(&self) -> FsResult<u64> {
        self.inner.len()
    }
}

pub fn dir() -> PathBuf {
    PathBuf::from(DIR)
}
