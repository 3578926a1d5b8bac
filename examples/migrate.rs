//! Recipe: moving data over from another store. Whatever it is, it gives keys and values; they are
//! loaded in batches, counted and compared.
//!
//! `cargo run -p nori-examples --bin migrate`

// A program of a user: its locks are the standard library's.
#![allow(clippy::disallowed_types)]

use nori_lsm::{Config, Durability, Keyspace, Lsm, Result, WriteBatch};
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

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

// ANCHOR: live
/// A keyspace that is loaded while the program writes to it. What the program wrote since is newer
/// than what is loaded: a key that is there stays, and one that was deleted does not come back.
struct Moving {
    store: Lsm,
    new: Keyspace,
    /// Keys that the program deleted while it was loaded.
    deleted: Keyspace,
    /// Looking and writing are one step, for the loader and the program alike.
    one_at_a_time: Mutex<()>,
}

impl Moving {
    fn begin(store: &Lsm, name: &str) -> Result<Moving> {
        let (new, deleted) = (store.keyspace(name)?, store.keyspace("deleted-while-loading")?);
        Ok(Moving { store: store.clone(), new, deleted, one_at_a_time: Mutex::default() })
    }

    fn alone(&self) -> MutexGuard<'_, ()> {
        self.one_at_a_time.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put(&self, key: &[u8], value: &[u8]) -> Result<()> {
        let _alone = self.alone();
        self.new.put(key, value)
    }

    fn delete(&self, key: &[u8]) -> Result<()> {
        let _alone = self.alone();
        let mut batch = WriteBatch::new();
        batch.delete_in(&self.new, key).put_in(&self.deleted, key, "");
        self.store.write(batch)
    }

    /// One entry of the old store, for the loader; whether it was still wanted.
    fn load(&self, key: &[u8], value: &[u8]) -> Result<bool> {
        let _alone = self.alone();
        if self.new.contains_key(key)? || self.deleted.contains_key(key)? {
            return Ok(false);
        }
        let mut batch = WriteBatch::new();
        batch.put_in(&self.new, key, value);
        self.store.write_with(batch, Durability::Buffered)?;
        Ok(true)
    }

    /// All is loaded.
    fn end(self) -> Result<Keyspace> {
        self.store.flush()?;
        self.store.drop_keyspace("deleted-while-loading")?;
        Ok(self.new)
    }
}
// ANCHOR_END: live

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

    let moving = Moving::begin(&store, "orders")?;
    let skipped = std::thread::scope(|scope| -> Result<usize> {
        let loader = scope.spawn(|| {
            let loads = entries().take(2000).map(|(key, value)| moving.load(&key, &value));
            loads.collect::<Result<Vec<bool>>>()
        });
        // Meanwhile the program goes on.
        for i in (0..2000_u32).rev().step_by(100) {
            moving.put(format!("user:{i:08}").as_bytes(), b"newer")?;
            moving.delete(format!("user:{:08}", i - 1).as_bytes())?;
        }
        let loaded = loader.join().expect("the loader does not panic")?;
        Ok(loaded.iter().filter(|was_loaded| !**was_loaded).count())
    })?;
    let orders = moving.end()?;
    println!(
        "{} entries moved while 40 changed; {skipped} were newer already",
        orders.iter().count()
    );
    assert_eq!(orders.iter().count(), 2000 - 20);
    assert_eq!(orders.get("user:00001999")?.as_deref(), Some(&b"newer"[..]));
    assert_eq!(orders.get("user:00001998")?, None);
    drop(orders);
    store.close()?;
    Lsm::destroy(&dir)
}
