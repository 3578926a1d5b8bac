//! Tables: building one in memory, and reading one whose blocks are all cached.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use nori_benches::parts::{ENTRY_BYTES, Tables, memtable};
use nori_benches::{key, shuffled, value};
use nori_env::{FileSystem, MemFs, OpenMode};
use nori_sstable::{Compression, TableBuilder, TableOptions};
use nori_types::{FileNumber, InternalIterator, InternalKey, SeqNo, ValueKind};
use std::hint::black_box;
use std::path::Path;

const BUILT: u64 = 50_000;
const KEYS: u64 = 200_000;

fn build(compression: Compression) -> u64 {
    let fs = MemFs::new(1);
    let file = fs.open(Path::new("t.sst"), OpenMode::CreateNew).expect("a file");
    let options = TableOptions { compression, ..TableOptions::default() };
    let mut table = TableBuilder::new(file, FileNumber(1), 1, options);
    for n in 0..BUILT {
        let key = key(n);
        let key = InternalKey::new(&key, SeqNo::new(n + 1), ValueKind::Value);
        table.add(key, &value(n)).expect("adds");
    }
    table.finish().expect("finishes").bytes
}

fn building(c: &mut Criterion) {
    let mut building = c.benchmark_group("table");
    building.sample_size(10).throughput(Throughput::Bytes(BUILT * ENTRY_BYTES));
    for compression in [Compression::None, Compression::Lz4] {
        building.bench_function(format!("build, {compression:?}"), |b| {
            b.iter(|| build(compression));
        });
    }
    building.finish();
}

fn reading(c: &mut Criterion) {
    let tables = Tables::new("bench-table", Compression::Lz4);
    let flushed = tables.flush(&memtable(0..KEYS, 1, 0)).expect("flushed");
    let table = tables.open(&flushed.run).expect("a table");
    let mut n = 0;
    c.bench_function("table/get", |b| {
        b.iter(|| {
            n += 1;
            let key = key(shuffled(n, KEYS));
            black_box(table.get(&key, nori_bloom::hash(&key), SeqNo::MAX).expect("reads"))
        });
    });
    let mut iter = table.iter();
    c.bench_function("table/seek", |b| {
        b.iter(|| {
            n += 1;
            let key = key(shuffled(n, KEYS));
            iter.seek(InternalKey::seek(&key, SeqNo::MAX)).expect("seeks");
            black_box(iter.is_valid())
        });
    });
    let mut scan = c.benchmark_group("table");
    scan.sample_size(10).throughput(Throughput::Elements(KEYS));
    scan.bench_function("scan", |b| {
        b.iter(|| {
            let mut iter = table.iter();
            iter.seek_first().expect("seeks");
            let mut bytes = 0;
            while iter.is_valid() {
                bytes += iter.value().len();
                iter.next().expect("moves");
            }
            bytes
        });
    });
    scan.finish();
}

criterion_group!(all, building, reading);
criterion_main!(all);
