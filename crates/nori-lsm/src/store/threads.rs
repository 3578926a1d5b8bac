//! The background threads: one flushes, one takes care of the log, the others do everything else.
//!
//! 1. They hold the store but not its handle, so that the last handle can end them.
//! 2. A step that failed is not tried again before its back-off is over; only closing ends the
//!    wait. Other threads' signals do not: each failure makes some. Work on slots waits slot by
//!    slot, while its threads go on with others.
//! 3. A step that panicked has ended writes; its thread goes on, to flush what is in memory.

use crate::error::Result;
use crate::health::Work;
use crate::store::state::Store;
use nori_env::sync::Arc;
use nori_env::sync::atomic::Ordering;
use nori_env::sync::thread::{Builder, JoinHandle};
use std::time::Duration;

/// How long a thread sleeps without a signal: what frees memory sends none.
const IDLE: Duration = Duration::from_millis(500);

/// Starts the threads of a store.
pub(crate) fn start(store: &Arc<Store>, workers: usize) -> Vec<JoinHandle<()>> {
    let flush = spawn(store, "nori-flush", |store| run(&store, Work::Flush, Store::flush_step));
    // A thread of its own: a flush may take longer than the time between two syncs, or fail.
    let log = spawn(store, "nori-log", |store| run(&store, Work::Sync, Store::log_step));
    let work = (0..workers)
        .map(|_| spawn(store, "nori-work", |store| run(&store, Work::Worker, Store::work_step)));
    std::iter::once(flush).chain([log]).chain(work).flatten().collect()
}

fn spawn(
    store: &Arc<Store>,
    name: &str,
    body: impl FnOnce(Arc<Store>) + Send + 'static,
) -> Option<JoinHandle<()>> {
    let own = Arc::clone(store);
    let started = Builder::new().name(name.to_string()).spawn(move || body(own));
    if let Err(e) = &started {
        let error = crate::Error::invalid(format!("a background thread could not start: {e}"));
        store.note::<()>(Work::Flush, &Err(error));
    }
    started.ok()
}

/// Runs steps until the store is closed; waits when none is due, longer after failures.
fn run(store: &Store, work: Work, step: impl Fn(&Store) -> Result<bool>) {
    loop {
        let (seen, closing) = (store.signal.now(), store.closing.now());
        if store.cancelled.load(Ordering::Acquire) {
            return;
        }
        match store.step_or_poison(work, &step) {
            Ok(true) => {}
            Ok(false) => {
                let due = match work {
                    Work::Sync => store.until_sync(),
                    Work::Worker => store.waiting_slots().into_values().min(),
                    _ => None,
                };
                let wait = due.map_or(IDLE, |left| left.min(IDLE));
                store.signal.wait(seen, wait.max(Duration::from_millis(1)));
            }
            Err(_) => match store.wait_after(work) {
                Some(wait) => drop(store.closing.wait(closing, wait)),
                // What failed is a slot's work or cleaning, which wait by themselves.
                None => drop(store.signal.wait(seen, IDLE)),
            },
        }
    }
}

impl Store {
    fn flush_step(&self) -> Result<bool> {
        let flushed = self.flush_one()?;
        // Memtables are large, and a long merge may keep the threads busy that free them else.
        self.reaper.run_pending();
        Ok(flushed)
    }
}
