//! Memtables become tables.
//!
//! 1. One flush at a time, oldest memtable first, so edits are logged in memtable order.
//! 2. The memtable is pinned, its gate empty, before snapshots and V are read.
//! 3. A memtable stays readable until the version with its table has taken its place.
//! 4. Segments go only after the edit that raised the log's floor is durable.

use crate::error::Result;
use crate::events::{VizEvent, micros};
use crate::health::Work;
use crate::metrics::Counters;
use crate::plant::{Plant, Point, meanwhile, planted};
use crate::store::booked::{Counted, InstalledFlush};
use crate::store::jobs::Held;
use crate::store::state::{Store, Writer};
use crate::super_version::Mem;
use nori_compaction::Output;
use nori_env::sync::{Arc, Mutex};
use nori_manifest::{SlotId, Version};
use nori_types::{FileNumber, SeqNo};
use std::collections::BTreeSet;
use std::time::Duration;

impl Store {
    /// Flushes the oldest sealed memtable; false if there is none.
    pub(crate) fn flush_one(&self) -> Result<bool> {
        let writer = self.writer()?;
        let _alone = self.flushing.lock();
        let early = planted(Plant::FlushLooksFirst).then(|| self.stripes());
        meanwhile(Point::FlushStarts);
        let sealed = &self.pin().sealed;
        let oldest = if planted(Plant::FlushOutOfOrder) { sealed.first() } else { sealed.last() };
        let Some(oldest) = oldest.cloned() else { return Ok(false) };
        let done = self.flush_memtable(writer, &oldest, early);
        self.note(Work::Flush, &done);
        self.signal.wake();
        if self.is_manual() && self.budget.is_limited() {
            // Nobody else frees the memtables of flush after flush before the next step.
            self.reaper.run_pending();
        }
        done.map(|()| true)
    }

    fn flush_memtable(
        &self,
        writer: &Writer,
        mem: &Arc<Mem>,
        early: Option<Vec<SeqNo>>,
    ) -> Result<()> {
        self.settle(writer)?;
        let start = self.config.clock.now();
        mem.table.wait_quiescent();
        self.events.emit(|| VizEvent::FlushStarted {
            bytes: mem.table.bytes() as u64,
            entries: mem.table.len() as u64,
        });
        if planted(Plant::SealedGoneAtFlush) {
            self.install(|old| old.flushed(mem, Arc::clone(&old.version)));
        }
        let view = self.pin();
        let stripes = early.unwrap_or_else(|| self.stripes());
        let dropped = |key: &[u8]| view.version.catalog.dropped(key);
        let mut entries = Counted::new(mem.table.iter(), &view.version);
        let output = self.with_destination(false, self.config.table_bytes, |to| {
            nori_compaction::flush(&mut entries, stripes, dropped, to)
        })?;
        meanwhile(Point::FlushWritten);
        let parts = self.install_flush(writer, mem, &output)?;
        let elapsed = self.config.clock.now().saturating_sub(start);
        self.note_flush(mem, &output, elapsed);
        self.book_flush(&parts, &entries.finish());
        // The flush is done. Segments that could not be retired are a matter of cleaning.
        if let failed @ Err(_) = self.retire_segments(writer) {
            self.note(Work::Cleaning, &failed);
        }
        Ok(())
    }

    /// Installs a flush; returns what each slot got of it.
    fn install_flush(
        &self,
        writer: &Writer,
        mem: &Arc<Mem>,
        output: &Output,
    ) -> Result<InstalledFlush> {
        let view = self.pin();
        let at = view.sealed.iter().position(|m| Arc::ptr_eq(m, mem));
        let next = match at {
            Some(0) | None => &view.active,
            Some(i) => &view.sealed[i - 1],
        };
        let floor = next.first_segment;
        let held = match self.hold_for_moves(&view.version, mem, output) {
            Ok(held) => held,
            Err(e) => {
                self.abandon(output.tables.iter().map(|t| t.number));
                return Err(e);
            }
        };
        let any = planted(Plant::BusySlotMoved);
        let free: BTreeSet<u64> = held.slots().collect();
        let installed = Arc::new(Mutex::new(InstalledFlush::default()));
        let (told, table, tables) =
            (Arc::clone(&installed), Arc::clone(&mem.table), output.tables.clone());
        // Opened before the manifest's lock is taken, for the bytes that each slot gets.
        tables.iter().for_each(|meta| drop(self.tables.open(meta)));
        let flushed = Arc::clone(mem);
        let result = self.log_edit_with(
            writer,
            move |store, version| {
                let holds = |range: &nori_types::KeyRange| table.has_key_in(range);
                let writer = store.writer()?;
                let durable = writer.wal.durable();
                if planted(Plant::SegmentsRetiredBeforeEdit) {
                    writer.wal.retire(floor)?;
                }
                let last = table.last_seq();
                let edit = version.edit_flush(&tables, &holds, floor, last, durable);
                let edit = store.measured(version, edit)?;
                let may_move = |slot: SlotId| any || free.contains(&slot.0);
                let edit = version.with_moves(edit, store.level_of_one(), &may_move)?;
                *told.lock() = InstalledFlush::of(&edit);
                Ok(edit)
            },
            move |old, version| old.flushed(&flushed, version),
        );
        drop(held);
        if result.is_err() {
            // The failed edit may be on disk and name them: they go once the manifest is settled.
            self.abandon(output.tables.iter().map(|t| t.number));
        }
        result?;
        let installed = std::mem::take(&mut *installed.lock());
        Ok(installed)
    }

    /// Holds the slots in which the flush's tables fit behind an older run: there they join it by
    /// the way, unless somebody works on the slot.
    fn hold_for_moves(&self, version: &Version, mem: &Mem, output: &Output) -> Result<Held<'_>> {
        let holds = |range: &nori_types::KeyRange| mem.table.has_key_in(range);
        let (floor, last, durable) = (version.wal_floor, version.last_seq, version.durable);
        let trial = version.edit_flush(&output.tables, &holds, floor, last, durable);
        let trial = version.with_moves(trial, self.level_of_one(), &|_| true)?;
        Ok(self.jobs.hold_free(trial.moved().map(|slot| slot.0)))
    }

    fn book_flush(&self, flush: &InstalledFlush, user_bytes: &[(u64, u64)]) {
        let user: u64 = user_bytes.iter().map(|(_, bytes)| bytes).sum();
        Counters::add(&self.counters.flushed_user_bytes, user);
        let bytes: u64 = flush.parts.iter().map(|(_, bytes)| bytes).sum();
        Counters::add(&self.counters.flush_bytes, bytes);
        Counters::add(&self.counters.trivial_moves, flush.moves);
        let now = self.config.clock.now();
        let changes = self.brain.flushed(now, flush.flush_seq, &flush.parts, user_bytes);
        self.tell_heat(changes);
        self.tell_backlog();
        self.note_zone();
    }

    fn note_flush(&self, mem: &Mem, output: &Output, elapsed: Duration) {
        let bytes: u64 = output.tables.iter().map(|t| t.bytes).sum();
        Counters::add(&self.counters.flushes, 1);
        self.timers.flush.took(elapsed, 1);
        self.gauge.note_flush(mem.table.bytes() as u64, elapsed);
        for table in &output.tables {
            let (table, bytes) = (table.number.0, table.bytes);
            self.events.emit(|| VizEvent::TableCreated { table, bytes });
        }
        self.events.emit(|| VizEvent::Flush {
            tables: output.tables.iter().map(|t| t.number.0).collect(),
            entries: mem.table.len() as u64,
            bytes_written: bytes,
            elapsed_us: micros(elapsed),
        });
    }

    /// Deletes or recycles the segments below the log's floor, once nothing can need them.
    pub(crate) fn retire_segments(&self, writer: &Writer) -> Result<()> {
        let floor = {
            let manifest = writer.manifest.lock();
            if !manifest.is_settled() && !planted(Plant::DeletedUnsettled) {
                return Ok(());
            }
            self.pin().version.wal_floor
        };
        for segment in writer.wal.retire(floor)? {
            self.events.emit(|| VizEvent::WalSegmentDeleted { segment });
        }
        Ok(())
    }

    /// Files of work that was given up.
    pub(crate) fn abandon(&self, numbers: impl Iterator<Item = FileNumber>) {
        if planted(Plant::FailedEditOutputsDeleted) {
            return numbers.for_each(|n| drop(self.fs.remove(&self.paths.table(n))));
        }
        self.orphans.lock().extend(numbers);
    }

    /// Everything acknowledged so far goes to tables; waits for it.
    pub(crate) fn flush_all(&self) -> Result<()> {
        self.check_open()?;
        let writer = self.writer()?;
        let _caller = self.callers.enter()?;
        // Not those that writers fill meanwhile, which might never end.
        let newest = self.pin().memtables().find(|mem| !mem.table.is_empty()).cloned();
        let Some(newest) = newest else { return Ok(()) };
        self.seal(writer, &newest)?;
        while self.pin().sealed.iter().any(|mem| Arc::ptr_eq(mem, &newest)) {
            self.flush_one()?;
        }
        Ok(())
    }

    /// Seals a memtable if it is still the active one, when there is room for one more sealed.
    fn seal(&self, writer: &Writer, mem: &Arc<Mem>) -> Result<()> {
        loop {
            let sealed = self.exclusively(|| {
                let view = self.pin();
                if !Arc::ptr_eq(&view.active, mem) {
                    return Ok(true);
                }
                if view.sealed.len() >= self.config.max_sealed {
                    return Ok(false);
                }
                self.rotate(writer).map(|()| true)
            })?;
            if sealed {
                return Ok(());
            }
            self.flush_one()?;
        }
    }
}
