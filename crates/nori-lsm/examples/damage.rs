//! Damage: a byte of a table rots; what reads say, what a verification finds, what a repair saves.
//!
//! `cargo run -p nori-lsm --example damage`

// The disk is damaged here as no store would do it: behind its back.
#![allow(clippy::disallowed_methods)]

use nori_lsm::{Config, Error, ErrorKind, Lsm, WriteBatch};
use std::path::Path;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let dir = std::env::temp_dir().join(format!("nori-damage-{}", std::process::id()));
    let rescued = std::env::temp_dir().join(format!("nori-damage-{}-new", std::process::id()));
    let store = Lsm::open(&dir)?;
    let mut batch = WriteBatch::new();
    for i in 0..10_000_u32 {
        batch.put(format!("key:{i:05}"), format!("value {i}"));
    }
    store.write(batch)?;
    store.close()?;
    rot(&dir)?;

    let store = Lsm::open(&dir)?;
    let lost = read_all(&store);
    println!("{} of 10000 keys cannot be read", lost.len());
    assert!(!lost.is_empty() && lost.len() < 1000);
    // Nothing wrong is ever answered: what is damaged is an error.
    assert!(lost.iter().all(|error| error.kind() == ErrorKind::Corruption));
    println!("{}", store.health().corruption[0]);
    store.close()?;

    verify(&dir)?;
    repair(&dir, &rescued)?;
    let store = Lsm::open(&rescued)?;
    assert_eq!(store.iter().count(), 10_000 - lost.len());
    store.close()?;
    Lsm::destroy(&rescued)?;
    Lsm::destroy(&dir)?;
    Ok(())
}

/// Changes one byte in the middle of the store's only table.
fn rot(dir: &Path) -> std::io::Result<()> {
    for entry in std::fs::read_dir(dir.join("sst"))? {
        let path = entry?.path();
        let mut bytes = std::fs::read(&path)?;
        let middle = bytes.len() / 2;
        bytes[middle] ^= 0x40;
        std::fs::write(&path, bytes)?;
    }
    Ok(())
}

/// The errors of reading every key.
fn read_all(store: &Lsm) -> Vec<Error> {
    (0..10_000_u32).filter_map(|i| store.get(format!("key:{i:05}")).err()).collect()
}

fn verify(dir: &Path) -> nori_lsm::Result<()> {
    // ANCHOR: verify
    let report = Lsm::verify_at(dir, &Config::default(), &mut |_bytes| ())?;
    for problem in &report.problems {
        println!("{problem}"); // File, offset, keys, what is wrong.
    }
    // ANCHOR_END: verify
    assert!(!report.is_ok() && report.problems.len() == 1);
    Ok(())
}

fn repair(dir: &Path, into: &Path) -> nori_lsm::Result<()> {
    // ANCHOR: repair
    let report = Lsm::repair(dir, into)?; // The damaged store stays as it is.
    println!("{} keys in the new store", report.keys);
    for lost in &report.lost {
        println!("{}: from {}: {}", lost.path.display(), lost.from, lost.reason);
    }
    // ANCHOR_END: repair
    assert!(!report.is_whole());
    Ok(())
}
