//! Running workloads on the stores that they begin with.

use crate::engine::EngineKind;
use crate::error::{Error, Result};
use crate::measure::{Ctx, Meter};
use crate::plan::Plan;
use crate::row::Row;
use crate::store::{self, Store};
use crate::watch::Observer;
use crate::work;
use crate::workload::{Shape, Workload};

/// Workloads of one engine, one after the other in one directory.
///
/// A workload finds what the one before left where it can use that: reads after a fill read what
/// the fill wrote. Else it begins with a store of its own, filled before without measuring.
pub struct Bench<'a> {
    kind: EngineKind,
    plan: &'a Plan,
    store: Option<Store>,
}

impl<'a> Bench<'a> {
    /// A bench without a store yet. Its directory must hold nothing that somebody needs: it is
    /// removed.
    ///
    /// # Errors
    /// If keys are too short for their number.
    pub fn new(kind: EngineKind, plan: &'a Plan) -> Result<Bench<'a>> {
        plan.check()?;
        Ok(Bench { kind, plan, store: None })
    }

    /// Runs a workload; a row for each of its parts.
    ///
    /// # Errors
    /// Those of the engine and of its files, and answers that are wrong.
    pub fn run(&mut self, workload: Workload, observer: &dyn Observer) -> Result<Vec<Row>> {
        if self.store.as_ref().is_none_or(|store| store.shape != Some(workload.shape())) {
            self.begin_with(workload.shape(), workload.name(), observer)?;
        }
        let values = if workload.shape() == Shape::Empty { Shape::Full } else { workload.shape() };
        let data = match values {
            Shape::Ycsb => work::ycsb::data(self.plan),
            _ => self.plan.data(self.plan.keys, self.plan.value_bytes),
        };
        let none = || Error::new("there is no store");
        if workload == Workload::Reopen {
            // It ends the store that it begins with.
            let store = self.store.take().ok_or_else(none)?;
            return work::reopen::reopen(self.kind, store, self.plan, &data, observer);
        }
        let store = self.store.as_mut().ok_or_else(none)?;
        // Until it has ended well.
        store.shape = None;
        let engine = &*store.engine;
        let (name, dir) = (self.kind.name, self.plan.dir.as_path());
        let meter = Meter { name, engine: Some(engine), dir, observer, workload };
        let rows = work::run(&Ctx { meter, engine, data: &data, plan: self.plan, workload })?;
        // What is not on the disk yet would be written while the next one is measured.
        engine.sync()?;
        store.shape = workload.leaves();
        Ok(rows)
    }

    fn begin_with(&mut self, shape: Shape, what: &str, observer: &dyn Observer) -> Result<()> {
        self.close()?;
        let live = observer.begin(what, None);
        live.note("making a store");
        self.store = Some(Store::make(self.kind, self.plan, shape)?);
        Ok(())
    }

    /// Closes the store, which stays where it is.
    ///
    /// # Errors
    /// Those of the engine.
    pub fn close(&mut self) -> Result<()> {
        match self.store.take() {
            Some(store) => store.engine.close(),
            None => Ok(()),
        }
    }

    /// Closes the store and removes its directory, also if closing fails.
    ///
    /// # Errors
    /// Those of the engine, and those of removing files.
    pub fn remove(mut self) -> Result<()> {
        let closed = self.close();
        let removed = store::remove(&self.plan.dir);
        store::remove(&store::copy_of(&self.plan.dir)).and(removed).and(closed)
    }
}

impl std::fmt::Debug for Bench<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Bench").field("engine", &self.kind.name).field("plan", self.plan).finish()
    }
}
