//! The steps of background work. Threads loop over them; with `Background::Manual` callers do.

use crate::config::{Background, Durability};
use crate::error::{Error, Result};
use crate::events::VizEvent;
use crate::health::Work;
use crate::metrics::Counters;
use crate::plant::{Plant, planted};
use crate::store::state::{Store, Writer};
use nori_scheduler::HeatChange;
use nori_types::FileNumber;
use std::time::Duration;

impl Store {
    /// Runs the first due step; false if none was due.
    pub(crate) fn step(&self) -> Result<bool> {
        self.check_open()?;
        if self.writer.is_none() {
            return Ok(false);
        }
        let _caller = self.callers.enter()?;
        Ok(self.sync_step()? || self.flush_one()? || self.work_step()?)
    }

    /// The first due step that is neither a flush nor a sync.
    pub(crate) fn work_step(&self) -> Result<bool> {
        self.tick();
        match self.shape_step() {
            Ok(true) => Ok(true),
            Ok(false) => self.clean_step(),
            // A merge that keeps failing must not keep memory and files from being freed.
            Err(e) => {
                self.clean_step()?;
                Err(e)
            }
        }
    }

    /// The first due step that changes the shape of slots or merges runs. A slot that cannot be
    /// cut keeps no other from being merged.
    fn shape_step(&self) -> Result<bool> {
        if self.purge_one()? {
            return Ok(true);
        }
        match self.shape_one() {
            Ok(true) => Ok(true),
            Ok(false) => self.merge_one(),
            Err(e) => self.merge_one().and_then(|merged| if merged { Ok(true) } else { Err(e) }),
        }
    }

    /// Lets heat cool, when it is time.
    fn tick(&self) {
        if let Some(changes) = self.brain.tick(self.config.clock.now()) {
            self.tell_heat(changes);
            self.note_zone();
        }
    }

    /// Tells of slots that may keep more or fewer runs from now on.
    pub(crate) fn tell_heat(&self, changes: Vec<HeatChange>) {
        for change in changes {
            self.events.emit(|| VizEvent::HeatChanged {
                slot: change.slot,
                heat: change.heat,
                k_before: change.k_before as u64,
                k_after: change.k_after as u64,
                reads_per_s: change.reads_per_s,
                writes_per_s: change.writes_per_s,
            });
        }
    }

    /// Frees what was let go of, deletes files that nobody needs, prepares a segment.
    pub(crate) fn clean_step(&self) -> Result<bool> {
        let writer = self.writer()?;
        if self.waits(Work::Cleaning) {
            return Ok(false);
        }
        // While the manifest is not settled nothing may be deleted, so clean there first.
        let lost = writer.manifest.lock().poisoned().is_some();
        let lost = lost || planted(Plant::DeletedUnsettled);
        let settled = if lost { Ok(()) } else { self.settle(writer) };
        self.save_learned_now_and_then();
        let cleaned = settled.and_then(|()| self.clean(writer));
        let prepared = self.prepare_segment(writer);
        let done = cleaned.and_then(|cleaned| Ok(prepared? || cleaned));
        self.note(Work::Cleaning, &done);
        done
    }

    /// Frees what was let go of and deletes files that nobody needs.
    pub(crate) fn clean(&self, writer: &Writer) -> Result<bool> {
        let freed = self.reaper.run_pending() > 0;
        let deleted = self.delete_obsolete(writer);
        let retired = self.retire_segments(writer);
        let deleted = deleted?;
        retired?;
        Ok(deleted || freed)
    }

    fn delete_obsolete(&self, writer: &Writer) -> Result<bool> {
        let numbers: Vec<FileNumber> = {
            // Asked under the lock: an append that fails later abandons its files later.
            let manifest = writer.manifest.lock();
            if !manifest.is_settled() && !planted(Plant::DeletedUnsettled) {
                return Ok(false);
            }
            let mut numbers = std::mem::take(&mut *self.orphans.lock());
            numbers.extend(self.obsolete.take());
            numbers
        };
        let mut numbers = numbers.into_iter();
        let mut deleted = false;
        while let Some(number) = numbers.next() {
            self.tables.remove(number);
            let path = self.paths.table(number);
            let removed = match self.fs.remove(&path) {
                Ok(()) => true,
                Err(e) if e.is_not_found() => false,
                Err(e) => {
                    self.orphans.lock().extend(std::iter::once(number).chain(numbers));
                    return Err(e.into());
                }
            };
            self.health.forget(&path);
            if !removed {
                continue;
            }
            deleted = true;
            Counters::add(&self.counters.tables_deleted, 1);
            self.events.emit(|| VizEvent::TableDeleted { table: number.0 });
        }
        Ok(deleted)
    }

    /// How long until the next periodic sync; `None` if the store has none.
    pub(crate) fn until_sync(&self) -> Option<Duration> {
        let Durability::Interval(every) = self.config.durability else { return None };
        let since = self.config.clock.now().saturating_sub(*self.synced_at.lock());
        Some(every.saturating_sub(since))
    }

    /// The periodic sync, if it is due.
    pub(crate) fn sync_step(&self) -> Result<bool> {
        self.sync_if(self.until_sync().is_some_and(|left| left.is_zero()))
    }

    /// A sync by the background, `due` or not.
    pub(crate) fn sync_if(&self, due: bool) -> Result<bool> {
        let Some(writer) = self.writer.as_ref().filter(|_| due) else { return Ok(false) };
        if writer.wal.poisoned().is_some() {
            return Ok(false);
        }
        *self.synced_at.lock() = self.config.clock.now();
        if writer.wal.durable() >= writer.wal.end() {
            return Ok(false);
        }
        let done = if planted(Plant::PeriodicSyncSkipped) { Ok(()) } else { self.sync_log(writer) };
        self.note(Work::Sync, &done);
        done.map(|()| true)
    }

    /// Makes everything acknowledged so far durable.
    pub(crate) fn sync(&self) -> Result<()> {
        self.check_open()?;
        let writer = self.writer()?;
        if let Some(cause) = writer.wal.poisoned() {
            return Err(Error::Poisoned { cause });
        }
        self.sync_log(writer)
    }

    fn sync_log(&self, writer: &Writer) -> Result<()> {
        let synced = self.timed_sync(|| self.or_poison("a sync of the log", || writer.wal.sync()));
        if synced.is_err() {
            // Those who wait for room wait in vain now.
            self.signal.wake();
        }
        let durable = synced?;
        let (segment, offset) = (durable.segment, durable.offset);
        self.events.emit(|| VizEvent::WalSynced { segment, offset });
        Ok(())
    }

    /// Whether no flush and no merge is due or running.
    fn is_idle(&self) -> bool {
        // The memtable of a flush is gone before the scheduler has heard of its table.
        let _no_flush = self.flushing.lock();
        self.pin().sealed.is_empty() && self.merges_are_idle()
    }

    /// Waits until no flush and no merge is due or running.
    pub(crate) fn wait_idle(&self) -> Result<()> {
        self.check_open()?;
        if self.writer.is_none() {
            return Ok(());
        }
        if self.config.background == Background::Manual {
            while self.step()? {}
            return Ok(());
        }
        loop {
            let seen = self.signal.now();
            self.check_open()?;
            if self.is_idle() {
                return Ok(());
            }
            // Work that keeps failing would be waited for in vain.
            if let Some(error) = self.health.last_error() {
                return Err(error);
            }
            self.signal.wait(seen, Duration::from_millis(100));
        }
    }
}
