//! How the models of this crate are run.
//!
//! Each model has twins: itself with a fault planted in the crate or with its own steps swapped.
//! A twin must fail, or the model shows nothing.

#![allow(clippy::unwrap_used)]

use nori_env::sync::loom::model::Builder;
use nori_memtable::{Plant, plant};
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

/// What happened in the executions of a model. Not loom's primitives: it outlives them all.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen(Arc<Mutex<BTreeMap<String, u64>>>);

impl Seen {
    /// Counts an outcome.
    pub(crate) fn add(&self, outcome: impl Into<String>) {
        *self.0.lock().unwrap().entry(outcome.into()).or_default() += 1;
    }

    fn outcomes(&self) -> BTreeMap<String, u64> {
        self.0.lock().unwrap().clone()
    }
}

/// Runs the model in every order up to the bound, and expects each of the outcomes and no other.
pub(crate) fn explore(
    name: &str,
    outcomes: &[&str],
    model: impl Fn(&Seen) + Send + Sync + 'static,
) {
    let seen = Seen::default();
    plant(None);
    let executions = run(&seen, model).unwrap();
    let counted = seen.outcomes();
    println!("loom: MODEL name={name} executions={executions}");
    println!("{name}: {counted:?}");
    assert!(executions > 1, "{name} has nothing to explore");
    assert!(counted.keys().eq(outcomes), "expected {outcomes:?}, saw {counted:?}");
}

/// Runs a twin and expects it to fail, and for the reason that it was made to fail for.
pub(crate) fn must_catch(
    name: &str,
    fault: Option<Plant>,
    reason: &str,
    model: impl Fn(&Seen) + Send + Sync + 'static,
) {
    plant(fault);
    let outcome = run(&Seen::default(), model);
    plant(None);
    match outcome {
        Err((message, after)) => {
            assert!(message.contains(reason), "{name} failed, but with {message:?}");
            println!("loom: TWIN name={name} caught after={after}");
        }
        Ok(executions) => {
            println!("loom: TWIN name={name} missed in={executions}");
            panic!("{name} passed {executions} executions: the model cannot see the fault");
        }
    }
}

/// The executions there are; or the panic of the one that failed, and how many it took.
fn run(seen: &Seen, model: impl Fn(&Seen) + Send + Sync + 'static) -> Result<u64, (String, u64)> {
    let executions = Arc::new(AtomicU64::new(0));
    let (seen, counter) = (seen.clone(), Arc::clone(&executions));
    let mut builder = Builder::new();
    // `LOOM_MAX_PREEMPTIONS` or 2.
    builder.preemption_bound = builder.preemption_bound.or(Some(2));
    let check = || {
        builder.check(move || {
            counter.fetch_add(1, Ordering::Relaxed);
            model(&seen);
        });
    };
    let outcome = catch_unwind(AssertUnwindSafe(check));
    let executions = executions.load(Ordering::Relaxed);
    match outcome {
        Ok(()) => Ok(executions),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().cloned();
            let text = text.or_else(|| panic.downcast_ref::<&str>().map(|t| t.to_string()));
            Err((text.unwrap_or_default(), executions))
        }
    }
}
