//! What the next merge is, asked of many slots.

use criterion::{Criterion, criterion_group, criterion_main};
use nori_benches::parts::scheduler;
use std::hint::black_box;

fn picks(c: &mut Criterion) {
    for slots in [16, 1_024, 8_192] {
        let mut scheduler = scheduler(slots);
        c.bench_function(&format!("pick/{slots} slots"), |b| {
            b.iter(|| black_box(scheduler.pick(&|_| false).map(|pick| pick.slot)));
        });
    }
}

criterion_group!(all, picks);
criterion_main!(all);
