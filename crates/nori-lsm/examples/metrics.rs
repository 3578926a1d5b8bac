//! Metrics: numbers and latencies of a store, and the text that Prometheus scrapes.
//!
//! `cargo run -p nori-lsm --example metrics`

use nori_lsm::{Lsm, Result};

fn main() -> Result<()> {
    let dir = std::env::temp_dir().join(format!("nori-metrics-{}", std::process::id()));
    let store = Lsm::open(&dir)?;
    for i in 0..200_u32 {
        store.put(format!("key:{i:05}"), format!("value {i}"))?;
    }
    store.flush()?;
    store.get("key:00007")?;

    // ANCHOR: latencies
    let metrics = store.metrics();
    let writes = &metrics.latencies.write;
    println!("{} writes, half of them within {} us", writes.count, writes.p50_ns / 1000);
    println!("{} tables, {} bytes", metrics.tables, metrics.table_bytes);
    // ANCHOR_END: latencies
    assert_eq!((writes.count, metrics.tables), (200, 1));

    // ANCHOR: prometheus
    let labels = [("store", "orders")];
    let numbers = store.metrics().to_prometheus_with(&labels);
    let body = numbers + &store.disk()?.to_prometheus_with(&labels);
    // ANCHOR_END: prometheus
    for line in body.lines().filter(|line| line.starts_with("nori_disk_bytes")) {
        println!("{line}");
    }
    assert!(body.contains("nori_flushes_total{store=\"orders\"} 1"));
    store.close()?;
    Lsm::destroy(&dir)
}
