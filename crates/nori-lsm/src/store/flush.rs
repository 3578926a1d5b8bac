//! Memtables become tables.
//!
//! 1. One flush at a time, oldest memtable first, so edits are logged in memtable order.
//! 2. The memtable is pinned, its gate empty, before snapshots and V are read.
//! 3. A memtable stays readable until the version with its table has taken its place.
//! 4. Segments go only after the edit that raised the log's floor is durable.

use crate::error::Result;
use crate::events::VizEvent;
use crate::health::Work;
use crate::metrics::Counters;
use crate::plant::{Plant, Point, meanwhile, planted};
use crate::store::state::{Store, Writer};
use crate::super_version::Mem;
use nori_compaction::Output;
use nori_env::sync::Arc;
use nori_types::{FileNumber, SeqNo};

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
        self.health.note(Work::Flush, &done, &self.events);
        self.signal.wake();
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
        if planted(Plant::SealedGoneAtFlush) {
            self.install(|old| old.flushed(mem, Arc::clone(&old.version)));
        }
        let view = self.pin();
        let stripes = early.unwrap_or_else(|| self.stripes());
        let dropped = |key: &[u8]| view.version.catalog.dropped(key);
        let output = self.with_destination(false, |to| {
            nori_compaction::flush(&mut mem.table.iter(), stripes, dropped, to)
        })?;
        meanwhile(Point::FlushWritten);
        self.install_flush(writer, mem, &output)?;
        self.note_flush(mem, &output, self.elapsed_us(start));
        // The flush is done. Segments that could not be retired are a matter of cleaning.
        if let failed @ Err(_) = self.retire_segments(writer) {
            self.health.note(Work::Cleaning, &failed, &self.events);
        }
        Ok(())
    }

    fn install_flush(&self, writer: &Writer, mem: &Arc<Mem>, output: &Output) -> Result<()> {
        let result = self.log_edit_with(
            writer,
            |view| {
                let at = view.sealed.iter().position(|m| Arc::ptr_eq(m, mem));
                let next = match at {
                    Some(0) | None => &view.active,
                    Some(i) => &view.sealed[i - 1],
                };
                let holds = |range: &nori_types::KeyRange| mem.table.has_key_in(range);
                let (floor, last) = (next.first_segment, mem.table.last_seq());
                let durable = writer.wal.durable();
                if planted(Plant::SegmentsRetiredBeforeEdit) {
                    writer.wal.retire(floor)?;
                }
                Ok(view.version.edit_flush(&output.tables, &holds, floor, last, durable))
            },
            |old, version| old.flushed(mem, version),
        );
        if result.is_err() {
            // The failed edit may be on disk and name them: they go once the manifest is settled.
            self.abandon(output.tables.iter().map(|t| t.number));
        }
        result
    }

    fn note_flush(&self, mem: &Mem, output: &Output, elapsed_us: u64) {
        let bytes: u64 = output.tables.iter().map(|t| t.bytes).sum();
        Counters::add(&self.counters.flushes, 1);
        Counters::add(&self.counters.flush_bytes, bytes);
        for table in &output.tables {
            let (table, bytes) = (table.number.0, table.bytes);
            self.events.emit(|| VizEvent::TableCreated { table, bytes });
        }
        self.events.emit(|| VizEvent::Flush {
            tables: output.tables.iter().map(|t| t.number.0).collect(),
            entries: mem.table.len() as u64,
            bytes_written: bytes,
            elapsed_us,
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
