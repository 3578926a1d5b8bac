//! Tables against a sorted list, under random entries and tiny options.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use common::{open, table, tiny_options, write};
use nori_bloom::hash;
use nori_env::{MemFs, Rng};
use nori_sstable::{Table, TableIter, TableOptions};
use nori_testkit::{Entry, VersionedMap, collect, env_usize, run_seeds};
use nori_types::{InternalIterator, InternalKey, KeyRange, Lookup, SeqNo, ValueKind};
use std::sync::Arc;

/// Random entries: keys that share prefixes, keys that end inside each other, some of many
/// versions, values from none to several blocks.
fn random_map(rng: &mut Rng) -> VersionedMap {
    let mut map = VersionedMap::new();
    let keys: Vec<Vec<u8>> = (0..1 + rng.index(120)).map(|_| random_key(rng)).collect();
    for seq in 1..=1 + rng.below(400) {
        let key = if rng.chance(20) { &keys[0] } else { rng.pick(&keys) };
        let mut value = vec![0; [0, 3, 20, 700][rng.index(4)]];
        rng.fill(&mut value);
        let value = (!rng.chance(25)).then_some(&value[..]);
        map.write(key, SeqNo::new(seq * 3), value);
    }
    map
}

fn random_key(rng: &mut Rng) -> Vec<u8> {
    let letters: &[u8] = if rng.chance(50) { b"ab" } else { b"\x00\x7f\xfe\xff" };
    let mut key = if rng.chance(30) { b"a long common prefix ".to_vec() } else { Vec::new() };
    key.extend((0..rng.index(9)).map(|_| *rng.pick(letters)));
    key
}

fn random_target(rng: &mut Rng, entries: &[Entry]) -> (Vec<u8>, SeqNo, ValueKind) {
    let mut key = rng.pick(entries).key.to_vec();
    match rng.index(6) {
        0 => key = random_key(rng),
        1 => key.push(rng.below(256) as u8),
        2 => drop(key.pop()),
        3 => key.clear(),
        _ => {}
    }
    let seq = SeqNo::new(*rng.pick(&[rng.clone().below(1300), 0, u64::MAX]));
    (key, seq, *rng.pick(&[ValueKind::Value, ValueKind::Tombstone]))
}

#[test]
fn gets_cursors_and_facts_agree_with_a_sorted_list() {
    let steps = env_usize("NORI_STEPS", 400);
    run_seeds("-p nori-sstable --test model gets_cursors", 120, |seed| {
        let mut rng = Rng::new(seed);
        let map = random_map(&mut rng);
        let entries = map.entries();
        let options = tiny_options(&mut rng);
        let fs = MemFs::new(seed);
        let meta = write(&fs, "t.sst", seed, options, &entries);
        let cache_bytes = *rng.pick(&[0, 2000, 1 << 20]);
        let table = open(&fs, "t.sst", cache_bytes).unwrap();
        assert_eq!(*table.meta(), meta);
        check_facts(&table, &entries);
        let mut iter = if rng.chance(50) { table.iter() } else { table.scan() };
        assert_eq!(collect(&mut iter).unwrap(), entries);
        for _ in 0..steps {
            check_get(&mut rng, &table, &map, &entries);
        }
        walk(&mut rng, iter, &entries, steps);
        check_ranges(&mut rng, &table, &entries);
        let mut done = 0;
        table.verify(&mut |bytes| done = bytes).unwrap();
        assert_eq!(done, meta.bytes);
    });
}

fn check_facts(table: &Table, entries: &[Entry]) {
    let meta = table.meta();
    let tombstones = entries.iter().filter(|e| e.kind == ValueKind::Tombstone).count();
    let seqs = || entries.iter().map(|e| e.seq);
    assert_eq!((meta.entries, meta.tombstones), (entries.len() as u64, tombstones as u64));
    assert_eq!((meta.seq_min, meta.seq_max), (seqs().min().unwrap(), seqs().max().unwrap()));
    assert_eq!((&meta.smallest, &meta.largest), (&entries[0].key, &entries.last().unwrap().key));
    let raw: usize = entries.iter().map(|e| e.key.len() + e.value.len()).sum();
    assert_eq!(meta.raw_bytes, raw as u64);
    let layout = table.layout();
    let blocks = layout.blocks.iter().map(|b| b.section);
    let rest = [Some(layout.index), Some(layout.properties), Some(layout.footer)];
    let sections = blocks.chain(layout.filter).chain(rest.into_iter().flatten());
    let end = sections.fold(0, |end, section| {
        assert_eq!(section.offset, end, "sections lie back to back");
        end + section.bytes
    });
    assert_eq!(end, meta.bytes);
}

fn check_get(rng: &mut Rng, table: &Table, map: &VersionedMap, entries: &[Entry]) {
    let (key, at, _) = random_target(rng, entries);
    let newest = entries.iter().find(|e| e.key == key && e.seq <= at);
    let expected = match newest {
        Some(e) if e.kind == ValueKind::Value => Lookup::Found(e.value.clone(), e.seq),
        Some(e) => Lookup::Deleted(e.seq),
        None => Lookup::Absent,
    };
    let got = table.get(&key, hash(&key), at).unwrap();
    assert_eq!(got, expected, "{:?} at {at}", key.escape_ascii().to_string());
    let value = if let Lookup::Found(value, _) = &got { Some(&value[..]) } else { None };
    assert_eq!(value, map.get(&key, at));
}

/// Random moves, compared with an index into the list; `None` is "not positioned".
fn walk(rng: &mut Rng, mut iter: TableIter, entries: &[Entry], steps: usize) {
    let mut place: Option<usize> = None;
    for _ in 0..steps {
        let (key, seq, kind) = random_target(rng, entries);
        let target = InternalKey::new(&key, seq, kind);
        let behind = entries.partition_point(|e| e.internal_key() < target);
        let until = entries.partition_point(|e| e.internal_key() <= target);
        match (rng.index(10), place) {
            (0, _) => {
                iter.seek_first().unwrap();
                place = Some(0);
            }
            (1, _) => {
                iter.seek_last().unwrap();
                place = Some(entries.len() - 1);
            }
            (2, _) | (_, None) if rng.chance(50) => {
                iter.seek(target).unwrap();
                place = Some(behind);
            }
            (3, _) | (_, None) => {
                iter.seek_for_prev(target).unwrap();
                place = until.checked_sub(1);
            }
            (n, Some(at)) if n % 2 == 0 => {
                iter.next().unwrap();
                place = Some(at + 1);
            }
            (_, Some(at)) => {
                iter.prev().unwrap();
                place = at.checked_sub(1);
            }
        }
        place = place.filter(|&at| at < entries.len());
        let expected = place.map(|at| entries[at].clone());
        assert_eq!(iter.is_valid().then(|| Entry::at(&iter)), expected);
        if let Some(entry) = expected {
            assert_eq!(iter.value_bytes(), entry.value);
        }
    }
}

fn check_ranges(rng: &mut Rng, table: &Table, entries: &[Entry]) {
    let data_end = table.approximate_offset(&[0xff; 40]);
    assert_eq!(table.approximate_bytes(&KeyRange::all()), data_end);
    let mut offsets: Vec<u64> = entries.iter().map(|e| table.approximate_offset(&e.key)).collect();
    assert!(offsets.is_sorted() && offsets.iter().all(|&o| o < data_end));
    offsets.dedup();
    for _ in 0..20 {
        let mut ends = [rng.pick(entries).key.clone(), rng.pick(entries).key.clone()];
        ends.sort();
        let [lo, hi] = ends;
        let range = KeyRange::new(lo, Some(hi));
        assert!(table.approximate_bytes(&range) <= data_end);
        if let Some(key) = table.approximate_median(&range) {
            assert!(range.contains(&key) && key > range.lo, "{key:?} halves {range:?}");
        }
    }
}

#[test]
fn each_of_a_thousand_versions_over_many_blocks_is_seen_at_its_number() {
    let mut entries = vec![Entry::put("before", 5000, "x")];
    entries.extend((1..=1000).rev().map(|s| Entry::put("key", s * 2, format!("value {s}"))));
    entries.push(Entry::put("key\0", 7000, "y"));
    for block_bytes in [64, 128, 4096] {
        let options = TableOptions { block_bytes, ..TableOptions::default() };
        let table = table(options, &entries);
        assert!(block_bytes == 4096 || table.layout().blocks.len() > 100);
        for seq in 1..=1000 {
            let expected = Lookup::Found(format!("value {seq}").into(), SeqNo::new(seq * 2));
            for at in [seq * 2, seq * 2 + 1] {
                let got = table.get(b"key", hash(b"key"), SeqNo::new(at)).unwrap();
                assert_eq!(got, expected, "at {at}");
            }
        }
        let too_old = table.get(b"key", hash(b"key"), SeqNo::new(1)).unwrap();
        assert_eq!(too_old, Lookup::Absent);
        let next = table.get(b"key\0", hash(b"key\0"), SeqNo::MAX).unwrap();
        assert_eq!(next, Lookup::Found("y".into(), SeqNo::new(7000)));
    }
}

#[test]
fn a_value_larger_than_many_blocks_is_one_block() {
    let big = vec![b'v'; 3 << 20];
    let mut noise = vec![0; 1 << 20];
    Rng::new(4).fill(&mut noise);
    let entries = [
        Entry::put("a", 1, "small"),
        Entry::put("b", 2, &big),
        Entry::put("c", 3, &noise),
        Entry::put("d", 4, "small"),
    ];
    let table = table(TableOptions::default(), &entries);
    assert_eq!(table.layout().blocks.len(), 4);
    assert_eq!(collect(&mut table.iter()).unwrap(), entries);
    let got = table.get(b"c", hash(b"c"), SeqNo::MAX).unwrap();
    assert_eq!(got, Lookup::Found(noise.into(), SeqNo::new(3)));
    table.verify(&mut |_| ()).unwrap();
}

#[test]
fn a_table_of_a_hundred_thousand_blocks_is_searched_in_memory() {
    let key = |i: u64| format!("user{i:08}");
    let entries: Vec<Entry> = (0..100_000).map(|i| Entry::put(key(i), i, [7; 60])).collect();
    let options = TableOptions { block_bytes: 64, ..TableOptions::default() };
    let table = table(options, &entries);
    assert_eq!(table.layout().blocks.len(), 100_000);
    for i in (0..100_000).step_by(997) {
        let got = table.get(key(i).as_bytes(), hash(key(i).as_bytes()), SeqNo::MAX).unwrap();
        assert!(matches!(got, Lookup::Found(_, seq) if seq.get() == i), "{i}");
    }
    let median = table.approximate_median(&KeyRange::all()).unwrap();
    let range = key(49_000)..key(51_000);
    assert!(range.contains(&String::from_utf8_lossy(&median).into_owned()), "{median:?}");
}

#[test]
fn iterators_may_move_between_threads_and_outlive_everything() {
    fn is_send_static<T: Send + 'static>(_: &T) {}
    let entries = [Entry::put("a", 1, "1"), Entry::put("b", 2, "2")];
    let mut iter = table(TableOptions::default(), &entries).iter();
    is_send_static(&iter);
    assert_eq!(collect(&mut iter).unwrap(), entries);
    let shared: Arc<Table> = Arc::clone(iter.table());
    fn is_shared<T: Send + Sync>(_: &T) {}
    is_shared(&*shared);
}
