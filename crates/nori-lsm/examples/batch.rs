//! Batches: a transfer between accounts that is there whole or not at all, whatever else happens.
//!
//! `cargo run -p nori-lsm --example batch`

use nori_lsm::{Durability, Lsm, Result, WriteBatch};

fn main() -> Result<()> {
    let dir = std::env::temp_dir().join(format!("nori-batch-{}", std::process::id()));
    let store = Lsm::open(&dir)?;
    store.put("account:ada", "100")?;
    store.put("account:grace", "100")?;

    // ANCHOR: transfer
    let mut batch = WriteBatch::new();
    batch.put("account:ada", "70").put("account:grace", "130");
    batch.put("transfer:0001", "ada to grace: 30");
    println!("{} writes, {} bytes in the log", batch.len(), batch.byte_len());
    store.write(batch)?; // One record of the log, one moment for readers.
    // ANCHOR_END: transfer
    assert_eq!(sum(&store)?, 200);

    // ANCHOR: many
    // Loading: batches of some hundred entries, not synced one by one, and one sync at the end.
    let mut batch = WriteBatch::new();
    for i in 0..10_000_u32 {
        batch.put(format!("event:{i:08}"), "...");
        if batch.byte_len() > 64 << 10 {
            store.write_with(std::mem::take(&mut batch), Durability::Buffered)?;
        }
    }
    store.write_with(batch, Durability::Buffered)?;
    store.sync()?; // Now all of it is durable.
    // ANCHOR_END: many
    println!("{} events loaded", store.prefix("event:").count());
    assert_eq!(store.prefix("event:").count(), 10_000);

    // ANCHOR: last
    // Of several writes of one key in a batch the last one counts.
    let mut batch = WriteBatch::new();
    batch.put("mood", "grey").delete("mood").put("mood", "blue");
    store.write(batch)?;
    assert_eq!(store.get("mood")?.as_deref(), Some(&b"blue"[..]));
    // ANCHOR_END: last

    // What is too large is refused before anything is written.
    let mut batch = WriteBatch::new();
    batch.put("small", "fine").put(vec![b'k'; 70_000], "a key of 70,000 bytes");
    let refused = store.write(batch).expect_err("a key has at most 65,535 bytes");
    println!("refused: {refused}");
    assert_eq!(store.get("small")?, None);

    store.close()?;
    Lsm::destroy(&dir)
}

/// The money in all accounts, at one moment.
fn sum(store: &Lsm) -> Result<u64> {
    let mut sum = 0;
    for entry in store.prefix("account:") {
        let (_, value) = entry?;
        sum += String::from_utf8_lossy(&value).parse::<u64>().expect("written as a number above");
    }
    Ok(sum)
}
