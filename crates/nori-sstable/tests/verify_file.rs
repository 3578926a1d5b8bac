//! A file is read to its end, and everything that is wrong with it is listed, with its place.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use common::{ID, NAME, open_bytes, table_bytes};
use nori_env::{FileSystem, MemFs, OpenMode, Rng};
use nori_sstable::{Compression, Losses, LostBlock, Table, TableOptions};
use nori_testkit::{Entry, flips, run_seeds, truncations};
use nori_types::{FileNumber, TableMeta};
use std::path::Path;

fn entries() -> Vec<Entry> {
    (0..60u64).map(|i| Entry::put(format!("key {i:02}"), i + 1, format!("value {i:020}"))).collect()
}

fn sample(compression: Compression, bloom_bits_per_key: f64) -> (Vec<u8>, TableMeta) {
    let options =
        TableOptions { block_bytes: 200, compression, bloom_bits_per_key, restart_interval: 4 };
    let bytes = table_bytes(ID, options, &entries());
    let meta = open_bytes(&bytes).unwrap().meta().clone();
    (bytes, meta)
}

/// Entries read, and what is wrong.
fn verify(bytes: &[u8], known: Option<&TableMeta>) -> (u64, Vec<LostBlock>) {
    let fs = MemFs::new(1);
    assert!(fs.write_file(NAME, bytes));
    let file = fs.open(Path::new(NAME), OpenMode::Read).unwrap();
    let (losses, mut told) = (Losses::new(), 0);
    let mut progress = |at: u64| {
        assert!(at >= told, "{at} after {told}");
        told = at;
    };
    let read = Table::verify_file(file, FileNumber(1), known, &losses, &mut progress);
    assert_eq!(told, bytes.len() as u64);
    let found = losses.take();
    assert!(found.iter().all(|lost| lost.path == Path::new(NAME)));
    (read, found)
}

fn holds(lost: &LostBlock, at: usize) -> bool {
    let (from, to) = (lost.section.offset, lost.section.offset + lost.section.bytes);
    (from..to).contains(&(at as u64))
}

#[test]
fn one_damaged_byte_is_one_problem_where_it_lies() {
    for (compression, bits) in [(Compression::None, 10.0), (Compression::Lz4, 0.0)] {
        let (good, meta) = sample(compression, bits);
        for known in [Some(&meta), None] {
            assert_eq!(verify(&good, known), (60, Vec::new()));
            let mut entries_min = 60;
            for (at, bad) in flips(&good) {
                let (read, found) = verify(&bad, known);
                assert!(found.len() == 1 && holds(&found[0], at), "byte {at}: {found:?}");
                entries_min = entries_min.min(read);
            }
            assert!((40..60).contains(&entries_min), "the other blocks are read: {entries_min}");
        }
    }
}

#[test]
fn damage_in_several_places_is_listed_place_by_place() {
    run_seeds("-p nori-sstable --test verify_file several_places", 60, |seed| {
        let mut rng = Rng::new(seed);
        let (good, meta) = sample(*rng.pick(&[Compression::None, Compression::Lz4]), 10.0);
        for _ in 0..20 {
            let mut bad = good.clone();
            let places: Vec<usize> = (0..2 + rng.below(3)).map(|_| rng.index(bad.len())).collect();
            // Of a footer with two damaged bytes nothing is known any more.
            let footer = bad.len() - 128;
            if places.iter().filter(|at| **at >= footer).count() > 1 {
                continue;
            }
            places.iter().for_each(|at| bad[*at] ^= 1 << rng.below(8));
            if places.iter().any(|at| bad[*at] == good[*at]) {
                continue;
            }
            let (_, found) = verify(&bad, Some(&meta));
            for at in &places {
                assert!(found.iter().any(|lost| holds(lost, *at)), "{places:?}: {found:?}");
            }
        }
    });
}

#[test]
fn a_file_of_another_length_is_a_problem() {
    let (good, meta) = sample(Compression::Lz4, 10.0);
    for short in truncations(&good) {
        assert_ne!(verify(short, Some(&meta)).1, [], "{} bytes", short.len());
    }
    // Where nothing is known the id is searched for, which takes its time.
    for short in truncations(&good).step_by(97) {
        assert_ne!(verify(short, None).1, [], "{} bytes, nothing known", short.len());
    }
    for more in [1, 128, good.len()] {
        let long = [&good[..], &good[..more]].concat();
        assert_ne!(verify(&long, Some(&meta)).1, [], "{more} bytes more");
    }
}

#[test]
fn a_table_that_is_not_the_one_remembered_is_a_problem() {
    let (good, meta) = sample(Compression::Lz4, 10.0);
    let others: [fn(&mut TableMeta); 8] = [
        |meta| meta.id ^= 1,
        |meta| meta.entries += 1,
        |meta| meta.tombstones += 1,
        |meta| meta.smallest = "key".into(),
        |meta| meta.largest = "keys".into(),
        |meta| meta.seq_min = nori_types::SeqNo::new(7),
        |meta| meta.seq_max = nori_types::SeqNo::new(700),
        |meta| meta.raw_bytes -= 1,
    ];
    for (n, change) in others.into_iter().enumerate() {
        let mut known = meta.clone();
        change(&mut known);
        let (read, found) = verify(&good, Some(&known));
        assert_eq!((read, found.len()), (60, 1), "{n}: {found:?}");
    }
}

#[test]
fn any_bytes_at_all_are_read_without_a_panic() {
    let (good, meta) = sample(Compression::Lz4, 10.0);
    run_seeds("-p nori-sstable --test verify_file any_bytes", 40, |seed| {
        let mut rng = Rng::new(seed);
        let mut bad = good.clone();
        let at = rng.index(bad.len());
        let len = 1 + rng.index(bad.len() - at);
        rng.fill(&mut bad[at..at + len]);
        bad.truncate(rng.index(bad.len() + 1).max(at));
        assert_ne!(verify(&bad, Some(&meta)).1, []);
        verify(&bad, None);
    });
}
