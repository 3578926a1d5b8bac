//! Four of five keys deleted, and scans of what is left.

use crate::error::{Error, Result};
use crate::measure::{Ctx, Part};
use crate::row::Row;
use crate::work::reads;
use crate::worker::Worker;

const DELETED_PERCENT: u64 = 80;

/// Deletes, scans at once, waits, scans again.
pub(super) fn delete_and_scan(ctx: &Ctx<'_>) -> Result<Vec<Row>> {
    let (data, threads) = (ctx.data, ctx.plan.threads);
    let deletes = data.keys / 100 * DELETED_PERCENT + data.keys % 100 * DELETED_PERCENT / 100;
    let (shuffle, left) = (data.shuffle(), data.keys - deletes);
    let live_bytes = left * data.entry_bytes();
    let delete = |worker: &mut Worker<'_>| {
        let mut key = Vec::new();
        worker.each(worker.part(deletes), |i, tally| {
            data.key(shuffle.at(i), &mut key);
            tally.wrote(&key, &[]);
            ctx.engine.delete(&key)
        })
    };
    let scan = |worker: &mut Worker<'_>| reads::all(ctx, worker, false);
    let scanned = |name| {
        let part = Part::of(1, left, &scan).named(name).reads(true);
        let row = ctx.run(part, false, live_bytes)?;
        if row.ops == left {
            return Ok(row);
        }
        Err(Error::new(format!("a scan after deletes met {} entries, not {left}", row.ops)))
    };
    let part = Part::of(threads, deletes, &delete).named("deletes");
    let mut rows = vec![ctx.run(part, false, live_bytes)?, scanned("scan at once")?];
    ctx.engine.wait_idle()?;
    rows.push(scanned("scan settled")?);
    Ok(rows)
}
