//! Snapshots and checkpoints: the store as it was, to read from and to keep.
//!
//! `cargo run -p nori-lsm --example snapshot`

use nori_lsm::{Lsm, Result};

fn main() -> Result<()> {
    let dir = std::env::temp_dir().join(format!("nori-snapshot-{}", std::process::id()));
    let copy = std::env::temp_dir().join(format!("nori-snapshot-{}-copy", std::process::id()));
    let store = Lsm::open(&dir)?;
    for i in 0..100 {
        store.put(format!("item:{i:03}"), "in stock")?;
    }

    // ANCHOR: report
    // A long report wants one moment, and the store goes on meanwhile.
    let snapshot = store.snapshot();
    let writer = std::thread::scope(|scope| {
        let sales = scope.spawn(|| (0..100).try_for_each(|i| store.delete(format!("item:{i:03}"))));
        let in_stock = snapshot.prefix("item:").count();
        println!("in stock at {}: {in_stock}", snapshot.sequence());
        assert_eq!(in_stock, 100);
        sales.join().expect("the thread does not panic")
    });
    writer?;
    assert_eq!(store.prefix("item:").count(), 0);
    // ANCHOR_END: report

    // ANCHOR: pins
    // What was deleted stays on disk while the snapshot can see it.
    for pin in store.pins() {
        println!("{:?}: {} at {}", pin.kind, pin.holders, pin.sequence);
    }
    assert_eq!(store.pins().len(), 1);
    store.compact()?;
    assert_eq!(snapshot.prefix("item:").count(), 100);
    drop(snapshot);
    assert!(store.pins().is_empty());
    store.compact()?; // Now it may go.
    // ANCHOR_END: pins

    // ANCHOR: checkpoint
    store.put("item:100", "new")?;
    let made = store.checkpoint(&copy)?; // A directory that opens as a store of its own.
    println!("at {}: {} tables, {} bytes of log", made.sequence, made.tables, made.log_bytes);
    store.delete("item:100")?;
    let old = Lsm::open(&copy)?;
    assert_eq!(old.get("item:100")?.as_deref(), Some(&b"new"[..]));
    // ANCHOR_END: checkpoint
    old.close()?;
    Lsm::destroy(&copy)?;
    store.close()?;
    Lsm::destroy(&dir)
}
