//! Recipe: a time series. Readings by sensor and time, the newest first, old ones removed by day.
//!
//! `cargo run -p nori-examples --bin time_series`

use nori_lsm::{Durability, Keyspace, Lsm, Result, WriteBatch};

// ANCHOR: key
/// Sensor, then time, both big-endian: readings of a sensor lie side by side, in order of time.
fn key(sensor: u32, millis: u64) -> [u8; 12] {
    let mut key = [0; 12];
    key[..4].copy_from_slice(&sensor.to_be_bytes());
    key[4..].copy_from_slice(&millis.to_be_bytes());
    key
}

fn millis(key: &[u8]) -> u64 {
    u64::from_be_bytes(key[4..].try_into().expect("keys are made by `key` alone"))
}
// ANCHOR_END: key

const DAY: u64 = 24 * 60 * 60 * 1000;

// ANCHOR: days
/// A keyspace for each day: a day that is not wanted any more is dropped with one small write,
/// where deleting its readings one by one would write as much again.
fn day_of(store: &Lsm, millis: u64) -> Result<Keyspace> {
    store.keyspace(&format!("day-{:06}", millis / DAY))
}

/// Drops the days before a moment; their names sort by time.
fn forget_before(store: &Lsm, millis: u64) -> Result<usize> {
    let first_kept = format!("day-{:06}", millis / DAY);
    let old: Vec<String> = store.keyspaces().into_iter().collect();
    let old = old.iter().filter(|name| name.starts_with("day-") && **name < first_kept);
    let mut dropped = 0;
    for name in old {
        store.drop_keyspace(name)?;
        dropped += 1;
    }
    Ok(dropped)
}
// ANCHOR_END: days

fn main() -> Result<()> {
    let dir = std::env::temp_dir().join(format!("nori-series-{}", std::process::id()));
    let store = Lsm::open(&dir)?;

    // ANCHOR: write
    // Readings come in batches. They are handed to the system and synced once for all.
    for day in 0..3 {
        let of_day = day_of(&store, day * DAY)?;
        let mut batch = WriteBatch::new();
        for minute in 0..1440 {
            let at = day * DAY + minute * 60_000;
            for sensor in 0..3 {
                let value = (minute as f64 / 229.0).sin() * 10.0 + f64::from(sensor);
                batch.put_in(&of_day, key(sensor, at), value.to_be_bytes());
            }
        }
        store.write_with(batch, Durability::Buffered)?;
    }
    store.sync()?;
    // ANCHOR_END: write

    // ANCHOR: range
    // An hour of one sensor, within a day: one range.
    let of_day = day_of(&store, 2 * DAY)?;
    let (from, to) = (key(1, 2 * DAY + 60 * 60_000), key(1, 2 * DAY + 2 * 60 * 60_000));
    let mut readings = 0;
    let mut sum = 0.0;
    for entry in of_day.range(from..to) {
        let (_, value) = entry?;
        sum += f64::from_be_bytes(value[..].try_into().expect("written as eight bytes"));
        readings += 1;
    }
    println!("mean of {readings} readings: {:.2}", sum / f64::from(readings));
    // ANCHOR_END: range
    assert_eq!(readings, 60);

    // ANCHOR: newest
    // The newest of a sensor: the last key below the next sensor's first.
    let newest = of_day.range(key(1, 0)..key(2, 0)).next_back().transpose()?;
    let (last, _) = newest.expect("sensor 1 has readings");
    println!("newest of sensor 1: minute {} of its day", millis(&last) % DAY / 60_000);
    // ANCHOR_END: newest
    assert_eq!(millis(&last), 2 * DAY + 1439 * 60_000);

    let dropped = forget_before(&store, 2 * DAY)?;
    println!("{dropped} days dropped, left: {}", store.keyspaces().join(", "));
    assert_eq!(dropped, 2);
    assert_eq!(of_day.iter().count(), 3 * 1440);
    drop(of_day);
    store.close()?;
    Lsm::destroy(&dir)
}
