//! Writing: fills, overwriting, durable puts.

use crate::error::Result;
use crate::measure::{Ctx, Part};
use crate::numbers::Rng;
use crate::row::Row;
use crate::worker::Worker;
use crate::workload::Workload;
use std::time::Instant;

const DURABLE_THREADS: [u64; 3] = [1, 4, 16];

/// Every key once.
pub(super) fn fill(ctx: &Ctx<'_>) -> Result<Row> {
    let (data, shuffle) = (ctx.data, ctx.data.shuffle());
    let random = ctx.workload == Workload::FillRandom;
    let body = |worker: &mut Worker<'_>| {
        let mut key = Vec::new();
        worker.each(worker.part(data.keys), |i, tally| {
            let number = if random { shuffle.at(i) } else { i };
            data.key(number, &mut key);
            let value = data.value(ctx.workload.value_number(number));
            tally.wrote(&key, value);
            ctx.engine.put(&key, value)
        })
    };
    ctx.run(Part::of(ctx.plan.threads, data.keys, &body), true, ctx.live_bytes())
}

/// As many keys as there are, some of them several times.
pub(super) fn overwrite(ctx: &Ctx<'_>) -> Result<Row> {
    let (data, hot) = (ctx.data, ctx.data.hot_ranges());
    let zipf = ctx.workload == Workload::OverwriteZipf;
    let body = |worker: &mut Worker<'_>| {
        let (mut key, mut rng) = (Vec::new(), data.rng(ctx.stream(), worker.thread));
        worker.each(worker.part(data.keys), |_, tally| {
            let number = if zipf { hot(&mut rng) } else { rng.below(data.keys) };
            data.key(number, &mut key);
            let value = data.value(ctx.workload.value_number(number));
            tally.wrote(&key, value);
            ctx.engine.put(&key, value)
        })
    };
    ctx.run(Part::of(ctx.plan.threads, data.keys, &body), true, ctx.live_bytes())
}

/// Durable puts for a time, with few and with many threads.
pub(super) fn durable(ctx: &Ctx<'_>) -> Result<Vec<Row>> {
    let data = ctx.data;
    let body = |worker: &mut Worker<'_>| {
        let started = Instant::now();
        let (mut key, mut rng): (_, Rng) = (Vec::new(), data.rng(ctx.stream(), worker.thread));
        let goes_on = || started.elapsed() < ctx.plan.durable_time;
        worker.while_true(goes_on, |_, tally| {
            data.key(rng.below(data.keys), &mut key);
            let value = data.value(rng.next_u64());
            tally.wrote(&key, value);
            ctx.engine.put(&key, value)
        })
    };
    let one = |threads| ctx.run(Part::of(threads, None, &body), false, 0);
    DURABLE_THREADS.into_iter().map(one).collect()
}
