//! Reads every byte of a table and checks everything that can be checked.
//!
//! The file is read anew, frame and blocks, past the cache: what is verified is the disk. Each
//! byte is under a checksum (format invariant 2). Beyond the checksums: entries ascend, separators
//! lie between their blocks, the filter knows each key, and the properties count what is there.

use super::Table;
use super::load::{Parts, read_block};
use crate::block::{Block, Cursor};
use crate::error::{Bad, Error, Result};
use crate::format::{Mark, order};
use crate::properties::Properties;
use bytes::Bytes;
use nori_env::File;
use nori_types::{Corruption, SeqNo, ValueKind};
use std::cmp::Ordering;

impl Table {
    /// Reads and checks the whole file; `progress` is told the bytes done so far, block by block.
    pub fn verify(&self, progress: &mut dyn FnMut(u64)) -> Result<()> {
        let file = self.source.file()?;
        let parts = Parts::read(&*file)?;
        if parts.footer.id != self.meta.id || parts.footer.file_bytes != self.meta.bytes {
            let (expected, found) = (self.meta.id, parts.footer.id);
            let what = "identity of the table";
            return Err(Corruption::new(file.path(), 0, what, expected, found).into());
        }
        let mut check = Check::new(&*file, &parts);
        for i in 0..parts.index.len() {
            check.block(i)?;
            progress(parts.index.offset(i + 1));
        }
        check.properties()?;
        progress(parts.footer.file_bytes);
        Ok(())
    }
}

/// What was seen so far.
pub(super) struct Check<'a> {
    file: &'a dyn File,
    parts: &'a Parts,
    last: Option<(Vec<u8>, Mark)>,
    seen: Properties,
}

impl<'a> Check<'a> {
    pub(super) fn new(file: &'a dyn File, parts: &'a Parts) -> Check<'a> {
        let seen = Properties {
            seq_min: SeqNo::MAX,
            created_unix_ms: parts.properties.created_unix_ms,
            merged_from: parts.properties.merged_from.clone(),
            ..Properties::default()
        };
        Check { file, parts, last: None, seen }
    }

    pub(super) fn block(&mut self, i: usize) -> Result<()> {
        let handle = self.parts.index.handle(i);
        let path = self.file.path();
        let content = read_block(self.file, self.parts.footer.id, handle)?;
        let bad = |bad: Bad| bad.at(path, handle.offset);
        let mut cursor = Cursor::new(Block::parse(content).map_err(bad)?);
        cursor.seek_first().map_err(bad)?;
        let before = i.checked_sub(1).map(|b| self.parts.index.separator(b));
        let is_behind =
            before.is_none_or(|b| order(b, (cursor.user_key(), cursor.mark())) == Ordering::Less);
        if !is_behind {
            return Err(self.wrong(
                handle.offset,
                "first entry of a block",
                "at or before the separator",
            ));
        }
        while cursor.is_valid() {
            self.entry(handle.offset, &cursor)?;
            cursor.next().map_err(bad)?;
        }
        check_restarts(cursor.block()).map_err(bad)?;
        let separator = self.parts.index.separator(i);
        let last = self.last.as_ref().map(|(key, mark)| (&key[..], *mark));
        if last.is_none_or(|last| order(last, separator) == Ordering::Greater) {
            return Err(self.wrong(handle.offset, "last entry of a block", "behind its separator"));
        }
        self.seen.data_blocks += 1;
        Ok(())
    }

    fn entry(&mut self, offset: u64, cursor: &Cursor) -> Result<()> {
        let (key, mark) = (cursor.user_key(), cursor.mark());
        let is_new_key = self.last.as_ref().is_none_or(|(last, _)| last != key);
        if let Some((last, last_mark)) = &mut self.last {
            if order((last, *last_mark), (key, mark)) != Ordering::Less {
                return Err(self.wrong(offset, "order of the entries", "descending"));
            }
            last.clear();
            last.extend_from_slice(key);
            *last_mark = mark;
        } else {
            self.seen.smallest = Bytes::copy_from_slice(key);
            self.last = Some((key.to_vec(), mark));
        }
        if is_new_key && !self.parts.filter.may_contain(nori_bloom::hash(key)) {
            return Err(self.wrong(offset, "filter", "without a key of the table"));
        }
        let seen = &mut self.seen;
        seen.entries += 1;
        seen.keys += u64::from(is_new_key);
        seen.tombstones += u64::from(cursor.key().kind == ValueKind::Tombstone);
        seen.raw_key_bytes += key.len() as u64;
        seen.raw_value_bytes += cursor.value().len() as u64;
        seen.seq_min = seen.seq_min.min(mark.seq());
        seen.seq_max = seen.seq_max.max(mark.seq());
        Ok(())
    }

    fn properties(self) -> Result<()> {
        let (file, parts) = (self.file, self.parts);
        let seen = self.into_seen();
        if seen == parts.properties {
            return Ok(());
        }
        let offset = parts.footer.properties.offset;
        let (expected, found) = (format!("{seen:?}"), format!("{:?}", parts.properties));
        Err(Corruption::new(file.path(), offset, "properties", expected, found).into())
    }

    /// What the entries make the table's properties.
    pub(super) fn into_seen(mut self) -> Properties {
        self.seen.largest = self.last.take().map(|(key, _)| Bytes::from(key)).unwrap_or_default();
        self.seen
    }

    fn wrong(&self, offset: u64, what: &str, found: &str) -> Error {
        Corruption::new(self.file.path(), offset, what, "a well-formed table", found).into()
    }
}

/// Each restart point is an entry of its own that shares nothing.
fn check_restarts(block: &Block) -> std::result::Result<(), Bad> {
    let mut at = block.restart(0);
    let mut next_restart = 0;
    while at.key < block.keys_end() {
        let entry = block.decode(at)?;
        if next_restart < block.restart_count() && block.restart(next_restart) == at {
            next_restart += 1;
            if entry.shared != 0 {
                return Err(Bad::Damaged("entry at a restart point"));
            }
        }
        at = entry.next();
    }
    if at != block.end() {
        return Err(Bad::Damaged("values of a block"));
    }
    match next_restart == block.restart_count() {
        true => Ok(()),
        false => Err(Bad::Damaged("restart points of a block")),
    }
}
