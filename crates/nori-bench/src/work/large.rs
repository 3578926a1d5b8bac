//! Values of 16 KiB.

use crate::error::Result;
use crate::measure::{Ctx, Part};
use crate::row::Row;
use crate::worker::Worker;

const VALUE_BYTES: u64 = 16 << 10;
const VALUES_MIN: u64 = 16;

/// Fills in random order with about as many bytes as a fill of small values has, and reads as many.
pub(super) fn large(ctx: &Ctx<'_>) -> Result<Vec<Row>> {
    let bytes = ctx.data.keys * ctx.data.entry_bytes();
    let keys = (bytes / VALUE_BYTES).max(VALUES_MIN).min(ctx.data.keys);
    let data = ctx.plan.data(keys, VALUE_BYTES);
    let (threads, shuffle) = (ctx.plan.threads, data.shuffle());
    let live_bytes = keys * data.entry_bytes();
    let fill = |worker: &mut Worker<'_>| {
        let mut key = Vec::new();
        worker.each(worker.part(keys), |i, tally| {
            let number = shuffle.at(i);
            data.key(number, &mut key);
            let value = data.value(ctx.workload.value_number(number));
            tally.wrote(&key, value);
            ctx.engine.put(&key, value)
        })
    };
    let read = |worker: &mut Worker<'_>| {
        let (mut key, mut rng) = (Vec::new(), data.rng(ctx.stream(), worker.thread));
        worker.each(worker.part(keys), |_, tally| {
            data.key(rng.below(keys), &mut key);
            ctx.engine.get(&key, &mut |value| tally.value(value)).map(drop)
        })
    };
    Ok(vec![
        ctx.run(Part::of(threads, keys, &fill).named("fill"), true, live_bytes)?,
        ctx.run(Part::of(threads, keys, &read).named("read").reads(true), false, live_bytes)?,
    ])
}
