//! The log on the real disk: an append, and durable appends of several threads, which share syncs.

use criterion::{Criterion, criterion_group, criterion_main};
use nori_env::sync::{Arc, thread};
use nori_env::{Clock, OsFs, SystemClock};
use nori_testkit::TempDir;
use nori_wal::{Wal, WalOptions};

/// Where a segment ends.
const SEGMENT_BYTES: u64 = 64 << 20;
const RECORD: [u8; 130] = [7; 130];

/// Appends a record, and goes on to the next segment and drops the old ones where one is full.
fn append(wal: &Wal) -> nori_wal::Position {
    if wal.end().offset > SEGMENT_BYTES {
        let segment = wal.next_segment().expect("a segment");
        wal.retire(segment).expect("retires");
    }
    wal.append([&RECORD[..]]).expect("appends").end
}

fn log(c: &mut Criterion) {
    let dir = TempDir::new("bench-wal");
    let wal = Wal::create(Arc::new(OsFs), dir.path(), 1, WalOptions::default());
    let wal = Arc::new(wal.expect("a log"));
    c.bench_function("wal/append", |b| b.iter(|| append(&wal)));
    wal.sync().expect("syncs");
    let clock = SystemClock::default();
    let mut durable = c.benchmark_group("wal");
    durable.sample_size(10);
    for threads in [1, 4, 16u64] {
        durable.bench_function(format!("append and sync, {threads} threads"), |b| {
            b.iter_custom(|times| {
                let started = clock.now();
                let part = |_| {
                    let wal = wal.clone();
                    thread::spawn(move || {
                        for _ in 0..times.div_ceil(threads) {
                            let end = append(&wal);
                            wal.sync_to(end).expect("syncs");
                        }
                    })
                };
                let running: Vec<_> = (0..threads).map(part).collect();
                for thread in running {
                    thread.join().expect("a thread ends well");
                }
                clock.now() - started
            });
        });
    }
    durable.finish();
}

criterion_group!(all, log);
criterion_main!(all);
