//! Recipe: moving data over from another store. Whatever it is, it gives keys and values; they are
//! loaded in batches, counted and compared.
//!
//! `cargo run -p nori-examples --bin migrate`

use nori_lsm::{Config, Durability, Keyspace, Lsm, Result, WriteBatch};
use std::collections::BTreeMap;

// ANCHOR: load
/// Loads everything that an iterator of the old store gives into a keyspace; how many entries.
///
/// If it comes in order, as it does from an ordered store, tables are written once and not merged.
fn load(
    store: &Lsm,
    into: &Keyspace,
    old: impl Iterator<Item = (Vec<u8>, Vec<u8>)>,
) -> Result<u64> {
    let mut batch = WriteBatch::new();
    let mut loaded = 0;
    for (key, value) in old {
        batch.put_in(into, key, value);
        loaded += 1;
        if batch.byte_len() > 1 << 20 {
            store.write_with(std::mem::take(&mut batch), Durability::Buffered)?;
        }
    }
    store.write_with(batch, Durability::Buffered)?;
    store.flush()?; // What was loaded is in tables, and durable.
    Ok(loaded)
}
// ANCHOR_END: load

// ANCHOR: compare
/// Compares both stores, entry by entry, in order; how many are equal.
fn compare(
    new: &Keyspace,
    old: impl Iterator<Item = (Vec<u8>, Vec<u8>)>,
) -> Result<std::result::Result<u64, Vec<u8>>> {
    let mut entries = new.iter();
    let mut equal = 0;
    for (key, value) in old {
        match entries.next().transpose()? {
            Some((k, v)) if k == key && v == value => equal += 1,
            _ => return Ok(Err(key)),
        }
    }
    Ok(match entries.next().transpose()? {
        None => Ok(equal),
        Some((key, _)) => Err(key.to_vec()), // One too many.
    })
}
// ANCHOR_END: compare

fn main() -> Result<()> {
    let dir = std::env::temp_dir().join(format!("nori-migrate-{}", std::process::id()));
    // The old store of this example is a map in memory.
    let old: BTreeMap<Vec<u8>, Vec<u8>> = (0..50_000_u32)
        .map(|i| (format!("user:{i:08}").into_bytes(), format!("user number {i}").into_bytes()))
        .collect();
    let entries = || old.iter().map(|(key, value)| (key.clone(), value.clone()));

    // ANCHOR: use
    let store = Lsm::open_with(&dir, Config::default().error_if_exists(true))?;
    let users = store.keyspace("users")?; // One for each column family or partition.
    let loaded = load(&store, &users, entries())?;
    match compare(&users, entries())? {
        Ok(equal) => println!("{loaded} entries loaded, {equal} are equal"),
        Err(key) => println!("they differ at {}", key.escape_ascii()),
    }
    // ANCHOR_END: use
    assert_eq!(loaded, 50_000);
    assert_eq!(compare(&users, entries())?, Ok(50_000));
    assert_eq!(compare(&users, entries().skip(1))?, Err(b"user:00000001".to_vec()));
    let metrics = store.metrics();
    println!("{} bytes of user data became {} in tables", metrics.user_bytes, metrics.table_bytes);
    drop(users);
    store.close()?;
    Lsm::destroy(&dir)
}
