//! A store that reads through mappings, against a map, on the real disk: tables come and go under
//! readers, snapshots and iterators.
#![allow(clippy::unwrap_used, missing_docs)]

use nori_env::Rng;
use nori_lsm::{Compression, Config, Durability, Lsm};
use nori_testkit::{TempDir, run_seeds};
use std::collections::BTreeMap;

fn config(rng: &mut Rng) -> Config {
    Config::default()
        .mmap_reads(rng.chance(80))
        .compression(*rng.pick(&[Compression::None, Compression::Lz4]))
        .durability(Durability::Buffered)
        .memtable_bytes(16 << 10)
        .table_bytes(*rng.pick(&[4 << 10, 1 << 20]))
        .block_bytes(*rng.pick(&[256, 4096]))
        .block_cache_bytes(*rng.pick(&[0, 1 << 20]))
        .max_open_files(*rng.pick(&[1, 1000]))
}

#[test]
fn a_mapped_store_is_a_map() {
    run_seeds("-p nori-lsm --test mmap", 4, |seed| {
        let mut rng = Rng::new(seed);
        let dir = TempDir::new("lsm-mmap");
        let path = dir.path().join("store");
        let mut store = Lsm::open_with(&path, config(&mut rng)).unwrap();
        let mut twin: BTreeMap<Vec<u8>, Vec<u8>> = BTreeMap::new();
        let mut held = Vec::new();
        for step in 0..2000u32 {
            let key = format!("key {:03}", rng.below(400)).into_bytes();
            match rng.index(160) {
                0 => store.compact().unwrap(),
                1 => store.flush().unwrap(),
                2 => held.push((store.snapshot(), twin.clone())),
                3 if rng.chance(50) => {
                    held.clear();
                    store.close().unwrap();
                    store = Lsm::open_with(&path, config(&mut rng)).unwrap();
                }
                4..=20 => {
                    store.delete(&key).unwrap();
                    twin.remove(&key);
                }
                21..=80 => {
                    let value = vec![step as u8; rng.index(300)];
                    store.put(&key, &value).unwrap();
                    twin.insert(key, value);
                }
                81 => {
                    let all: Vec<_> = store.iter().map(Result::unwrap).collect();
                    let same = |((k, v), (key, value)): (&(_, _), (&Vec<u8>, &Vec<u8>))| {
                        k == key && v == value
                    };
                    assert!(all.len() == twin.len() && all.iter().zip(&twin).all(same));
                }
                82..=83 if !held.is_empty() => {
                    let (snapshot, then) = held.swap_remove(rng.index(held.len()));
                    for (key, value) in &then {
                        assert_eq!(snapshot.get(key).unwrap().as_deref(), Some(&value[..]));
                    }
                    assert_eq!(snapshot.iter().rev().count(), then.len());
                }
                _ => assert_eq!(
                    store.get(&key).unwrap().as_deref(),
                    twin.get(&key).map(|value| &value[..])
                ),
            }
        }
        drop(held);
        store.close().unwrap();
    });
}
