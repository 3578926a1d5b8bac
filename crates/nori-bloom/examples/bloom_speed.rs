//! How fast filters are made and asked, and how often they are wrong.
//! `cargo run --release -p nori-bloom --example bloom_speed`

#![allow(clippy::disallowed_methods)]

use nori_bloom::{Filter, FilterBuilder, hash};
use std::hint::black_box;
use std::time::Instant;

fn main() -> Result<(), nori_bloom::Error> {
    for bits in [5.0, 8.0, 10.0, 12.0, 16.0] {
        measure(100_000, bits)?;
    }
    measure(2_000, 10.0)?;
    measure(5_000_000, 10.0)
}

fn measure(keys: u64, bits: f64) -> Result<(), nori_bloom::Error> {
    let key = |i: u64| hash(&i.to_le_bytes());
    let start = Instant::now();
    let mut builder = FilterBuilder::new(bits);
    (0..keys).for_each(|i| builder.add(key(i)));
    let filter = Filter::parse(&builder.finish())?;
    let build = start.elapsed();
    let absent: Vec<u64> = (keys..keys + 4096).map(key).collect();
    let rounds = 500;
    let start = Instant::now();
    for _ in 0..rounds {
        for &hash in &absent {
            black_box(filter.may_contain(black_box(hash)));
        }
    }
    let nanos = start.elapsed().as_nanos() as f64 / f64::from(rounds) / absent.len() as f64;
    let asked = 4_000_000;
    let wrong = (keys..keys + asked).filter(|&i| filter.may_contain(key(i))).count();
    println!(
        "{keys:>8} keys, {bits:>4} bits, {} probes: build {:>7.2} ms, probe {nanos:.1} ns, \
         false positives {:.3} %",
        filter.probes(),
        build.as_secs_f64() * 1e3,
        wrong as f64 / asked as f64 * 100.0,
    );
    Ok(())
}
