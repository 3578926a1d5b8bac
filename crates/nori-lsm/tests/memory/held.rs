//! Memory that readers hold: many iterators, many tables, memtables that were flushed long ago.

use crate::{MIB, ROOT, check_at_rest, config, key, memory, on};
use nori_env::{MemFs, Rng};
use nori_lsm::{ErrorKind, Iter, Lsm};

const KEYS: u64 = 40_000;

fn filled(disk: &MemFs) -> Lsm {
    // No filter bits to spare: indexes and filters are a good part of small blocks.
    let config = config(on(disk)).block_bytes(64).bloom_bits_per_key(40.0);
    let store = Lsm::open_with(ROOT, config).expect("opens");
    for n in 0..KEYS {
        store.put(key(n), [n as u8; 60]).expect("writes");
    }
    store.compact().expect("merges");
    store
}

/// The indexes of all tables would fill the budget: tables take turns.
#[test]
fn tables_that_do_not_fit_are_closed_and_opened_again() {
    let store = filled(&MemFs::new(1));
    let tables = store.metrics().tables;
    assert!(tables > 60, "{tables}");
    let mut rng = Rng::new(1);
    let (mut most, mut sum) = (0, 0);
    for round in 0..20_000u64 {
        let n = rng.below(KEYS);
        assert_eq!(store.get(key(n)).expect("reads").as_deref(), Some(&[n as u8; 60][..]));
        if round % 16 == 0 {
            let memory = memory(&store);
            assert!(memory.total_bytes <= memory.budget_bytes, "{memory:?}");
            most = most.max(memory.tables_bytes);
            sum = memory.total_bytes;
        }
    }
    println!("{tables} tables, at most {most} bytes of them open, {sum} of all at the end");
    assert!(most < MIB * 2, "{most}");
    assert_eq!(store.iter().count() as u64, KEYS);
    assert_eq!(store.iter().rev().count() as u64, KEYS);
    check_at_rest(&store);
}

/// Blocks make room for iterators, as far as there are blocks.
#[test]
fn many_iterators_are_charged_and_given_back() {
    let store = Lsm::open_with(ROOT, config(on(&MemFs::new(2)))).expect("opens");
    for n in 0..KEYS / 4 {
        store.put(key(n), [n as u8; 100]).expect("writes");
    }
    store.compact().expect("merges");
    (0..KEYS / 4).for_each(|n| drop(store.get(key(n)).expect("reads")));
    let before = memory(&store);
    assert!(before.blocks_bytes > MIB / 2, "{before:?}");
    let mut open: Vec<Iter> = Vec::new();
    for n in 0..600 {
        let mut iter = store.range(key(n * 16)..);
        assert!(iter.next().expect("is there").is_ok());
        open.push(iter);
        let now = memory(&store);
        assert!(now.total_bytes <= now.budget_bytes, "{n}: {now:?}");
        assert!(now.iterators_bytes >= (n + 1) * 1024, "{n}: {now:?}");
    }
    let with = memory(&store);
    assert!(with.blocks_bytes + with.iterators_bytes <= 3 * MIB, "{with:?}");
    assert!(open.iter_mut().all(|iter| iter.take(20).all(|item| item.is_ok())));
    drop(open);
    check_at_rest(&store);
}

/// Each iterator holds the memtables of its moment. Writers wait before these fill the memory, and
/// go on as soon as the iterators are gone.
#[test]
fn writers_wait_where_iterators_hold_flushed_memtables() {
    let store = Lsm::open_with(ROOT, config(on(&MemFs::new(3)))).expect("opens");
    let (mut open, mut most, mut n) = (Vec::new(), 0, 0);
    let error = loop {
        assert!(n < 200_000, "nobody is held back: {:?}", store.metrics().memory);
        if let Err(error) = store.put(key(n), [n as u8; 200]) {
            break error;
        }
        n += 1;
        if n % 100 == 0 {
            let mut iter = store.iter();
            assert!(iter.next().is_some_and(|item| item.is_ok()));
            open.push(iter);
        }
        most = most.max(memory(&store).total_bytes);
    };
    assert_eq!(error.kind(), ErrorKind::Stalled, "{error}");
    let memory = memory(&store);
    assert!(store.pressure().memory >= 1.0, "{:?}", store.pressure());
    assert!(memory.sealed_bytes > MIB && most <= memory.budget_bytes, "{most} {memory:?}");
    assert_eq!(store.get(key(0)).expect("reads").as_deref(), Some(&[0; 200][..]));
    drop(open);
    while store.step().expect("steps") {}
    store.put(key(n), [n as u8; 200]).expect("writes go on");
    check_at_rest(&store);
    assert_eq!(store.iter().count() as u64, n + 1);
}
