//! Recipe: nori in an async program. The engine blocks, so calls that may wait go to the runtime's
//! threads for blocking work.
//!
//! `cargo run -p nori-examples --bin async_spawn_blocking`

use nori_lsm::{Error, Lsm, Result, WriteBatch};
use std::time::Duration;
use tokio::runtime::Builder;
use tokio::task::spawn_blocking;

// ANCHOR: blocking
/// Does something with the store on a thread that may block. `Lsm` is a handle: a clone is cheap.
async fn with_store<T: Send + 'static>(
    store: &Lsm,
    work: impl FnOnce(&Lsm) -> Result<T> + Send + 'static,
) -> Result<T> {
    let store = store.clone();
    match spawn_blocking(move || work(&store)).await {
        Ok(outcome) => outcome,
        Err(failed) => match failed.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic), // Of `work`.
            Err(_) => Err(Error::Closed), // The runtime ended before the task began.
        },
    }
}
// ANCHOR_END: blocking

// ANCHOR: writes
/// A request that writes: one call for all that belongs together, not one for each key.
async fn order(store: &Lsm, number: u32) -> Result<()> {
    with_store(store, move |store| {
        let mut batch = WriteBatch::new();
        batch.put(format!("order:{number:04}"), "paid").put(format!("mail:{number:04}"), "to send");
        store.write(batch)
    })
    .await
}
// ANCHOR_END: writes

// ANCHOR: retry
/// A write that is tried again while the store says that it may work later.
async fn order_patiently(store: &Lsm, number: u32) -> Result<()> {
    let mut pause = Duration::from_millis(50);
    loop {
        match order(store, number).await {
            Err(error) if error.is_retryable() && pause < Duration::from_secs(10) => {
                tokio::time::sleep(pause).await;
                pause *= 2;
            }
            outcome => return outcome,
        }
    }
}
// ANCHOR_END: retry

fn main() -> Result<()> {
    let dir = std::env::temp_dir().join(format!("nori-async-{}", std::process::id()));
    let runtime = Builder::new_multi_thread()
        .worker_threads(2)
        .enable_time()
        .max_blocking_threads(16) // As many writers share a sync, at most.
        .build()
        .expect("two threads can be started");
    runtime.block_on(async {
        let path = dir.clone();
        let opened = spawn_blocking(move || Lsm::open(path)).await; // Opening replays the log.
        let store = opened.expect("opening does not panic")?;
        // ANCHOR: many
        // Requests at the same time: their writes gather in groups, each with one sync.
        let requests: Vec<_> = (0..200)
            .map(|number| {
                let store = store.clone();
                tokio::spawn(async move { order_patiently(&store, number).await })
            })
            .collect();
        for request in requests {
            request.await.expect("requests do not panic")?;
        }
        // ANCHOR_END: many
        // ANCHOR: scan
        // A scan is one call too: what it found is sent back, not one entry after the other.
        let mails = with_store(&store, |store| {
            store.prefix("mail:").map(|entry| entry.map(|(key, _)| key)).collect::<Result<Vec<_>>>()
        })
        .await?;
        // ANCHOR_END: scan
        let metrics = store.metrics(); // Counters, no disk: no need to go elsewhere.
        println!(
            "{} mails to send; {} batches in {} groups",
            mails.len(),
            metrics.batches,
            metrics.groups
        );
        assert_eq!(mails.len(), 200);
        with_store(&store, |store| store.clone().close()).await
    })?;
    Lsm::destroy(&dir)?;
    Ok::<(), Error>(())
}
