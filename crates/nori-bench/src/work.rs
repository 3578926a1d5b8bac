//! What each workload does.

use crate::error::Result;
use crate::measure::{Ctx, Part};
use crate::row::Row;
use crate::workload::Workload;

mod deletes;
mod fills;
mod large;
mod reads;
pub(crate) mod reopen;
mod series;
mod tenants;
pub(crate) mod ycsb;

/// Runs the context's workload.
pub(crate) fn run(ctx: &Ctx<'_>) -> Result<Vec<Row>> {
    use Workload as W;
    let one = |row: Result<Row>| row.map(|row| vec![row]);
    match ctx.workload {
        W::FillSeq | W::FillRandom => one(fills::fill(ctx)),
        W::Overwrite | W::OverwriteZipf => one(fills::overwrite(ctx)),
        W::ReadRandom | W::ReadMissing | W::ReadZipf => one(reads::gets(ctx)),
        W::Seek10 => one(reads::seeks(ctx, 10)),
        W::Seek100 => one(reads::seeks(ctx, 100)),
        W::Scan => one(reads::scan(ctx, false)),
        W::ScanReverse => one(reads::scan(ctx, true)),
        W::ReadWhileWriting => reads::beside_a_writer(ctx),
        W::YcsbA | W::YcsbB | W::YcsbC | W::YcsbD | W::YcsbE | W::YcsbF => one(ycsb::ycsb(ctx)),
        W::MixedHotCold => one(tenants::mixed(ctx)),
        W::DeleteScan => deletes::delete_and_scan(ctx),
        W::TimeSeries => series::series(ctx),
        W::LargeValues => large::large(ctx),
        W::Durable => fills::durable(ctx),
        W::Compact => one(compact(ctx)),
        // It ends its store, so it goes a way of its own.
        W::Reopen => Ok(Vec::new()),
    }
}

fn compact(ctx: &Ctx<'_>) -> Result<Row> {
    let body =
        |worker: &mut crate::worker::Worker<'_>| worker.each(0..1, |_, _| ctx.engine.compact());
    ctx.run(Part::of(1, None, &body), true, ctx.live_bytes())
}

impl Ctx<'_> {
    /// Bytes of all keys with their values.
    fn live_bytes(&self) -> u64 {
        self.data.keys * self.data.entry_bytes()
    }

    fn run(&self, part: Part<'_>, settles: bool, live_bytes: u64) -> Result<Row> {
        self.meter.run(part, settles, live_bytes)
    }

    /// The number of the workload's own random numbers.
    fn stream(&self) -> u64 {
        self.workload as u64
    }
}
