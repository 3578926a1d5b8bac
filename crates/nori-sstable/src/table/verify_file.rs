//! Reads a whole table file and notes everything that is wrong with it.
//!
//! [`Table::verify`] asks whether a table is right and stops at the first thing that is not; this
//! one goes on behind it: where the frame is damaged the blocks are found as a salvage finds them.
//!
//! 1. Nothing is an error: what cannot be read is noted, with its place, and the rest is read.
//! 2. Counts and bounds are compared where all blocks could be read; else they must differ.

use super::load::{Parts, parse_filter, parse_index, parse_properties, read_block, read_footer};
use super::verify::Check;
use super::{Section, Table};
use crate::cache::BlockCache;
use crate::error::{Error, Result};
use crate::files::Source;
use crate::format::{FOOTER_BYTES, Footer, Handle, TRAILER_BYTES};
use crate::losses::{Losses, LostBlock};
use crate::properties::Properties;
use nori_bloom::Filter;
use nori_env::File;
use nori_env::sync::Arc;
use nori_types::{Corruption, FileNumber, TableMeta};

impl Table {
    /// Reads the whole file and adds everything that is wrong with it to `losses`: each block that
    /// cannot be read or does not fit, parts of the frame, and what is not as `known`, which is
    /// what is remembered of the table. `progress` is told the bytes done so far. Gives how many
    /// entries were read.
    pub fn verify_file(
        file: Arc<dyn File>,
        number: FileNumber,
        known: Option<&TableMeta>,
        losses: &Losses,
        progress: &mut dyn FnMut(u64),
    ) -> u64 {
        let notes = Notes { file: &*file, losses };
        let len = match file.len() {
            Ok(len) => len,
            Err(error) => {
                notes.note(0, 0, &error.into());
                return 0;
            }
        };
        let wanted = known.map_or(len, |known| known.bytes);
        if wanted != len {
            let bytes = wanted.abs_diff(len);
            notes.differs(wanted.min(len), bytes, "the file's length", wanted, len);
        }
        let Some(table) = open(&file, number, known, len, &notes) else {
            progress(len);
            return 0;
        };
        let (seen, is_whole) = walk(&table, &notes, progress);
        if is_whole {
            compare(&table, &seen, known, &notes);
        }
        progress(len);
        seen.entries
    }
}

/// The table; `None` if no block of it can be found.
fn open(
    file: &Arc<dyn File>,
    number: FileNumber,
    known: Option<&TableMeta>,
    len: u64,
    notes: &Notes<'_>,
) -> Option<Arc<Table>> {
    let footer = read_footer(&**file).or_else(|error| {
        let bytes = len.min(FOOTER_BYTES as u64);
        notes.note(len - bytes, bytes, &error);
        // What lies where is known all the same if one byte of it is damaged.
        guess_footer(&**file, len).ok_or(error)
    });
    let cache = BlockCache::new(0);
    if let Some(parts) = footer.ok().and_then(|footer| frame(&**file, footer, known, notes)) {
        let source = Source::Held(Arc::clone(file));
        return Some(Arc::new(Table::from_parts(source, number, &cache, parts)));
    }
    // What is wrong with the frame has been noted; a salvage tells the same in other words.
    let told = Arc::new(Losses::new());
    let salvaged = Table::salvage(Arc::clone(file), number, cache, known, &told);
    salvaged.map_err(|error| notes.note(0, len, &error)).ok()
}

/// Reads the frame part by part; `None` if one is damaged.
fn frame(
    file: &dyn File,
    footer: Footer,
    known: Option<&TableMeta>,
    notes: &Notes<'_>,
) -> Option<Parts> {
    let path = file.path();
    if let Some(known) = known.filter(|known| known.id != footer.id) {
        let (expected, found) = (format!("{:016x}", known.id), format!("{:016x}", footer.id));
        let bytes = FOOTER_BYTES as u64;
        notes.differs(footer.file_bytes - bytes, bytes, "the table's id", expected, found);
    }
    let read = |handle: Handle| read_block(file, footer.id, handle);
    let properties = read(footer.properties).and_then(|c| parse_properties(path, &footer, &c));
    let properties = notes.part(footer.properties, properties);
    let index =
        notes.part(footer.index, read(footer.index).and_then(|c| parse_index(path, &footer, c)));
    let filter = match footer.filter {
        None => Some(Filter::none()),
        Some(handle) => {
            notes.part(handle, read(handle).and_then(|c| parse_filter(path, handle.offset, &c)))
        }
    };
    Some(Parts { properties: properties?, index: index?, filter: filter?, footer })
}

/// The footer with the one byte changed that makes its checksum fit, if there is such a byte.
fn guess_footer(file: &dyn File, len: u64) -> Option<Footer> {
    let mut bytes = [0; FOOTER_BYTES];
    file.read_exact_at(&mut bytes, len.checked_sub(FOOTER_BYTES as u64)?).ok()?;
    for at in 0..FOOTER_BYTES {
        for xor in 1..=u8::MAX {
            bytes[at] ^= xor;
            if let Ok(footer) = Footer::decode(&bytes, len) {
                return Some(footer);
            }
            bytes[at] ^= xor;
        }
    }
    None
}

/// Reads all blocks: what they make the table, and whether that is all of them.
fn walk(table: &Table, notes: &Notes<'_>, progress: &mut dyn FnMut(u64)) -> (Properties, bool) {
    let index = &table.parts.index;
    let (mut check, mut is_whole) = (Check::new(notes.file, &table.parts), true);
    for i in 0..index.len() {
        if let Err(error) = check.block(i) {
            is_whole = false;
            notes.losses.note(table.lost_block(i, shorten(&error)));
        }
        progress(index.offset(i + 1));
    }
    (check.into_seen(), is_whole)
}

/// Compares what the blocks hold with what the table says of them, and with what is remembered.
fn compare(table: &Table, seen: &Properties, known: Option<&TableMeta>, notes: &Notes<'_>) {
    let (own, place) = (&table.parts.properties, table.parts.footer.properties);
    let (offset, bytes) = (place.offset, part_bytes(place));
    if seen != own {
        notes.differs(offset, bytes, "properties", format!("{seen:?}"), format!("{own:?}"));
        return;
    }
    let Some(known) = known else { return };
    let found = crate::builder::meta(known.number, known.id, known.bytes, seen);
    if found != *known {
        let (expected, found) = (format!("{known:?}"), format!("{found:?}"));
        notes.differs(offset, bytes, "what the manifest says of the table", expected, found);
    }
}

fn part_bytes(handle: Handle) -> u64 {
    handle.bytes + TRAILER_BYTES as u64
}

/// What an error says, but for its path and its place.
fn shorten(error: &Error) -> String {
    match error {
        Error::Corruption(Corruption { what, expected, found, .. }) => {
            format!("{what}: expected {expected}, found {found}")
        }
        other => other.to_string(),
    }
}

/// Where problems go.
struct Notes<'a> {
    file: &'a dyn File,
    losses: &'a Losses,
}

impl Notes<'_> {
    fn note(&self, offset: u64, bytes: u64, error: &Error) {
        self.tell(offset, bytes, shorten(error));
    }

    fn differs(
        &self,
        offset: u64,
        bytes: u64,
        what: &str,
        expected: impl ToString,
        found: impl ToString,
    ) {
        let (expected, found) = (expected.to_string(), found.to_string());
        self.tell(offset, bytes, format!("{what}: expected {expected}, found {found}"));
    }

    fn tell(&self, offset: u64, bytes: u64, what: String) {
        let (path, section) = (self.file.path().to_path_buf(), Section { offset, bytes });
        self.losses.note(LostBlock { path, section, keys: None, what });
    }

    /// A part of the frame, if it is good.
    fn part<T>(&self, handle: Handle, read: Result<T>) -> Option<T> {
        read.map_err(|error| self.note(handle.offset, part_bytes(handle), &error)).ok()
    }
}
