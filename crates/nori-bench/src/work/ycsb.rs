//! The core workloads of YCSB (Cooper et al., "Benchmarking Cloud Serving Systems with YCSB",
//! 2010): records of ten fields of 100 bytes, here one value; requests by Zipf's law over records
//! that lie anywhere in the key space; D reads the latest.

use crate::data::Data;
use crate::error::Result;
use crate::measure::{Ctx, Part};
use crate::numbers::{Rng, Shuffle};
use crate::plan::Plan;
use crate::row::Row;
use crate::worker::{Tally, Worker};
use crate::workload::Workload;
use crate::zipf::Zipf;
use std::sync::atomic::{AtomicU64, Ordering};

const VALUE_BYTES: u64 = 1000;
const SCAN_ENTRIES_MAX: u64 = 100;

/// The records' bytes.
pub(crate) fn data(plan: &Plan) -> Data {
    plan.data(plan.keys, VALUE_BYTES)
}

/// Where records lie: record r has a place of its own among twice as many as are there at first,
/// so that inserts fall between the others, as hashed keys do.
pub(crate) struct Keys(Shuffle);

impl Keys {
    pub(crate) fn new(plan: &Plan) -> Keys {
        Keys(Shuffle::new(plan.keys.saturating_mul(2), plan.seed))
    }

    /// The key's number of a record.
    pub(crate) fn key(&self, record: u64) -> u64 {
        self.0.at(record)
    }
}

/// What a thread asks for.
struct Client<'a> {
    ctx: &'a Ctx<'a>,
    keys: Keys,
    zipf: Zipf,
    /// Records so far; those at the end may be on their way.
    records: &'a AtomicU64,
}

/// One of the six.
pub(super) fn ycsb(ctx: &Ctx<'_>) -> Result<Row> {
    let data = ctx.data;
    let records = AtomicU64::new(data.keys);
    let body = |worker: &mut Worker<'_>| {
        let (keys, zipf) = (Keys::new(ctx.plan), Zipf::new(data.keys));
        let client = Client { ctx, keys, zipf, records: &records };
        let mut rng = data.rng(ctx.stream(), worker.thread);
        let mut key = Vec::new();
        worker.each(worker.part(data.keys), |_, tally| client.one(&mut rng, &mut key, tally))
    };
    let threads = ctx.plan.threads;
    // With one thread, or without writes, the answers follow from the seed.
    let certain = threads == 1 || ctx.workload == Workload::YcsbC;
    let part = Part::of(threads, data.keys, &body).reads(certain);
    let mut row = ctx.run(part, ctx.workload != Workload::YcsbC, ctx.live_bytes())?;
    row.live_bytes = records.load(Ordering::Relaxed) * data.entry_bytes();
    row.space_amplification = Some(row.disk_bytes as f64 / row.live_bytes.max(1) as f64);
    Ok(row)
}

impl Client<'_> {
    fn one(&self, rng: &mut Rng, key: &mut Vec<u8>, tally: &mut Tally) -> Result<()> {
        let percent = rng.below(100);
        match self.ctx.workload {
            Workload::YcsbA if percent < 50 => self.update(rng, key, tally),
            Workload::YcsbB if percent < 5 => self.update(rng, key, tally),
            Workload::YcsbD | Workload::YcsbE if percent < 5 => self.insert(key, tally),
            Workload::YcsbE => self.scan(rng, key, tally),
            Workload::YcsbF if percent < 50 => self.change(rng, key, tally),
            _ => self.read(rng, key, tally),
        }
    }

    /// A record that is there.
    fn record(&self, rng: &mut Rng) -> u64 {
        let rank = self.zipf.draw(rng);
        if self.ctx.workload != Workload::YcsbD {
            return rank;
        }
        // The latest, without those that others may be inserting.
        let known = self.records.load(Ordering::Acquire).saturating_sub(self.ctx.plan.threads);
        known.saturating_sub(rank)
    }

    fn read(&self, rng: &mut Rng, key: &mut Vec<u8>, tally: &mut Tally) -> Result<()> {
        self.ctx.data.key(self.keys.key(self.record(rng)), key);
        self.ctx.engine.get(key, &mut |value| tally.value(value)).map(drop)
    }

    fn put(&self, number: u64, key: &[u8], tally: &mut Tally) -> Result<()> {
        let value = self.ctx.data.value(self.ctx.workload.value_number(number));
        tally.wrote(key, value);
        self.ctx.engine.put(key, value)
    }

    fn update(&self, rng: &mut Rng, key: &mut Vec<u8>, tally: &mut Tally) -> Result<()> {
        let number = self.keys.key(self.record(rng));
        self.ctx.data.key(number, key);
        self.put(number, key, tally)
    }

    /// Reads and writes the same record.
    fn change(&self, rng: &mut Rng, key: &mut Vec<u8>, tally: &mut Tally) -> Result<()> {
        let number = self.keys.key(self.record(rng));
        self.ctx.data.key(number, key);
        self.ctx.engine.get(key, &mut |value| tally.value(value))?;
        self.put(number, key, tally)
    }

    fn insert(&self, key: &mut Vec<u8>, tally: &mut Tally) -> Result<()> {
        let number = self.keys.key(self.records.fetch_add(1, Ordering::AcqRel));
        self.ctx.data.key(number, key);
        self.put(number, key, tally)
    }

    fn scan(&self, rng: &mut Rng, key: &mut Vec<u8>, tally: &mut Tally) -> Result<()> {
        self.ctx.data.key(self.keys.key(self.record(rng)), key);
        let entries = 1 + rng.below(SCAN_ENTRIES_MAX);
        let mut entry = |key: &[u8], value: &[u8]| tally.entry(key, value);
        self.ctx.engine.scan(Some(key), false, entries, &mut entry).map(drop)
    }
}
