//! Tenants in ranges of their own, few of them hot, and others half way.

use crate::error::Result;
use crate::measure::{Ctx, Part};
use crate::numbers::Rng;
use crate::row::Row;
use crate::worker::Worker;

const TENANTS: u64 = 16;
/// The hot tenants of each half. They are not neighbours.
const HOT: [[u64; 2]; 2] = [[3, 9], [6, 14]];
/// What the hot ones have of all operations.
const HOT_PERCENT: u64 = 90;

/// As many operations as there are keys, half of them puts.
pub(super) fn mixed(ctx: &Ctx<'_>) -> Result<Row> {
    let data = ctx.data;
    let body = |worker: &mut Worker<'_>| {
        let (mut key, mut rng) = (Vec::new(), data.rng(ctx.stream(), worker.thread));
        let part = worker.part(data.keys);
        let middle = part.start + (part.end - part.start) / 2;
        worker.each(part, |i, tally| {
            let number = pick(usize::from(i >= middle), data.keys, &mut rng);
            data.key(number, &mut key);
            if rng.below(2) == 0 {
                return ctx.engine.get(&key, &mut |value| tally.value(value)).map(drop);
            }
            let value = data.value(ctx.workload.value_number(number));
            tally.wrote(&key, value);
            ctx.engine.put(&key, value)
        })
    };
    let threads = ctx.plan.threads;
    let part = Part::of(threads, data.keys, &body).reads(threads == 1);
    ctx.run(part, true, ctx.live_bytes())
}

fn pick(half: usize, keys: u64, rng: &mut Rng) -> u64 {
    let tenant = match rng.below(100) {
        hot if hot < HOT_PERCENT => HOT[half][rng.below(2) as usize],
        _ => rng.below(TENANTS),
    };
    let edge = |tenant| (u128::from(keys) * u128::from(tenant) / u128::from(TENANTS)) as u64;
    let (first, end): (u64, u64) = (edge(tenant), edge(tenant + 1));
    // Of very few keys some tenants have none.
    (first + rng.below(end - first)).min(keys.saturating_sub(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_tenants_are_hot_and_then_two_others() {
        let mut rng = Rng::new(1);
        for half in 0..2 {
            let mut counts = [0u64; 16];
            for _ in 0..100_000 {
                counts[(pick(half, 16_000, &mut rng) / 1000) as usize] += 1;
            }
            for tenant in 0..16u64 {
                let hot = HOT[half].contains(&tenant);
                let range = if hot { 43_000..48_000 } else { 500..750 };
                assert!(range.contains(&counts[tenant as usize]), "{half} {counts:?}");
            }
        }
        assert!((0..1000).all(|_| pick(0, 3, &mut rng) < 3));
    }
}
