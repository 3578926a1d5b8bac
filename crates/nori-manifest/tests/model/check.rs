//! What must hold after every action.

use crate::world::{KEYS, Key, Seq, World, named_files};
use nori_env::Rng;
use nori_manifest::Slot;
use std::collections::BTreeMap;

type Checked = Result<(), String>;

fn ensure(holds: bool, text: impl FnOnce() -> String) -> Checked {
    if holds { Ok(()) } else { Err(text()) }
}

impl World {
    pub fn check(&self, r: &mut Rng) -> Checked {
        if !self.changed {
            let live = self.snapshots.get(r.index(3)).map(|s| s.seq().get());
            let keys = self.current.version.catalog.next_id() as Key * KEYS;
            return self.check_key(r.below(keys.into()) as Key, live.unwrap_or(self.visible));
        }
        for version in self.pinned() {
            named_files(version).try_for_each(|number| self.table(number).map(|_| ()))?;
        }
        self.check_structure()?;
        let live = self.snapshots.iter().map(|s| s.seq().get());
        for at in live.chain([self.visible]) {
            self.oracle.keys(at).try_for_each(|key| self.check_key(key, at))?;
            self.check_scan(at)?;
        }
        Ok(())
    }

    fn check_key(&self, key: Key, at: Seq) -> Checked {
        let (got, expected) = (self.get(&self.current, key, at)?, self.oracle.get(key, at));
        let alive = self.oracle.alive(key / KEYS, at);
        ensure(!alive || got == expected, || {
            format!("get {key}@{at}: {got:?}, expected {expected:?}")
        })
    }

    fn check_scan(&self, at: Seq) -> Checked {
        let expected = self.oracle.scan(at);
        for reverse in [false, true] {
            let mut got = self.scan(&self.current, at, reverse)?;
            if reverse {
                got.reverse();
            }
            ensure(got.is_sorted_by(|a, b| a.0 < b.0), || format!("scan@{at}: {got:?}"))?;
            got.retain(|(key, _)| self.oracle.alive(key / KEYS, at));
            ensure(got == expected, || format!("scan@{at}: {got:?}, expected {expected:?}"))?;
        }
        Ok(())
    }

    fn check_structure(&self) -> Checked {
        let version = &self.current.version;
        version.check()?;
        version.slots().try_for_each(|slot| self.check_slot(slot))?;
        for (i, job) in self.jobs.iter().enumerate() {
            let slot = version.slot_by_id(job.slot);
            ensure(slot.is_some_and(|(_, slot)| slot.range == job.range), || {
                "guards of a busy slot moved".into()
            })?;
            let others = self.jobs[..i].iter().all(|other| other.slot != job.slot);
            ensure(others, || "two merges in one slot".into())?;
        }
        Ok(())
    }

    /// Per key, every version in a run is older than every version in the runs behind it; and
    /// all versions of a key lie in one table of a run.
    fn check_slot(&self, slot: &Slot) -> Checked {
        let mut newest: BTreeMap<Key, Seq> = BTreeMap::new();
        for (i, run) in slot.runs.iter().enumerate() {
            let below = newest.clone();
            for table in &run.tables {
                for e in self.shown(table)? {
                    let older = below.get(&e.key).is_none_or(|seq| *seq < e.seq);
                    let (key, seq) = (e.key, e.seq);
                    ensure(older, || format!("{key}@{seq} in run {i} of slot {}", slot.id))?;
                    let seq = newest.entry(e.key).or_insert(e.seq);
                    *seq = (*seq).max(e.seq);
                }
            }
        }
        Ok(())
    }

    /// After everything was dropped, flushed and merged: exactly the live keys, once.
    pub fn check_reclaimed(&self) -> Checked {
        let version = &self.current.version;
        let live = self.oracle.scan(self.visible).len();
        let stored: usize = self.files.values().map(Vec::len).sum();
        let same = named_files(version).eq(self.files.keys().copied());
        let files: Vec<_> = self.files.keys().collect();
        ensure(same, || {
            format!("{files:?} exist, {:?} are named", named_files(version).collect::<Vec<_>>())
        })?;
        ensure(stored == live, || format!("{stored} entries stored, {live} keys live"))
    }
}
