//! Filters: false-positive rates, odd sizes, damaged headers.

#![allow(clippy::unwrap_used)]
use super::*;
use crate::{Error, Filter, hash};

/// Splitmix64: this crate stands alone, so its tests bring their own randomness.
fn random(seed: u64) -> impl Iterator<Item = u64> {
    let mut state = seed;
    std::iter::repeat_with(move || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    })
}

fn filter_of(hashes: impl Iterator<Item = u64>, bits_per_key: f64) -> Filter {
    let mut builder = FilterBuilder::new(bits_per_key);
    hashes.for_each(|h| builder.add(h));
    let expected = builder.finished_bytes();
    let bytes = builder.finish();
    assert_eq!(bytes.len(), expected);
    Filter::parse(&bytes).unwrap()
}

/// The share of `probes` absent keys that a filter over `keys` sequential keys lets through.
fn false_positives(keys: u64, bits_per_key: f64, probes: u64) -> f64 {
    let key = |i: u64| hash(format!("user{i:012}").as_bytes());
    let filter = filter_of((0..keys).map(key), bits_per_key);
    assert!((0..keys).all(|i| filter.may_contain(key(i))), "a key that was added is denied");
    let wrong = (keys..keys + probes).filter(|&i| filter.may_contain(key(i))).count();
    wrong as f64 / probes as f64
}

#[test]
fn ten_bits_a_key_let_at_most_one_absent_key_in_a_hundred_through() {
    for keys in [1_000, 20_000, 300_000] {
        let rate = false_positives(keys, 10.0, 1_000_000);
        println!("{keys} keys at 10 bits: {:.4} %", rate * 100.0);
        assert!(rate <= 0.010, "{keys} keys: {rate}");
    }
}

#[test]
fn the_rates_of_the_documentation_hold() {
    for (bits, promised) in [(5.0, 0.104), (8.0, 0.024), (12.0, 0.0045), (16.0, 0.0013)] {
        let rate = false_positives(100_000, bits, 300_000);
        assert!(rate <= promised, "{bits} bits: {rate}");
    }
}

#[test]
fn no_bits_make_no_filter_and_everything_may_be_there() {
    for bits in [0.0, -1.0, f64::NAN, f64::NEG_INFINITY] {
        let mut builder = FilterBuilder::new(bits);
        builder.add(1);
        let bytes = builder.finish();
        assert!(bytes.is_empty());
        let filter = Filter::parse(&bytes).unwrap();
        assert!(filter.is_none() && random(1).take(100).all(|h| filter.may_contain(h)));
    }
}

#[test]
fn the_filter_of_nothing_holds_nothing() {
    let filter = filter_of(std::iter::empty(), 10.0);
    assert!(!filter.is_none() && filter.keys() == 0 && filter.bytes() == 0);
    assert!(!random(2).take(100).any(|h| filter.may_contain(h)));
}

#[test]
fn odd_sizes_never_deny_a_key() {
    for bits in [0.01, 1.0, 3.3, 27.0, 64.0, 1e300, f64::INFINITY] {
        for keys in [1, 2, 51, 52, 1000] {
            let filter = filter_of(random(keys as u64).take(keys), bits);
            assert!(random(keys as u64).take(keys).all(|h| filter.may_contain(h)));
        }
    }
}

#[test]
fn counts_saturate() {
    assert_eq!(block_count(0, 10.0), 0);
    assert_eq!(block_count(1, 10.0), 1);
    assert_eq!(block_count(u64::MAX, 64.0), u32::MAX as usize);
    assert_eq!(probes_for(10.0), 6);
    assert_eq!((probes_for(0.01), probes_for(64.0)), (1, PROBES_MAX));
}

#[test]
fn versions_of_a_key_count_once() {
    let mut builder = FilterBuilder::new(10.0);
    [5, 5, 5, 6, 5].into_iter().for_each(|h| builder.add(h));
    assert_eq!(builder.keys(), 3);
}

#[test]
fn damaged_lengths_are_errors_before_anything_is_copied() {
    let mut builder = FilterBuilder::new(10.0);
    random(3).take(100).for_each(|h| builder.add(h));
    let good = builder.finish();
    for len in 1..good.len() {
        assert!(matches!(Filter::parse(&good[..len]), Err(Error::Invalid { .. })), "{len}");
    }
    // Every byte, every bit: the header may only be refused; the rest has its container's sum.
    for bit in 0..16 * 8 {
        let mut bad = good.clone();
        bad[bit / 8] ^= 1 << (bit % 8);
        if let Ok(filter) = Filter::parse(&bad) {
            assert!(filter.probes() <= PROBES_MAX && filter.bytes() + 16 == bad.len());
            filter.may_contain(9);
        }
    }
    let mut huge = good.clone();
    huge[4..8].copy_from_slice(&u32::MAX.to_le_bytes());
    assert!(matches!(Filter::parse(&huge), Err(Error::Invalid { .. })));
    let mut newer = good;
    newer[0] = 2;
    assert_eq!(Filter::parse(&newer).unwrap_err(), Error::TooNew { found: 2, supported: 1 });
}
