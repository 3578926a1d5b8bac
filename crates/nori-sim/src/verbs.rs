//! The steps of a program on an open store, each compared with the history at once.

use crate::history::{Element, Keys};
use crate::image::Checked;
use crate::op::{Mode, Op, Write, key_bytes, space_name};
use crate::setup::INTERVAL;
use crate::sim::Sim;
use bytes::Bytes;
use nori_env::sync::Arc;
use nori_lsm::{Durability, Error, ErrorKind, Keyspace, Lsm, Result, WriteBatch};
use std::fmt::Debug;
use std::time::Duration;

/// What a step answered: nothing much, or the kind of an error that may be.
type Answer = Option<ErrorKind>;

impl Sim<'_> {
    pub(crate) fn act(&mut self, store: &Lsm, op: &Op) -> Checked<Answer> {
        match op {
            Op::Write(writes, mode) => self.write(store, writes, *mode),
            Op::WriteDropped => self.write_dropped(),
            Op::Get(space, key) => self.get(*space, &[*key], false),
            Op::MultiGet(space, keys) => self.get(*space, keys, true),
            Op::Heat(key, times) => {
                let mut last = None;
                for _ in 0..*times {
                    last = self.get(0, &[*key], false)?;
                }
                Ok(last)
            }
            Op::Scan(space, lo, hi, bits) => self.scan(*space, *lo, *hi, *bits),
            Op::Walk(space, key, bits) => self.walk(*space, *key, *bits),
            Op::Hold(space) => {
                if let Some(handle) = self.spaces.get(space_name(*space)) {
                    self.held.hold(store, self.history.lock().shown(), handle);
                }
                Ok(None)
            }
            Op::Look(bits) => match self.held.look(*bits)? {
                Ok(()) => Ok(None),
                // An iterator that was taken while the disk failed may end late.
                Err(e) => self.allow(e).map(Some),
            },
            Op::Release => {
                self.held = Default::default();
                Ok(None)
            }
            Op::Sync => self.durable(store.sync()),
            Op::Flush => self.durable(store.flush()),
            Op::Compact => self.done(store.compact()),
            Op::CompactRange(space, key) => match self.spaces.get(space_name(*space)) {
                Some(handle) => self.done(handle.compact_range(key_bytes(*key)..)),
                None => Ok(None),
            },
            Op::SplitAt(space, key) => match self.spaces.get(space_name(*space)) {
                Some(handle) => self.done(handle.split_at(&[key_bytes(*key)])),
                None => Ok(None),
            },
            Op::Steps(most) => self.steps(store, *most),
            Op::Create(space) => self.create(store, *space),
            Op::Drop(space) => self.drop_space(store, *space),
            Op::Checkpoint => self.checkpoint(store),
            Op::Tick => self.tick(store),
            // The machine's own steps, which need no store.
            Op::Wait(_) | Op::Fault(_) | Op::Room(_) | Op::Mend => Ok(None),
            Op::Crash(_) | Op::Reopen(_) | Op::Options(_) => Ok(None),
        }
    }

    fn done(&self, result: Result<()>) -> Checked<Answer> {
        match result {
            Ok(()) => Ok(None),
            Err(e) => self.allow(e).map(Some),
        }
    }

    /// A verb after which everything acknowledged is durable.
    fn durable(&self, result: Result<()>) -> Checked<Answer> {
        if result.is_ok() {
            self.history.lock().durable();
        }
        self.done(result)
    }

    fn steps(&self, store: &Lsm, most: u8) -> Checked<Answer> {
        for _ in 0..most {
            match store.step() {
                Ok(true) => {}
                Ok(false) => break,
                Err(e) => return self.allow(e).map(Some),
            }
        }
        Ok(None)
    }

    fn write(&mut self, store: &Lsm, writes: &[Write], mode: Mode) -> Checked<Answer> {
        let mut batch = WriteBatch::new();
        let mut entries = Vec::new();
        for write in writes {
            let name = space_name(write.space);
            let Some(space) = self.spaces.get(name) else { continue };
            let (key, value) = (key_bytes(write.key), write.value.map(|v| v.bytes()));
            match &value {
                Some(value) => batch.put_in(space, &key, value),
                None => batch.delete_in(space, &key),
            };
            entries.push((Arc::from(name), key, value));
        }
        if entries.is_empty() {
            return Ok(None);
        }
        let own = self.durability == Durability::Synced;
        let synced = mode == Mode::Synced || own && mode != Mode::Buffered;
        let element = Element::Batch(entries);
        let done = self.element(store, &element, synced, |store| match mode {
            Mode::Plain => store.write(batch),
            Mode::Synced => store.write_with(batch, Durability::Synced),
            Mode::Buffered => store.write_with(batch, Durability::Buffered),
            Mode::Try => store.try_write(&batch),
        })?;
        match done {
            Err(e) if e.kind() == ErrorKind::Stalled && mode == Mode::Try => Ok(Some(e.kind())),
            done => self.done(done),
        }
    }

    /// Issues an element, runs it, and notes how it went.
    fn element(
        &self,
        store: &Lsm,
        element: &Element,
        synced: bool,
        run: impl FnOnce(&Lsm) -> Result<()>,
    ) -> Checked<Result<()>> {
        let was_poisoned = store.health().poisoned.is_some();
        self.history.lock().issue(element, store.metrics().last_sequence);
        let done = run(store);
        let is_poisoned = store.health().poisoned.is_some();
        let mut history = self.history.lock();
        match &done {
            Ok(()) if was_poisoned => return Err("a poisoned store took a write".to_string()),
            Ok(()) => history.acknowledge(synced),
            // These say that nothing was changed.
            Err(Error::DiskFull { .. } | Error::Stalled { .. }) => history.withdraw(),
            // A failure that ended writes may have left the element; any other left nothing.
            Err(_) if !was_poisoned && is_poisoned => {}
            Err(_) => history.withdraw(),
        }
        Ok(done)
    }

    /// A handle of a dropped keyspace writes nothing, whatever has its name now.
    fn write_dropped(&mut self) -> Checked<Answer> {
        let Some(space) = self.dropped.last() else { return Ok(None) };
        match space.put("k0", "lost") {
            Ok(()) => Err("a dropped keyspace took a write".to_string()),
            Err(e) if e.kind() == ErrorKind::KeyspaceDropped => Ok(Some(e.kind())),
            Err(e) => self.allow(e).map(Some),
        }
    }

    fn create(&mut self, store: &Lsm, space: u8) -> Checked<Answer> {
        let name = space_name(space);
        if store.keyspaces().iter().any(|known| known == name) {
            return Ok(None);
        }
        let mut made = None;
        let done = self.element(store, &Element::Create(Arc::from(name)), true, |store| {
            made = Some(store.keyspace(name)?);
            Ok(())
        })?;
        self.spaces.extend(made.map(|handle| (name, handle)));
        self.done(done)
    }

    fn drop_space(&mut self, store: &Lsm, space: u8) -> Checked<Answer> {
        let name = space_name(space);
        if space == 0 || !self.spaces.contains_key(name) {
            return Ok(None);
        }
        let done = self.element(store, &Element::Drop(Arc::from(name)), true, |store| {
            store.drop_keyspace(name)
        })?;
        match &done {
            Ok(()) => self.dropped.extend(self.spaces.remove(name)),
            Err(_) if !store.keyspaces().iter().any(|known| known == name) => {
                self.spaces.remove(name);
            }
            Err(_) => {}
        }
        self.done(done)
    }

    /// A periodic sync becomes due, and is the first step.
    fn tick(&mut self, store: &Lsm) -> Checked<Answer> {
        self.clock.advance(INTERVAL + Duration::from_secs(1));
        let stepped = store.step();
        let periodic = matches!(self.durability, Durability::Interval(_));
        if stepped.is_ok() && periodic && store.health().poisoned.is_none() {
            self.history.lock().durable();
        }
        self.done(stepped.map(|_| ()))
    }

    fn checkpoint(&mut self, store: &Lsm) -> Checked<Answer> {
        let dir = format!("/checkpoint-{}", self.steps);
        let done = store.checkpoint(&dir).map(|_| ());
        if done.is_ok() {
            let shown = self.history.lock().shown().clone();
            self.checkpoints.push((dir, shown));
        }
        self.durable(done)
    }

    /// A keyspace's handle and its keys, if it is there.
    fn space(&self, space: u8) -> Option<(&Keyspace, Arc<Keys>)> {
        let name = space_name(space);
        let keys = self.history.lock().shown().0.get(name).cloned()?;
        Some((self.spaces.get(name)?, keys))
    }

    fn get(&mut self, space: u8, keys: &[u16], at_once: bool) -> Checked<Answer> {
        let Some((handle, known)) = self.space(space) else { return Ok(None) };
        let keys: Vec<Bytes> = keys.iter().map(|key| key_bytes(*key)).collect();
        let expected = keys.iter().map(|key| known.get(key).cloned()).collect();
        let shown: Result<Vec<Option<Bytes>>> = match at_once {
            true => handle.multi_get(&keys),
            false => keys.iter().map(|key| handle.get(key)).collect(),
        };
        self.compare(shown, expected)
    }

    fn scan(&mut self, space: u8, lo: u16, hi: u16, bits: u32) -> Checked<Answer> {
        let Some((handle, known)) = self.space(space) else { return Ok(None) };
        let (lo, hi) = (key_bytes(lo), key_bytes(hi));
        let inside = known.iter().filter(|(key, _)| **key >= lo && **key <= hi);
        let mut left: std::collections::VecDeque<_> =
            inside.map(|(k, v)| (k.clone(), v.clone())).collect();
        let (mut iter, mut shown, mut expected) = (handle.range(lo..=hi), Ok(Vec::new()), vec![]);
        for n in 0.. {
            let back = bits >> (n % 32) & 1 == 1;
            expected.push(if back { left.pop_back() } else { left.pop_front() });
            let item = if back { iter.next_back() } else { iter.next() };
            let ended = item.is_none();
            match (item.transpose(), &mut shown) {
                (Ok(item), Ok(items)) => items.push(item),
                (Err(e), _) => shown = Err(e),
                _ => {}
            }
            if ended || shown.is_err() {
                break;
            }
        }
        self.compare(shown, expected)
    }

    /// A cursor goes to the first key from `key` on, or the last up to it, and then to and fro
    /// until it has left the keys.
    fn walk(&mut self, space: u8, key: u16, bits: u32) -> Checked<Answer> {
        let Some((handle, known)) = self.space(space) else { return Ok(None) };
        let (key, is_back) = (key_bytes(key), bits & 1 == 1);
        let items: Vec<_> = known.iter().collect();
        let below = items.partition_point(|(k, _)| **k < key);
        let upto = items.partition_point(|(k, _)| **k <= key);
        let mut at = if is_back { upto.checked_sub(1) } else { Some(below) };
        let mut cursor = handle.cursor();
        let mut moved = if is_back { cursor.seek_for_prev(&key) } else { cursor.seek(&key) };
        let (mut shown, mut expected) = (Ok(Vec::new()), Vec::new());
        for n in 1..32 {
            let item = at.and_then(|at| items.get(at));
            expected.push(item.map(|(k, v)| (k.to_vec(), v.to_vec())));
            let here = moved.map(|valid| {
                let (key, value) = cursor.key().zip(cursor.value()).filter(|_| valid)?;
                Some((key.to_vec(), value.to_vec()))
            });
            let is_over = !matches!(here, Ok(Some(_))) || item.is_none();
            shown = shown.and_then(|mut items: Vec<_>| {
                items.push(here?);
                Ok(items)
            });
            if is_over {
                break;
            }
            let is_back = bits >> n & 1 == 1;
            at = if is_back { at.and_then(|at| at.checked_sub(1)) } else { at.map(|at| at + 1) };
            moved = if is_back { cursor.prev() } else { cursor.next() };
        }
        self.compare(shown, expected)
    }

    fn compare<T: PartialEq + Debug>(&mut self, shown: Result<T>, expected: T) -> Checked<Answer> {
        self.seen.reads += 1;
        match shown {
            Ok(shown) if shown == expected => Ok(None),
            Ok(shown) => Err(format!("{shown:?}, not {expected:?}")),
            Err(e) => self.allow_read(e).map(Some),
        }
    }
}
