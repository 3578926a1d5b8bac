//! A cursor over a table's entries, both ways.
//!
//! 1. Owned and `Send`: it keeps the table alive and borrows nothing.
//! 2. A seek asks the index first and reads one block, or two where the first holds nothing on
//!    the wanted side of the target.
//! 3. An error leaves it not positioned; the end of the data is never an error, nor the reverse.
//! 4. A salvaging cursor notes what it cannot read and goes on at the next block in the direction
//!    of the move.

use crate::block::Cursor;
use crate::error::{Bad, Error, Result};
use crate::format::Mark;
use crate::losses::Losses;
use crate::table::Table;
use bytes::Bytes;
use nori_env::sync::Arc;
use nori_types::{InternalIterator, InternalKey};

/// A cursor over one table.
#[derive(Debug)]
pub struct TableIter {
    table: Arc<Table>,
    fill_cache: bool,
    /// The block the cursor is in.
    block: usize,
    cursor: Option<Cursor>,
    /// Where damage is noted that is passed over; `None`: damage is an error.
    losses: Option<Arc<Losses>>,
}

/// The direction of a move.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Forward,
    Back,
}

impl TableIter {
    pub(crate) fn new(table: Arc<Table>, fill_cache: bool) -> TableIter {
        TableIter { table, fill_cache, block: 0, cursor: None, losses: None }
    }

    pub(crate) fn salvaging(mut self, losses: &Arc<Losses>) -> TableIter {
        self.losses = Some(Arc::clone(losses));
        self
    }

    /// The table it walks.
    pub fn table(&self) -> &Arc<Table> {
        &self.table
    }

    /// Loads block `i` and moves in it; not positioned if the table has no such block.
    fn enter(
        &mut self,
        i: usize,
        way: Way,
        place: impl FnOnce(&mut Cursor) -> std::result::Result<(), Bad>,
    ) -> Result<()> {
        match self.try_enter(i, place) {
            Ok(()) => Ok(()),
            Err(error) => self.pass_over(i, way, error),
        }
    }

    /// An error, or, for salvage, the next block that can be read.
    #[cold]
    fn pass_over(&mut self, mut i: usize, way: Way, mut error: Error) -> Result<()> {
        let Some(losses) = self.losses.clone() else { return Err(error) };
        loop {
            losses.note(self.table.lost_block(i, &error));
            let next = match way {
                Way::Forward => Some(i + 1).filter(|i| *i < self.table.block_count()),
                Way::Back => i.checked_sub(1),
            };
            self.cursor = None;
            let Some(next) = next else { return Ok(()) };
            i = next;
            let entered = match way {
                Way::Forward => self.try_enter(i, Cursor::seek_first),
                Way::Back => self.try_enter(i, Cursor::seek_last),
            };
            match entered {
                Ok(()) => return Ok(()),
                Err(e) => error = e,
            }
        }
    }

    fn try_enter(
        &mut self,
        i: usize,
        place: impl FnOnce(&mut Cursor) -> std::result::Result<(), Bad>,
    ) -> Result<()> {
        if i >= self.table.block_count() {
            self.cursor = None;
            return Ok(());
        }
        let is_here = self.block == i && self.cursor.is_some();
        if !is_here {
            let block = self.table.block(i, self.fill_cache).inspect_err(|_| self.cursor = None)?;
            match &mut self.cursor {
                Some(cursor) => cursor.reset(block),
                None => self.cursor = Some(Cursor::new(block)),
            }
            self.block = i;
        }
        self.within(place)
    }

    /// Moves within the block.
    #[inline]
    fn within(
        &mut self,
        step: impl FnOnce(&mut Cursor) -> std::result::Result<(), Bad>,
    ) -> Result<()> {
        let Some(cursor) = &mut self.cursor else { return Ok(()) };
        match step(cursor) {
            Ok(()) => Ok(()),
            Err(bad) => {
                self.cursor = None;
                Err(self.locate(bad))
            }
        }
    }

    #[cold]
    fn locate(&self, bad: Bad) -> Error {
        bad.at(self.table.path(), self.table.handle(self.block).offset)
    }

    /// To the first entry of the next block, if the cursor ran off the end of this one.
    #[inline]
    fn roll_forward(&mut self) -> Result<()> {
        if self.is_valid() {
            return Ok(());
        }
        self.enter(self.block + 1, Way::Forward, Cursor::seek_first)
    }

    /// To the last entry of the block before, if the cursor ran off the start of this one.
    #[inline]
    fn roll_back(&mut self) -> Result<()> {
        if self.is_valid() {
            return Ok(());
        }
        match self.block.checked_sub(1) {
            Some(i) => self.enter(i, Way::Back, Cursor::seek_last),
            None => {
                self.cursor = None;
                Ok(())
            }
        }
    }

    fn positioned(&self) -> &Cursor {
        self.cursor.as_ref().expect("key and value are asked only of a positioned iterator")
    }
}

impl InternalIterator for TableIter {
    type Error = Error;

    #[inline]
    fn is_valid(&self) -> bool {
        self.cursor.as_ref().is_some_and(Cursor::is_valid)
    }

    #[inline]
    fn key(&self) -> InternalKey<'_> {
        self.positioned().key()
    }

    #[inline]
    fn value(&self) -> &[u8] {
        self.positioned().value()
    }

    fn value_bytes(&self) -> Bytes {
        self.positioned().value_bytes()
    }

    fn seek_first(&mut self) -> Result<()> {
        self.enter(0, Way::Forward, Cursor::seek_first)
    }

    fn seek_last(&mut self) -> Result<()> {
        self.enter(self.table.block_count() - 1, Way::Back, Cursor::seek_last)
    }

    fn seek(&mut self, target: InternalKey<'_>) -> Result<()> {
        let target = (target.user_key, Mark::of(&target));
        self.enter(self.table.find(target), Way::Forward, |cursor| cursor.seek(target))?;
        // The target may lie between the block's last entry and its separator.
        if self.cursor.is_some() { self.roll_forward() } else { Ok(()) }
    }

    fn seek_for_prev(&mut self, target: InternalKey<'_>) -> Result<()> {
        let target = (target.user_key, Mark::of(&target));
        let i = self.table.find(target);
        if i >= self.table.block_count() {
            return self.seek_last();
        }
        self.enter(i, Way::Back, |cursor| cursor.seek_for_prev(target))?;
        self.roll_back()
    }

    #[inline]
    fn next(&mut self) -> Result<()> {
        assert!(self.is_valid(), "next is called only on a positioned iterator");
        if let Err(error) = self.within(Cursor::next) {
            return self.pass_over(self.block, Way::Forward, error);
        }
        self.roll_forward()
    }

    #[inline]
    fn prev(&mut self) -> Result<()> {
        assert!(self.is_valid(), "prev is called only on a positioned iterator");
        if let Err(error) = self.within(Cursor::prev) {
            return self.pass_over(self.block, Way::Back, error);
        }
        self.roll_back()
    }
}
