//! Random programs on a log.

use super::disk::Disk;
use super::trace::{Manifest, Trace};
use super::{Checked, DIR};
use crate::wal::{SegmentPin, Wal};
use crate::{Error, Result};
use nori_env::sync::{Arc, Mutex};
use nori_env::{FileSystem, Rng};
use std::path::Path;

pub(crate) struct World {
    disk: Arc<Disk>,
    wal: Arc<Wal>,
    trace: Arc<Mutex<Trace>>,
    manifest: Manifest,
    pin: Option<SegmentPin>,
}

impl World {
    pub(crate) fn new(
        disk: Arc<Disk>,
        wal: Wal,
        trace: Arc<Mutex<Trace>>,
        manifest: Manifest,
    ) -> World {
        World { disk, wal: Arc::new(wal), trace, manifest, pin: None }
    }

    pub(crate) fn is_poisoned(&self) -> bool {
        self.wal.poisoned().is_some()
    }

    pub(crate) fn step(&mut self, rng: &mut Rng) -> Checked<()> {
        let step = rng.below(100);
        let was_poisoned = self.is_poisoned();
        let outcome = match step {
            0..40 => self.append(rng),
            40..58 => self.wal.sync().map(drop),
            58..66 => self.sync_while_appending(rng),
            66..80 => self.wal.next_segment().map(drop),
            80..90 => self.flush(rng),
            90..94 => self.wal.prepare_spare(rng.below(600)).map(drop),
            94..97 => {
                self.pin = Some(self.wal.pin(self.manifest.floor));
                Ok(())
            }
            _ => {
                self.pin = None;
                Ok(())
            }
        };
        self.mark();
        match outcome {
            Ok(()) if was_poisoned && matches!(step, 0..40 | 66..80) => {
                return Err(format!("step {step} wrote to a poisoned log"));
            }
            Ok(()) => {}
            Err(Error::Poisoned { .. }) if self.is_poisoned() => {}
            Err(Error::Io(_) | Error::DiskFull { .. }) if self.disk.has_faults() => {}
            Err(error) => return Err(format!("step {step}: {error:?}")),
        }
        if self.is_poisoned() && self.disk.is_sound() {
            return Err(format!("step {step}: a full disk poisoned the log"));
        }
        self.check_pin()
    }

    fn mark(&self) {
        mark(&self.disk, &self.wal, &self.trace, self.manifest);
    }

    fn append(&mut self, rng: &mut Rng) -> Result<()> {
        append(&self.wal, &self.trace, &payloads(rng))
    }

    /// A sync during which a group is appended: whether the sync covers it is open.
    fn sync_while_appending(&mut self, rng: &mut Rng) -> Result<()> {
        let (wal, trace, disk) = (self.wal.clone(), self.trace.clone(), self.disk.clone());
        let (manifest, payloads, rotate) = (self.manifest, payloads(rng), rng.chance(30));
        self.disk.after_next_sync(Box::new(move || {
            // Errors come back from the next verb, too.
            let _ = append(&wal, &trace, &payloads);
            if rotate {
                let _ = wal.next_segment().and_then(|_| append(&wal, &trace, &payloads));
            }
            mark(&disk, &wal, &trace, manifest);
        }));
        let synced = self.wal.sync().map(drop);
        self.disk.forget_hook();
        synced
    }

    /// Tables take over everything below some segment.
    fn flush(&mut self, rng: &mut Rng) -> Result<()> {
        let live = self.wal.live_segments();
        let newest = live.last().copied().unwrap_or(0);
        let floor = self.manifest.floor.max(newest - rng.below(2).min(newest));
        let base = {
            let trace = self.trace.lock();
            trace.elements.iter().take_while(|e| e.end.segment < floor).count()
        };
        if base > self.manifest.base || floor > self.manifest.floor {
            let base = base.max(self.manifest.base);
            self.manifest = Manifest { floor, durable: self.wal.durable(), base };
            self.mark();
        }
        self.wal.retire(self.manifest.floor).map(drop)
    }

    /// Pinned files keep their names.
    fn check_pin(&self) -> Checked<()> {
        for held in self.pin.iter().flat_map(|p| p.segments()) {
            let exists = self.disk.exists(&held.path).map_err(|e| e.to_string())?;
            if !exists || !self.wal.live_segments().contains(&held.number) {
                return Err(format!("segment {} is pinned and gone", held.number));
            }
        }
        let names = self.disk.list(Path::new(DIR)).map_err(|e| e.to_string())?;
        let spares = names.iter().filter(|n| n.ends_with(".spare")).count();
        // One more may be on its way back from a failed header.
        if spares > 3 && !self.disk.has_faults() {
            return Err(format!("{spares} spares"));
        }
        Ok(())
    }
}

fn mark(disk: &Disk, wal: &Wal, trace: &Mutex<Trace>, manifest: Manifest) {
    trace.lock().mark(disk.operations(), wal.durable(), manifest);
}

fn append(wal: &Wal, trace: &Mutex<Trace>, payloads: &[Vec<u8>]) -> Result<()> {
    let bytes = payloads.iter().map(|p| p.len() as u64).sum();
    wal.reserve(bytes, payloads.len())?;
    trace.lock().issue(payloads, wal.durable());
    match wal.append(payloads.iter().map(Vec::as_slice)) {
        Ok(appended) => {
            trace.lock().placed(payloads.len(), appended.end);
            Ok(())
        }
        // Refused: nothing was written.
        Err(error @ (Error::Poisoned { .. } | Error::DiskFull { .. })) => {
            trace.lock().withdraw(payloads.len());
            Err(error)
        }
        Err(error) => Err(error),
    }
}

fn payloads(rng: &mut Rng) -> Vec<Vec<u8>> {
    let records = 1 + rng.index(4);
    let mut all = Vec::new();
    for _ in 0..records {
        // Equal lengths make stale records line up with new ones.
        let len = match rng.below(10) {
            0 => 0,
            1 => 300 + rng.index(400),
            2..=5 => 40,
            _ => rng.index(120),
        };
        let mut payload = vec![0; len];
        rng.fill(&mut payload);
        all.push(payload);
    }
    all
}
