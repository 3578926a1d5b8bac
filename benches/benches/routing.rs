//! Which slot a key lies in, with few slots and with many.

use criterion::{Criterion, criterion_group, criterion_main};
use nori_benches::parts::guarded;
use nori_benches::{key, shuffled};
use std::hint::black_box;

const APART: u64 = 1_000;
const KEYS: u64 = 1 << 14;

fn routing(c: &mut Criterion) {
    for slots in [16, 1_024, 8_192] {
        let (version, prefix) = guarded(slots, APART).expect("a version");
        let stored = |n| [&prefix[..], &key(shuffled(n, slots * APART))[..]].concat();
        let keys: Vec<Vec<u8>> = (0..KEYS).map(stored).collect();
        let mut at = 0;
        c.bench_function(&format!("route/{slots} slots"), |b| {
            b.iter(|| {
                at = (at + 1) % keys.len();
                black_box(version.route(&keys[at]).0)
            });
        });
    }
}

criterion_group!(all, routing);
criterion_main!(all);
