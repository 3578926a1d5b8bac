//! Creating, finding and dropping keyspaces, and cutting slots on request.
//!
//! 1. Creating and dropping each take a sequence number in the commit queue, sync the log up to
//!    it, and are durable when they return, behind everything acknowledged before.
//! 2. A drop's catalog record is written after its number is visible. Writes are tested against
//!    the drop in the same queue, reads against the visible number they loaded.
//! 3. An edit whose append failed is retried at once as a new manifest; if that fails too, which
//!    keyspaces exist is unknown to the caller and the store is poisoned.

use crate::error::{Error, Result};
use crate::events::VizEvent;
use crate::keyspace::KeyspaceState;
use crate::plant::{Plant, Point, meanwhile, planted};
use crate::store::state::{Store, Writer};
use nori_env::sync::Arc;
use nori_env::sync::atomic::Ordering;
use nori_manifest::{KEYSPACE_NAME_BYTES_MAX, Version, VersionEdit};
use nori_types::{KEY_BYTES_MAX, KeyRange, SeqNo};

impl Store {
    /// The keyspace of this name, made if there is none.
    pub(crate) fn keyspace_state(&self, name: &str) -> Result<Arc<KeyspaceState>> {
        self.check_open()?;
        if !(1..=KEYSPACE_NAME_BYTES_MAX).contains(&name.len()) {
            let len = name.len();
            return Err(Error::invalid(format!("a keyspace's name has 1 to 255 bytes, not {len}")));
        }
        if let Some(state) = self.keyspaces.lock().get(name) {
            return Ok(Arc::clone(state));
        }
        self.writer()?;
        self.exclusively(|| {
            // Another caller may have made it while this one queued.
            if let Some(state) = self.keyspaces.lock().get(name) {
                return Ok(Arc::clone(state));
            }
            self.create_keyspace(name)
        })
    }

    fn create_keyspace(&self, name: &str) -> Result<Arc<KeyspaceState>> {
        let writer = self.check_writable()?;
        let (before, seq) = self.take_seq()?;
        let durable = match planted(Plant::CreateWithoutSync) {
            true => writer.wal.durable(),
            false => self.timed_sync(|| writer.wal.sync())?,
        };
        let id = self.pin().version.catalog.next_id();
        let new = name.to_string();
        self.log_settled(writer, move |_, version| {
            Ok(version.edit_create_keyspace(&new, seq, durable)?)
        })?;
        self.publish(before, seq);
        let state = Arc::new(KeyspaceState::new(id, name, self.id));
        self.keyspaces.lock().insert(name.to_string(), Arc::clone(&state));
        self.events.emit(|| VizEvent::KeyspaceCreated { name: name.to_string() });
        Ok(state)
    }

    pub(crate) fn drop_keyspace(&self, name: &str) -> Result<()> {
        self.check_open()?;
        self.writer()?;
        if name == self.default.name() {
            return Err(Error::invalid("the keyspace \"default\" cannot be dropped"));
        }
        self.exclusively(|| {
            let writer = self.check_writable()?;
            let found = self.keyspaces.lock().get(name).cloned();
            let state = found.ok_or_else(|| Error::no_keyspace(name))?;
            let (before, seq) = self.take_seq()?;
            let durable = match planted(Plant::DropWithoutSync) {
                true => writer.wal.durable(),
                false => self.timed_sync(|| writer.wal.sync())?,
            };
            let show = || {
                state.set_dropped(seq);
                self.publish(before, seq);
            };
            let log = || {
                let id = state.id();
                self.log_settled(writer, move |_, version| {
                    Ok(version.edit_drop_keyspace(id, seq, durable)?)
                })
            };
            let logged = if planted(Plant::DropLoggedFirst) {
                let logged = log();
                meanwhile(Point::Dropping);
                show();
                logged
            } else {
                show();
                meanwhile(Point::Dropping);
                log()
            };
            match &logged {
                Ok(()) => drop(self.keyspaces.lock().remove(name)),
                // Whether it is dropped shows when the store is opened again; until then it is
                // there to read.
                Err(_) => state.set_dropped(SeqNo::ZERO),
            }
            logged
        })?;
        self.events.emit(|| VizEvent::KeyspaceDropped { name: name.to_string() });
        self.signal.wake();
        Ok(())
    }

    pub(crate) fn keyspace_names(&self) -> Vec<String> {
        let mut names: Vec<String> = self.keyspaces.lock().keys().cloned().collect();
        names.sort_unstable();
        names
    }

    /// The keyspace that had this name at `seq`.
    pub(crate) fn keyspace_at(&self, name: &str, seq: SeqNo) -> Result<Arc<KeyspaceState>> {
        // A drop is visible before the catalog has its record, and leaves this table after that:
        // ask here first, the catalog second.
        let live = self.keyspaces.lock().get(name).cloned();
        let view = self.pin();
        let found = view.version.catalog.iter().find(|k| k.name == name && k.exists_at(seq));
        let found = found.ok_or_else(|| Error::no_keyspace(name))?;
        if live.is_some_and(|live| live.id() == found.id && live.check_alive(seq).is_err()) {
            return Err(Error::no_keyspace(name));
        }
        // A state of its own: for the snapshot the keyspace is not dropped.
        Ok(Arc::new(KeyspaceState::new(found.id, name, self.id)))
    }

    /// One sequence number for a change of the catalog. Only for a leader.
    fn take_seq(&self) -> Result<(SeqNo, SeqNo)> {
        let before = SeqNo::new(self.assigned.load(Ordering::Relaxed));
        let seq = before.plus(1);
        if seq == SeqNo::MAX {
            return Err(Error::invalid("the store has used all its sequence numbers"));
        }
        self.assigned.store(seq.get(), Ordering::Relaxed);
        Ok((before, seq))
    }

    /// Logs an edit whose outcome the caller must know: one retry, then poison.
    fn log_settled(
        &self,
        writer: &Writer,
        edit: impl Fn(&Store, &Version) -> Result<VersionEdit> + Clone + Send + 'static,
    ) -> Result<()> {
        if planted(Plant::CatalogErrorContinues) {
            let done = self.log_edit(writer, edit);
            if done.is_err() {
                // As if the number had not been taken.
                self.assigned.store(self.visible.load().get(), Ordering::Relaxed);
            }
            return done;
        }
        let done = self.log_edit(writer, edit.clone()).or_else(|_| self.log_edit(writer, edit));
        if let Err(e) = &done {
            writer.wal.poison(&format!("a change of keyspaces could not be logged: {e}"));
        }
        done
    }

    /// Cuts slots at user keys of a keyspace.
    pub(crate) fn split_at<'k>(
        &self,
        state: &KeyspaceState,
        guards: impl Iterator<Item = &'k [u8]>,
    ) -> Result<()> {
        self.check_open()?;
        let writer = self.writer()?;
        let _caller = self.callers.enter()?;
        let mut stored = Vec::new();
        for key in guards {
            if key.len() > KEY_BYTES_MAX {
                return Err(Error::invalid(format!("a guard of {} bytes is too long", key.len())));
            }
            stored.push(state.stored(key));
        }
        state.check_alive(self.visible.load())?;
        if stored.is_empty() {
            return Ok(());
        }
        let Some(lo) = stored.iter().min().cloned() else { return Ok(()) };
        let hi = stored.iter().max().map(|k| nori_types::successor(k));
        // Guards of a slot do not move under a job: hold the slots while they are cut.
        let held = self.jobs.hold(self, &KeyRange { lo, hi })?;
        let cuts = stored.len() as u64;
        let slot = self.pin().version.route(&stored[0]).1.id.0;
        self.log_edit(writer, move |store, version| {
            store.measured(version, version.edit_split(&stored, true)?)
        })?;
        // Whoever wakes must find the slots free.
        drop(held);
        self.signal.wake();
        self.events.emit(|| VizEvent::SlotSplit { slot, guards: cuts });
        Ok(())
    }
}
