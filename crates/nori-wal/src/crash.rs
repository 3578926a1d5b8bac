//! The crash oracle: random programs, an image before every operation on the disk, every kind of
//! cut, faults, bit rot; and planted bugs, to see that the oracle sees.
//!
//! A chain is a few links of: open what the last crash left, run a program, crash. Links begin at
//! any image, so crashes also hit recovery, and the recovery of a recovery. What a chain checks:
//!
//! 1. What replay shows is a prefix of what was appended, with all that was reported durable
//!    (after a power cut) or appended (after a kill).
//! 2. No cut at any operation is taken for corruption.
//! 3. A flipped bit is corruption or changes nothing, unless nothing promised what it took.

mod disk;
mod program;
mod rot;
mod sweep_tests;
mod tests;
mod trace;

use crate::replay::{RecoveryMode, Replayed, replay};
use crate::wal::{Wal, WalOptions};
use crate::{Error, Position, Result};
use disk::{Disk, Faults};
use nori_env::sync::{Arc, Mutex};
use nori_env::{Cut, FileSystem, MemFs, Rng};
use program::World;
use std::path::Path;
use trace::{Manifest, Mark, Trace};

pub(crate) const DIR: &str = "/wal";

/// What was found fault with.
pub(crate) type Checked<T> = std::result::Result<T, String>;

/// How much a run covered.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Stats {
    pub(crate) images: u64,
    pub(crate) rotted: u64,
    pub(crate) rot_found: u64,
    pub(crate) rot_shorter: u64,
    pub(crate) shorter: u64,
    pub(crate) poisoned: u64,
}

pub(crate) fn options() -> WalOptions {
    WalOptions { grow_bytes: 200, spares_max: 2, spare_bytes_max: 4096, retained_bytes: 0 }
}

/// Reads what is there, as a process that knows `manifest` would.
pub(crate) fn read(
    fs: &dyn FileSystem,
    manifest: &Manifest,
    mode: RecoveryMode,
) -> Result<(Replayed, Vec<Vec<u8>>)> {
    let mut records = Vec::new();
    let mut keep = |_: Position, payload: &[u8]| -> Result<()> {
        records.push(payload.to_vec());
        Ok(())
    };
    let (floor, durable) = (manifest.floor, manifest.durable);
    let replayed = replay(fs, Path::new(DIR), floor, durable, mode, &mut keep)?;
    Ok((replayed, records))
}

/// Opens the log as the facade would; the new manifest's becoming durable is the last step.
pub(crate) fn open(
    disk: &Arc<Disk>,
    trace: &Mutex<Trace>,
) -> std::result::Result<(Wal, Manifest, usize), OpenError> {
    let fs: Arc<dyn FileSystem> = disk.clone();
    let dir = Path::new(DIR);
    let old = trace.lock().manifest();
    let (first, p) = match old {
        // Nothing was ever finished: segments without records may lie there.
        None => {
            let highest = if fs.exists(dir)? {
                if crate::has_records(&*fs, dir)? {
                    return Err(OpenError::Wrong("records without a manifest".into()));
                }
                let names = fs.list(dir)?;
                let numbers = names.iter().filter_map(|n| n.split_once(".wal")?.0.parse().ok());
                numbers.max().unwrap_or(0)
            } else {
                0
            };
            (highest + 1, 0)
        }
        Some(manifest) => {
            fs.sync_dir(dir)?;
            let (replayed, records) = read(&*fs, &manifest, RecoveryMode::CutTornTail)?;
            let p = trace.lock().prefix(&manifest, &records).map_err(OpenError::Wrong)?;
            (replayed.highest_segment + 1, p)
        }
    };
    let wal = Wal::create(fs, dir, first, options())?;
    let manifest = Manifest { floor: first, durable: wal.durable(), base: p };
    trace.lock().opened(disk.operations(), p, manifest);
    wal.sweep()?;
    Ok((wal, manifest, p))
}

/// Why a log did not open.
#[derive(Debug)]
pub(crate) enum OpenError {
    Log(Error),
    /// It opened, and should not have, or shows what was never written.
    Wrong(String),
}

impl<E: Into<Error>> From<E> for OpenError {
    fn from(error: E) -> OpenError {
        OpenError::Log(error.into())
    }
}

/// Runs one chain.
pub(crate) fn chain(seed: u64, links: u64, stats: &mut Stats) -> Checked<()> {
    let mut rng = Rng::new(seed);
    let mut start = MemFs::new(seed);
    start.set_sectors(&[16, 64, 512]);
    let trace = Arc::new(Mutex::new(Trace::new()));
    for link in 0..links {
        let say = |what: String| format!("seed {seed} link {link}: {what}");
        let images = Arc::new(Mutex::new(Vec::new()));
        let sink = images.clone();
        start.on_operation(Some(Arc::new(move |op, image| sink.lock().push((op, image.clone())))));
        let faults = Faults::random(&mut rng, start.operations());
        let disk = Arc::new(Disk::new(start.clone(), faults));
        run_link(&disk, &trace, &mut rng, stats).map_err(say)?;
        start.on_operation(None);
        let mut images = std::mem::take(&mut *images.lock());
        images.push((start.operations(), start.image()));
        for (op, image) in &images {
            for _ in 0..2 {
                let cut = *rng.pick(&Cut::ALL);
                check(image, *op, cut, &trace.lock(), &mut rng, stats)
                    .map_err(|e| say(format!("{cut:?} at operation {op}: {e}")))?;
            }
        }
        for _ in 0..6 {
            let (op, image) = rng.pick(&images);
            rot::check(image, *op, &trace.lock(), &mut rng, stats)
                .map_err(|e| say(format!("rot at operation {op}: {e}")))?;
        }
        // Early images lie inside recovery.
        let count = if rng.chance(30) { images.len().min(10) } else { images.len() };
        let (op, image) = &images[rng.index(count)];
        let cut = *rng.pick(&Cut::ALL);
        let (next, p) = check(image, *op, cut, &trace.lock(), &mut rng, stats)
            .map_err(|e| say(format!("{cut:?} at operation {op}: {e}")))?;
        trace.lock().crashed(*op, cut.is_kill(), p);
        start = next;
    }
    Ok(())
}

fn run_link(
    disk: &Arc<Disk>,
    trace: &Arc<Mutex<Trace>>,
    rng: &mut Rng,
    stats: &mut Stats,
) -> Checked<()> {
    let (wal, manifest, _) = match open(disk, trace) {
        Ok(opened) => opened,
        Err(OpenError::Log(Error::Io(_) | Error::DiskFull { .. })) if disk.has_faults() => {
            return Ok(());
        }
        Err(OpenError::Log(error)) => return Err(format!("open: {error}")),
        Err(OpenError::Wrong(what)) => return Err(format!("open: {what}")),
    };
    let mut world = World::new(disk.clone(), wal, trace.clone(), manifest);
    for _ in 0..rng.below(36) {
        world.step(rng)?;
    }
    stats.poisoned += u64::from(world.is_poisoned());
    Ok(())
}

/// Crashes and reads; returns what the next process finds and how long the prefix is.
fn check(
    image: &MemFs,
    op: u64,
    cut: Cut,
    trace: &Trace,
    rng: &mut Rng,
    stats: &mut Stats,
) -> Checked<(MemFs, usize)> {
    stats.images += 1;
    let next = image.crash(cut, rng.next_u64());
    let Mark { manifest, kill, power, .. } = trace.at(op);
    let Some(manifest) = manifest else { return Ok((next, 0)) };
    let (replayed, records) =
        read(&next, &manifest, RecoveryMode::CutTornTail).map_err(|e| e.to_string())?;
    let p = trace.prefix(&manifest, &records)?;
    // Pages that a failed sync lost may be evicted: then a kill is no better than a power cut.
    let required = if cut == Cut::Kill { kill } else { power };
    if p < required {
        return Err(format!("{p} elements of {}, {required} required", trace.len()));
    }
    stats.shorter += u64::from(p < trace.len());
    // The other modes show the same where nothing is damaged.
    let (salvaged, all) =
        read(&next, &manifest, RecoveryMode::Salvage).map_err(|e| format!("salvage: {e}"))?;
    if all.len() < records.len() || (all.len() > records.len() && salvaged.lost.is_empty()) {
        return Err(format!("salvage shows {} records of {}", all.len(), records.len()));
    }
    match read(&next, &manifest, RecoveryMode::Strict) {
        Ok((strict, same)) if strict.torn.is_none() && same == records => {}
        Err(Error::Corruption(_)) if replayed.torn.is_some() => {}
        strict => return Err(format!("strict: {strict:?}, but torn: {:?}", replayed.torn)),
    }
    Ok((next, p))
}
