//! Steps that write.

use crate::op::{Ends, HANDLES, How, Key, NAMES, Write};
use crate::oracle::{borrowed, is_inside};
use crate::reader::Reader;
use crate::run::Run;
use crate::scan::{Check, Scan, agrees, items, same};
use bytes::Bytes;
use nori_env::sync::Arc;
use nori_lsm::{Durability, ErrorKind, MemStorage, Result, Storage, StorageSnapshot, WriteBatch};
use std::time::Duration;

const TOO_LONG: usize = 65_536;

impl Run<'_> {
    /// One write through a handle's own verbs.
    pub(crate) fn single(&mut self, write: Write) -> Check {
        let (reader, sight) = self.held.handle(&self.store, &self.state, write.0);
        let key = &write.1.0;
        let done = match (&reader, write.2) {
            (Reader::Space(space), Some(value)) => space.put(key, value.bytes()),
            (Reader::Space(space), None) => space.delete(key),
            (_, Some(value)) => self.store.put(key, value.bytes()),
            (_, None) => self.store.delete(key),
        };
        agrees("one write", done, sight.map(|_| ()))?;
        self.written(&[write]);
        Ok(())
    }

    /// Tells the oracle of writes; those through handles of dropped keyspaces were refused.
    fn written(&mut self, writes: &[Write]) {
        let names: [_; HANDLES] = std::array::from_fn(|place| self.held.name(&self.state, place));
        let alive = |place: usize| self.state.space(names[place].0, names[place].1).is_ok();
        if writes.iter().all(|write| alive(write.0)) {
            self.state.write(writes.iter().map(|write| (names[write.0].0, write)));
        }
    }

    fn build(&self, writes: &[Write]) -> WriteBatch {
        let mut batch = WriteBatch::new();
        for (place, key, value) in writes {
            match (&self.held.handles[*place], value) {
                (Some(handle), Some(value)) => batch.put_in(&handle.space, &key.0, value.bytes()),
                (Some(handle), None) => batch.delete_in(&handle.space, &key.0),
                (None, Some(value)) => batch.put(&key.0, value.bytes()),
                (None, None) => batch.delete(&key.0),
            };
        }
        batch
    }

    /// A batch over several keyspaces.
    pub(crate) fn batch(&mut self, writes: &[Write], how: How) -> Check {
        let batch = self.build(writes);
        same("the batch's length", batch.len(), writes.len())?;
        same("the batch is empty", batch.is_empty(), writes.is_empty())?;
        let dropped = writes.iter().any(|write| {
            let (name, id) = self.held.name(&self.state, write.0);
            self.state.space(name, id).is_err()
        });
        let want = if dropped { Err(ErrorKind::KeyspaceDropped) } else { Ok(()) };
        let done = match how {
            How::Plain => self.store.write(batch),
            How::Synced => self.store.write_with(batch, Durability::Synced),
            How::Buffered => self.store.write_with(batch, Durability::Buffered),
            How::Storage => Storage::write(&self.store, batch),
            How::Interval => {
                let interval = Durability::Interval(Duration::from_secs(1));
                let done = self.store.write_with(batch, interval);
                return agrees("a batch with an interval", done, Err(ErrorKind::InvalidArgument));
            }
            How::Try => match self.store.try_write(&batch) {
                Err(e) if e.kind() == ErrorKind::Stalled => {
                    self.counts.stalled += 1;
                    return same("a stall can be tried again", e.is_retryable(), true);
                }
                done => done,
            },
        };
        agrees("a batch", done, want)?;
        self.written(writes);
        Ok(())
    }

    /// A key that is longer than keys may be: refused by what writes, absent for what reads.
    pub(crate) fn too_long(&mut self, place: usize) -> Check {
        let (reader, sight) = self.held.handle(&self.store, &self.state, place);
        let key = Key(vec![b'k'; TOO_LONG]);
        let refused = Err(ErrorKind::InvalidArgument);
        let (put, delete) = match &reader {
            Reader::Space(space) => (space.put(&key.0, "v"), space.delete(&key.0)),
            _ => (self.store.put(&key.0, "v"), self.store.delete(&key.0)),
        };
        agrees("put of a long key", put, refused)?;
        agrees("delete of a long key", delete, refused)?;
        let mut batch = WriteBatch::new();
        batch.put("first", "is not written").put(&key.0, "v").delete("k000");
        agrees("a batch with a long key", self.store.write(batch.clone()), refused)?;
        agrees("try_write of a long key", self.store.try_write(&batch), refused)?;
        batch.clear();
        batch.delete("never there");
        agrees("a batch that was cleared", self.store.write(batch), Ok(()))?;
        self.state.write([("default", &(0, Key(b"never there".to_vec()), None))].into_iter());
        let guards = [&key.0[..], b"a"];
        let split = match &reader {
            Reader::Space(space) => space.split_at(&guards),
            _ => self.store.split_at(&guards),
        };
        agrees("split at a long key", split, refused)?;
        agrees("get of a long key", reader.get(&key), sight.clone().map(|_| None))?;
        agrees("whether a long key is there", reader.contains_key(&key), sight.map(|_| false))
    }

    /// The same work on the store and on a store in memory, behind `dyn Storage`.
    pub(crate) fn storage(&mut self, place: usize, keys: &[Key], ends: &Ends) -> Check {
        let (reader, sight) = self.held.handle(&self.store, &self.state, place);
        let Ok(map) = sight else { return Ok(()) };
        let real: Arc<dyn Storage> = match reader {
            Reader::Space(space) => Arc::new(space),
            _ => Arc::new(self.store.clone()),
        };
        let twin: Arc<dyn Storage> = Arc::new(MemStorage::new());
        map.iter().try_for_each(|(k, v)| twin.put(k, v)).map_err(|e| e.to_string())?;
        let (before, twin_before) = (real.snapshot(), twin.snapshot());
        for (n, key) in keys.iter().enumerate() {
            agree("Storage::get", real.get(&key.0), twin.get(&key.0))?;
            let (real_done, twin_done) = if n % 3 == 2 {
                (real.delete(&key.0), twin.delete(&key.0))
            } else {
                (real.put(&key.0, b"by storage"), twin.put(&key.0, b"by storage"))
            };
            if key.0.len() < TOO_LONG {
                let value = (n % 3 != 2).then(|| Bytes::from_static(b"by storage"));
                self.stored(place, key, value);
            }
            agree("Storage::put", real_done, twin_done)?;
        }
        let wanted = items(&map, |key| is_inside(key, ends));
        let snapshots = [(&before, "a store"), (&twin_before, "memory")];
        for (snapshot, what) in snapshots {
            let scan = scan_of(&**snapshot, ends);
            Scan::new(scan, Ok(wanted.clone()), self.counts.steps)
                .finish()
                .map_err(|e| format!("StorageSnapshot::range of {what}: {e}"))?;
            for key in keys {
                let want = map.get(&key.0[..]).cloned();
                agrees("StorageSnapshot::get", snapshot.get(&key.0), Ok(want))?;
            }
        }
        let (lo, hi) = borrowed(ends);
        let now: Result<_> = twin.range(lo, hi).collect();
        let now = now.map_err(|e| e.to_string())?;
        let scan = Scan::new(real.range(lo, hi), Ok(now), self.counts.steps);
        scan.finish().map_err(|e| format!("Storage::range: {e}"))
    }

    /// Tells the oracle of a write by a storage.
    fn stored(&mut self, place: usize, key: &Key, value: Option<Bytes>) {
        let (name, _) = self.held.name(&self.state, place);
        self.state.sequence += 1;
        let Some(space) = self.state.spaces.get_mut(name) else { return };
        let (map, key) = (Arc::make_mut(&mut space.map), Bytes::copy_from_slice(&key.0));
        match value {
            Some(value) => map.insert(key, value),
            None => map.remove(&key),
        };
    }

    /// Gets or makes a keyspace and keeps its handle.
    pub(crate) fn keyspace(&mut self, place: usize, name: usize) -> Check {
        let name = NAMES[name];
        let space = self.store.keyspace(name).map_err(|e| format!("keyspace {name:?}: {e}"))?;
        same("its name", space.name(), name)?;
        let id = match self.state.spaces.get(name) {
            Some(space) => space.id,
            None => self.state.create(name),
        };
        self.held.handles[place] = Some(crate::held::Handle { space, name, id });
        self.names()
    }

    pub(crate) fn drop_keyspace(&mut self, name: usize) -> Check {
        let name = NAMES.get(name).copied().unwrap_or("never made");
        let known = name != "default" && self.state.spaces.contains_key(name);
        let want = if known { Ok(()) } else { Err(ErrorKind::InvalidArgument) };
        agrees("drop_keyspace", self.store.drop_keyspace(name), want)?;
        if known {
            self.state.drop_space(name);
        }
        self.names()
    }

    pub(crate) fn names(&self) -> Check {
        let names: Vec<String> = self.state.spaces.keys().cloned().collect();
        same("the names of keyspaces", self.store.keyspaces(), names)
    }
}

fn scan_of(
    snapshot: &dyn StorageSnapshot,
    ends: &Ends,
) -> Box<dyn DoubleEndedIterator<Item = Result<(Bytes, Bytes)>> + Send> {
    let (lo, hi) = borrowed(ends);
    snapshot.range(lo, hi)
}

/// Two storages answer alike.
fn agree<T: PartialEq + std::fmt::Debug>(what: &str, real: Result<T>, twin: Result<T>) -> Check {
    agrees(what, real, twin.map_err(|e| e.kind()))
}
