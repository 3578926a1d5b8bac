//! The ends of what is allowed: the longest and the empty, the most, and what lies behind.

use crate::run::ROOT;
use crate::scan::Scan;
use bytes::Bytes;
use nori_env::sync::Arc;
use nori_env::{Cut, MemFs};
use nori_lsm::{Background, Config, Durability, ErrorKind, Lsm, WriteBatch};
use std::time::Duration;

const KEY_MAX: usize = 65_535;

fn config(fs: &Arc<MemFs>) -> Config {
    Config::default()
        .file_system(Arc::<MemFs>::clone(fs))
        .background(Background::Manual)
        .memtable_bytes(4096)
        .block_bytes(256)
        .table_bytes(64 << 10)
        .k_global(2)
        .disk_reserve_bytes(Some(0))
}

fn open(fs: &Arc<MemFs>) -> Lsm {
    Lsm::open_with(ROOT, config(fs)).expect("opens")
}

/// Calls `check` on what the writes left in memory, in tables, merged, after a kill, after a
/// power cut and after closing.
fn in_every_form(fs: &Arc<MemFs>, store: Lsm, mut check: impl FnMut(&str, &Lsm)) {
    check("in memory", &store);
    for (name, cut) in [("killed", Cut::Kill), ("power cut", Cut::SyncedOnly)] {
        check(name, &open(&Arc::new(fs.crash(cut, 1))));
    }
    store.flush().expect("flushes");
    check("in tables", &store);
    store.compact().expect("merges");
    check("merged", &store);
    assert!(store.verify().expect("reads").is_ok());
    store.close().expect("closes");
    check("opened again", &open(fs));
}

fn value_of(store: &Lsm, key: &[u8]) -> Option<Bytes> {
    store.get(key).expect("reads")
}

#[test]
fn the_longest_keys_and_the_empty_one() {
    let fs = Arc::new(MemFs::new(1));
    let store = open(&fs);
    // They differ in their last byte only; one is the start of all, one lies beside them.
    let long = |last: u8| [&[b'x'; KEY_MAX - 1][..], &[last]].concat();
    let mut keys = vec![Vec::new(), vec![b'x'; KEY_MAX - 1], vec![0xff; KEY_MAX]];
    keys.extend([0, 1, b'x', 0xff].map(long));
    keys.sort();
    for (n, key) in keys.iter().enumerate() {
        store.put(key, [n as u8]).expect("a key of 65,535 bytes");
    }
    store.put(long(7), "gone").expect("writes");
    store.delete(long(7)).expect("deletes");
    store.split_at(&[long(1)]).expect("cuts at the longest key");
    let longer = vec![b'x'; KEY_MAX + 1];
    assert_eq!(store.put(&longer, "v").expect_err("too long").kind(), ErrorKind::InvalidArgument);
    assert_eq!(store.delete(&longer).expect_err("too long").kind(), ErrorKind::InvalidArgument);
    in_every_form(&fs, store, |form, store| {
        for (n, key) in keys.iter().enumerate() {
            assert_eq!(value_of(store, key).as_deref(), Some(&[n as u8][..]), "{form}");
        }
        assert_eq!(value_of(store, &long(7)), None, "{form}");
        assert_eq!(value_of(store, &longer), None, "{form}");
        let items = keys.iter().enumerate();
        let items = items.map(|(n, key)| (Bytes::from(key.clone()), Bytes::from(vec![n as u8])));
        let items: std::collections::VecDeque<_> = items.collect();
        Scan::new(store.iter(), Ok(items), 0b0110_1001).finish().expect(form);
        let mut cursor = store.cursor();
        assert!(cursor.seek(&longer).expect("moves"), "{form}");
        assert_eq!(cursor.key(), Some(&keys[5][..]), "{form}");
        assert!(cursor.seek_for_prev(&longer).expect("moves"), "{form}");
        assert_eq!(cursor.key(), Some(&keys[4][..]), "{form}");
        assert_eq!(store.prefix(&keys[1]).count(), 5, "{form}");
        assert_eq!(store.prefix(vec![0xff; KEY_MAX + 9]).count(), 0, "{form}");
    });
}

#[test]
fn large_values_and_empty_ones() {
    let fs = Arc::new(MemFs::new(2));
    let store = open(&fs);
    let value = |bytes: usize, salt: usize| -> Vec<u8> {
        (0..bytes).map(|i| (i.wrapping_mul(i + salt) >> 7) as u8).collect()
    };
    let sizes = [0, 1, 4095, 4096, 1 << 20, 64 << 20];
    let values: Vec<Vec<u8>> = sizes.iter().map(|size| value(*size, 3)).collect();
    for (n, value) in values.iter().enumerate() {
        store.put([n as u8], value).expect("writes");
        store.put([n as u8, 0], "small").expect("writes");
    }
    in_every_form(&fs, store, |form, store| {
        for (n, value) in values.iter().enumerate() {
            let found = value_of(store, &[n as u8]);
            assert!(found.as_deref() == Some(&value[..]), "{form}: {} bytes", value.len());
            assert_eq!(value_of(store, &[n as u8, 0]).as_deref(), Some(&b"small"[..]));
        }
        let lengths: Vec<usize> = store.iter().map(|i| i.expect("reads").1.len()).collect();
        assert_eq!(lengths.len(), 2 * sizes.len(), "{form}");
        assert!(sizes.iter().all(|size| lengths.contains(size)), "{form}: {lengths:?}");
    });
}

#[test]
fn a_value_beyond_one_gibibyte_is_refused_and_nothing_is_written() {
    let fs = Arc::new(MemFs::new(3));
    let store = open(&fs);
    // Never touched, so it takes no memory.
    let huge = vec![0u8; (1 << 30) + 1];
    assert_eq!(store.put("k", &huge).expect_err("too long").kind(), ErrorKind::InvalidArgument);
    let mut batch = WriteBatch::new();
    batch.put("a", "1").put("k", &huge).put("b", "2");
    let refused = store.write(batch).expect_err("too long");
    assert_eq!(refused.kind(), ErrorKind::InvalidArgument);
    assert!(refused.to_string().contains("1073741825"), "{refused}");
    assert_eq!(store.iter().count(), 0);
    assert_eq!(store.metrics().last_sequence, 0);
}

#[test]
fn a_batch_larger_than_memtables_is_one() {
    let fs = Arc::new(MemFs::new(4));
    let store = open(&fs);
    let space = store.keyspace("other").expect("creates");
    store.put("before", "1").expect("writes");
    let mut batch = WriteBatch::new();
    for n in 0..3_000 {
        batch.put(format!("k{n:05}"), vec![n as u8; 900]);
        batch.put_in(&space, format!("k{n:05}"), "").delete(format!("k{:05}", n / 2));
    }
    batch.delete("before");
    assert!(batch.byte_len() > 2 << 20 && batch.len() == 9_001);
    store.write(batch).expect("writes");
    store.put("behind", "1").expect("writes");
    drop(space);
    in_every_form(&fs, store, |form, store| {
        assert_eq!(store.iter().count(), 1_501, "{form}");
        assert_eq!(store.range("k01499".."k01501").count(), 1, "{form}");
        let other = store.keyspace("other").expect("exists");
        assert_eq!(other.iter().rev().count(), 3_000, "{form}");
        assert_eq!(value_of(store, b"before"), None, "{form}");
    });
}

#[test]
fn names_have_1_to_255_bytes() {
    let fs = Arc::new(MemFs::new(5));
    let store = open(&fs);
    let longest = "\u{2603}".repeat(85);
    assert_eq!(longest.len(), 255);
    // Equal to the eye, different in bytes.
    let good = ["x", "X", " ", "\0", "default ", "\u{e9}", "e\u{301}", "/../..", &longest];
    for name in good {
        let space = store.keyspace(name).expect(name);
        space.put("name", name).expect("writes");
    }
    for name in ["", &"x".repeat(256), &"\u{2603}".repeat(86)] {
        let refused = store.keyspace(name).expect_err("a bad name");
        assert_eq!(refused.kind(), ErrorKind::InvalidArgument, "{refused}");
    }
    let mut names: Vec<&str> = good.iter().copied().chain(["default"]).collect();
    names.sort_unstable();
    in_every_form(&fs, store, |form, store| {
        assert_eq!(store.keyspaces(), names, "{form}");
        for name in good {
            let space = store.keyspace(name).expect("exists");
            assert_eq!(space.get("name").expect("reads").as_deref(), Some(name.as_bytes()));
            assert_eq!(space.iter().count(), 1, "{form}");
        }
    });
}

#[test]
fn three_hundred_keyspaces_stay_apart() {
    let fs = Arc::new(MemFs::new(6));
    let store = open(&fs);
    let name = |n: usize| format!("space {n}");
    let spaces: Vec<_> = (0..300).map(|n| store.keyspace(&name(n)).expect("creates")).collect();
    // Keys at both ends of each: those of neighbours lie next to them. From 128 on, two bytes
    // stand before each key.
    let keys = [&b""[..], b"\0", b"k", b"\xff", b"\xff\xff\xff"];
    let mut batch = WriteBatch::new();
    for (n, space) in spaces.iter().enumerate() {
        for key in keys {
            batch.put_in(space, key, [name(n).as_bytes(), key].concat());
        }
    }
    store.write(batch).expect("writes");
    let before = store.snapshot();
    for n in (0..300).step_by(3) {
        store.drop_keyspace(&name(n)).expect("drops");
        let old = before.keyspace(&name(n)).expect("was there");
        assert_eq!(old.iter().count(), keys.len());
    }
    let again = store.keyspace(&name(0)).expect("creates");
    assert_eq!((again.iter().count(), again.cursor().last().expect("moves")), (0, false));
    drop((before, spaces, again));
    in_every_form(&fs, store, |form, store| {
        assert_eq!(store.keyspaces().len(), 1 + 200 + 1, "{form}");
        for n in (0..300).filter(|n| n % 3 != 0) {
            let space = store.keyspace(&name(n)).expect("exists");
            let items = keys.map(|key| {
                let value = [name(n).as_bytes(), key].concat();
                (Bytes::copy_from_slice(key), Bytes::from(value))
            });
            let items = Ok(items.into_iter().collect());
            Scan::new(space.iter(), items, n as u64).finish().expect(form);
            assert_eq!(space.prefix([0xff]).count(), 2, "{form}");
            let (first, last) = (space.first_key_value(), space.last_key_value());
            assert_eq!(first.expect("reads").map(|i| i.0).as_deref(), Some(keys[0]));
            assert_eq!(last.expect("reads").map(|i| i.0).as_deref(), Some(keys[4]));
        }
    });
}

#[test]
fn options_beyond_their_limits_are_refused_before_the_disk_is_touched() {
    let fs = Arc::new(MemFs::new(7));
    let good = || config(&fs);
    let bad = [
        good().memtable_bytes(4095),
        good().memtable_bytes((1 << 36) + 1),
        good().max_sealed(0),
        good().max_sealed(65),
        good().block_bytes(63),
        good().block_bytes((16 << 20) + 1),
        good().table_bytes(1023),
        good().max_open_files(0),
        good().bloom_bits_per_key(-1.0),
        good().bloom_bits_per_key(100.5),
        good().bloom_bits_per_key(f64::NAN),
        good().k_global(0),
        good().k_global(17),
        good().durability(Durability::Interval(Duration::ZERO)),
        good().background(Background::Threads(0)),
        good().background(Background::Threads(65)),
        good().initial_guards(vec![vec![b'k'; KEY_MAX + 1]]),
    ];
    for config in bad {
        let refused = config.validate().expect_err("a broken rule");
        assert_eq!(refused.kind(), ErrorKind::InvalidArgument, "{config:?}");
        let opened = Lsm::open_with(ROOT, config.clone()).expect_err("a broken rule");
        assert_eq!(opened.to_string(), refused.to_string());
        let opened = Lsm::open_read_only_with(ROOT, config).expect_err("a broken rule");
        assert_eq!(opened.kind(), ErrorKind::InvalidArgument);
    }
    let two = good().k_global(0).max_sealed(0).validate().expect_err("two broken rules");
    assert_eq!(two.to_string().matches("must be").count(), 2, "one sentence each: {two}");
    assert_eq!((fs.operations(), fs.files().len()), (0, 0), "nothing was made");
}

#[test]
fn a_store_is_made_or_found_as_the_options_say() {
    let fs = Arc::new(MemFs::new(8));
    let existing = || config(&fs).create_if_missing(false);
    let new = || config(&fs).error_if_exists(true);
    let kind = |config| Lsm::open_with(ROOT, config).map(|_| ()).map_err(|e| e.kind());
    assert_eq!(kind(existing()), Err(ErrorKind::InvalidArgument));
    assert_eq!(fs.operations(), 0, "looking for a store makes nothing");
    assert_eq!(kind(new()), Ok(()));
    assert_eq!(kind(new()), Err(ErrorKind::InvalidArgument));
    assert_eq!(kind(existing()), Ok(()));
    assert_eq!(kind(config(&fs)), Ok(()));
}
