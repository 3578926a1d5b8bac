//! What to write in nori where other engines have a feature for it: counters without a merge
//! operator, a change that depends on what is read, removing a range, taking a copy.
//!
//! `cargo run -p nori-examples --bin idioms`

// A program of a user: its locks are the standard library's.
#![allow(clippy::disallowed_types)]

use nori_lsm::{Keyspace, Lsm, Result, WriteBatch};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

// ANCHOR: counters
/// Counters that are counted in memory and written now and then: in place of a merge operator.
#[derive(Default)]
struct Counters {
    pending: Mutex<HashMap<String, u64>>,
}

impl Counters {
    fn add(&self, name: &str, n: u64) {
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        *pending.entry(name.to_owned()).or_default() += n;
    }

    /// Adds what is pending to what is stored, in one batch. From one thread.
    fn write(&self, store: &Lsm) -> Result<()> {
        let taken =
            std::mem::take(&mut *self.pending.lock().unwrap_or_else(PoisonError::into_inner));
        let written = Counters::add_to(store, &taken);
        if written.is_err() {
            taken.iter().for_each(|(name, n)| self.add(name, *n)); // Next time.
        }
        written
    }

    fn add_to(store: &Lsm, counts: &HashMap<String, u64>) -> Result<()> {
        let mut batch = WriteBatch::new();
        for (name, n) in counts {
            batch.put(name, (stored(store, name)? + n).to_be_bytes());
        }
        store.write(batch)
    }
}

fn stored(store: &Lsm, name: &str) -> Result<u64> {
    let bytes = store.get(name)?;
    Ok(bytes
        .map_or(0, |b| u64::from_be_bytes(b[..].try_into().expect("counters have eight bytes"))))
}
// ANCHOR_END: counters

// ANCHOR: change
/// Changes that read before they write, one at a time: in place of a transaction.
struct Changes {
    store: Lsm,
    one_at_a_time: Mutex<()>,
}

impl Changes {
    /// Puts a value if the key has none; whether it did.
    fn put_new(&self, key: &str, value: &str) -> Result<bool> {
        let _guard = self.one_at_a_time.lock().unwrap_or_else(PoisonError::into_inner);
        if self.store.contains_key(key)? {
            return Ok(false);
        }
        self.store.put(key, value)?;
        Ok(true)
    }
}
// ANCHOR_END: change

// ANCHOR: remove
/// Removes a range, some keys at a time: in place of a range delete.
fn remove_range(store: &Lsm, from: &str, to: &str) -> Result<u64> {
    let mut removed = 0;
    loop {
        let keys: Result<Vec<_>> = store.range(from..to).take(1000).map(|e| Ok(e?.0)).collect();
        let keys = keys?;
        if keys.is_empty() {
            return Ok(removed);
        }
        let mut batch = WriteBatch::new();
        for key in &keys {
            batch.delete(key);
        }
        store.write(batch)?;
        removed += keys.len() as u64;
    }
}
// ANCHOR_END: remove

fn main() -> Result<()> {
    let dir = std::env::temp_dir().join(format!("nori-idioms-{}", std::process::id()));
    let store = Lsm::open(&dir)?;

    let counters = Counters::default();
    for _ in 0..3 {
        counters.add("visits", 2);
        counters.write(&store)?;
    }
    println!("visits: {}", stored(&store, "visits")?);
    assert_eq!(stored(&store, "visits")?, 6);

    let changes = Changes { store: store.clone(), one_at_a_time: Mutex::default() };
    // ANCHOR: threads
    let won = std::thread::scope(|scope| {
        let tries: Vec<_> = (0..4)
            .map(|i| {
                let changes = &changes;
                scope.spawn(move || changes.put_new("leader", &format!("thread {i}")))
            })
            .collect();
        let outcomes = tries.into_iter().map(|t| t.join().expect("threads do not panic"));
        outcomes.filter(|outcome| matches!(outcome, Ok(true))).count()
    });
    // ANCHOR_END: threads
    println!("{won} of 4 became leader");
    assert_eq!(won, 1);

    let mut batch = WriteBatch::new();
    for i in 0..2500 {
        batch.put(format!("log:{i:05}"), "...");
    }
    store.write(batch)?;
    let removed = remove_range(&store, "log:", "log;")?;
    println!("{removed} keys removed");
    assert_eq!(removed, 2500);
    assert!(store.prefix("log:").next().is_none());

    let inbox: Keyspace = store.keyspace("inbox")?;
    inbox.put("1", "a letter")?;
    // ANCHOR: clear
    // All of a keyspace: drop it, and make it anew.
    drop(inbox);
    store.drop_keyspace("inbox")?;
    let inbox = store.keyspace("inbox")?;
    assert!(inbox.iter().next().is_none());
    // ANCHOR_END: clear
    drop((inbox, changes));
    store.close()?;
    Lsm::destroy(&dir)
}
