//! How long it takes until a store answers again.
//!
//! What a killed process leaves is what the system holds of its files: their copy while the store
//! is open and nothing writes is just that, for any engine.

use crate::data::Data;
use crate::engine::{Engine, EngineKind};
use crate::error::{Error, Result};
use crate::measure::{Meter, Part};
use crate::plan::Plan;
use crate::row::Row;
use crate::store::{self, Store};
use crate::watch::Observer;
use crate::worker::Worker;
use crate::workload::Workload;
use std::path::Path;
use std::sync::Mutex;

/// One of so many keys is written again before the kill.
const WRITTEN_AGAIN: u64 = 10;

/// Opens what was closed, and then what a kill would leave of it after more writes.
pub(crate) fn reopen(
    kind: EngineKind,
    store: Store,
    plan: &Plan,
    data: &Data,
    observer: &dyn Observer,
) -> Result<Vec<Row>> {
    store.engine.close()?;
    let again = Again { kind, plan, data, observer };
    let (closed, engine) = again.open(&plan.dir, "after a close", 0)?;
    let copy = store::copy_of(&plan.dir);
    store::remove(&copy)?;
    let (mut key, shuffle) = (Vec::new(), data.shuffle());
    let writes = (data.keys / WRITTEN_AGAIN).max(1);
    for i in 0..writes {
        let number = shuffle.at(i);
        data.key(number, &mut key);
        engine.put(&key, data.value(Workload::Reopen.value_number(number)))?;
    }
    engine.wait_idle()?;
    store::copy_at_rest(&plan.dir, &copy)?;
    engine.close()?;
    let last = shuffle.at(writes - 1);
    let (killed, engine) = again.open(&copy, "after a kill", last)?;
    let mut right = false;
    data.key(last, &mut key);
    let wanted = data.value(Workload::Reopen.value_number(last));
    engine.get(&key, &mut |value| right = value == wanted)?;
    engine.close()?;
    store::remove(&copy)?;
    if !right {
        return Err(Error::new("the last write before a kill is lost"));
    }
    Ok(vec![closed, killed])
}

struct Again<'a> {
    kind: EngineKind,
    plan: &'a Plan,
    data: &'a Data,
    observer: &'a dyn Observer,
}

impl Again<'_> {
    /// Opens a store and reads a key of it.
    fn open(&self, dir: &Path, name: &'static str, number: u64) -> Result<(Row, Box<dyn Engine>)> {
        let opened = Mutex::new(None);
        let body = |worker: &mut Worker<'_>| {
            let mut key = Vec::new();
            self.data.key(number, &mut key);
            worker.each(0..1, |_, tally| {
                let engine = (self.kind.open)(dir, &self.plan.options)?;
                engine.get(&key, &mut |value| tally.value(value))?;
                *opened.lock().map_err(Error::new)? = Some(engine);
                Ok(())
            })
        };
        let (name_of_kind, workload) = (self.kind.name, Workload::Reopen);
        let meter =
            Meter { name: name_of_kind, engine: None, dir, observer: self.observer, workload };
        let part = Part::of(1, None, &body).named(name).reads(true);
        let row = meter.run(part, false, self.data.keys * self.data.entry_bytes())?;
        let engine = opened.into_inner().map_err(Error::new)?;
        Ok((row, engine.ok_or_else(|| Error::new("no store was opened"))?))
    }
}
