//! Flushes and merges: begin, work, install; and which versions they keep.

use crate::plant::Plant;
use crate::world::{Acted, Entry, Key, Seq, World};
use bytes::Bytes;
use nori_env::Rng;
use nori_env::sync::Arc;
use nori_manifest::{Run, SlotId, Version};
use nori_types::{KeyRange, SeqNo, TableMeta};

pub struct Flush {
    pub memtable: u32,
    pub stripes: Vec<Seq>,
    /// Only with a plant: the guards when it began.
    pub begun_under: Arc<Version>,
    pub written: bool,
    pub tables: Vec<TableMeta>,
}

pub struct Job {
    pub slot: SlotId,
    pub range: KeyRange,
    pub version: Option<Arc<Version>>,
    pub stripes: Option<Vec<Seq>>,
    /// All runs are to be pinned.
    pub bottom: bool,
    /// The index of the first run that is pinned.
    pub first: usize,
    pub pinned: Vec<Arc<Run>>,
    pub merged: bool,
    pub outputs: Vec<TableMeta>,
    pub guards: Vec<Bytes>,
}

const TABLE_ENTRIES: usize = 4;
const SLOT_ENTRIES: usize = 6;

impl World {
    /// The versions that survive: the newest of each stripe.
    pub fn retain(
        &self,
        mut all: Vec<Entry>,
        stripes: &[Seq],
        version: &Version,
        bottom: bool,
    ) -> Vec<Entry> {
        let plant = self.plant;
        let oldest = stripes.first().copied().unwrap_or(Seq::MAX);
        let kept = |dropped: SeqNo| oldest < dropped.get() && plant != Plant::PurgeUnderSnapshot;
        all.retain(|e| version.catalog.dropped(&self.stored(e.key)).is_none_or(kept));
        all.sort_by_key(|e| (e.key, std::cmp::Reverse(e.seq)));
        let stripe = |e: &Entry| match plant {
            Plant::StripeOffByOne => stripes.partition_point(|s| *s <= e.seq),
            _ => stripes.partition_point(|s| *s < e.seq),
        };
        all.dedup_by(|older, newer| older.key == newer.key && stripe(older) == stripe(newer));
        let old = |e: &Entry| e.seq <= oldest;
        let gone = |e: &Entry| {
            e.tombstone
                && (bottom || plant == Plant::TombstoneDroppedHigh)
                && (old(e) || plant == Plant::TombstoneDroppedYoung)
        };
        all.retain(|e| !gone(e));
        for e in &mut all {
            let low = bottom || plant == Plant::ZeroHigh;
            if low && !e.tombstone && (old(e) || plant == Plant::ZeroYoung) {
                e.seq = 0;
            }
        }
        all
    }

    /// The oldest sealed memtable that no flush has, once its gate is empty.
    pub fn flush_begin(&mut self, _: &mut Rng) -> Acted {
        let taken = |m: &u32| self.flushes.iter().any(|f| f.memtable == *m);
        let sealed = self.current.memtables[1..].iter().rev().copied();
        let Some(id) = sealed.into_iter().find(|m| !taken(m)) else {
            return Ok(false);
        };
        if self.memtables[&id].writers > 0 && !self.broken(Plant::FlushBeforeGateEmpty) {
            return Ok(false);
        }
        let stripes = self.stripes();
        if self.broken(Plant::SealedGoneEarly) {
            self.current.memtables.retain(|m| *m != id);
        }
        let begun_under = Arc::clone(&self.current.version);
        let (written, tables) = (false, vec![]);
        self.flushes.push(Flush { memtable: id, stripes, begun_under, written, tables });
        Ok(true)
    }

    pub fn flush_write(&mut self, r: &mut Rng) -> Acted {
        let at = r.index(self.flushes.len().max(1));
        let Some(flush) = self.flushes.get(at).filter(|f| !f.written) else {
            return Ok(false);
        };
        if self.broken(Plant::VNotASnapshot) && r.below(8) > 0 {
            // A wide window for a snapshot and a drop between the look and the work.
            return Ok(false);
        }
        let entries = self.memtables[&flush.memtable].entries.clone();
        let bottom = self.broken(Plant::TombstoneDroppedByFlush);
        let kept = self.retain(entries, &flush.stripes, &self.current.version, bottom);
        let tables = self.cut(kept);
        self.flushes[at].written = true;
        self.flushes[at].tables = tables.into_iter().map(|t| self.add_file(t)).collect();
        Ok(true)
    }

    /// In memtable order, under the guards of this moment.
    pub fn flush_install(&mut self, r: &mut Rng) -> Acted {
        let at = r.index(self.flushes.len().max(1));
        let Some(flush) = self.flushes.get(at).filter(|f| f.written) else {
            return Ok(false);
        };
        let first = self.current.memtables.last() == Some(&flush.memtable);
        let any = self.broken(Plant::SealedGoneEarly) || self.broken(Plant::FlushOutOfOrder);
        if !first && !any {
            return Ok(false);
        }
        let flush = self.flushes.swap_remove(at);
        let version = &self.current.version;
        let last = self.memtables[&flush.memtable].entries.iter().map(|e| e.seq).max();
        let last = SeqNo::new(last.unwrap_or(0));
        let stale = self.broken(Plant::FlushRefsAtBegin);
        let lives = |range: &KeyRange| {
            let slots = flush.begun_under.slots();
            !stale || slots.into_iter().any(|s| s.range.lo == version.route(&range.lo).1.range.lo)
        };
        let has_entries = |range: &KeyRange| {
            let mut entries = flush.tables.iter().flat_map(|t| &self.files[&t.number]);
            lives(range) && (!self.exact || entries.any(|e| self.contains(range, e.key)))
        };
        let edit = version.edit_flush(
            &flush.tables,
            &has_entries,
            version.wal_floor,
            last,
            version.durable,
        );
        let edit = match self.eager {
            true => version.with_moves(edit, 1, &|slot| self.may_move(slot)),
            false => Ok(edit),
        };
        let edit = edit.map_err(|e| e.to_string())?;
        self.eager_moves += edit.moved().count() as u64;
        self.install(edit)?;
        self.current.memtables.retain(|m| *m != flush.memtable);
        Ok(true)
    }

    pub fn job_begin(&mut self, r: &mut Rng) -> Acted {
        let at = r.index(self.current.version.slot_count());
        let bottom = r.below(3) == 0;
        self.job_start(at, bottom, r)
    }

    /// Takes a slot: pins first, looks at the snapshots in a later step.
    pub fn job_start(&mut self, at: usize, bottom: bool, r: &mut Rng) -> Acted {
        let slot = Arc::clone(self.current.version.slot(at).unwrap());
        let busy = self.busy(slot.id) && !self.broken(Plant::TwoJobsOneSlot);
        if self.jobs.len() >= 3 || busy || slot.runs.is_empty() {
            return Ok(false);
        }
        let mut job = Job {
            slot: slot.id,
            range: slot.range.clone(),
            version: None,
            stripes: None,
            bottom,
            first: 0,
            pinned: vec![],
            merged: false,
            outputs: vec![],
            guards: vec![],
        };
        if self.broken(Plant::SnapshotsBeforePin) {
            job.stripes = Some(self.stripes());
        } else {
            self.job_pin(&mut job, r);
        }
        self.jobs.push(job);
        Ok(true)
    }

    fn job_pin(&self, job: &mut Job, r: &mut Rng) {
        let version = Arc::clone(&self.current.version);
        let (_, slot) = version.slot_by_id(job.slot).unwrap();
        // Any neighbours, or all: newer runs may stay above the merge, older ones below.
        job.first = if job.bottom { 0 } else { r.index(slot.runs.len()) };
        let above = slot.runs.len() - job.first;
        let count = if job.bottom || r.chance(30) { above } else { 1 + r.index(above) };
        job.pinned = slot.runs[job.first..][..count].to_vec();
        job.version = Some(version);
    }

    /// The next step of a running merge.
    pub fn job_step(&mut self, r: &mut Rng) -> Acted {
        if self.jobs.is_empty() {
            return Ok(false);
        }
        let at = r.index(self.jobs.len());
        if self.jobs[at].version.is_none() && r.below(4) > 0 {
            // Only with a plant: a wide window between the look and the pin.
            return Ok(false);
        }
        let mut job = self.jobs.swap_remove(at);
        if job.version.is_none() {
            self.job_pin(&mut job, r);
        } else if job.stripes.is_none() {
            job.stripes = Some(self.stripes());
        } else if !job.merged {
            self.job_merge(&mut job)?;
        } else {
            return self.job_install(job, 1 + r.below(3) as u8);
        }
        self.jobs.push(job);
        Ok(true)
    }

    fn job_merge(&mut self, job: &mut Job) -> Result<(), String> {
        let version = Arc::clone(job.version.as_ref().unwrap());
        let mut all = vec![];
        for table in job.pinned.iter().flat_map(|run| &run.tables) {
            all.extend(self.shown(table)?.copied());
        }
        let stripes = job.stripes.as_ref().unwrap();
        let all = self.retain(all, stripes, &version, job.first == 0);
        if job.first == 0 && all.len() > SLOT_ENTRIES {
            let middle = self.stored(all[all.len() / 2].key);
            let inside = job.range.lo < middle && job.range.is_below_end(&middle);
            job.guards.extend(inside.then_some(middle));
        }
        let halves: [Vec<Entry>; 2] = match job.guards.first() {
            Some(guard) => {
                let at = all.partition_point(|e| self.stored(e.key) < *guard);
                [all[..at].to_vec(), all[at..].to_vec()]
            }
            None => [all, vec![]],
        };
        for half in halves {
            for table in self.cut(half) {
                let meta = self.add_file(table);
                job.outputs.push(meta);
            }
        }
        job.merged = true;
        Ok(())
    }

    /// Tables of a few entries each; versions of one key stay together.
    fn cut(&self, all: Vec<Entry>) -> Vec<Vec<Entry>> {
        let mut tables: Vec<Vec<Entry>> = vec![];
        let mut last: Option<Key> = None;
        for e in all {
            let border = last != Some(e.key) || self.broken(Plant::KeySplitByCut);
            match tables.last_mut().filter(|t| !(t.len() >= TABLE_ENTRIES && border)) {
                Some(table) => table.push(e),
                None => tables.push(vec![e]),
            }
            last = Some(e.key);
        }
        tables
    }

    fn job_install(&mut self, job: Job, level: u8) -> Acted {
        let version = &self.current.version;
        let edit = version.edit_replace(job.slot, &job.pinned, &job.outputs, &job.guards, level);
        self.install(edit.map_err(|e| e.to_string())?)?;
        if self.broken(Plant::NewRunBelowOlder) && job.first > 0 && !job.outputs.is_empty() {
            let (index, _) = self.current.version.slot_by_id(job.slot).unwrap();
            self.plant_runs(index, |runs| runs.swap(job.first - 1, job.first));
        }
        Ok(true)
    }
}
