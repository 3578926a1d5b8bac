//! One run walked from table to table.
//!
//! Only the table under the cursor is open; the others are names until the cursor gets there.
//! The iterator holds its run, so the files stay as long as it does.
//!
//! 1. An entry outside its table's clip is never shown, by any move: the clip may leave out both
//!    ends of a table, and one file may stand in a run twice with different clips.
//! 2. After an error the iterator is not positioned and holds no table; a seek starts anew.

use nori_env::sync::Arc;
use nori_manifest::{Run, TableRef};
use nori_sstable::{Error, TableCache, TableIter};
use nori_types::{InternalIterator, InternalKey, SeqNo};

/// A cursor over one run.
#[derive(Debug)]
pub struct RunIter {
    run: Arc<Run>,
    cache: Arc<TableCache>,
    fills_cache: bool,
    open: Option<OpenTable>,
    is_valid: bool,
}

/// The table under the cursor.
#[derive(Debug)]
struct OpenTable {
    /// Its place in the run.
    at: usize,
    iter: TableIter,
    /// The clip leaves out entries before it.
    cuts_low: bool,
    /// The clip leaves out entries behind it.
    cuts_high: bool,
}

impl RunIter {
    /// Over the entries of `run`; its tables are opened through `cache` as the cursor comes to
    /// them. Not positioned.
    pub fn new(run: Arc<Run>, cache: Arc<TableCache>) -> RunIter {
        RunIter { run, cache, fills_cache: true, open: None, is_valid: false }
    }

    /// As it is, but leaving the block cache to others: for walks over everything, whose blocks
    /// nobody asks for again.
    pub fn bypassing_cache(mut self) -> RunIter {
        self.fills_cache = false;
        self
    }

    /// The open table at a place of the run, which must exist.
    fn table(&mut self, at: usize) -> Result<(&TableRef, &mut TableIter), Error> {
        let table = &self.run.tables[at];
        if self.open.as_ref().is_none_or(|open| open.at != at) {
            // Closed first, so that two tables are never open at once.
            self.open = None;
            let meta = &table.file.meta;
            let opened = self.cache.open(meta)?;
            let iter = if self.fills_cache { opened.iter() } else { opened.scan() };
            let cuts_low = meta.smallest < table.range.lo;
            let cuts_high = !table.range.is_below_end(&meta.largest);
            self.open = Some(OpenTable { at, iter, cuts_low, cuts_high });
        }
        let open = self.open.as_mut().expect("just opened, or it was");
        Ok((table, &mut open.iter))
    }

    /// Runs a move; an error leaves the iterator as invariant 2 says.
    fn moved(&mut self, go: impl FnOnce(&mut RunIter) -> Result<bool, Error>) -> Result<(), Error> {
        self.is_valid = false;
        match go(self) {
            Ok(is_valid) => {
                self.is_valid = is_valid;
                Ok(())
            }
            Err(error) => {
                self.open = None;
                Err(error)
            }
        }
    }

    /// To the first entry at or behind `target` in the tables from `at` on.
    fn first_from(&mut self, mut at: usize, target: InternalKey<'_>) -> Result<bool, Error> {
        while at < self.run.tables.len() {
            let (table, iter) = self.table(at)?;
            if target.user_key < &table.range.lo[..] {
                iter.seek(InternalKey::seek(&table.range.lo, SeqNo::MAX))?;
            } else {
                iter.seek(target)?;
            }
            if self.stands_inside() {
                return Ok(true);
            }
            at += 1;
        }
        Ok(false)
    }

    /// To the last entry at or before `target` in the tables before `end`.
    fn last_before(&mut self, end: usize, target: Option<InternalKey<'_>>) -> Result<bool, Error> {
        for at in (0..end).rev() {
            let (table, iter) = self.table(at)?;
            match (target, &table.range.hi) {
                (Some(target), _) if table.range.is_below_end(target.user_key) => {
                    iter.seek_for_prev(target)?;
                }
                (_, Some(hi)) => {
                    // The last entry before all of hi's own versions.
                    iter.seek_for_prev(InternalKey::seek(hi, SeqNo::MAX))?;
                    while iter.is_valid() && iter.key().user_key >= &hi[..] {
                        iter.prev()?;
                    }
                }
                (_, None) => iter.seek_last()?,
            }
            if self.stands_inside() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether the open table's cursor stands on an entry inside the clip.
    #[inline]
    fn stands_inside(&self) -> bool {
        let Some(open) = &self.open else { return false };
        if !open.iter.is_valid() {
            return false;
        }
        if !open.cuts_low && !open.cuts_high {
            return true;
        }
        let (range, key) = (&self.run.tables[open.at].range, open.iter.key().user_key);
        (!open.cuts_low || range.lo <= key) && (!open.cuts_high || range.is_below_end(key))
    }

    /// One step within the open table; not valid behind the clip's end.
    #[inline]
    fn step(
        &mut self,
        step: impl FnOnce(&mut TableIter) -> Result<(), Error>,
    ) -> Result<(), Error> {
        assert!(self.is_valid, "a positioned iterator (rule 2 of InternalIterator)");
        let open = self.open.as_mut().expect("a positioned iterator has a table open");
        if let Err(error) = step(&mut open.iter) {
            (self.is_valid, self.open) = (false, None);
            return Err(error);
        }
        self.is_valid = self.stands_inside();
        Ok(())
    }

    /// To the first entry of the tables behind the open one.
    fn roll_forward(&mut self) -> Result<(), Error> {
        let Some(at) = self.open.as_ref().map(|open| open.at) else { return Ok(()) };
        self.moved(|iter| iter.first_from(at + 1, InternalKey::seek(b"", SeqNo::MAX)))
    }

    /// To the last entry of the tables before the open one.
    fn roll_back(&mut self) -> Result<(), Error> {
        let Some(at) = self.open.as_ref().map(|open| open.at) else { return Ok(()) };
        self.moved(|iter| iter.last_before(at, None))
    }

    #[inline]
    fn current(&self) -> &OpenTable {
        assert!(self.is_valid, "a positioned iterator (rule 2 of InternalIterator)");
        self.open.as_ref().expect("a positioned iterator has a table open")
    }
}

impl InternalIterator for RunIter {
    type Error = Error;

    #[inline]
    fn is_valid(&self) -> bool {
        self.is_valid
    }

    #[inline]
    fn key(&self) -> InternalKey<'_> {
        self.current().iter.key()
    }

    #[inline]
    fn value(&self) -> &[u8] {
        self.current().iter.value()
    }

    fn value_bytes(&self) -> bytes::Bytes {
        self.current().iter.value_bytes()
    }

    fn seek_first(&mut self) -> Result<(), Error> {
        self.moved(|iter| iter.first_from(0, InternalKey::seek(b"", SeqNo::MAX)))
    }

    fn seek_last(&mut self) -> Result<(), Error> {
        self.moved(|iter| iter.last_before(iter.run.tables.len(), None))
    }

    fn seek(&mut self, target: InternalKey<'_>) -> Result<(), Error> {
        self.moved(|iter| {
            let is_before = |t: &TableRef| !t.range.is_below_end(target.user_key);
            let at = iter.run.tables.partition_point(is_before);
            iter.first_from(at, target)
        })
    }

    fn seek_for_prev(&mut self, target: InternalKey<'_>) -> Result<(), Error> {
        self.moved(|iter| {
            let starts_before = |t: &TableRef| &t.range.lo[..] <= target.user_key;
            let end = iter.run.tables.partition_point(starts_before);
            iter.last_before(end, Some(target))
        })
    }

    #[inline]
    fn next(&mut self) -> Result<(), Error> {
        self.step(TableIter::next)?;
        if self.is_valid { Ok(()) } else { self.roll_forward() }
    }

    #[inline]
    fn prev(&mut self) -> Result<(), Error> {
        self.step(TableIter::prev)?;
        if self.is_valid { Ok(()) } else { self.roll_back() }
    }
}

#[cfg(test)]
mod tests;
