//! A get stops at the first visible version; an iterator walks slot by slot. Readers load the
//! SuperVersion first and the visible number second, as two steps.

use crate::plant::Plant;
use crate::world::{Acted, Entry, KEYS, Key, Seq, SuperVersion, World};
use nori_env::Rng;
use nori_manifest::Slot;
use std::cmp::Reverse;

pub struct PointRead {
    pub key: Key,
    pub source: Option<SuperVersion>,
    pub seq: Option<Seq>,
    pub began: Seq,
}

pub struct Iter {
    pub source: SuperVersion,
    pub seq: Option<Seq>,
    pub began: Seq,
    pub reverse: bool,
    pub slots_done: usize,
    pub found: Vec<(Key, Seq)>,
}

impl World {
    pub fn get(&self, source: &SuperVersion, key: Key, at: Seq) -> Result<Option<Seq>, String> {
        let value = |e: &Entry| (!e.tombstone).then_some(e.value);
        for id in &source.memtables {
            let entries = self.memtables[id].entries.iter();
            let visible = entries.filter(|e| e.key == key && e.seq <= at);
            if let Some(e) = visible.max_by_key(|e| e.seq) {
                return Ok(value(e));
            }
        }
        let stored = self.stored(key);
        let (_, slot) = source.version.route(&stored);
        for run in slot.runs.iter().rev() {
            let Some(table) = run.find(&stored) else { continue };
            let entries = self.table(table.file.number())?.iter();
            if let Some(e) = entries.into_iter().find(|e| e.key == key && e.seq <= at) {
                return Ok(value(e));
            }
        }
        Ok(None)
    }

    fn scan_slot(
        &self,
        source: &SuperVersion,
        slot: &Slot,
        at: Seq,
    ) -> Result<Vec<(Key, Seq)>, String> {
        // Key, newest first, newest source first.
        let mut all: Vec<(Key, Reverse<Seq>, usize, Entry)> = vec![];
        for (rank, id) in source.memtables.iter().enumerate() {
            let entries = self.memtables[id].entries.iter();
            let inside = entries.filter(|e| self.contains(&slot.range, e.key) && e.seq <= at);
            all.extend(inside.map(|e| (e.key, Reverse(e.seq), rank, *e)));
        }
        for (rank, run) in slot.runs.iter().rev().enumerate() {
            for table in &run.tables {
                let shown = self.shown(table)?.filter(|e| e.seq <= at);
                all.extend(shown.map(|e| (e.key, Reverse(e.seq), 100 + rank, *e)));
            }
        }
        all.sort_by_key(|(key, seq, rank, _)| (*key, *seq, *rank));
        all.dedup_by_key(|(key, ..)| *key);
        Ok(all.iter().filter(|a| !a.3.tombstone).map(|a| (a.0, a.3.value)).collect())
    }

    fn scan_nth(
        &self,
        source: &SuperVersion,
        nth: usize,
        at: Seq,
        reverse: bool,
    ) -> Result<Vec<(Key, Seq)>, String> {
        let version = &source.version;
        let nth = if reverse { version.slot_count() - 1 - nth } else { nth };
        let mut found = self.scan_slot(source, version.slot(nth).unwrap(), at)?;
        if reverse {
            found.reverse();
        }
        Ok(found)
    }

    pub fn scan(
        &self,
        source: &SuperVersion,
        at: Seq,
        reverse: bool,
    ) -> Result<Vec<(Key, Seq)>, String> {
        let slots = 0..source.version.slot_count();
        let parts: Result<Vec<_>, String> =
            slots.map(|nth| self.scan_nth(source, nth, at, reverse)).collect();
        Ok(parts?.concat())
    }

    pub fn read_begin(&mut self, r: &mut Rng) -> Acted {
        if self.reads.len() >= 3 {
            return Ok(false);
        }
        let keys = self.current.version.catalog.next_id() as Key * KEYS;
        let key = r.below(keys.into()) as Key;
        let seq_first = self.broken(Plant::SeqBeforeSuperVersion);
        let late = seq_first || self.broken(Plant::DropCheckedFirst);
        let source = (!late).then(|| self.current.clone());
        let seq = seq_first.then_some(self.visible);
        self.reads.push(PointRead { key, source, seq, began: self.visible });
        Ok(true)
    }

    /// Some moment between begin and end must explain the answer.
    pub fn read_end(&mut self, r: &mut Rng) -> Acted {
        if self.reads.is_empty() {
            return Ok(false);
        }
        let read = self.reads.swap_remove(r.index(self.reads.len()));
        let seq = read.seq.unwrap_or(self.visible);
        let source = read.source.unwrap_or_else(|| self.current.clone());
        let got = self.get(&source, read.key, seq)?;
        // Dropped or not is asked of the number just loaded.
        let early = self.broken(Plant::DropCheckedFirst);
        let asked = if early { read.began } else { self.visible };
        let alive = self.oracle.alive(read.key / KEYS, asked);
        let mut moments = read.began..=self.visible;
        if alive && !moments.any(|s| self.oracle.get(read.key, s) == got) {
            let (key, from, to) = (read.key, read.began, self.visible);
            return Err(format!("get {key} within {from}..={to} gave {got:?}"));
        }
        Ok(true)
    }

    pub fn iter_begin(&mut self, r: &mut Rng) -> Acted {
        if self.iters.len() >= 2 {
            return Ok(false);
        }
        let (source, began, reverse) = (self.current.clone(), self.visible, r.chance(50));
        let (slots_done, found) = (0, vec![]);
        self.iters.push(Iter { source, seq: None, began, reverse, slots_done, found });
        Ok(true)
    }

    /// Loads the visible number; then one slot a step; at the end one moment must explain all.
    pub fn iter_step(&mut self, r: &mut Rng) -> Acted {
        if self.iters.is_empty() {
            return Ok(false);
        }
        let at = r.index(self.iters.len());
        let iter = &self.iters[at];
        let Some(seq) = iter.seq else {
            self.iters[at].seq = Some(self.visible);
            return Ok(true);
        };
        if iter.slots_done < iter.source.version.slot_count() {
            let found = self.scan_nth(&iter.source, iter.slots_done, seq, iter.reverse)?;
            self.iters[at].slots_done += 1;
            self.iters[at].found.extend(found);
            return Ok(true);
        }
        let mut iter = self.iters.swap_remove(at);
        if iter.reverse {
            iter.found.reverse();
        }
        let alive = |key: Key| self.oracle.alive(key / KEYS, seq);
        iter.found.retain(|(key, _)| alive(*key));
        let explains = |s: Seq| {
            let mut expected = self.oracle.scan(s);
            expected.retain(|(key, _)| alive(*key));
            expected == iter.found
        };
        if (iter.began..=seq).any(explains) {
            return Ok(true);
        }
        Err(format!("an iterator within {}..={seq} gave {:?}", iter.began, iter.found))
    }
}
