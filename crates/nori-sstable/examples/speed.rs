//! How fast tables are written, asked and walked. In memory, so that it measures this crate and
//! not a disk. `cargo run --release -p nori-sstable --example speed`

#![allow(clippy::disallowed_methods)]

use nori_bloom::hash;
use nori_env::{FileSystem, MemFs, OpenMode, Rng};
use nori_sstable::{BlockCache, Compression, Result, Table, TableBuilder, TableOptions};
use nori_types::{FileNumber, InternalIterator, InternalKey, Lookup, SeqNo, ValueKind};
use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

const ENTRIES: u64 = 500_000;
const VALUE_BYTES: usize = 100;

fn main() -> Result<()> {
    for compression in [Compression::None, Compression::Lz4] {
        println!("{ENTRIES} entries of 16 + {VALUE_BYTES} bytes, {compression:?}");
        let fs = MemFs::new(1);
        build(&fs, compression)?;
        for (name, cache_bytes) in [("cached", 1 << 30), ("not cached", 0)] {
            let file = fs.open(Path::new("t.sst"), OpenMode::Read)?;
            let start = Instant::now();
            let table = Table::open(file, FileNumber(1), BlockCache::new(cache_bytes))?;
            let opened = start.elapsed();
            for _ in 0..2 {
                forward(&table)?;
            }
            print!("  {name}: open {:.2} ms, ", opened.as_secs_f64() * 1e3);
            report(&table)?;
        }
        verify(&fs)?;
    }
    Ok(())
}

fn key(i: u64) -> [u8; 16] {
    let mut key = *b"user000000000000";
    let digits = format!("{i:012}");
    key[4..].copy_from_slice(digits.as_bytes());
    key
}

/// Half of it random, half of it repeating: LZ4 makes about half of it.
fn fill_value(rng: &mut Rng, value: &mut [u8; VALUE_BYTES]) {
    rng.fill(&mut value[..VALUE_BYTES / 2]);
}

fn build(fs: &MemFs, compression: Compression) -> Result<()> {
    let options = TableOptions { compression, ..TableOptions::default() };
    let (mut rng, mut value) = (Rng::new(1), [b'v'; VALUE_BYTES]);
    let keys: Vec<_> = (0..ENTRIES).map(|i| key(i * 2)).collect();
    let file = fs.open(Path::new("t.sst"), OpenMode::CreateNew)?;
    let start = Instant::now();
    let mut builder = TableBuilder::new(file, FileNumber(1), 7, options);
    for (seq, key) in (1..).zip(&keys) {
        fill_value(&mut rng, &mut value);
        builder.add(InternalKey::new(key, SeqNo::new(seq), ValueKind::Value), &value)?;
    }
    let meta = builder.finish()?;
    let took = start.elapsed();
    let rate = meta.raw_bytes as f64 / took.as_secs_f64() / 1e6;
    println!("  build: {rate:.0} MB/s of user bytes, {} bytes", meta.bytes);
    Ok(())
}

fn report(table: &Arc<Table>) -> Result<()> {
    let hit = get(table, 0)?;
    let miss = get(table, 1)?;
    let (ahead, back) = (forward(table)?, backward(table)?);
    let per_second = |d: Duration| ENTRIES as f64 / d.as_secs_f64() / 1e6;
    println!(
        "get {hit:.0} ns, absent {miss:.0} ns, seek + 10 next {:.0} ns, \
         forward {:.1} M/s, backward {:.1} M/s",
        seek(table)?,
        per_second(ahead),
        per_second(back),
    );
    Ok(())
}

/// Nanoseconds for one random lookup; odd keys are absent.
fn get(table: &Table, odd: u64) -> Result<f64> {
    let mut rng = Rng::new(3);
    let keys: Vec<_> = (0..200_000).map(|_| key(rng.below(ENTRIES) * 2 + odd)).collect();
    let start = Instant::now();
    for key in &keys {
        let found = matches!(table.get(key, hash(key), SeqNo::MAX)?, Lookup::Found(..));
        assert_eq!(found, odd == 0);
    }
    Ok(start.elapsed().as_nanos() as f64 / keys.len() as f64)
}

fn seek(table: &Arc<Table>) -> Result<f64> {
    let mut rng = Rng::new(4);
    let keys: Vec<_> = (0..100_000).map(|_| key(rng.below(ENTRIES - 20) * 2)).collect();
    let mut iter = table.iter();
    let start = Instant::now();
    for key in &keys {
        iter.seek(InternalKey::seek(key, SeqNo::MAX))?;
        for _ in 0..10 {
            black_box(iter.value());
            iter.next()?;
        }
    }
    Ok(start.elapsed().as_nanos() as f64 / keys.len() as f64)
}

fn forward(table: &Arc<Table>) -> Result<Duration> {
    let start = Instant::now();
    let mut iter = table.iter();
    let mut count = 0;
    iter.seek_first()?;
    while iter.is_valid() {
        black_box((iter.key(), iter.value()));
        count += 1;
        iter.next()?;
    }
    assert_eq!(count, ENTRIES);
    Ok(start.elapsed())
}

fn backward(table: &Arc<Table>) -> Result<Duration> {
    let start = Instant::now();
    let mut iter = table.iter();
    let mut count = 0;
    iter.seek_last()?;
    while iter.is_valid() {
        black_box((iter.key(), iter.value()));
        count += 1;
        iter.prev()?;
    }
    assert_eq!(count, ENTRIES);
    Ok(start.elapsed())
}

fn verify(fs: &MemFs) -> Result<()> {
    let file = fs.open(Path::new("t.sst"), OpenMode::Read)?;
    let table = Table::open(file, FileNumber(1), BlockCache::new(0))?;
    let start = Instant::now();
    table.verify(&mut |_| ())?;
    let rate = table.meta().bytes as f64 / start.elapsed().as_secs_f64() / 1e6;
    println!("  verify: {rate:.0} MB/s of the file");
    Ok(())
}
