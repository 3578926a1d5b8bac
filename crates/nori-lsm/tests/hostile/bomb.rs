//! Panics on purpose, and what keys may hold after some.

use crate::hook::{Hook, Hooked};
use crate::{config, on};
use nori_env::sync::Arc;
use nori_env::sync::atomic::{AtomicU64, Ordering};
use nori_env::{Clock, MemFs};
use nori_lsm::{Config, Lsm};
use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Once;
use std::time::Duration;

pub(crate) const PLANNED: &str = "a planned panic";

/// Keeps the panics that belong to the tests out of their output.
pub(crate) fn quietly() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let planned = info.payload().downcast_ref::<String>();
            if planned.is_none_or(|text| !text.starts_with(PLANNED)) {
                usual(info);
            }
        }));
    });
}

/// What something returns, or `None` if it panicked as planned. Other panics go on.
pub(crate) fn planned<T>(work: impl FnOnce() -> T) -> Option<T> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(done) => Some(done),
        Err(panic) => {
            let text = panic.downcast_ref::<String>();
            if text.is_some_and(|text| text.starts_with(PLANNED)) {
                return None;
            }
            std::panic::resume_unwind(panic)
        }
    }
}

/// Panics at the n-th call, counted from 0, or at all from there on.
#[derive(Clone, Default)]
pub(crate) struct Bomb(Arc<Fuse>);

#[derive(Default)]
struct Fuse {
    calls: AtomicU64,
    from: AtomicU64,
    to: AtomicU64,
}

impl Bomb {
    pub(crate) fn at(&self, first: u64, count: u64) {
        self.0.calls.store(0, Ordering::SeqCst);
        self.0.from.store(first, Ordering::SeqCst);
        self.0.to.store(first.saturating_add(count), Ordering::SeqCst);
    }

    pub(crate) fn calls(&self) -> u64 {
        self.0.calls.load(Ordering::SeqCst)
    }

    pub(crate) fn tick(&self, what: std::fmt::Arguments<'_>) {
        let call = self.0.calls.fetch_add(1, Ordering::SeqCst);
        let due = self.0.from.load(Ordering::SeqCst)..self.0.to.load(Ordering::SeqCst);
        if due.contains(&call) {
            panic!("{PLANNED} at call {call}: {what}");
        }
    }

    pub(crate) fn hook(&self) -> Hook {
        let bomb = self.clone();
        Arc::new(move |op, path: &Path| bomb.tick(format_args!("{op:?} {}", path.display())))
    }

    pub(crate) fn config(&self, disk: &MemFs, clock: Arc<dyn Clock>) -> Config {
        let bomb = self.clone();
        let hook: Arc<dyn Fn() + Send + Sync> = Arc::new(move || bomb.tick(format_args!("clock")));
        config(Hooked::over(on(disk), self.hook()))
            .clock(Arc::new(HookedClock { inner: clock, hook }))
    }
}

/// What each key may hold: the last acknowledged value and those that may have been written since.
#[derive(Default)]
pub(crate) struct Expected(pub(crate) BTreeMap<Vec<u8>, BTreeSet<Option<Vec<u8>>>>);

impl Expected {
    /// A write of one key that returned, failed, or panicked.
    pub(crate) fn note(&mut self, key: &[u8], value: Option<Vec<u8>>, acknowledged: bool) {
        let may = self.0.entry(key.to_vec()).or_insert_with(|| BTreeSet::from([None]));
        if acknowledged {
            may.clear();
        }
        may.insert(value);
    }

    pub(crate) fn check(&self, store: &Lsm) -> Result<(), String> {
        for (key, may) in &self.0 {
            let value = store.get(key).map_err(|e| e.to_string())?.map(|v| v.to_vec());
            if !may.contains(&value) {
                return Err(format!("{}: {value:?}, expected {may:?}", key.escape_ascii()));
            }
        }
        let shown: nori_lsm::Result<Vec<_>> = store.iter().collect();
        let shown = shown.map_err(|e| e.to_string())?;
        match shown.iter().find(|(key, _)| !self.0.contains_key(&key[..])) {
            Some((key, _)) => Err(format!("{key:?} was never written")),
            None => Ok(()),
        }
    }
}

/// A clock that calls a hook before it tells the time.
#[derive(Clone)]
pub(crate) struct HookedClock {
    pub(crate) inner: Arc<dyn Clock>,
    pub(crate) hook: Arc<dyn Fn() + Send + Sync>,
}

impl std::fmt::Debug for HookedClock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HookedClock").finish_non_exhaustive()
    }
}

impl Clock for HookedClock {
    fn now(&self) -> Duration {
        (self.hook)();
        self.inner.now()
    }

    fn unix_ms(&self) -> u64 {
        (self.hook)();
        self.inner.unix_ms()
    }
}
