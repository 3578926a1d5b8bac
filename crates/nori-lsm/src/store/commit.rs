//! Committing a group: one gate entry, one log write, at most one sync.
//!
//! 1. Log order, sequence order and memtable order are one order: the leader's.
//! 2. A group's entries go into the memtable that owns the segment its records are in. The leader
//!    enters that memtable's gate before it appends, and only a leader seals.
//! 3. Room in the log is reserved before sequence numbers are given, so a full disk changes
//!    nothing. A failed append or sync poisons: no member is acknowledged, and no later write is.
//! 4. V moves once for a group, after all its inserts.

use crate::batch::{Operations, WriteBatch};
use crate::config::Durability;
use crate::error::{Error, Result};
use crate::events::VizEvent;
use crate::keyspace::KeyspaceState;
use crate::plant::{Plant, Point, meanwhile, planted};
use crate::store::commit_queue::Request;
use crate::store::state::{Store, Writer};
use crate::super_version::Mem;
use nori_env::sync::Arc;
use nori_env::sync::atomic::Ordering;
use nori_memtable::WriteGuard;
use nori_types::SeqNo;

/// A member of a group, or a caller who wants to be alone.
#[derive(Debug)]
pub(crate) struct Commit {
    /// `None`: an exclusive request.
    batch: Option<WriteBatch>,
    sync: bool,
    outcome: Option<Result<()>>,
}

impl Request for Commit {
    fn weight(&self) -> usize {
        self.batch.as_ref().map_or(0, WriteBatch::byte_len)
    }

    fn is_exclusive(&self) -> bool {
        self.batch.is_none()
    }

    fn waits_for_disk(&self) -> bool {
        // Exclusive requests rotate and sync.
        self.sync || self.batch.is_none()
    }
}

impl Commit {
    fn payload(&self) -> Option<&[u8]> {
        let batch = self.batch.as_ref().filter(|_| self.outcome.is_none());
        batch.map(WriteBatch::payload)
    }

    /// The batch, as long as the member belongs to the group.
    fn admitted(&mut self) -> Option<&mut WriteBatch> {
        if self.outcome.is_some() { None } else { self.batch.as_mut() }
    }
}

/// What a group adds up to.
#[derive(Clone, Copy, Debug, Default)]
struct Load {
    bytes: u64,
    records: usize,
    operations: u64,
    sync: bool,
}

impl Store {
    pub(crate) fn put(&self, state: &Arc<KeyspaceState>, key: &[u8], value: &[u8]) -> Result<()> {
        self.write(WriteBatch::single(state, key, Some(value)), self.config.durability)
    }

    pub(crate) fn delete(&self, state: &Arc<KeyspaceState>, key: &[u8]) -> Result<()> {
        self.write(WriteBatch::single(state, key, None), self.config.durability)
    }

    /// Commits a batch, after waiting for room if need be.
    pub(crate) fn write(&self, batch: WriteBatch, durability: Durability) -> Result<()> {
        self.check_batch(&batch)?;
        if batch.is_empty() {
            return Ok(());
        }
        match self.timers.times_write(durability == Durability::Synced) {
            None => self.write_now(batch, durability),
            Some(weight) => {
                let work = || self.write_now(batch, durability);
                self.timers.write.time(&*self.config.clock, weight, work)
            }
        }
    }

    fn write_now(&self, batch: WriteBatch, durability: Durability) -> Result<()> {
        self.admit(&batch, true)?;
        if planted(Plant::BatchFramedPerKey) {
            let parts = batch.apart();
            return parts.into_iter().try_for_each(|part| self.commit(part, durability));
        }
        self.commit(batch, durability)
    }

    /// Commits a batch, or says `Stalled` where [`Store::write`] would wait.
    pub(crate) fn try_write(&self, batch: &WriteBatch) -> Result<()> {
        self.check_batch(batch)?;
        if batch.is_empty() {
            return Ok(());
        }
        self.admit(batch, false)?;
        let durability = self.config.durability;
        match self.timers.times_write(durability == Durability::Synced) {
            None => self.commit(batch.clone(), durability),
            Some(weight) => {
                let work = || self.commit(batch.clone(), durability);
                self.timers.write.time(&*self.config.clock, weight, work)
            }
        }
    }

    fn check_batch(&self, batch: &WriteBatch) -> Result<()> {
        self.check_open()?;
        self.writer()?;
        batch.validate()?;
        for state in batch.keyspaces() {
            if state.store() != self.id {
                let name = state.name();
                return Err(Error::invalid(format!("keyspace {name:?} is one of another store")));
            }
        }
        Ok(())
    }

    fn commit(&self, batch: WriteBatch, durability: Durability) -> Result<()> {
        let sync = durability == Durability::Synced;
        let request = Commit { batch: Some(batch), sync, outcome: None };
        let done = self.queue.submit(request, |own, others| self.lead(own, others));
        done.outcome.unwrap_or_else(|| Err(self.unanswered()))
    }

    /// Runs `work` as the only leader: no group commits meanwhile.
    pub(crate) fn exclusively<T>(&self, work: impl FnOnce() -> Result<T>) -> Result<T> {
        let mut result = Err(Error::Closed);
        let request = Commit { batch: None, sync: false, outcome: None };
        self.queue.submit(request, |_, _| result = self.or_poison("an exclusive commit", work));
        result
    }

    fn lead(&self, own: &mut Commit, others: &mut [Commit]) {
        let result = self.or_poison("a commit", || self.commit_group(own, others));
        if result.is_err() {
            // Those who wait for room may wait in vain now.
            self.signal.wake();
        }
        for member in std::iter::once(own).chain(others) {
            member.outcome.get_or_insert_with(|| result.clone());
        }
    }

    fn commit_group(&self, own: &mut Commit, others: &mut [Commit]) -> Result<()> {
        let writer = self.check_writable()?;
        let load = weigh(own, others);
        if load.records == 0 {
            return Ok(());
        }
        if planted(Plant::RoomNotReserved) {
            self.assigned.fetch_add(load.operations, Ordering::Relaxed);
        }
        self.make_room(writer, load)?;
        if planted(Plant::RoomNotReserved) {
            self.assigned.fetch_sub(load.operations, Ordering::Relaxed);
        }
        let view = self.published.load_full();
        let Some(gate) = view.active.table.enter() else {
            return Err(Error::invalid("the active memtable is sealed outside the commit queue"));
        };
        let before = SeqNo::new(self.assigned.load(Ordering::Relaxed));
        let last = before.plus(load.operations);
        if last == SeqNo::MAX {
            return Err(Error::invalid("the store has used all its sequence numbers"));
        }
        let mut next = before.plus(1);
        for batch in members(own, others) {
            batch.payload_at(next);
            next = next.plus(batch.len() as u64);
        }
        let payloads = std::iter::once(&*own).chain(&*others).filter_map(Commit::payload);
        let appended = writer.wal.append(payloads)?;
        self.assigned.store(last.get(), Ordering::Relaxed);
        self.note_appended(&appended);
        if load.sync && !planted(Plant::AckBeforeSync) {
            let synced = self.timed_sync(|| writer.wal.sync_to(appended.end));
            if !planted(Plant::SyncErrorIgnored) {
                synced?;
            }
        }
        if planted(Plant::RecordInOtherMemtable) && appended.end.segment < view.active.first_segment
        {
            writer.wal.next_segment()?;
        }
        if planted(Plant::VisibleBeforeInsert) {
            self.publish(before, last);
        }
        meanwhile(Point::Inserting);
        insert(&gate, members(own, others));
        if !planted(Plant::VisibleBeforeInsert) {
            self.publish(before, last);
        }
        drop(gate);
        self.counters.committed(load.records as u64, load.operations, load.bytes, load.sync);
        Ok(())
    }

    /// The parts that write, unless the store is closed, read-only or poisoned.
    pub(crate) fn check_writable(&self) -> Result<&Writer> {
        self.check_open()?;
        let writer = self.writer()?;
        match writer.wal.poisoned() {
            Some(cause) => Err(Error::Poisoned { cause }),
            None => Ok(writer),
        }
    }

    /// Makes room for a group in memtable and log before it has sequence numbers.
    fn make_room(&self, writer: &Writer, load: Load) -> Result<()> {
        let (full, may_seal) = {
            let view = self.published.load_full();
            let active = &view.active.table;
            let limit = self.config.memtable_bytes;
            let too_large = load.bytes > limit as u64 && !active.is_empty();
            let full = active.bytes() >= limit || too_large;
            if full {
                view.active.charge(&self.budget, active.bytes().max(limit));
            }
            (full, view.sealed.len() < self.config.max_sealed)
        };
        if full && may_seal {
            match planted(Plant::RecordInOtherMemtable) {
                true => self.switch_memtable(writer.wal.end().segment + 1),
                false => self.rotate(writer)?,
            }
        }
        self.check_disk(load.bytes)?;
        Ok(writer.wal.reserve(load.bytes, load.records)?)
    }

    /// Seals the active memtable and starts the next, with a segment of its own. Only for a
    /// leader. A poisoned log opens no segment: the next memtable then shares the last one, and
    /// the flush of the sealed one leaves the log's floor where it is.
    pub(crate) fn rotate(&self, writer: &Writer) -> Result<()> {
        let first_segment = match writer.wal.poisoned() {
            Some(_) if planted(Plant::PoisonedFloorRaised) => writer.wal.end().segment + 1,
            Some(_) => writer.wal.end().segment,
            None => writer.wal.next_segment()?,
        };
        self.switch_memtable(first_segment);
        Ok(())
    }

    /// Seals the active memtable and makes a fresh one active, whose records begin in
    /// `first_segment`.
    fn switch_memtable(&self, first_segment: u64) {
        let fresh = Arc::new(Mem::new(first_segment, self.config.memtable_bytes));
        fresh.charge(&self.budget, self.config.memtable_bytes);
        let sealed = Arc::clone(&self.pin().active);
        sealed.table.seal();
        // Only now: the group before this one has left it.
        sealed.charge(&self.budget, sealed.table.bytes());
        self.install(|old| old.rotated(Arc::clone(&fresh)));
        self.events.emit(|| VizEvent::MemtableRotated {
            bytes: sealed.table.bytes() as u64,
            entries: sealed.table.len() as u64,
        });
        self.note_zone();
        self.signal.wake();
    }
}

/// Puts a group's entries into the memtable that was entered.
fn insert<'a>(gate: &WriteGuard<'_>, members: impl Iterator<Item = &'a mut WriteBatch>) {
    for batch in members {
        let payload = batch.payload();
        let Ok(operations) = Operations::new(payload) else { continue };
        for operation in operations.flatten() {
            let (key, value) = operation.parts(payload);
            gate.insert(key, value, operation.seq, operation.kind);
        }
    }
}

fn members<'a>(
    own: &'a mut Commit,
    others: &'a mut [Commit],
) -> impl Iterator<Item = &'a mut WriteBatch> {
    std::iter::once(own).chain(others).filter_map(Commit::admitted)
}

/// Tests each member against dropped keyspaces and adds up the rest.
fn weigh(own: &mut Commit, others: &mut [Commit]) -> Load {
    let mut load = Load::default();
    for member in std::iter::once(own).chain(others) {
        let Some(batch) = &member.batch else { continue };
        let dropped = batch.keyspaces().iter().find(|k| k.is_dropped());
        if let Some(dropped) = dropped.filter(|_| !planted(Plant::WriteIntoDropped)) {
            member.outcome = Some(Err(dropped.dropped_error()));
            continue;
        }
        load.bytes += batch.byte_len() as u64;
        load.records += 1;
        load.operations += batch.len() as u64;
        load.sync |= member.sync;
    }
    load
}
