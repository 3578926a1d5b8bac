//! A tour of the verbs, in pieces that the book shows.
//!
//! `cargo run -p nori-lsm --example tour`

use nori_lsm::{Lsm, Result, WriteBatch};
use std::path::Path;

fn main() -> Result<()> {
    let dir = std::env::temp_dir().join(format!("nori-tour-{}", std::process::id()));
    first_steps(&dir)?;
    batches(&dir)?;
    ranges(&dir)?;
    snapshots(&dir)?;
    keyspaces(&dir)?;
    looking_in(&dir)?;
    Lsm::destroy(&dir)
}

fn first_steps(dir: &Path) -> Result<()> {
    // ANCHOR: first_steps
    let store = Lsm::open(dir)?;
    store.put("user:1", "Ada")?; // Durable when it returns.
    assert_eq!(store.get("user:1")?.as_deref(), Some(&b"Ada"[..]));
    store.delete("user:1")?;
    assert_eq!(store.get("user:1")?, None);
    store.close()?;
    // ANCHOR_END: first_steps
    Ok(())
}

fn batches(dir: &Path) -> Result<()> {
    let store = Lsm::open(dir)?;
    // ANCHOR: batches
    let mut batch = WriteBatch::new();
    batch.put("account:ada", "90").put("account:grace", "110").delete("transfer:7");
    store.write(batch)?; // All of it or nothing, after any crash.
    // ANCHOR_END: batches
    assert_eq!(store.get("account:grace")?.as_deref(), Some(&b"110"[..]));
    Ok(())
}

fn ranges(dir: &Path) -> Result<()> {
    let store = Lsm::open(dir)?;
    // ANCHOR: ranges
    for day in ["2031-01-01", "2031-01-02", "2031-02-01"] {
        store.put(format!("log:{day}"), "...")?;
    }
    for entry in store.prefix("log:2031-01") {
        let (key, _value) = entry?;
        println!("{}", key.escape_ascii());
    }
    // Ranges are Rust's, and iterators run from both ends.
    let newest = store.range("log:".."log;").next_back().transpose()?;
    // ANCHOR_END: ranges
    assert_eq!(newest.map(|(key, _)| key), Some("log:2031-02-01".into()));
    Ok(())
}

fn snapshots(dir: &Path) -> Result<()> {
    let store = Lsm::open(dir)?;
    // ANCHOR: snapshots
    store.put("stock", "10")?;
    let snapshot = store.snapshot();
    store.put("stock", "9")?;
    assert_eq!(snapshot.get("stock")?.as_deref(), Some(&b"10"[..]));
    assert_eq!(store.get("stock")?.as_deref(), Some(&b"9"[..]));
    // ANCHOR_END: snapshots
    Ok(())
}

fn keyspaces(dir: &Path) -> Result<()> {
    let store = Lsm::open(dir)?;
    // ANCHOR: keyspaces
    let users = store.keyspace("users")?; // Made where it is missing.
    let by_mail = store.keyspace("users-by-mail")?;
    let mut batch = WriteBatch::new();
    batch.put_in(&users, "1", "Ada").put_in(&by_mail, "ada@example.org", "1");
    store.write(batch)?; // Atomic over both.

    assert_eq!(users.get("1")?.as_deref(), Some(&b"Ada"[..]));
    assert_eq!(store.get("1")?, None); // The store's own verbs act on "default".
    store.drop_keyspace("users-by-mail")?;
    // ANCHOR_END: keyspaces
    assert!(by_mail.get("ada@example.org").is_err());
    Ok(())
}

fn looking_in(dir: &Path) -> Result<()> {
    let store = Lsm::open(dir)?;
    // ANCHOR: looking_in
    let found = store.recovery(); // What this open replayed, cut and wrote.
    println!("{} records replayed, cut: {:?}", found.records, found.torn_tail);
    for slot in store.slots() {
        println!(
            "slot {} of {:?}: {} runs, {} bytes",
            slot.id, slot.keyspace, slot.runs, slot.bytes
        );
    }
    let report = store.verify()?; // Reads every byte of every table.
    assert!(report.is_ok(), "{:?}", report.problems);
    // ANCHOR_END: looking_in
    store.close()
}
