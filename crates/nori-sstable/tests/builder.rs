//! What a builder refuses, and that refusing changes nothing.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use common::{ID, NAME};
use nori_env::{FileSystem, MemFs, OpenMode, Rng};
use nori_sstable::{Error, TableBuilder, TableOptions};
use nori_testkit::{Entry, collect};
use nori_types::{FileNumber, InternalKey, SeqNo, ValueKind};
use std::path::Path;

fn builder(fs: &MemFs) -> TableBuilder {
    let file = fs.open(Path::new(NAME), OpenMode::CreateNew).unwrap();
    TableBuilder::new(file, FileNumber(1), ID, TableOptions::default())
}

#[test]
fn entries_out_of_order_are_refused_and_the_table_goes_on_without_them() {
    let fs = MemFs::new(1);
    let mut builder = builder(&fs);
    let entries = [Entry::put("b", 5, "1"), Entry::put("b", 3, "2"), Entry::put("c", 9, "3")];
    builder.add(entries[0].internal_key(), b"1").unwrap();
    builder.add(entries[1].internal_key(), b"2").unwrap();
    for (key, seq) in [(&b"a"[..], 9), (b"b", 3), (b"b", 4), (b"b", 5), (b"", 1)] {
        let key = InternalKey::new(key, SeqNo::new(seq), ValueKind::Value);
        let error = builder.add(key, b"x").unwrap_err();
        assert!(matches!(error, Error::InvalidOrder { .. }), "{error}");
    }
    builder.add(entries[2].internal_key(), b"3").unwrap();
    assert_eq!((builder.entries(), builder.last_user_key()), (3, Some(&b"c"[..])));
    let estimate = builder.estimated_bytes();
    let meta = builder.finish().unwrap();
    assert!(meta.bytes.abs_diff(estimate) < 400, "{} bytes, estimated {estimate}", meta.bytes);
    let table = common::open(&fs, NAME, 0).unwrap();
    assert_eq!(collect(&mut table.iter()).unwrap(), entries);
}

#[test]
fn what_does_not_fit_is_refused() {
    let fs = MemFs::new(1);
    let mut builder = builder(&fs);
    let long = vec![1; (1 << 16) + 100];
    let key = InternalKey::new(&long, SeqNo::new(1), ValueKind::Value);
    assert!(matches!(builder.add(key, b"").unwrap_err(), Error::TooLarge { what: "key", .. }));
    let key = InternalKey::new(b"k", SeqNo::new(1), ValueKind::Tombstone);
    assert!(matches!(builder.add(key, b"v").unwrap_err(), Error::InvalidInput { .. }));
    assert!(builder.last_user_key().is_none());
    assert!(matches!(builder.finish().unwrap_err(), Error::InvalidInput { .. }));
}

#[test]
fn the_longest_keys_and_the_highest_numbers_fit() {
    let longest = vec![0xff; nori_types::KEY_BYTES_MAX + 5];
    let mut nearly = longest.clone();
    nearly.pop();
    let entries = [
        Entry::put(&nearly, SeqNo::MAX.get(), "a"),
        Entry::delete(&longest, SeqNo::MAX.get()),
        Entry::put(&longest, 0, "b"),
    ];
    let table = common::table(TableOptions::default(), &entries);
    assert_eq!(collect(&mut table.iter()).unwrap(), entries);
    table.verify(&mut |_| ()).unwrap();
}

#[test]
fn a_full_disk_fails_the_builder_for_good() {
    let fs = MemFs::new(1);
    fs.set_capacity(Some(300_000));
    let mut builder = builder(&fs);
    let mut noise = vec![0; 5000];
    Rng::new(1).fill(&mut noise);
    let mut failed = false;
    for i in 0..200u64 {
        let key = format!("{i:05}");
        let key = InternalKey::new(key.as_bytes(), SeqNo::new(1), ValueKind::Value);
        let result = builder.add(key, &noise);
        assert!(!failed || matches!(result, Err(Error::InvalidInput { .. })));
        failed |= matches!(result, Err(Error::Io(_)));
    }
    assert!(failed);
    fs.set_capacity(None);
    assert!(matches!(builder.finish(), Err(Error::InvalidInput { .. })));
}
