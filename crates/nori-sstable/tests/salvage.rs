//! What is read of a damaged table: every entry of every block that is whole, and no other.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use common::{ID, NAME, open_bytes, table_bytes};
use nori_env::{FileSystem, MemFs, OpenMode, Rng};
use nori_sstable::{
    BlockCache, Compression, Error, Layout, Losses, LostBlock, Section, Table, TableOptions,
};
use nori_testkit::{Entry, collect, flips, truncations};
use nori_types::{FileNumber, TableMeta};
use std::path::Path;
use std::sync::Arc;

/// A table and what lies where in it.
struct Sample {
    entries: Vec<Entry>,
    bytes: Vec<u8>,
    layout: Layout,
    meta: TableMeta,
    /// For each block the entries in it.
    blocks: Vec<Vec<Entry>>,
}

impl Sample {
    fn new(compression: Compression, bloom_bits_per_key: f64) -> Sample {
        let value = |i: u64| format!("value {i:02} value {i:02} {:x}", i.wrapping_mul(0x9e37_79b9));
        let mut entries: Vec<Entry> =
            (0..40u64).map(|i| Entry::put(format!("key {i:02}"), i + 1, value(i))).collect();
        entries[7] = Entry::delete("key 07", 99);
        let options =
            TableOptions { block_bytes: 200, compression, bloom_bits_per_key, restart_interval: 4 };
        let bytes = table_bytes(ID, options, &entries);
        let table = open_bytes(&bytes).unwrap();
        let (layout, meta) = (table.layout(), table.meta().clone());
        let mut rest = &entries[..];
        let blocks = layout.blocks.iter().map(|block| {
            let (mine, behind) =
                rest.split_at(rest.partition_point(|entry| entry.key <= block.separator));
            rest = behind;
            mine.to_vec()
        });
        let blocks: Vec<Vec<Entry>> = blocks.collect();
        assert!(blocks.len() > 5 && blocks.iter().all(|block| !block.is_empty()));
        Sample { entries, bytes, layout, meta, blocks }
    }

    fn all() -> [Sample; 3] {
        [(Compression::None, 10.0), (Compression::Lz4, 10.0), (Compression::Lz4, 0.0)]
            .map(|(compression, bits)| Sample::new(compression, bits))
    }

    fn section(&self, block: usize) -> Section {
        self.layout.blocks[block].section
    }

    /// The entries of the blocks that `keep` names.
    fn those(&self, keep: impl Fn(usize) -> bool) -> Vec<Entry> {
        let kept = self.blocks.iter().enumerate().filter(|(i, _)| keep(*i));
        kept.flat_map(|(_, entries)| entries.clone()).collect()
    }

    /// With one section overwritten.
    fn without(&self, sections: &[Section]) -> Vec<u8> {
        let mut bytes = self.bytes.clone();
        for section in sections {
            let (from, to) = (section.offset as usize, (section.offset + section.bytes) as usize);
            Rng::new(section.offset + 1).fill(&mut bytes[from..to]);
        }
        bytes
    }
}

struct Rescued {
    entries: Vec<Entry>,
    lost: Vec<LostBlock>,
    meta: TableMeta,
}

fn salvage(bytes: &[u8], known: Option<&TableMeta>) -> Result<Rescued, Error> {
    let fs = MemFs::new(1);
    fs.write_file(NAME, bytes);
    let file = fs.open(Path::new(NAME), OpenMode::Read)?;
    let losses = Arc::new(Losses::new());
    let table = Table::salvage(file, FileNumber(1), BlockCache::new(0), known, &losses)?;
    let entries = collect(&mut table.salvage_iter(&losses))?;
    Ok(Rescued { entries, lost: losses.take(), meta: table.meta().clone() })
}

/// Whether all that is missing lies in the keys of something told to be lost.
fn is_told(sample: &Sample, rescued: &Rescued) -> bool {
    let missing = sample.entries.iter().filter(|entry| !rescued.entries.contains(entry));
    let mut spans = rescued.lost.iter().filter_map(|lost| lost.keys.as_ref());
    let mut missing = missing.map(|entry| &entry.key[..]);
    missing.all(|key| {
        spans.clone().any(|(lo, hi)| lo <= key && hi.as_ref().is_none_or(|hi| key <= &hi[..]))
    }) || spans.next().is_none() && rescued.entries == sample.entries
}

#[test]
fn each_block_damaged_in_turn_costs_its_own_entries() {
    for sample in Sample::all() {
        for block in 0..sample.blocks.len() {
            let section = sample.section(block);
            for known in [None, Some(&sample.meta)] {
                let rescued = salvage(&sample.without(&[section]), known).unwrap();
                assert_eq!(rescued.entries, sample.those(|i| i != block), "block {block}");
                assert_eq!(rescued.lost.len(), 1, "block {block}");
                assert_eq!(rescued.lost[0].section, section);
                assert!(is_told(&sample, &rescued), "block {block}: {:?}", rescued.lost);
            }
        }
    }
}

/// Filter, index, properties: no entries are in them.
#[test]
fn a_damaged_frame_costs_nothing() {
    for sample in Sample::all() {
        let layout = &sample.layout;
        let frame = [Some(layout.index), Some(layout.properties), layout.filter];
        let frame: Vec<Section> = frame.into_iter().flatten().collect();
        for damaged in frame.iter().map(|part| vec![*part]).chain([frame.clone()]) {
            let rescued = salvage(&sample.without(&damaged), None).unwrap();
            assert_eq!(rescued.entries, sample.entries, "{damaged:?}");
            assert_eq!(rescued.meta, sample.meta, "counted anew where they are lost");
            let told: Vec<Section> = rescued.lost.iter().map(|lost| lost.section).collect();
            let mut damaged = damaged;
            damaged.sort_by_key(|part| part.offset);
            assert_eq!(told, damaged);
            assert!(rescued.lost.iter().all(|lost| lost.keys.is_none()));
        }
    }
}

/// The search behind damage: blocks and the index at once, neighbours, the first and the last.
#[test]
fn blocks_are_found_behind_damage_without_an_index() {
    for sample in Sample::all() {
        let last = sample.blocks.len() - 1;
        for gone in [vec![0], vec![last], vec![2, 3], vec![0, 1, last - 1, last], vec![1, 3, 5]] {
            let mut damaged: Vec<Section> = gone.iter().map(|i| sample.section(*i)).collect();
            damaged.push(sample.layout.index);
            for footer in [false, true] {
                damaged.extend(footer.then_some(sample.layout.footer));
                let rescued = salvage(&sample.without(&damaged), Some(&sample.meta)).unwrap();
                let told = format!("{gone:?}, footer lost: {footer}");
                assert_eq!(rescued.entries, sample.those(|i| !gone.contains(&i)), "{told}");
                assert!(rescued.lost.iter().any(|lost| lost.keys.is_some()), "{told}");
            }
        }
    }
}

/// The id of the table is in the footer: one damaged byte of it is guessed, more cost all unless
/// somebody knows the table.
#[test]
fn a_damaged_footer_costs_the_table_only_if_nobody_knows_its_id() {
    for sample in Sample::all() {
        let footer = sample.layout.footer.offset as usize;
        for at in footer..sample.bytes.len() {
            let mut bytes = sample.bytes.clone();
            bytes[at] ^= 0x21;
            match salvage(&bytes, None) {
                Ok(rescued) => assert_eq!(rescued.entries, sample.entries, "byte {at}"),
                // The magic and the version are another format's for all that is known.
                Err(Error::FormatTooNew(_)) => {}
                Err(error) => panic!("byte {at}: {error}"),
            }
        }
        let bytes = sample.without(&[sample.layout.footer]);
        assert!(matches!(salvage(&bytes, None), Err(Error::Corruption(_))));
        let rescued = salvage(&bytes, Some(&sample.meta)).unwrap();
        assert_eq!(rescued.entries, sample.entries);
        let other = TableMeta { id: ID + 1, ..sample.meta.clone() };
        assert!(matches!(salvage(&bytes, Some(&other)), Err(Error::Corruption(_))));
    }
}

#[test]
fn a_table_cut_at_every_length_keeps_its_whole_blocks() {
    for sample in Sample::all() {
        for cut in truncations(&sample.bytes) {
            let len = cut.len() as u64;
            let is_there = |i: usize| sample.section(i).offset + sample.section(i).bytes <= len;
            let expected = sample.those(is_there);
            match salvage(cut, Some(&sample.meta)) {
                Ok(rescued) => assert_eq!(rescued.entries, expected, "cut at {len}"),
                Err(Error::Corruption(_)) => assert!(expected.is_empty(), "cut at {len}"),
                Err(error) => panic!("cut at {len}: {error}"),
            }
            // Nobody knows its id. The search for one takes a while, so not at every length.
            let is_error = || matches!(salvage(cut, None), Err(Error::Corruption(_)));
            assert!(!len.is_multiple_of(199) || is_error(), "cut at {len}");
        }
    }
}

/// Whatever byte is damaged: only its block is lost, nothing comes that was not written.
#[test]
fn every_flipped_byte_costs_at_most_its_block() {
    for sample in Sample::all() {
        for (at, bytes) in flips(&sample.bytes) {
            let hit = (0..sample.blocks.len()).find(|i| {
                let section = sample.section(*i);
                (section.offset..section.offset + section.bytes).contains(&(at as u64))
            });
            match salvage(&bytes, Some(&sample.meta)) {
                Ok(rescued) => {
                    assert_eq!(rescued.entries, sample.those(|i| Some(i) != hit), "byte {at}");
                    assert!(!rescued.lost.is_empty(), "byte {at} is not told");
                }
                Err(Error::FormatTooNew(_)) if hit.is_none() => {}
                Err(error) => panic!("byte {at}: {error}"),
            }
        }
    }
}

/// Bytes of all kinds: an error, or entries in order.
#[test]
fn nonsense_is_an_error_or_in_order() {
    let sample = Sample::new(Compression::Lz4, 10.0);
    let mut rng = Rng::new(11);
    for round in 0..300 {
        let mut bytes = sample.bytes.clone();
        for _ in 0..1 + rng.index(6) {
            let (from, to) = (rng.index(bytes.len()), rng.index(bytes.len()));
            let len = rng.index(300).min(bytes.len() - from.max(to));
            match rng.below(3) {
                0 => rng.fill(&mut bytes[from..from + len]),
                1 => bytes.copy_within(from..from + len, to),
                _ => bytes.truncate(bytes.len() - len / 4),
            }
        }
        let Ok(rescued) = salvage(&bytes, Some(&sample.meta)) else { continue };
        let mut rest = sample.entries.iter();
        for entry in &rescued.entries {
            assert!(rest.any(|known| known == entry), "round {round}: {entry:?}");
        }
    }
}

/// Values are anything, also what an index of this very table would hold.
#[test]
fn values_that_look_like_an_index_are_values() {
    let varint = |n: u64| match n {
        0..128 => vec![n as u8],
        n => vec![n as u8 | 0x80, (n >> 7) as u8],
    };
    let options = TableOptions {
        block_bytes: 100,
        compression: Compression::None,
        bloom_bits_per_key: 0.0,
        restart_interval: 4,
    };
    for n in 0..600 {
        let entries = [
            Entry::put("a", 1, "v".repeat(150)),
            Entry::put("b", 2, varint(n)),
            Entry::put("c", 3, "v".repeat(150)),
        ];
        let mut bytes = table_bytes(ID, options, &entries);
        let table = open_bytes(&bytes).unwrap();
        let cut = &bytes[..bytes.len() - 1];
        let rescued = salvage(cut, Some(table.meta())).unwrap();
        assert_eq!(rescued.entries, entries, "a value of {n}, without a footer");
        bytes[table.layout().index.offset as usize] ^= 0xff;
        let rescued = salvage(&bytes, None).unwrap();
        assert_eq!(rescued.entries, entries, "a value of {n}, without an index");
    }
}
