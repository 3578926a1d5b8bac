//! When a write is durable, store by store and write by write.
//!
//! `cargo run -p nori-lsm --example durability`

use nori_lsm::{Config, Durability, ErrorKind, Lsm, Result, WriteBatch};
use std::time::Duration;

fn main() -> Result<()> {
    let dir = std::env::temp_dir().join(format!("nori-durability-{}", std::process::id()));
    // ANCHOR: modes
    // A sync in the background at least every 100 ms; an acknowledged write may be lost to a
    // power cut until then, but not to a crash of this process.
    let config = Config::default().durability(Durability::Interval(Duration::from_millis(100)));
    let store = Lsm::open_with(&dir, config)?;
    store.put("clicks", "1041")?;

    // This one is durable when it returns, and so is everything before it.
    let mut order = WriteBatch::new();
    order.put("order:77", "paid");
    store.write_with(order, Durability::Synced)?;

    store.put("clicks", "1042")?;
    store.sync()?; // Now this one is durable as well.
    // ANCHOR_END: modes
    let metrics = store.metrics();
    println!("{} batches, {} of the groups synced", metrics.batches, metrics.groups_synced);
    assert_eq!(metrics.batches, 3);

    // ANCHOR: errors
    match store.put("key", "value") {
        Ok(()) => {}
        // Nothing was written; later it may work.
        Err(error) if error.is_retryable() => println!("try again: {error}"),
        // Writes have ended until the store is opened again. Reads go on.
        Err(error) if error.kind() == ErrorKind::Poisoned => return Err(error),
        Err(error) => return Err(error),
    }
    // ANCHOR_END: errors
    store.close()?;
    Lsm::destroy(&dir)
}
