//! nori-compaction by itself: two runs on a disk in memory are merged under a snapshot.

use nori_compaction::{Destination, Retain, RunIter, compact};
use nori_env::sync::Arc;
use nori_env::{FileSystem, MemFs, OpenMode};
use nori_manifest::{Obsolete, Run, TableFile, TableRef};
use nori_sstable::{BlockCache, TableBuilder, TableCache, TableOptions};
use nori_types::ValueKind::{self, Tombstone, Value};
use nori_types::{FileName, FileNumber, InternalIterator, InternalKey, KeyRange, SeqNo, TableMeta};
use std::cell::Cell;
use std::path::Path;

const DIR: &str = "fruit/sst";

/// (key, sequence number, kind, value)
type Entry = (&'static str, u64, ValueKind, &'static str);

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let fs: Arc<dyn FileSystem> = Arc::new(MemFs::new(1));
    fs.create_dir_all(Path::new(DIR))?;
    let old = [("apple", 1, Value, "green"), ("fig", 2, Value, "small")];
    let new = [
        ("apple", 5, Value, "red"),
        ("apple", 4, Value, "yellow"),
        ("fig", 3, Tombstone, ""),
        ("plum", 6, Value, "ripe"),
    ];
    let runs = [run(vec![table(&*fs, 1, &old)?]), run(vec![table(&*fs, 2, &new)?])];

    // A snapshot at 2 still reads the green apple and the fig; new readers see all up to 6.
    // Nobody sees the yellow one.
    let retain = Retain::new(vec![SeqNo::new(2), SeqNo::new(6)], true, |_| None);
    let tables = TableCache::new(fs.clone(), Path::new(DIR), BlockCache::new(1 << 20), 10);
    let (tables, options, number) = (Arc::new(tables), TableOptions::default(), Cell::new(2));
    let new_number = || {
        number.set(number.get() + 1);
        FileNumber(number.get())
    };
    let to = Destination::new(&*fs, Path::new(DIR), &new_number, &options, 64 << 20);
    let output = compact(&runs, &tables, retain, &to)?;
    println!("{:?}", output.stats);

    let mut iter = RunIter::new(run(output.tables), tables);
    iter.seek_first()?;
    let mut kept = 0;
    while iter.is_valid() {
        println!("{:?} = {}", iter.key(), iter.value().escape_ascii());
        kept += 1;
        iter.next()?;
    }
    // The yellow apple went; the tombstone hides the fig from new readers and stays.
    assert_eq!(kept, 5);
    Ok(())
}

/// Writes a table by hand.
fn table(
    fs: &dyn FileSystem,
    number: u64,
    entries: &[Entry],
) -> Result<TableMeta, Box<dyn std::error::Error>> {
    let number = FileNumber(number);
    let path = Path::new(DIR).join(FileName::Table(number).to_string());
    let file = fs.open(&path, OpenMode::CreateNew)?;
    let mut table = TableBuilder::new(file, number, fs.random(), TableOptions::default());
    for (key, seq, kind, value) in entries {
        let key = InternalKey::new(key.as_bytes(), SeqNo::new(*seq), *kind);
        table.add(key, value.as_bytes())?;
    }
    Ok(table.finish()?)
}

/// A run of whole tables.
fn run(metas: Vec<TableMeta>) -> Arc<Run> {
    let seq_max = metas.iter().map(|meta| meta.seq_max).max().unwrap_or_default();
    let sum = |count: fn(&TableMeta) -> u64| metas.iter().map(count).sum();
    let (bytes, entries) = (sum(|meta| meta.bytes), sum(|meta| meta.entries));
    let tombstones = sum(|meta| meta.tombstones);
    let queue = Obsolete::new();
    let tables = metas.into_iter().map(|meta| {
        let range = KeyRange::new(meta.smallest.clone(), Some(meta.end()));
        TableRef { bytes: meta.bytes, file: TableFile::new(meta, &queue), range }
    });
    let (tables, flush_seq, level) = (tables.collect(), 1, 1);
    Arc::new(Run { tables, flush_seq, level, bytes, entries, tombstones, seq_max })
}
