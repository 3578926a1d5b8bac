//! Reading: gets, seeks, scans, and gets beside a writer.

use crate::error::Result;
use crate::measure::{Ctx, Part};
use crate::row::Row;
use crate::worker::Worker;
use crate::workload::Workload;
use std::sync::atomic::{AtomicU64, Ordering};

/// As many gets as there are keys.
pub(super) fn gets(ctx: &Ctx<'_>) -> Result<Row> {
    let (data, hot) = (ctx.data, ctx.data.hot_ranges());
    let body = |worker: &mut Worker<'_>| {
        let (mut key, mut rng) = (Vec::new(), data.rng(ctx.stream(), worker.thread));
        worker.each(worker.part(data.keys), |_, tally| {
            match ctx.workload {
                Workload::ReadMissing => data.missing_key(rng.below(data.keys), &mut key),
                Workload::ReadZipf => data.key(hot(&mut rng), &mut key),
                _ => data.key(rng.below(data.keys), &mut key),
            }
            ctx.engine.get(&key, &mut |value| tally.value(value)).map(drop)
        })
    };
    let part = Part::of(ctx.plan.threads, data.keys, &body).reads(true);
    ctx.run(part, false, ctx.live_bytes())
}

/// Seeks, each followed by some entries; fewer of them where each is long.
pub(super) fn seeks(ctx: &Ctx<'_>, entries: u64) -> Result<Row> {
    let data = ctx.data;
    let seeks = (data.keys * 10 / entries).max(1);
    let body = |worker: &mut Worker<'_>| {
        let (mut key, mut rng) = (Vec::new(), data.rng(ctx.stream(), worker.thread));
        worker.each(worker.part(seeks), |_, tally| {
            data.key(rng.below(data.keys), &mut key);
            let mut entry = |key: &[u8], value: &[u8]| tally.entry(key, value);
            ctx.engine.scan(Some(&key), false, entries, &mut entry).map(drop)
        })
    };
    let part = Part::of(ctx.plan.threads, seeks, &body).reads(true);
    ctx.run(part, false, ctx.live_bytes())
}

/// Everything, by each thread.
pub(super) fn scan(ctx: &Ctx<'_>, reverse: bool) -> Result<Row> {
    let body = |worker: &mut Worker<'_>| all(ctx, worker, reverse);
    let part = Part::of(ctx.plan.threads, ctx.data.keys * ctx.plan.threads, &body).reads(true);
    ctx.run(part, false, ctx.live_bytes())
}

/// Reads all entries.
pub(super) fn all(ctx: &Ctx<'_>, worker: &mut Worker<'_>, reverse: bool) -> Result<()> {
    let mut entry = |key: &[u8], value: &[u8]| worker.scanned(key, value);
    ctx.engine.scan(None, reverse, u64::MAX, &mut entry).map(drop)
}

/// One less when it goes, however it goes.
struct Leaves<'a>(&'a AtomicU64);

impl Drop for Leaves<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// As many gets as there are keys; one thread overwrites until the last one is done.
pub(super) fn beside_a_writer(ctx: &Ctx<'_>) -> Result<Vec<Row>> {
    let data = ctx.data;
    let readers = AtomicU64::new(ctx.plan.threads);
    let read = |worker: &mut Worker<'_>| {
        let _leaves = Leaves(&readers);
        let (mut key, mut rng) = (Vec::new(), data.rng(ctx.stream(), worker.thread));
        worker.each(worker.part(data.keys), |_, tally| {
            data.key(rng.below(data.keys), &mut key);
            ctx.engine.get(&key, &mut |value| tally.value(value)).map(drop)
        })
    };
    let write = |worker: &mut Worker<'_>| {
        let (mut key, mut rng) = (Vec::new(), data.rng(ctx.stream(), u64::from(u16::MAX)));
        worker.while_true(
            || readers.load(Ordering::Acquire) > 0,
            |_, tally| {
                let number = rng.below(data.keys);
                data.key(number, &mut key);
                let value = data.value(ctx.workload.value_number(number));
                tally.wrote(&key, value);
                ctx.engine.put(&key, value)
            },
        )
    };
    let parts = [
        Part::of(ctx.plan.threads, data.keys, &read).named("readers").reads(false),
        Part::of(1, 0, &write).named("writer"),
    ];
    // The readers' time ends with the last read; what the writer left is waited for outside.
    let rows = ctx.meter.run_beside(&parts, false, ctx.live_bytes())?;
    ctx.engine.wait_idle()?;
    Ok(rows)
}
