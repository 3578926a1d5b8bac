//! Series that grow at their ends.

use crate::error::Result;
use crate::measure::{Ctx, Part};
use crate::row::Row;
use crate::worker::Worker;

const SERIES: u64 = 8;
const TAIL_ENTRIES: u64 = 10;
/// For so many points one tail is read.
const POINTS_PER_TAIL: u64 = 10;

/// Appends points of all series in turn, then reads tails.
pub(super) fn series(ctx: &Ctx<'_>) -> Result<Vec<Row>> {
    let (data, threads) = (ctx.data, ctx.plan.threads);
    // Each series has a range of keys that is long enough for its points.
    let points = data.keys.div_ceil(SERIES);
    let append = |worker: &mut Worker<'_>| {
        let mut key = Vec::new();
        let mine = (worker.thread..data.keys).step_by(usize::try_from(threads).unwrap_or(1));
        worker.each(mine, |i, tally| {
            let number = i % SERIES * points + i / SERIES;
            data.key(number, &mut key);
            let value = data.value(ctx.workload.value_number(number));
            tally.wrote(&key, value);
            ctx.engine.put(&key, value)
        })
    };
    let tails = (data.keys / POINTS_PER_TAIL).max(1);
    let tail = |worker: &mut Worker<'_>| {
        let (mut key, mut rng) = (Vec::new(), data.rng(ctx.stream(), worker.thread));
        worker.each(worker.part(tails), |_, tally| {
            data.key(rng.below(SERIES) * points + points - 1, &mut key);
            let mut entry = |key: &[u8], value: &[u8]| tally.entry(key, value);
            ctx.engine.scan(Some(&key), true, TAIL_ENTRIES, &mut entry).map(drop)
        })
    };
    let append = Part::of(threads, data.keys, &append).named("append");
    let tail = Part::of(threads, tails, &tail).named("tails").reads(true);
    Ok(vec![ctx.run(append, true, ctx.live_bytes())?, ctx.run(tail, false, ctx.live_bytes())?])
}
