//! Reads what is left of a damaged table.
//!
//! A block stands for itself: its checksum is bound to the table's id and to its offset. So the
//! blocks are read through the index if that is whole, and found by their checksums if it is not;
//! the id comes from the footer, or from whoever knew the table.
//!
//! 1. Only blocks whose checksum fits are read, so nothing is shown that was not written.
//! 2. The work is linear in the file while blocks follow each other; behind a damaged block the
//!    next one is searched within a budget.
//! 3. Blocks that were not found stand in the rebuilt index as gaps, and are losses when read.

mod walk;

use super::load::{Parts, parse_index, parse_properties, read_block, read_footer};
use super::{Section, Table};
use crate::cache::BlockCache;
use crate::error::{Error, Result};
use crate::files::Source;
use crate::format::{FOOTER_BYTES, Footer, Handle, TRAILER_BYTES};
use crate::losses::Losses;
use crate::properties::Properties;
use bytes::Bytes;
use nori_bloom::Filter;
use nori_env::File;
use nori_env::sync::Arc;
use nori_types::{Corruption, FileNumber, InternalIterator, SeqNo, TableMeta, ValueKind};
use walk::{Found, Walk};

/// The first block is expected to be no longer than this, to find the id by.
const FIRST_BYTES_MAX: usize = 64 << 10;
/// Where the footer holds the table's id.
const ID_AT: usize = 16;

impl Table {
    /// Opens what is left of a table: its frame may be damaged in any part. `known` is what is
    /// remembered of it, if anything is: it can be read without its footer then. Read it with
    /// [`Table::salvage_iter`]; its filter is not used.
    ///
    /// # Errors
    /// `Corruption` if no block can be found, `FormatTooNew`, `Io`.
    pub fn salvage(
        file: Arc<dyn File>,
        number: FileNumber,
        cache: Arc<BlockCache>,
        known: Option<&TableMeta>,
        losses: &Arc<Losses>,
    ) -> Result<Arc<Table>> {
        let parts = Parts::salvage(&*file, known, losses)?;
        let is_counted = parts.properties.entries > 0;
        let table = Table::from_parts(Source::Held(Arc::clone(&file)), number, &cache, parts);
        if is_counted {
            return Ok(Arc::new(table));
        }
        let table = Arc::new(table);
        let properties = count(&table, losses)?;
        let mut parts = Parts::salvage(&*file, known, losses)?;
        parts.properties = properties;
        Ok(Arc::new(Table::from_parts(Source::Held(file), number, &cache, parts)))
    }
}

impl Parts {
    fn salvage(file: &dyn File, known: Option<&TableMeta>, losses: &Losses) -> Result<Parts> {
        let (path, len) = (file.path(), file.len()?);
        let first = match Parts::read(file) {
            Ok(parts) => return Ok(parts),
            Err(Error::FormatTooNew(e)) => return Err(e.into()),
            Err(error) => error,
        };
        let footer = read_footer(file).ok();
        let Some(footer) = footer else {
            let offset = len.saturating_sub(FOOTER_BYTES as u64);
            losses.note_frame(path, Section { offset, bytes: len - offset }, &first);
            return without_footer(file, known);
        };
        let part = |handle: Handle| Section {
            offset: handle.offset,
            bytes: handle.bytes + TRAILER_BYTES as u64,
        };
        let index = read_block(file, footer.id, footer.index)
            .and_then(|content| parse_index(path, &footer, content));
        let properties = read_block(file, footer.id, footer.properties)
            .and_then(|content| parse_properties(path, &footer, &content));
        if let Some(handle) = footer.filter
            && let Err(error) = read_block(file, footer.id, handle)
        {
            losses.note_frame(path, part(handle), error);
        }
        let properties = properties.unwrap_or_else(|error| {
            losses.note_frame(path, part(footer.properties), error);
            Properties::default()
        });
        let index = match index {
            Ok(index) => index,
            Err(error) => {
                losses.note_frame(path, part(footer.index), error);
                let bytes = Bytes::from(file.read_all()?);
                let mut walk = Walk::over_data(&bytes, footer.id, footer.data_end());
                walk.run();
                walk.into_index(path)?
            }
        };
        let footer = Footer {
            filter: None,
            index: Handle { offset: footer.data_end(), bytes: 0 },
            ..footer
        };
        Ok(Parts { footer, properties, index, filter: Filter::none() })
    }
}

/// Everything is found by checksums: the blocks, and the index among them.
fn without_footer(file: &dyn File, known: Option<&TableMeta>) -> Result<Parts> {
    let bytes = Bytes::from(file.read_all()?);
    let len = bytes.len() as u64;
    let Some(id) = find_id(&bytes, known) else {
        let what = "the table's id, to check blocks with";
        let found = "a damaged footer, and nobody else knows it";
        return Err(Corruption::new(file.path(), 0, what, "a footer", found).into());
    };
    let mut walk = Walk::over_all(&bytes, id, len);
    walk.run();
    let properties = walk.take_properties();
    let index = walk.into_index(file.path())?;
    let offset = index.offset(index.len());
    let footer = Footer {
        incompatible: 0,
        read_compatible: 0,
        ignorable: 0,
        id,
        file_bytes: len,
        index: Handle { offset, bytes: 0 },
        filter: None,
        properties: Handle::default(),
    };
    Ok(Parts { footer, properties, index, filter: Filter::none() })
}

/// The id that the first block checks under: the known one, the footer's, or the footer's with
/// one byte damaged.
fn find_id(bytes: &Bytes, known: Option<&TableMeta>) -> Option<u64> {
    if let Some(known) = known {
        return Some(known.id);
    }
    let at = bytes.len().checked_sub(FOOTER_BYTES)? + ID_AT;
    let raw = u64::from_le_bytes(*bytes.get(at..)?.first_chunk::<8>()?);
    let limit = bytes.len().min(FIRST_BYTES_MAX);
    let checks = |id: u64| Found::at(bytes, id, 0, limit).is_some();
    let changed = (0..64).step_by(8).flat_map(|shift| (1..=255).map(move |x: u64| x << shift));
    let near = changed.map(|xor| raw ^ xor);
    if checks(raw) {
        return Some(raw);
    }
    near.into_iter().find(|id| checks(*id))
}

/// The properties of a table whose own cannot be read.
fn count(table: &Arc<Table>, losses: &Arc<Losses>) -> Result<Properties> {
    let mut seen = Properties { seq_min: SeqNo::MAX, ..Properties::default() };
    seen.data_blocks = table.block_count() as u64;
    let mut iter = table.salvage_iter(losses);
    iter.seek_first()?;
    let mut last: Option<Vec<u8>> = None;
    while iter.is_valid() {
        let (key, value) = (iter.key(), iter.value());
        let is_new = last.as_deref() != Some(key.user_key);
        if last.is_none() {
            seen.smallest = Bytes::copy_from_slice(key.user_key);
        }
        if is_new {
            last = Some(key.user_key.to_vec());
        }
        seen.entries += 1;
        seen.keys += u64::from(is_new);
        seen.tombstones += u64::from(key.kind == ValueKind::Tombstone);
        seen.raw_key_bytes += key.user_key.len() as u64;
        seen.raw_value_bytes += value.len() as u64;
        seen.seq_min = seen.seq_min.min(key.seq);
        seen.seq_max = seen.seq_max.max(key.seq);
        iter.next()?;
    }
    seen.largest = last.map(Bytes::from).unwrap_or_default();
    Ok(seen)
}
