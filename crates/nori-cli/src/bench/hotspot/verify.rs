//! The last word: does the store hold what was written to it?

use crate::bench::hotspot::model::Model;
use crate::failure::Failure;
use nori_bench::Rng;
use nori_lsm::Lsm;
use serde::Serialize;
use std::time::Instant;

/// Keys that are also asked for one by one.
const GETS: u64 = 20_000;

/// What the check found.
#[derive(Debug, Serialize)]
pub(super) struct Verified {
    pub(super) keys_written: u64,
    pub(super) keys_found: u64,
    /// Keys in the scan that were not written, or came in the wrong place.
    pub(super) keys_unknown: u64,
    pub(super) values_wrong: u64,
    pub(super) gets: u64,
    pub(super) gets_wrong: u64,
    pub(super) seconds: f64,
}

impl Verified {
    pub(super) fn is_ok(&self) -> bool {
        self.keys_written == self.keys_found
            && self.keys_unknown + self.values_wrong + self.gets_wrong == 0
    }
}

/// Scans everything, then asks for some keys.
pub(super) fn verify(store: &Lsm, model: &Model<'_>, seed: u64) -> Result<Verified, Failure> {
    let started = Instant::now();
    let mut found = Verified {
        keys_written: 0,
        keys_found: 0,
        keys_unknown: 0,
        values_wrong: 0,
        gets: 0,
        gets_wrong: 0,
        seconds: 0.0,
    };
    scan(store, model, &mut found)?;
    let (mut rng, mut bytes) = (Rng::new(seed), Vec::new());
    for _ in 0..GETS.min(model.data.keys) {
        let key = rng.below(model.data.keys);
        model.data.key(key, &mut bytes);
        found.gets += 1;
        found.gets_wrong += u64::from(store.get(&bytes)?.as_deref() != model.value(key));
    }
    found.seconds = started.elapsed().as_secs_f64();
    Ok(found)
}

/// Walks the store and the model side by side: both are in the order of the keys.
fn scan(store: &Lsm, model: &Model<'_>, found: &mut Verified) -> Result<(), Failure> {
    let (mut cursor, mut bytes) = (store.cursor(), Vec::new());
    let mut on_key = cursor.first()?;
    for key in 0..model.data.keys {
        let Some(value) = model.value(key) else { continue };
        found.keys_written += 1;
        model.data.key(key, &mut bytes);
        while on_key && cursor.key() < Some(&bytes[..]) {
            found.keys_unknown += 1;
            on_key = cursor.next()?;
        }
        if on_key && cursor.key() == Some(&bytes[..]) {
            found.keys_found += 1;
            found.values_wrong += u64::from(cursor.value() != Some(value));
            on_key = cursor.next()?;
        }
    }
    while on_key {
        found.keys_unknown += 1;
        on_key = cursor.next()?;
    }
    Ok(())
}
