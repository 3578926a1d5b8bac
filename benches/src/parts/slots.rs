//! Versions with many slots, and a scheduler that knows them.

use super::Result;
use crate::key;
use bytes::Bytes;
use nori_manifest::{Version, key_prefix};
use nori_scheduler::{Policy, Reads, RunView, Scheduler};

/// A version of so many slots, whose guards are keys of the default keyspace `apart` numbers from
/// each other; and the keyspace's prefix.
///
/// # Errors
/// Those of the manifest.
pub fn guarded(slots: u64, apart: u64) -> Result<(Version, Bytes)> {
    let prefix = key_prefix(0);
    let guard = |n: u64| Bytes::from([&prefix[..], &key(n * apart)[..]].concat());
    let guards: Vec<Bytes> = (1..slots).map(guard).collect();
    let empty = Version::new();
    let cut = empty.apply(&empty.edit_split(&guards, true)?)?;
    Ok((cut, prefix))
}

/// A scheduler of so many slots that hold a large run and up to fifteen small ones, more than any
/// slot may keep, so that some want a merge; some are read, some are written.
pub fn scheduler(slots: u64) -> Scheduler {
    let mut scheduler = Scheduler::new(Policy::default());
    for slot in 0..slots {
        let run = |bytes: u64| RunView { bytes, entries: bytes / 116, ..RunView::default() };
        let mut runs = vec![RunView { level: 1, ..run(64 << 20) }];
        runs.extend((0..slot % 16).map(|n| RunView { flush_seq: n + 1, ..run(1 << 20) }));
        scheduler.insert(usize::MAX, slot, &runs);
        scheduler.note_flush(slot, (slot % 16) << 20);
        let points = if slot % 3 == 0 { 10_000 } else { 10 };
        scheduler.note_reads(slot, Reads { points, ..Reads::default() });
    }
    scheduler.flush_installed(std::time::Duration::from_secs(1), 16);
    scheduler
}
