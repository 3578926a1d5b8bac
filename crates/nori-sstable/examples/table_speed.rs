//! How fast tables are written, asked and walked. In memory, so that it measures this crate and
//! not a disk. `cargo run --release -p nori-sstable --example table_speed`

#![allow(clippy::disallowed_methods)]

use nori_bloom::hash;
use nori_env::{FileSystem, MemFs, OpenMode, Rng};
use nori_sstable::{BlockCache, Compression, Result, Table, TableBuilder, TableOptions};
use nori_types::{FileNumber, InternalIterator, InternalKey, Lookup, SeqNo, ValueKind};
use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

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

/// Nanoseconds a step takes: the median over chunks of steps, so that other programs on the
/// machine do not count.
#[derive(Default)]
struct Chunks {
    start: Option<Instant>,
    steps: u32,
    nanos: Vec<u64>,
}

impl Chunks {
    const STEPS: u32 = 500;

    fn step(&mut self) {
        self.steps += 1;
        if self.steps == Chunks::STEPS {
            let now = Instant::now();
            self.nanos.extend(self.start.map(|start| (now - start).as_nanos() as u64));
            (self.start, self.steps) = (Some(now), 0);
        }
    }

    fn median(mut self) -> f64 {
        self.nanos.sort_unstable();
        let middle = self.nanos.get(self.nanos.len() / 2).copied().unwrap_or_default();
        middle as f64 / f64::from(Chunks::STEPS)
    }
}

fn build(fs: &MemFs, compression: Compression) -> Result<()> {
    let options = TableOptions { compression, ..TableOptions::default() };
    let (mut rng, mut value) = (Rng::new(1), [b'v'; VALUE_BYTES]);
    let keys: Vec<_> = (0..ENTRIES).map(|i| key(i * 2)).collect();
    let file = fs.open(Path::new("t.sst"), OpenMode::CreateNew)?;
    let mut builder = TableBuilder::new(file, FileNumber(1), 7, options);
    let mut chunks = Chunks::default();
    for (seq, key) in (1..).zip(&keys) {
        fill_value(&mut rng, &mut value);
        builder.add(InternalKey::new(key, SeqNo::new(seq), ValueKind::Value), &value)?;
        chunks.step();
    }
    let start = Instant::now();
    let meta = builder.finish()?;
    let finish = start.elapsed().as_nanos() as f64;
    let nanos = chunks.median() * ENTRIES as f64 + finish;
    let rate = meta.raw_bytes as f64 / nanos * 1e3;
    println!("  build: {rate:.0} MB/s of user bytes, {} bytes", meta.bytes);
    Ok(())
}

fn report(table: &Arc<Table>) -> Result<()> {
    let hit = get(table, 0)?;
    let miss = get(table, 1)?;
    let (seek, ahead, back) = (seek(table)?, forward(table)?, backward(table)?);
    println!(
        "get {hit:.0} ns, absent {miss:.0} ns, seek + 10 next {seek:.0} ns, \
         next {ahead:.1} ns, prev {back:.1} ns"
    );
    Ok(())
}

/// A random lookup; odd keys are absent.
fn get(table: &Table, odd: u64) -> Result<f64> {
    let mut rng = Rng::new(3);
    let keys: Vec<_> = (0..200_000).map(|_| key(rng.below(ENTRIES) * 2 + odd)).collect();
    let mut chunks = Chunks::default();
    for key in &keys {
        let found = matches!(table.get(key, hash(key), SeqNo::MAX)?, Lookup::Found(..));
        assert_eq!(found, odd == 0);
        chunks.step();
    }
    Ok(chunks.median())
}

fn seek(table: &Arc<Table>) -> Result<f64> {
    let mut rng = Rng::new(4);
    let keys: Vec<_> = (0..100_000).map(|_| key(rng.below(ENTRIES - 20) * 2)).collect();
    let mut iter = table.iter();
    let mut chunks = Chunks::default();
    for key in &keys {
        iter.seek(InternalKey::seek(key, SeqNo::MAX))?;
        for _ in 0..10 {
            black_box(iter.value());
            iter.next()?;
        }
        chunks.step();
    }
    Ok(chunks.median())
}

fn forward(table: &Arc<Table>) -> Result<f64> {
    let mut iter = table.iter();
    let mut chunks = Chunks::default();
    iter.seek_first()?;
    while iter.is_valid() {
        black_box((iter.key(), iter.value()));
        chunks.step();
        iter.next()?;
    }
    Ok(chunks.median())
}

fn backward(table: &Arc<Table>) -> Result<f64> {
    let mut iter = table.iter();
    let mut chunks = Chunks::default();
    iter.seek_last()?;
    while iter.is_valid() {
        black_box((iter.key(), iter.value()));
        chunks.step();
        iter.prev()?;
    }
    Ok(chunks.median())
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
