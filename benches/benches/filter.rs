//! A filter of ten bits per key: probing it while it is in the processor's cache, building it, and
//! how often it is wrong.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use nori_benches::key;
use nori_bloom::{Filter, FilterBuilder, hash};
use std::hint::black_box;

const KEYS: u64 = 100_000;
const ABSENT: u64 = 1_000_000;

fn built() -> Vec<u8> {
    let mut builder = FilterBuilder::new(10.0);
    for n in 0..KEYS {
        builder.add(hash(&key(n)));
    }
    builder.finish()
}

fn filter(c: &mut Criterion) {
    let filter = Filter::parse(&built()).expect("a filter");
    let wrong = (KEYS..KEYS + ABSENT).filter(|n| filter.may_contain(hash(&key(*n)))).count();
    let percent = 100.0 * wrong as f64 / ABSENT as f64;
    println!("false positives: {percent:.2} % of {ABSENT}, {} bytes", filter.bytes());
    let mut probes = |name: &str, first: u64| {
        let hashes: Vec<u64> = (first..first + 4_096).map(|n| hash(&key(n))).collect();
        let mut at = 0;
        c.bench_function(name, |b| {
            b.iter(|| {
                at = (at + 1) % hashes.len();
                black_box(filter.may_contain(hashes[at]))
            });
        });
    };
    probes("filter/probe, present", 0);
    probes("filter/probe, absent", KEYS);
    c.bench_function("filter/hash of 16 bytes", |b| b.iter(|| hash(black_box(&key(7)))));
    let mut build = c.benchmark_group("filter");
    build.throughput(Throughput::Elements(KEYS));
    build.bench_function("build of 100,000 keys", |b| b.iter(built));
    build.finish();
}

criterion_group!(all, filter);
criterion_main!(all);
