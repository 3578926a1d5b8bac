//! Tables on a disk in memory, for the tests.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used)]

use nori_env::{FileSystem, MemFs, OpenMode, Rng};
use nori_sstable::{BlockCache, Compression, Result, Table, TableBuilder, TableOptions};
use nori_testkit::Entry;
use nori_types::{FileNumber, TableMeta};
use std::path::Path;
use std::sync::Arc;

pub const NAME: &str = "000001.sst";
pub const ID: u64 = 0x0123_4567_89ab_cdef;

/// Options of the smallest kind: many blocks, few entries in each.
pub fn tiny_options(rng: &mut Rng) -> TableOptions {
    TableOptions {
        block_bytes: 64 + rng.index(193),
        compression: *rng.pick(&[Compression::None, Compression::Lz4]),
        bloom_bits_per_key: *rng.pick(&[0.0, 10.0]),
        restart_interval: 1 + rng.index(16),
    }
}

/// Writes a table of these entries to a new file.
pub fn write(
    fs: &MemFs,
    name: &str,
    id: u64,
    options: TableOptions,
    entries: &[Entry],
) -> TableMeta {
    let file = fs.open(Path::new(name), OpenMode::CreateNew).unwrap();
    let mut builder = TableBuilder::new(file, FileNumber(1), id, options);
    for entry in entries {
        builder.add(entry.internal_key(), &entry.value).unwrap();
    }
    builder.finish().unwrap()
}

/// Opens the table of a file.
pub fn open(fs: &MemFs, name: &str, cache_bytes: u64) -> Result<Arc<Table>> {
    let file = fs.open(Path::new(name), OpenMode::Read)?;
    Table::open(file, FileNumber(1), BlockCache::new(cache_bytes))
}

/// A table over these entries.
pub fn table(options: TableOptions, entries: &[Entry]) -> Arc<Table> {
    let fs = MemFs::new(1);
    write(&fs, NAME, ID, options, entries);
    open(&fs, NAME, 1 << 20).unwrap()
}

/// The bytes of a table over these entries.
pub fn table_bytes(id: u64, options: TableOptions, entries: &[Entry]) -> Vec<u8> {
    let fs = MemFs::new(1);
    write(&fs, NAME, id, options, entries);
    fs.read_file(NAME).unwrap()
}

/// Opens a table over these bytes.
pub fn open_bytes(bytes: &[u8]) -> Result<Arc<Table>> {
    let fs = MemFs::new(1);
    fs.write_file(NAME, bytes);
    open(&fs, NAME, 0)
}
