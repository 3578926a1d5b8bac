//! How the models run: each counts its executions and what it saw, each twin must fail.

#![allow(dead_code, unreachable_pub)]

use nori_env::sync::loom;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};

/// What the executions of one model have seen. Lives outside of loom.
#[derive(Default)]
pub struct Seen {
    executions: AtomicU64,
    outcomes: [AtomicU64; 8],
}

impl Seen {
    pub fn outcome(&self, which: usize) {
        self.outcomes[which].fetch_add(1, Ordering::Relaxed);
    }

    fn executions(&self) -> u64 {
        self.executions.load(Ordering::Relaxed)
    }
}

fn explore(seen: &'static Seen, body: impl Fn(&'static Seen) + Send + Sync + 'static) {
    loom::model(move || {
        seen.executions.fetch_add(1, Ordering::Relaxed);
        body(seen);
    });
}

/// Runs a model that must hold, and must see each of its first `outcomes` outcomes.
pub fn model(name: &str, outcomes: usize, body: impl Fn(&'static Seen) + Send + Sync + 'static) {
    let seen: &'static Seen = Box::leak(Box::default());
    explore(seen, body);
    let counts: Vec<u64> =
        seen.outcomes[..outcomes].iter().map(|n| n.load(Ordering::Relaxed)).collect();
    println!("loom: MODEL name={name} executions={} outcomes={counts:?}", seen.executions());
    assert!(seen.executions() > 1, "{name}: one execution proves nothing");
    assert!(counts.iter().all(|n| *n > 0), "{name}: an outcome was never seen: {counts:?}");
}

/// Runs a model with a planted bug, which must be caught.
pub fn twin(name: &str, body: impl Fn(&'static Seen) + Send + Sync + 'static) {
    let seen: &'static Seen = Box::leak(Box::default());
    let outcome = catch_unwind(AssertUnwindSafe(|| explore(seen, body)));
    let after = seen.executions();
    assert!(outcome.is_err(), "{name}: not caught in {after} executions");
    println!("loom: TWIN name={name} caught after={after}");
}
