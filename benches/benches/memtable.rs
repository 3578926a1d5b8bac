//! A memtable of half a million entries: filling it in random and in ascending order, looking up,
//! walking.

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use nori_benches::parts::{groups, insert, memtable, random_order};
use nori_benches::{key, shuffled};
use nori_memtable::Memtable;
use nori_types::{InternalIterator, SeqNo};
use std::hint::black_box;

const ENTRIES: u64 = 500_000;

fn fill(c: &mut Criterion) {
    let mut fill = c.benchmark_group("memtable");
    fill.sample_size(10).throughput(Throughput::Elements(ENTRIES));
    for (name, entries) in [
        ("insert, random order", groups(random_order(0..ENTRIES, 1))),
        ("insert, ascending", groups(0..ENTRIES)),
    ] {
        fill.bench_function(name, |b| {
            let fill = |memtable: Memtable| {
                insert(&memtable, &entries, 0);
                // It is handed back, so that freeing it is not measured.
                memtable
            };
            b.iter_batched(Memtable::new, fill, BatchSize::PerIteration);
        });
    }
    fill.finish();
}

fn reads(c: &mut Criterion) {
    let memtable = memtable(0..ENTRIES, 1, 0);
    let mut n = 0;
    c.bench_function("memtable/get", |b| {
        b.iter(|| {
            n += 1;
            black_box(memtable.get(&key(shuffled(n, ENTRIES)), SeqNo::MAX))
        });
    });
    let mut walk = c.benchmark_group("memtable");
    walk.sample_size(10).throughput(Throughput::Elements(ENTRIES));
    walk.bench_function("iterate", |b| {
        b.iter(|| {
            let mut iter = memtable.iter();
            let Ok(()) = iter.seek_first();
            let mut bytes = 0;
            while iter.is_valid() {
                bytes += iter.value().len();
                let Ok(()) = iter.next();
            }
            bytes
        });
    });
    walk.finish();
}

criterion_group!(all, fill, reads);
criterion_main!(all);
