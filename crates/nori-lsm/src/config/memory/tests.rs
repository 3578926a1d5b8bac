//! What follows from a budget, and which are too small.

use super::*;

fn config(mib: u64) -> Config {
    Config::default().memory_budget(mib << 20)
}

#[test]
fn without_a_budget_all_is_as_it_was_set() {
    let config = Config::default().fitted();
    assert_eq!((config.memtable_bytes, config.table_bytes), (MEMTABLE_BYTES, TABLE_BYTES));
    assert!(config.shares(true).is_none() && config.memory_rule().is_none());
}

#[test]
fn what_is_left_at_its_default_is_lowered_to_fit() {
    let fitted = config(48).fitted();
    let chunk = 256 << 10;
    assert_eq!((fitted.memtable_bytes, fitted.table_bytes), ((3 << 20) - chunk, 6 << 20));
    let fitted = config(48).max_sealed(1).fitted();
    assert_eq!(fitted.memtable_bytes, (4 << 20) - chunk);
    // Never above what it is without a budget.
    let fitted = config(1 << 20).fitted();
    assert_eq!((fitted.memtable_bytes, fitted.table_bytes), (MEMTABLE_BYTES, TABLE_BYTES));
    let fitted = config(48).memtable_bytes(1 << 20).table_bytes(9 << 20).fitted();
    assert_eq!((fitted.memtable_bytes, fitted.table_bytes), (1 << 20, 9 << 20));
}

#[test]
fn shares_and_what_is_left_are_the_budget() {
    for mib in [16, 32, 64, 256, 4096] {
        let shares = config(mib).fitted().shares(true).expect("a budget");
        assert!(shares.kept() + shares.open_tables() < shares.total, "{mib}: {shares:?}");
        assert!(shares.memtables <= shares.total / 4, "{mib}: {shares:?}");
        assert!(shares.total - shares.kept() >= shares.total / 4, "{mib}: {shares:?}");
    }
    let read_only = config(32).fitted().shares(false).expect("a budget");
    assert_eq!((read_only.memtables, read_only.jobs), (0, 0));
}

/// The minimum that is told is the minimum.
#[test]
fn a_budget_that_is_too_small_is_refused_with_the_smallest_that_is_not() {
    let cases: [fn(Config) -> Config; 5] = [
        |config| config,
        |config| config.memtable_bytes(4096).table_bytes(4096).block_bytes(256),
        |config| config.memtable_bytes(32 << 20),
        |config| config.background(Background::Threads(16)),
        |config| config.memtable_bytes(1 << 36).max_sealed(64).block_bytes(16 << 20),
    ];
    for (case, with) in cases.into_iter().enumerate() {
        let said = with(Config::default().memory_budget(1)).validate().expect_err("too small");
        let said = said.to_string();
        let words: Vec<&str> = said.split(' ').collect();
        let at = words.iter().position(|word| *word == "MiB").expect("a number of MiB");
        let least: u64 = words[at - 1].parse().expect("a number");
        assert!(with(config(least)).validate().is_ok(), "{case}: {said}");
        assert!(with(config(least - 1)).validate().is_err(), "{case}: {said}");
        println!("{case}: {said}");
    }
}

#[test]
fn a_budget_and_a_block_cache_are_not_both_set() {
    let both = config(64).block_cache_bytes(1 << 20).validate().expect_err("one of them");
    assert!(both.to_string().contains("block_cache_bytes"), "{both}");
    assert!(config(64).validate().is_ok());
}
