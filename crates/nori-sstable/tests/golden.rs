//! The table format, held to committed files.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use common::{ID, open_bytes};
use nori_env::{FileSystem, MemFs, OpenMode};
use nori_sstable::{Compression, TableBuilder, TableOptions};
use nori_testkit::{Entry, collect, golden};
use nori_types::FileNumber;
use std::path::Path;

fn sample() -> Vec<Entry> {
    let mut entries = vec![Entry::put("", 1, "the empty key")];
    for i in 0..60 {
        let key = format!("fruit/{i:03}");
        if i % 7 == 0 {
            entries.push(Entry::delete(&key, 500 + i));
        }
        entries.push(Entry::put(&key, i, format!("value of {i}, value of {i}, value of {i}")));
    }
    entries.extend((0..20).rev().map(|s| Entry::put("one key", 1000 + s, format!("v{s}"))));
    entries.push(Entry::put([0xff; 5], (1 << 56) - 1, ""));
    entries
}

fn bytes(compression: Compression, bloom_bits_per_key: f64) -> Vec<u8> {
    let options =
        TableOptions { block_bytes: 256, compression, bloom_bits_per_key, restart_interval: 4 };
    let fs = MemFs::new(1);
    let file = fs.open(Path::new("t.sst"), OpenMode::CreateNew).unwrap();
    let builder = TableBuilder::new(file, FileNumber(1), ID, options);
    let mut builder = builder.created_at(1_700_000_000_000);
    for entry in sample() {
        builder.add(entry.internal_key(), &entry.value).unwrap();
    }
    builder.finish().unwrap();
    fs.read_file("t.sst").unwrap()
}

fn check(name: &str, bytes: &[u8]) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata").join(name);
    golden(path, bytes);
    let table = open_bytes(bytes).unwrap();
    assert_eq!(collect(&mut table.iter()).unwrap(), sample());
    table.verify(&mut |_| ()).unwrap();
}

#[test]
fn plain_tables_do_not_change() {
    check("table-v1-plain.sst", &bytes(Compression::None, 10.0));
}

#[test]
fn compressed_tables_do_not_change() {
    check("table-v1-lz4.sst", &bytes(Compression::Lz4, 10.0));
}

#[test]
fn tables_without_a_filter_do_not_change() {
    check("table-v1-no-filter.sst", &bytes(Compression::Lz4, 0.0));
}
