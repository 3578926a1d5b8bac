//! Care for a store: compact, destroy.

use crate::args::{CompactArgs, StoreArgs};
use crate::failure::Failure;
use crate::out::Out;
use crate::progress::Progress;
use crate::table::facts;
use crate::{machine, stores, units};
use serde_json::json;
use std::time::Instant;

/// `nori compact`
pub(crate) fn compact(args: &CompactArgs, out: &mut Out) -> Result<(), Failure> {
    let before = machine::disk_bytes(&args.store);
    let started = Instant::now();
    let store = stores::open_existing_with(&args.store, |config| config)?;
    let progress = Progress::spinner(out, "merging");
    match &args.keyspace {
        None => store.compact()?,
        Some(name) => stores::existing_keyspace(&store, name)?.compact_range::<&[u8], _>(..)?,
    }
    let metrics = store.metrics();
    store.close()?;
    drop(progress);
    let (after, elapsed) = (machine::disk_bytes(&args.store), started.elapsed());
    if out.json() {
        return out.document(&json!({
            "disk_bytes_before": before,
            "disk_bytes_after": after,
            "bytes_read": metrics.compaction_bytes_read,
            "bytes_written": metrics.compaction_bytes_written,
            "entries_dropped": metrics.entries_dropped,
            "seconds": elapsed.as_secs_f64(),
        }));
    }
    out.line(format!("merged in {}", units::time(elapsed)))?;
    let lines = facts(&[
        ("on disk", format!("{} before, {} after", units::bytes(before), units::bytes(after))),
        ("read", units::bytes(metrics.compaction_bytes_read)),
        ("written", units::bytes(metrics.compaction_bytes_written)),
        ("dropped", units::plural(metrics.entries_dropped, "entry", "entries")),
    ]);
    lines.into_iter().try_for_each(|line| out.line(line))
}

/// `nori destroy`
pub(crate) fn destroy(args: &StoreArgs, out: &mut Out) -> Result<(), Failure> {
    stores::destroy(&args.store)?;
    let left = args.store.exists();
    if out.json() {
        return out.document(&json!({ "destroyed": true, "directory_left": left }));
    }
    let rest = if left { "; its directory holds other files and stays" } else { "" };
    out.line(format!("removed the store {}{rest}", args.store.display()))
}
