//! What is read of a damaged manifest: the newest state before the damage, and what later records
//! say of single things.

#![allow(clippy::unwrap_used)]

mod common;

use common::{DIR, Edits, dir, dump};
use nori_env::sync::Arc;
use nori_env::{FileSystem, MemFs};
use nori_manifest::{Error, Manifest, ManifestOptions, Salvaged, Version};
use nori_testkit::{flips, truncations};
use nori_types::FileNumber;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// A manifest and the states in it.
struct Sample {
    number: u64,
    path: PathBuf,
    bytes: Vec<u8>,
    /// Where each state is whole, ascending, and the state; the first is the snapshot's.
    states: Vec<(usize, Arc<Version>)>,
}

impl Sample {
    fn new(seed: u64) -> Sample {
        let fs = MemFs::new(seed);
        fs.create_dir_all(Path::new(DIR)).unwrap();
        let mut current = Arc::new(Version::new());
        let mut edits = Edits::new(seed, &current);
        // Not an empty snapshot.
        for _ in 0..10 {
            let edit = edits.next(&current);
            current = Arc::new(current.apply(&edit).unwrap());
        }
        let arc: Arc<dyn FileSystem> = Arc::new(fs.clone());
        let mut manifest =
            Manifest::create(arc, &dir(), &current, ManifestOptions::default()).unwrap();
        let mut states = vec![(manifest.bytes() as usize, Arc::clone(&current))];
        for _ in 0..12 {
            let edit = edits.next(&current);
            current = manifest.log(&current, edit).unwrap();
            states.push((manifest.bytes() as usize, Arc::clone(&current)));
        }
        let path = Path::new(DIR).join(format!("MANIFEST-{:06}", manifest.number()));
        let bytes = fs.read_file(&path).unwrap();
        Sample { number: manifest.number(), path, bytes, states }
    }

    fn salvage(&self, bytes: &[u8]) -> Result<Salvaged, Error> {
        let fs = MemFs::new(1);
        fs.write_file(&self.path, bytes);
        Manifest::salvage(&fs, &dir(), self.number)
    }

    /// The newest state that ends at or before a byte.
    fn before(&self, at: usize) -> Option<String> {
        let state = self.states.iter().rev().find(|(end, _)| *end <= at);
        state.map(|(_, version)| dump(version))
    }

    /// Every table of a state that ends behind a byte.
    fn tables_behind(&self, at: usize) -> BTreeSet<FileNumber> {
        let pairs = self.states.windows(2).filter(|pair| pair[0].0 > at);
        let tables = |version: &Version| version.tables().map(|t| t.number()).collect();
        pairs
            .flat_map(|pair| {
                let old: BTreeSet<FileNumber> = tables(&pair[0].1);
                let mut new: BTreeSet<FileNumber> = tables(&pair[1].1);
                new.retain(|number| !old.contains(number));
                new
            })
            .collect()
    }
}

fn state(found: &Salvaged) -> Option<String> {
    found.version.as_ref().map(dump)
}

const SEEDS: std::ops::RangeInclusive<u64> = 1..=4;

#[test]
fn a_whole_manifest_is_whole() {
    for seed in SEEDS {
        let sample = Sample::new(seed);
        let found = sample.salvage(&sample.bytes).unwrap();
        assert_eq!(state(&found), sample.before(usize::MAX), "seed {seed}");
        assert!(found.is_whole && !found.is_cut && found.problems.is_empty(), "seed {seed}");
        let live: BTreeSet<_> = found
            .version
            .iter()
            .flat_map(|v| v.tables())
            .collect::<Vec<_>>()
            .iter()
            .map(|t| t.number())
            .collect();
        assert!(found.gone.iter().all(|number| !live.contains(number)));
        assert!(live.iter().all(|number| found.tables.contains_key(number)));
    }
}

/// Each edit damaged in turn: the state ends before it, what later records say of tables holds.
#[test]
fn each_edit_damaged_in_turn_ends_the_state_before_it() {
    for seed in SEEDS {
        let sample = Sample::new(seed);
        for pair in sample.states.windows(2) {
            let (from, to) = (pair[0].0, pair[1].0);
            let mut bytes = sample.bytes.clone();
            bytes[(from + to) / 2] ^= 1;
            let found = sample.salvage(&bytes).unwrap();
            let told = format!("seed {seed}, edit at {from}");
            assert_eq!(state(&found), sample.before(from), "{told}");
            assert!(found.is_cut && found.problems[0].offset == from as u64, "{told}");
            // The last one may have been in the making when the process died.
            assert_eq!(found.is_whole, to == bytes.len(), "{told}");
            let known: BTreeSet<FileNumber> = found.tables.keys().copied().collect();
            assert!(sample.tables_behind(from).is_subset(&known), "{told}");
        }
    }
}

/// Cut at every length: the newest state that is whole, or none.
#[test]
fn a_manifest_cut_at_every_length_has_its_whole_states() {
    for seed in SEEDS {
        let sample = Sample::new(seed);
        for cut in truncations(&sample.bytes) {
            let found = sample.salvage(cut).unwrap();
            let told = format!("seed {seed}, cut at {}", cut.len());
            assert_eq!(state(&found), sample.before(cut.len()), "{told}");
            assert_eq!(found.is_whole, found.version.is_some(), "{told}");
            assert!(found.is_whole || !found.problems.is_empty(), "{told}");
        }
    }
}

/// Whatever byte is damaged: the state before it, no other; in the header, whose salt is guessed,
/// everything.
#[test]
fn every_flipped_byte_ends_the_state_before_it() {
    for seed in SEEDS {
        let sample = Sample::new(seed);
        for (at, bytes) in flips(&sample.bytes) {
            let told = format!("seed {seed}, byte {at}");
            let found = match sample.salvage(&bytes) {
                Ok(found) => found,
                Err(Error::FormatTooNew(_)) if at < 64 => continue,
                Err(error) => panic!("{told}: {error}"),
            };
            let expected = sample.before(if at < 64 { usize::MAX } else { at });
            assert_eq!(state(&found), expected, "{told}");
            // Of a last record without a header it is only seen that there are bytes.
            assert!(found.is_cut || !found.problems.is_empty(), "{told}");
            let is_last = at >= sample.states[sample.states.len() - 2].0;
            assert!(!found.is_whole || is_last || at < 64, "{told}: {:?}", found.problems);
        }
    }
}
