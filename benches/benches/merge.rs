//! Flushes and merges on the real disk, synced, in bytes of keys and values.

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use nori_benches::parts::{ENTRY_BYTES, Tables, memtable};
use nori_sstable::Compression;

/// 64 MiB of keys and values.
const FLUSHED: u64 = (64 << 20) / ENTRY_BYTES;
const RUNS: u64 = 4;

fn jobs(c: &mut Criterion) {
    let mut jobs = c.benchmark_group("jobs");
    jobs.sample_size(10).throughput(Throughput::Bytes(FLUSHED * ENTRY_BYTES));
    for compression in [Compression::None, Compression::Lz4] {
        let tables = Tables::new("bench-jobs", compression);
        let memtable = memtable(0..FLUSHED, 1, 0);
        let remove = |run: &_| tables.remove(run).expect("removed");
        jobs.bench_function(format!("flush of 64 MiB, {compression:?}"), |b| {
            let flush = |()| {
                remove(&tables.flush(&memtable).expect("flushed").run);
            };
            b.iter_batched(|| (), flush, BatchSize::PerIteration);
        });
        let runs = tables.runs(RUNS, FLUSHED).expect("runs");
        jobs.bench_function(format!("merge of 4 runs, {compression:?}"), |b| {
            let merge = |()| {
                remove(&tables.merge(&runs).expect("merged").run);
            };
            b.iter_batched(|| (), merge, BatchSize::PerIteration);
        });
    }
    jobs.finish();
}

criterion_group!(all, jobs);
criterion_main!(all);
