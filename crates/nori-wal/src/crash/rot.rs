//! Bit rot: one flipped bit, or a lost file, at rest.
//!
//! The outcome is corruption, or the same records, or, only where nothing promised what was
//! taken, fewer of them.

use super::trace::Trace;
use super::{Checked, DIR, Stats, read};
use crate::replay::RecoveryMode;
use crate::{Error, LOG_HEADER_BYTES, Position};
use nori_env::{Cut, FileSystem, MemFs, Rng};
use nori_types::{FileName, FileNumber};
use std::path::Path;

pub(crate) fn check(
    image: &MemFs,
    op: u64,
    trace: &Trace,
    rng: &mut Rng,
    stats: &mut Stats,
) -> Checked<()> {
    let Some(manifest) = trace.at(op).manifest else { return Ok(()) };
    let cut = *rng.pick(&[Cut::SyncedOnly, Cut::AllWritten]);
    let disk = image.crash(cut, rng.next_u64());
    let (_, before) =
        read(&disk, &manifest, RecoveryMode::CutTornTail).map_err(|e| e.to_string())?;
    let whole = trace.prefix(&manifest, &before)?;
    let names = disk.list(Path::new(DIR)).map_err(|e| e.to_string())?;
    let live = names.iter().filter_map(|n| match FileName::parse(n) {
        Some(FileName::Segment(FileNumber(n))) if n >= manifest.floor => Some(n),
        _ => None,
    });
    let number = *rng.pick(&live.collect::<Vec<_>>());
    let path = crate::segment::segment_path(Path::new(DIR), number);
    let len = disk.read_file(&path).map_or(0, |b| b.len() as u64);
    let removed = rng.chance(10);
    let at = if rng.chance(15) { rng.below(len.min(LOG_HEADER_BYTES)) } else { rng.below(len) };
    match removed {
        true => disk.remove_file(&path),
        false => disk.corrupt(&path, at, 1 << rng.below(8)),
    };
    stats.rotted += 1;
    let place = format!("{} byte {at} of {len}, removed: {removed}", path.display());
    // Salvage shows no less than what a gap would leave, and admits it.
    let salvaged = read(&disk, &manifest, RecoveryMode::Salvage);
    let (report, rescued) = salvaged.map_err(|e| format!("{place}: salvage: {e}"))?;
    if rescued.iter().any(|r| !trace.ever.contains(r)) {
        return Err(format!("{place}: salvage shows what was never written"));
    }
    let after = match read(&disk, &manifest, RecoveryMode::CutTornTail) {
        Err(Error::Corruption(_)) => {
            stats.rot_found += 1;
            if report.lost.is_empty() {
                return Err(format!("{place}: salvage claims a clean log"));
            }
            return Ok(());
        }
        Err(error) => return Err(format!("{place}: {error}")),
        Ok((_, after)) => after,
    };
    let left = trace.prefix(&manifest, &after).map_err(|e| format!("{place}: {e}"))?;
    if left >= whole {
        return Ok(());
    }
    // A removed segment took the promises of its own records with it.
    let carriers = if removed { number } else { 0 };
    let lost = &trace.elements[left];
    let later = trace.elements[left + 1..whole].iter();
    let known = lost.end != Position::default();
    let promised = manifest.durable >= lost.end
        || later.filter(|e| e.end.segment > carriers).any(|e| e.durable >= lost.end);
    if (known && promised) || (at < LOG_HEADER_BYTES && !removed) {
        return Err(format!("{place}: element {left} of {whole} lost though promised"));
    }
    stats.rot_shorter += 1;
    Ok(())
}
