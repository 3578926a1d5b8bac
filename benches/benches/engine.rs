//! The engine's verbs, one at a time, on a store whose blocks are all in memory.

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use nori_benches::{Scratch, config, filled, key, shuffled, value};
use nori_env::{Clock, SystemClock};
use nori_lsm::{Lsm, WriteBatch, count_reads};
use std::hint::black_box;

const KEYS: u64 = 1 << 18;

fn reads(c: &mut Criterion) {
    let scratch = Scratch::new("reads");
    let store = filled(scratch.path(), KEYS).expect("a filled store");
    let mut n = 0;
    c.bench_function("get/hit", |b| {
        b.iter(|| {
            n += 1;
            black_box(store.get(key(shuffled(n, KEYS))).expect("reads"))
        });
    });
    c.bench_function("get/miss", |b| {
        b.iter(|| {
            n += 1;
            let mut absent = key(shuffled(n, KEYS));
            absent[15] = b'x';
            black_box(store.get(absent).expect("reads"))
        });
    });
    let mut scans = c.benchmark_group("scan");
    for count in [10u64, 1000] {
        scans.throughput(Throughput::Elements(count));
        scans.bench_function(format!("seek+{count}"), |b| {
            let mut cursor = store.cursor();
            b.iter(|| {
                n += 1;
                cursor.seek(key(shuffled(n, KEYS))).expect("seeks");
                for _ in 1..count {
                    cursor.next().expect("moves");
                }
                black_box(cursor.value().map(<[u8]>::len))
            });
        });
    }
    scans.finish();
    // What the heat of slots costs each read. All threads count reads of one slot.
    let clock = SystemClock::default();
    for threads in [1, 2] {
        c.bench_function(&format!("count a read/{threads} threads"), |b| {
            b.iter_custom(|times| {
                let (clock, start) = (&clock, clock.now());
                black_box(count_reads(threads, times));
                clock.now().saturating_sub(start)
            });
        });
    }
    c.bench_function("snapshot/create and drop", |b| b.iter(|| black_box(store.snapshot())));
}

fn writes(c: &mut Criterion) {
    let scratch = Scratch::new("writes");
    let store = Lsm::open_with(scratch.path(), config()).expect("a store");
    let mut n = 0;
    c.bench_function("put/buffered", |b| {
        b.iter(|| {
            n += 1;
            store.put(key(shuffled(n, KEYS)), value(n)).expect("writes");
        });
    });
    let mut batches = c.benchmark_group("batch");
    batches.throughput(Throughput::Elements(100));
    batches.bench_function("100 puts, buffered", |b| {
        let build = || {
            let mut batch = WriteBatch::new();
            for _ in 0..100 {
                n += 1;
                batch.put(key(shuffled(n, KEYS)), value(n));
            }
            batch
        };
        b.iter_batched(build, |batch| store.write(batch).expect("writes"), BatchSize::SmallInput);
    });
    batches.finish();
}

criterion_group!(engine, reads, writes);
criterion_main!(engine);
