//! Tables read through a mapping of their files: the same answers, and damage is found.
#![allow(clippy::unwrap_used, missing_docs)]

use nori_bloom::hash;
use nori_env::{FileSystem, OpenMode, OsFs, Rng};
use nori_sstable::{BlockCache, Compression, TableBuilder, TableCache, TableOptions};
use nori_testkit::{Entry, KeyGen, TempDir, collect, entries, run_seeds};
use nori_types::{FileName, FileNumber, InternalIterator, Lookup, SeqNo, TableMeta, ValueKind};
use std::path::PathBuf;
use std::sync::Arc;

struct Dir(TempDir);

impl Dir {
    fn table(&self, number: u64) -> PathBuf {
        self.0.path().join(FileName::Table(FileNumber(number)).to_string())
    }

    fn write(&self, number: u64, entries: &[Entry], compression: Compression) -> TableMeta {
        let file = OsFs.open(&self.table(number), OpenMode::CreateNew).unwrap();
        let options = TableOptions { block_bytes: 512, compression, ..TableOptions::default() };
        let mut builder = TableBuilder::new(file, FileNumber(number), number + 7, options);
        for entry in entries {
            builder.add(entry.internal_key(), &entry.value).unwrap();
        }
        builder.finish().unwrap()
    }

    fn tables(&self, cache: &Arc<BlockCache>, maps: bool) -> TableCache {
        TableCache::new(Arc::new(OsFs), self.0.path(), Arc::clone(cache), 10).mapped(maps)
    }
}

#[test]
fn a_mapped_table_answers_as_one_that_is_read() {
    let dir = Dir(TempDir::new("mapped"));
    run_seeds("-p nori-sstable --test mapped a_mapped_table", 60, |seed| {
        let mut rng = Rng::new(seed);
        let mut keys = KeyGen::new(&mut rng, 12);
        let count = 1 + rng.index(300);
        let mut all = entries(&mut rng, &mut keys, 1, count);
        let mut values = all.iter_mut().filter(|e| e.kind == ValueKind::Value);
        if let Some(large) = values.next() {
            large.value = vec![7; 5000].into();
        }
        let compression = *rng.pick(&[Compression::None, Compression::Lz4]);
        let meta = dir.write(seed, &all, compression);
        let cache = BlockCache::new(1 << 20);
        let read = dir.tables(&BlockCache::new(1 << 20), false).open(&meta).unwrap();
        let mapped = dir.tables(&cache, true).open(&meta).unwrap();
        OsFs.remove(&dir.table(seed)).unwrap();
        for _ in 0..200 {
            let key = keys.near(&mut rng);
            let at = SeqNo::new(rng.below(2 * count as u64));
            let [one, other] = [&read, &mapped].map(|t| t.get(&key, hash(&key), at).unwrap());
            assert_eq!(one, other);
        }
        assert_eq!(collect(&mut mapped.iter()).unwrap(), all);
        let is_plain = compression == Compression::None;
        assert!(
            !is_plain || (cache.hits(), cache.misses()) == (0, 0),
            "plain blocks need no cache"
        );
    });
}

#[test]
fn damage_of_a_mapped_table_is_an_error_and_never_an_answer() {
    let dir = Dir(TempDir::new("mapped-damage"));
    let key = |i: u64| format!("key {i:04}");
    let all: Vec<Entry> = (0..200).map(|i| Entry::put(key(i), i + 1, [i as u8; 40])).collect();
    for (number, compression) in [(1, Compression::None), (2, Compression::Lz4)] {
        let meta = dir.write(number, &all, compression);
        let file = OsFs.open(&dir.table(number), OpenMode::Write).unwrap();
        let mut byte = [0];
        file.read_exact_at(&mut byte, 1000).unwrap();
        file.write_at(&[byte[0] ^ 4], 1000).unwrap();
        let table = dir.tables(&BlockCache::new(1 << 20), true).open(&meta).unwrap();
        let mut lost = 0;
        for _ in 0..2 {
            for entry in &all {
                match table.get(&entry.key, hash(&entry.key), SeqNo::MAX) {
                    Ok(found) => assert_eq!(found, Lookup::Found(entry.value.clone(), entry.seq)),
                    Err(error) => {
                        assert!(error.to_string().contains("checksum"), "{error}");
                        lost += 1;
                    }
                }
            }
        }
        assert!((2..100).contains(&lost), "one block, each time: {lost}");
        assert!(collect(&mut table.iter()).is_err());
    }
}

#[test]
fn a_value_outlives_a_mapped_table() {
    let dir = Dir(TempDir::new("mapped-value"));
    let meta = dir.write(1, &[Entry::put("key", 1, [9; 4000])], Compression::None);
    let tables = dir.tables(&BlockCache::new(0), true);
    let table = tables.open(&meta).unwrap();
    let mut iter = table.iter();
    iter.seek_first().unwrap();
    let walked = iter.value_bytes();
    let Lookup::Found(found, _) = table.get(b"key", hash(b"key"), SeqNo::MAX).unwrap() else {
        panic!("it is there")
    };
    // Bytes that shared the mapping would be one piece of memory.
    assert_ne!(walked.as_ptr(), found.as_ptr());
    drop((iter, table, tables));
    assert!(found == walked && found == vec![9; 4000]);
}
