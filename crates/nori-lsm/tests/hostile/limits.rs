//! Sizes at their ends on a real disk: keys, values and batches that are just small enough, and
//! those that are not.

use crate::{check, fill, key, kind, tiny};
use nori_lsm::{Background, Config, ErrorKind, Lsm, WriteBatch};
use nori_testkit::{TempDir, env_usize};
use std::path::Path;

const KEY_MAX: usize = 65_535;
const MIB: usize = 1 << 20;

fn real() -> Config {
    tiny(Config::default()).background(Background::Manual)
}

/// Bytes that do not compress, different for each seed.
fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    nori_env::Rng::new(seed).fill(&mut bytes);
    bytes
}

/// Asks for the same in memory, replayed, in tables, merged, and opened again.
fn in_every_form(root: &Path, config: &Config, store: Lsm, check: impl Fn(&str, &Lsm)) {
    check("in memory", &store);
    let reader = Lsm::open_read_only_with(root, config.clone()).expect("reads");
    check("replayed", &reader);
    drop(reader);
    store.flush().expect("flushes");
    check("in tables", &store);
    store.compact().expect("merges");
    check("merged", &store);
    assert!(store.verify().expect("reads").is_ok());
    store.close().expect("closes");
    check("opened again", &Lsm::open_with(root, config.clone()).expect("opens"));
}

#[test]
fn values_of_tens_of_mib_in_a_store_of_tiny_files() {
    let dir = TempDir::new("values");
    let root = dir.path().join("store");
    let store = Lsm::open_with(&root, real()).expect("opens");
    let sizes = [0, 1, 255, 256, 4095, 4096, 4097, MIB - 1, 5 * MIB + 1, 24 * MIB];
    for (n, size) in sizes.into_iter().enumerate() {
        store.put(key(n), noise(n as u64, size)).expect("writes");
    }
    // Large in memory, small in a table.
    store.put("zeros", vec![0; 32 * MIB]).expect("writes");
    in_every_form(&root, &real(), store, |form, store| {
        for (n, size) in sizes.into_iter().enumerate() {
            let value = store.get(key(n)).expect("reads").expect("is there");
            assert!(value == noise(n as u64, size), "{form}: a value of {size} bytes");
        }
        let zeros = store.get("zeros").expect("reads").expect("is there");
        assert!(zeros.len() == 32 * MIB && zeros.iter().all(|b| *b == 0), "{form}");
        assert_eq!(store.iter().rev().count(), sizes.len() + 1, "{form}");
    });
}

#[test]
fn keys_just_short_enough_and_those_that_are_not() {
    let dir = TempDir::new("keys");
    let root = dir.path().join("store");
    let store = Lsm::open_with(&root, real()).expect("opens");
    let space = store.keyspace(&"\u{2603}".repeat(85)).expect("a name of 255 bytes");
    let lengths = [0, 1, 127, 128, 16_383, 16_384, KEY_MAX - 1, KEY_MAX];
    for length in lengths {
        store.put(noise(1, length), "default").expect("writes");
        space.put(noise(1, length), []).expect("writes");
    }
    let before = store.metrics().last_sequence;
    for length in [KEY_MAX + 1, KEY_MAX + 2, 2 * MIB] {
        let long = noise(1, length);
        let refused = Err(ErrorKind::InvalidArgument);
        assert_eq!(kind(store.put(&long, "v")), refused);
        assert_eq!(kind(space.put(&long, "v")), refused);
        assert_eq!(kind(store.delete(&long)), refused);
        assert_eq!(kind(store.split_at(&[&long])), refused);
        let mut batch = WriteBatch::new();
        batch.put("good", "1").delete_in(&space, &long).put("also good", "2");
        assert_eq!(kind(store.write(batch.clone())), refused);
        assert_eq!(kind(store.try_write(&batch)), refused);
        batch.clear();
        batch.put("cleared", "1");
        assert_eq!(batch.len(), 1);
        // Nothing has such a key; a range may begin or end at one.
        assert_eq!(store.get(&long).expect("reads"), None);
        assert!(!space.contains_key(&long).expect("reads"));
        assert_eq!(store.multi_get(&[&long, &noise(1, 1)]).expect("reads").len(), 2);
        let from = || store.range::<&[u8], _>(&long[..]..).count();
        let below = store.range::<&[u8], _>(..&long[..]).count();
        assert_eq!(below + from(), lengths.len());
        assert_eq!(store.prefix(&long).count(), 0);
        let mut cursor = store.cursor();
        assert_eq!(cursor.seek(&long).expect("moves"), from() > 0);
    }
    assert_eq!(store.metrics().last_sequence, before, "something was written");
    drop(space);
    in_every_form(&root, &real(), store, |form, store| {
        for name in store.keyspaces() {
            let space = store.keyspace(&name).expect("exists");
            for length in lengths {
                let value = space.get(noise(1, length)).expect("reads").expect(form);
                assert!(value.is_empty() != (name == "default"), "{form}");
            }
            assert_eq!(space.iter().count(), lengths.len(), "{form}");
        }
    });
}

/// `NORI_BATCH_MIB` is the size of the batch that is written; 2016 is about the largest, and takes
/// five times as much memory.
#[test]
fn the_largest_batch_and_the_one_that_is_too_large() {
    // Its length is told before its bytes are: a batch that grows too large stops growing.
    let value = vec![7u8; 64 * MIB];
    let mut batch = WriteBatch::new();
    for n in 0..40 {
        batch.put(key(n), &value);
        assert!(batch.byte_len() < 1 << 31, "it went on growing");
    }
    let dir = TempDir::new("batches");
    let root = dir.path().join("store");
    let store = Lsm::open_with(&root, real()).expect("opens");
    fill(&store, 10, 0);
    let refused = store.write(batch).expect_err("larger than 2 GiB");
    assert_eq!(refused.kind(), ErrorKind::InvalidArgument);
    assert!(refused.to_string().contains("2147483647"), "{refused}");
    check(&store, 10, 0);
    let count = env_usize("NORI_BATCH_MIB", 64) / 32;
    let mut batch = WriteBatch::new();
    for n in 0..count {
        batch.put(format!("large-{n:03}"), noise(n as u64, 32 * MIB - 64));
    }
    store.write(batch).expect("writes");
    in_every_form(&root, &real(), store, |form, store| {
        for n in 0..count {
            let value = store.get(format!("large-{n:03}")).expect("reads").expect(form);
            assert!(value == noise(n as u64, 32 * MIB - 64), "{form}");
        }
        assert_eq!(store.iter().count(), 10 + count, "{form}");
    });
}
