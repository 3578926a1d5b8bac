//! Damaged files: right data or a typed error from every read, and `verify` finds everything.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use common::{ID, open_bytes, table_bytes};
use nori_bloom::hash;
use nori_sstable::{Compression, Error, Result, Table, TableOptions};
use nori_testkit::{Entry, collect, flips, swapped, truncations};
use nori_types::{InternalIterator, InternalKey, Lookup, SeqNo};
use std::sync::Arc;

fn sample() -> Vec<Entry> {
    let mut entries: Vec<Entry> = (0..40u64)
        .map(|i| Entry::put(format!("key {i:02}"), i + 1, format!("value {i:02} value {i:02}")))
        .collect();
    entries.insert(5, Entry::delete("key 05", 100));
    entries
}

fn options(compression: Compression, bloom_bits_per_key: f64) -> TableOptions {
    TableOptions { block_bytes: 200, compression, bloom_bits_per_key, restart_interval: 4 }
}

/// Reads everything in every way; panics if a read gives other data than was written.
fn read_all(table: &Arc<Table>, entries: &[Entry]) -> Result<()> {
    let mut first_error = None;
    let mut note = |result: Result<()>| first_error = first_error.take().or(result.err());
    for entry in entries {
        let got = table.get(&entry.key, hash(&entry.key), entry.seq);
        match &got {
            Ok(Lookup::Found(value, seq)) => {
                assert_eq!((value, *seq), (&entry.value, entry.seq));
            }
            Ok(Lookup::Deleted(seq)) => assert_eq!((entry.value.len(), *seq), (0, entry.seq)),
            Ok(Lookup::Absent) => panic!("{entry:?} vanished"),
            Err(_) => {}
        }
        note(got.map(|_| ()));
    }
    let mut iter = table.iter();
    note(collect(&mut iter).map(|all| assert_eq!(all, entries)));
    note(collect_backward(&mut iter).map(|all| assert_eq!(all, entries)));
    for entry in entries {
        // An error in one place must not spoil reads of other places.
        note(iter.seek(entry.internal_key()).map(|()| assert_eq!(Entry::at(&iter), *entry)));
    }
    first_error.map_or(Ok(()), Err)
}

fn collect_backward(iter: &mut nori_sstable::TableIter) -> Result<Vec<Entry>> {
    let mut all = Vec::new();
    iter.seek_last()?;
    while iter.is_valid() {
        all.push(Entry::at(iter));
        iter.prev()?;
    }
    all.reverse();
    Ok(all)
}

fn is_typed(error: &Error) -> bool {
    matches!(error, Error::Corruption(_) | Error::FormatTooNew(_))
}

#[test]
fn every_flipped_byte_is_found_by_verify_and_no_read_is_wrong() {
    let mut damaged = 0;
    for (compression, bits) in
        [(Compression::None, 10.0), (Compression::Lz4, 10.0), (Compression::Lz4, 0.0)]
    {
        let entries = sample();
        let good = table_bytes(ID, options(compression, bits), &entries);
        read_all(&open_bytes(&good).unwrap(), &entries).unwrap();
        for (at, bad) in flips(&good) {
            damaged += 1;
            let error = match open_bytes(&bad) {
                Err(error) => error,
                Ok(table) => {
                    let read = read_all(&table, &entries);
                    assert!(read.is_err_and(|e| is_typed(&e)), "byte {at}: read as if whole");
                    table.verify(&mut |_| ()).expect_err("a flipped byte")
                }
            };
            assert!(is_typed(&error), "byte {at}: {error}");
        }
    }
    println!("{damaged} damaged tables");
}

#[test]
fn every_other_length_is_refused() {
    let good = table_bytes(ID, options(Compression::Lz4, 10.0), &sample());
    for short in truncations(&good) {
        let error = open_bytes(short).unwrap_err();
        assert!(is_typed(&error), "{} bytes: {error}", short.len());
    }
    for more in [1, 5, 128, good.len()] {
        let long = [&good[..], &good[..more]].concat();
        // Doubled, the last footer is a good one, of a shorter file.
        assert!(is_typed(&open_bytes(&long).unwrap_err()), "{more} bytes more");
    }
    let shifted = [&[0; 16][..], &good].concat();
    assert!(is_typed(&open_bytes(&shifted).unwrap_err()));
}

#[test]
fn blocks_that_changed_places_or_tables_are_found() {
    let entries: Vec<Entry> =
        (100..220u64).map(|i| Entry::put(format!("key {i}"), i, format!("{i:020}"))).collect();
    let options = options(Compression::None, 0.0);
    let good = table_bytes(ID, options, &entries);
    let other = table_bytes(ID + 1, options, &entries);
    let blocks = open_bytes(&good).unwrap().layout().blocks;
    let range = |i: usize| {
        let section = blocks[i].section;
        section.offset as usize..(section.offset + section.bytes) as usize
    };
    let mut same_length = 0;
    for i in 0..blocks.len() - 1 {
        for j in i + 1..blocks.len() {
            if range(i).len() == range(j).len() {
                same_length += 1;
                let table = open_bytes(&swapped(&good, range(i), range(j))).unwrap();
                assert!(read_all(&table, &entries).is_err_and(|e| is_typed(&e)));
                assert!(table.verify(&mut |_| ()).is_err_and(|e| is_typed(&e)));
            }
        }
        // The same block of a table that differs only in its id.
        let mut mixed = good.clone();
        mixed[range(i)].copy_from_slice(&other[range(i)]);
        let table = open_bytes(&mixed).unwrap();
        assert!(table.verify(&mut |_| ()).is_err_and(|e| is_typed(&e)));
    }
    assert!(same_length > 10, "the table has blocks of one length");
    // A whole frame of the other table on these blocks: their ids differ.
    let frame = open_bytes(&good).unwrap().layout().index.offset as usize;
    let mixed = [&good[..frame], &other[frame..]].concat();
    let table = open_bytes(&mixed).unwrap();
    assert!(read_all(&table, &entries).is_err());
}

#[test]
fn damage_after_opening_is_found_by_verify_even_if_all_was_cached() {
    let entries = sample();
    let fs = nori_env::MemFs::new(1);
    common::write(&fs, "t.sst", ID, options(Compression::Lz4, 10.0), &entries);
    let table = common::open(&fs, "t.sst", 1 << 20).unwrap();
    read_all(&table, &entries).unwrap();
    for at in 0..table.meta().bytes {
        assert!(fs.corrupt("t.sst", at, 0x10));
        assert!(table.verify(&mut |_| ()).is_err_and(|e| is_typed(&e)), "byte {at}");
        assert!(fs.corrupt("t.sst", at, 0x10));
    }
    table.verify(&mut |_| ()).unwrap();
}

#[test]
fn messages_name_the_file_and_the_place() {
    let mut bad = table_bytes(ID, options(Compression::None, 10.0), &sample());
    bad[300] ^= 1;
    let table = open_bytes(&bad).unwrap();
    let text = table.verify(&mut |_| ()).unwrap_err().to_string();
    assert!(text.starts_with("000001.sst: block at offset ") && text.contains("expected checksum"));
    let iter = InternalKey::seek(b"key 00", SeqNo::MAX);
    table.iter().seek(iter).unwrap();
}
