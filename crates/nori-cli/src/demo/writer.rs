//! The process that the demo kills: it writes batches, and says of each when it is durable.
//!
//! 1. Batch i holds [`BATCH_WRITES`] entries and is written `Synced`.
//! 2. Its number is printed only after the write returned, so each complete line of the output is
//!    a promise of the store.

use crate::args::DemoWriterArgs;
use crate::demo::recovery::KEYSPACE;
use crate::failure::Failure;
use crate::out::Out;
use crate::stores;
use nori_bench::Rng;
use nori_lsm::{Durability, WriteBatch};

/// Entries of one batch.
pub(super) const BATCH_WRITES: u64 = 10;
/// An orphan does not write for ever.
const BATCHES_MAX: u64 = 1_000_000;

pub(super) fn key(batch: u64, entry: u64) -> String {
    format!("batch:{batch:09}:{entry}")
}

/// What the entry of a batch must be.
pub(super) fn value(batch: u64, entry: u64) -> String {
    let mut rng = Rng::new(batch * BATCH_WRITES + entry);
    format!("batch {batch}, entry {entry}, check {:016x}", rng.next_u64())
}

/// `nori demo-writer`, hidden
pub(crate) fn run(args: &DemoWriterArgs, out: &mut Out) -> Result<(), Failure> {
    let store = stores::open_existing(&args.store)?;
    let keyspace = store.keyspace(KEYSPACE)?;
    for number in 0..BATCHES_MAX {
        let mut batch = WriteBatch::new();
        for entry in 0..BATCH_WRITES {
            batch.put_in(&keyspace, key(number, entry), value(number, entry));
        }
        store.write_with(batch, Durability::Synced)?;
        out.line(number)?;
        out.flush()?;
    }
    Ok(store.close()?)
}
