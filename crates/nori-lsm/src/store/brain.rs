//! What the scheduler knows of the store, and the books of its slots.
//!
//! The lock here is taken behind the manifest's, and before the one of the busy slots. Nothing is
//! read from or written to files under it.
//!
//! 1. After each installed edit, still under the manifest lock, the scheduler is told what changed:
//!    slot by slot, and where slots were cut or joined, who came from whom.
//! 2. A slot's books and read counters live as long as the slot. Counters of a slot that joined
//!    another are read on until the last reader that may add to them is gone.

use crate::heat::SlotReads;
use crate::ledger::SlotLedger;
use crate::metrics::Decision;
use crate::plant::{Plant, planted};
use crate::store::learned::Memory;
use crate::super_version::SuperVersion;
use nori_env::sync::{Arc, Mutex};
use nori_manifest::{Slot, Version};
use nori_scheduler::{HeatChange, Learned, Reads, RunView, Scheduler};
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::Duration;

/// Decisions that are remembered.
const DECISIONS_MAX: usize = 256;

/// How often heat is looked at when nothing is flushed.
const TICK: Duration = Duration::from_secs(10);

/// The scheduler and what it needs to be told.
pub(crate) struct Brain {
    state: Mutex<State>,
}

struct State {
    scheduler: Scheduler,
    /// What the scheduler was last told of.
    version: Arc<Version>,
    /// In order: what a seed does must not depend on a table's.
    books: BTreeMap<u64, Book>,
    /// Slots that joined others and may still be read by somebody.
    leaving: Vec<Leaving>,
    decisions: VecDeque<Decision>,
    ticked: Duration,
    /// Whether the version changed since slots were last looked over for cuts and joins.
    shape_may_be_due: bool,
}

#[derive(Default)]
struct Book {
    ledger: SlotLedger,
    /// What earlier processes booked.
    before: SlotLedger,
    reads: Arc<SlotReads>,
}

struct Leaving {
    slot: u64,
    reads: Arc<SlotReads>,
    heir: u64,
}

impl Book {
    /// Since the store was opened, and since it was made.
    fn both(&self) -> (SlotLedger, SlotLedger) {
        let mut all = self.before;
        all.absorb(&self.ledger);
        (self.ledger, all)
    }
}

/// What presses, as the scheduler sees it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Backlog {
    pub(crate) l0_tables: usize,
    pub(crate) debt_bytes: u64,
}

impl std::fmt::Debug for Brain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Brain").finish_non_exhaustive()
    }
}

/// What the scheduler sees of a slot's runs, oldest first.
fn run_views(slot: &Slot) -> Vec<RunView> {
    let views = slot.runs.iter().map(|run| RunView {
        bytes: run.bytes,
        entries: run.entries,
        tombstones: run.tombstones,
        flush_seq: run.flush_seq,
        level: run.level,
        seq_max: run.seq_max.get(),
    });
    views.collect()
}

impl Brain {
    pub(crate) fn new(mut scheduler: Scheduler, view: &SuperVersion, now: Duration) -> Brain {
        let mut books = BTreeMap::new();
        for (index, slot) in view.version.slots().enumerate() {
            scheduler.insert(index, slot.id.0, &run_views(slot));
        }
        for (id, reads) in view.reads() {
            let reads = Arc::clone(reads);
            books.insert(id.0, Book { reads, ..Book::default() });
        }
        let state = State {
            scheduler,
            version: Arc::clone(&view.version),
            books,
            leaving: Vec::new(),
            decisions: VecDeque::new(),
            ticked: now,
            shape_may_be_due: true,
        };
        Brain { state: Mutex::new(state) }
    }

    /// Asks or tells the scheduler something.
    pub(crate) fn with<T>(&self, work: impl FnOnce(&mut Scheduler) -> T) -> T {
        work(&mut self.state.lock().scheduler)
    }

    /// Tells the scheduler of the newest version.
    pub(crate) fn learn(&self, view: &SuperVersion) {
        self.state.lock().learn(view);
    }

    /// What presses now. `tell` is called under the lock: of two callers the one who knows more
    /// tells last, or an old backlog could stay when nothing is left to do.
    pub(crate) fn tell_backlog(&self, tell: impl FnOnce(Backlog)) {
        let state = self.state.lock();
        tell(state.backlog());
    }

    /// A flush was installed: what it brought to each slot, in table and in user bytes. Returns
    /// the slots that changed their heat.
    pub(crate) fn flushed(
        &self,
        now: Duration,
        flush_seq: u64,
        parts: &[(u64, u64)],
        user_bytes: &[(u64, u64)],
    ) -> Vec<HeatChange> {
        let mut state = self.state.lock();
        for (n, &(slot, bytes)) in parts.iter().enumerate() {
            state.scheduler.note_flush(slot, bytes);
            if n == 0 || !planted(Plant::FlushShareNotBooked) {
                state.book(slot, |ledger| ledger.flush_bytes += bytes);
            }
        }
        for &(slot, bytes) in user_bytes {
            state.book(slot, |ledger| ledger.flushed_user_bytes += bytes);
        }
        state.drain_reads();
        state.ticked = now;
        state.scheduler.flush_installed(now, flush_seq);
        state.scheduler.take_changes()
    }

    /// Lets heat cool when no flush does; `None` if it is not due.
    pub(crate) fn tick(&self, now: Duration) -> Option<Vec<HeatChange>> {
        let mut state = self.state.lock();
        if now.saturating_sub(state.ticked) < TICK {
            return None;
        }
        state.ticked = now;
        state.drain_reads();
        state.scheduler.tick(now);
        Some(state.scheduler.take_changes())
    }

    /// Books something for a slot.
    pub(crate) fn book(&self, slot: u64, entry: impl FnOnce(&mut SlotLedger)) {
        self.state.lock().book(slot, entry);
    }

    pub(crate) fn remember(&self, decision: Decision) {
        let decisions = &mut self.state.lock().decisions;
        while decisions.len() >= DECISIONS_MAX {
            decisions.pop_front();
        }
        decisions.push_back(decision);
    }

    /// The last decisions, oldest first.
    pub(crate) fn decisions(&self, count: usize) -> Vec<Decision> {
        let state = self.state.lock();
        let skipped = state.decisions.len().saturating_sub(count);
        state.decisions.iter().skip(skipped).cloned().collect()
    }

    /// The books of a slot, since the store was opened and since it was made, and the scheduler;
    /// reads up to now included.
    pub(crate) fn looks<T>(
        &self,
        look: impl FnOnce(&dyn Fn(u64) -> (SlotLedger, SlotLedger), &Scheduler) -> T,
    ) -> T {
        let mut state = self.state.lock();
        state.drain_reads();
        let state = &*state;
        let books = |slot| state.books.get(&slot).map(Book::both).unwrap_or_default();
        look(&books, &state.scheduler)
    }

    /// Takes up what an earlier process left.
    pub(crate) fn remember_all(&self, memory: Memory) {
        let mut state = self.state.lock();
        let learned: Vec<Learned> = memory.slots.iter().map(|slot| slot.0).collect();
        state.scheduler.restore(&learned, Duration::ZERO);
        for (learned, ledger) in memory.slots {
            if let Some(book) = state.books.get_mut(&learned.slot) {
                book.before = ledger;
            }
        }
        state.decisions = memory.decisions.into();
    }

    /// What the next process should know.
    pub(crate) fn memory(&self, decisions: usize) -> Memory {
        let decisions = self.decisions(decisions);
        let mut state = self.state.lock();
        state.drain_reads();
        let books = &state.books;
        let slots = state.scheduler.learned().map(|learned| {
            let book = books.get(&learned.slot).map(Book::both).unwrap_or_default();
            (learned, book.1)
        });
        Memory { slots: slots.collect(), decisions }
    }

    /// The sums of all books.
    pub(crate) fn total(&self) -> SlotLedger {
        let mut state = self.state.lock();
        state.drain_reads();
        let mut sum = SlotLedger::default();
        state.books.values().for_each(|book| sum.absorb(&book.ledger));
        sum
    }

    /// True once after each change of the version: slots may want to be cut or joined.
    pub(crate) fn take_shape_due(&self) -> bool {
        std::mem::take(&mut self.state.lock().shape_may_be_due)
    }

    /// Slots are looked over again: something kept a cut or a join from being made.
    pub(crate) fn shape_is_due(&self) {
        self.state.lock().shape_may_be_due = true;
    }
}

impl State {
    fn backlog(&self) -> Backlog {
        let (l0_tables, debt_bytes) = (self.scheduler.l0_tables(), self.scheduler.debt_bytes());
        Backlog { l0_tables, debt_bytes }
    }

    fn learn(&mut self, view: &SuperVersion) {
        if Arc::ptr_eq(&self.version, &view.version) {
            return;
        }
        self.shape_may_be_due = true;
        let new = Arc::clone(&view.version);
        let old = std::mem::replace(&mut self.version, Arc::clone(&new));
        let same = old.slot_count() == new.slot_count()
            && old.slots().zip(new.slots()).all(|(a, b)| a.id == b.id);
        if !same {
            self.reshape(&old, view);
        }
        for (index, slot) in new.slots().enumerate() {
            let known = old.slot(index).filter(|_| same);
            if !known.is_some_and(|known| Arc::ptr_eq(known, slot)) {
                self.scheduler.set_runs(slot.id.0, &run_views(slot));
            }
        }
    }

    /// Slots were cut, joined or made.
    fn reshape(&mut self, old: &Version, view: &SuperVersion) {
        let new = &view.version;
        let reads: HashMap<u64, &Arc<SlotReads>> = view.reads().map(|(id, r)| (id.0, r)).collect();
        for gone in old.slots().filter(|slot| !reads.contains_key(&slot.id.0)) {
            let heir = new.route(&gone.range.lo).1.id.0;
            self.scheduler.merge(heir, gone.id.0);
            let book = self.books.remove(&gone.id.0).unwrap_or_default();
            let heirs = self.leaving.iter_mut().filter(|left| left.heir == gone.id.0);
            heirs.for_each(|left| left.heir = heir);
            if !planted(Plant::JoinedReadersForgotten) {
                self.leaving.push(Leaving { slot: gone.id.0, reads: book.reads, heir });
            }
            self.book(heir, |ledger| ledger.absorb(&book.ledger));
            if let Some(heir) = self.books.get_mut(&heir) {
                heir.before.absorb(&book.before);
            }
        }
        // The slots that are new, by the one that they were cut out of.
        let mut index = 0;
        let slots: Vec<&Arc<Slot>> = new.slots().collect();
        while let Some(slot) = slots.get(index) {
            let behind = slots[index + 1..].iter();
            let parent_of = |slot: &Slot| old.route(&slot.range.lo).1.id;
            let is_part = |s: &&&Arc<Slot>| {
                !self.books.contains_key(&s.id.0) && parent_of(s.as_ref()) == slot.id
            };
            let parts: Vec<u64> = behind.take_while(is_part).map(|s| s.id.0).collect();
            if !self.books.contains_key(&slot.id.0) {
                self.scheduler.insert(index, slot.id.0, &run_views(slot));
                let reads = reads.get(&slot.id.0).map(|r| Arc::clone(r)).unwrap_or_default();
                self.books.insert(slot.id.0, Book { reads, ..Book::default() });
            }
            if !parts.is_empty() {
                self.scheduler.split(slot.id.0, &parts);
            }
            for (at, part) in parts.iter().enumerate() {
                let shares = (parts.len() + 1 - at) as u64;
                let own = self.books.entry(slot.id.0).or_default();
                let (ledger, before) = (own.ledger.split_off(shares), own.before.split_off(shares));
                let reads = reads.get(part).map(|r| Arc::clone(r)).unwrap_or_default();
                self.books.insert(*part, Book { ledger, before, reads });
            }
            index += 1 + parts.len();
        }
    }

    /// Books for a slot; if it joined another a moment ago, for that one. Never nowhere: the sums
    /// have to be right.
    fn book(&mut self, slot: u64, entry: impl FnOnce(&mut SlotLedger)) {
        let mut known = Some(slot).filter(|slot| self.books.contains_key(slot));
        if known.is_none() {
            let joined = self.leaving.iter().find(|left| left.slot == slot).map(|left| left.heir);
            known = joined.filter(|heir| self.books.contains_key(heir));
        }
        // Looked for only here: it takes a walk over all slots.
        let slot = known.or_else(|| self.books.keys().next().copied());
        if let Some(book) = slot.and_then(|slot| self.books.get_mut(&slot)) {
            entry(&mut book.ledger);
        }
    }

    fn drain_reads(&mut self) {
        let State { scheduler, books, leaving, .. } = self;
        for (slot, book) in books.iter_mut() {
            let reads = book.reads.take();
            note(scheduler, *slot, &mut book.ledger, reads);
        }
        leaving.retain_mut(|left| {
            // Asked first: a reader may add something and leave between the two. The count of
            // holders is read so that what a reader added before it left is seen (`get_mut`
            // acquires, `strong_count` does not).
            let watched = Arc::get_mut(&mut left.reads).is_none();
            match books.get_mut(&left.heir) {
                Some(book) => note(scheduler, left.heir, &mut book.ledger, left.reads.take()),
                None => return false,
            }
            watched
        });
    }
}

fn note(scheduler: &mut Scheduler, slot: u64, ledger: &mut SlotLedger, reads: Reads) {
    if reads.points == 0 && reads.scans == 0 {
        return;
    }
    ledger.point_reads += reads.points;
    ledger.runs_probed += reads.probes;
    ledger.runs_visible += reads.visible;
    ledger.scans += reads.scans;
    scheduler.note_reads(slot, reads);
}
