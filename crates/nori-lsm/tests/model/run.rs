//! Runs a program on a store and on the oracle, and compares every answer.

use crate::books::SlotCounts;
use crate::held::{Held, Moment, View};
use crate::op::{Ends, Key, NAMES, Op, Who};
use crate::options::Kind;
use crate::oracle::{Map, Sight, State};
use crate::planted::Plant;
use crate::reader::Reader;
use crate::scan::{Check, Scan, Walker, agrees, items, items_of, same, whole};
use bytes::Bytes;
use nori_env::sync::Arc;
use nori_env::{ManualClock, MemFs};
use nori_lsm::{ErrorKind, EventStream, Lsm};
use std::time::Duration;

/// Where the store is.
pub(crate) const ROOT: &str = "/store";

/// What runs did, so that a test can say that it did something.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) steps: u64,
    pub(crate) stalled: u64,
    pub(crate) reopened: u64,
    pub(crate) replayed: u64,
    pub(crate) flushes: u64,
    pub(crate) merges: u64,
    pub(crate) checkpoints: u64,
    pub(crate) slots: SlotCounts,
}

/// A store and its oracle in the middle of a program.
pub(crate) struct Run<'a> {
    pub(crate) kind: &'a Kind,
    pub(crate) seed: u64,
    pub(crate) fs: Arc<MemFs>,
    pub(crate) clock: ManualClock,
    /// The options of the last opening, by number.
    pub(crate) change: u64,
    pub(crate) held: Held,
    pub(crate) events: EventStream,
    pub(crate) store: Lsm,
    pub(crate) state: State,
    pub(crate) counts: Counts,
    plant: Option<Plant>,
}

/// Runs a program; what it did, or the first step that went wrong.
pub(crate) fn run(
    kind: &Kind,
    seed: u64,
    program: &[Op],
    plant: Option<Plant>,
) -> Result<Counts, String> {
    let mut run = Run::new(kind, seed, plant)?;
    for (n, op) in program.iter().enumerate() {
        run.step(op).map_err(|e| format!("step {n}, {op:?}: {e}"))?;
    }
    run.end().map_err(|e| format!("after the program: {e}"))
}

impl<'a> Run<'a> {
    fn new(kind: &'a Kind, seed: u64, plant: Option<Plant>) -> Result<Run<'a>, String> {
        let (fs, clock) = (Arc::new(MemFs::new(seed)), ManualClock::default());
        let config = kind.config(&fs, &clock, 0);
        let store = Lsm::open_with(ROOT, config).map_err(|e| format!("creating: {e}"))?;
        same("created", store.recovery().created, true)?;
        let (events, state) = (store.events(), State::new(kind.guards()));
        let (held, counts) = (Held::default(), Counts::default());
        Ok(Run { kind, seed, fs, clock, change: 0, held, events, store, state, counts, plant })
    }

    /// Whether nothing happens but by this thread.
    pub(crate) fn is_manual(&self) -> bool {
        self.kind.threads == 0
    }

    fn step(&mut self, op: &Op) -> Check {
        self.counts.steps += 1;
        self.clock.advance(Duration::from_millis(1));
        match op {
            Op::Put(place, key, value) => self.single((*place, key.clone(), Some(*value))),
            Op::Delete(place, key) => self.single((*place, key.clone(), None)),
            Op::Batch(writes, how) => self.batch(writes, *how),
            Op::TooLong(place) => self.too_long(*place),
            Op::Storage(place, keys, ends) => self.storage(*place, keys, ends),
            Op::Keyspace(place, name) => self.keyspace(*place, *name),
            Op::DropKeyspace(name) => self.drop_keyspace(*name),
            Op::Get(who, _)
            | Op::MultiGet(who, _)
            | Op::Ends(who)
            | Op::Range(who, ..)
            | Op::Prefix(who, ..)
            | Op::Iter(who, _)
            | Op::Cursor(who, _)
            | Op::HoldIter(who, ..)
            | Op::HoldCursor(who, _) => match self.held.reader(&self.store, &self.state, *who)? {
                Some((reader, sight)) => self.read(op, &reader, sight),
                None => Ok(()),
            },
            Op::Snapshot(_)
            | Op::DropSnapshot(_)
            | Op::HoldView { .. }
            | Op::PullIter(..)
            | Op::MoveCursor(..) => self.hold(op),
            Op::Hot(..) | Op::Load(..) | Op::Erase(..) | Op::Wait(_) => self.slot_step(op),
            _ => self.maintain(op),
        }?;
        // What does not add up goes on not adding up, so not every step looks.
        if self.kind.slotted.is_some() && self.is_manual() && self.counts.steps.is_multiple_of(8) {
            self.check_books()?;
        }
        if let Some(plant) = self.plant {
            plant.sabotage(self, op).map_err(|e| format!("planting: {e}"))?;
        }
        Ok(())
    }

    fn read(&mut self, op: &Op, reader: &Reader, sight: Sight) -> Check {
        match op {
            Op::Get(_, key) => {
                let want = sight.map(|map| map.get(&key.0[..]).cloned());
                agrees(
                    "contains_key",
                    reader.contains_key(key),
                    want.clone().map(|v| v.is_some()),
                )?;
                agrees("get", reader.get(key), want)
            }
            Op::MultiGet(_, keys) => {
                let bytes: Vec<&[u8]> = keys.iter().map(|key| &key.0[..]).collect();
                let find = |map: &Map| bytes.iter().map(|key| map.get(*key).cloned()).collect();
                agrees("multi_get", reader.multi_get(&bytes), sight.map(|map| find(&map)))
            }
            Op::Ends(_) => {
                let pair = |item: (&Bytes, &Bytes)| (item.0.clone(), item.1.clone());
                let first = sight.clone().map(|map| map.first_key_value().map(pair));
                agrees("first_key_value", reader.first_key_value(), first)?;
                let last = sight.map(|map| map.last_key_value().map(pair));
                agrees("last_key_value", reader.last_key_value(), last)
            }
            Op::Range(_, ends, pattern) => {
                Scan::new(reader.range(ends), items_of(&sight, ends), *pattern).finish()
            }
            Op::Prefix(_, prefix, pattern) => {
                let want = sight.map(|map| items(&map, |key| key.starts_with(&prefix.0)));
                Scan::new(reader.prefix(prefix), want, *pattern).finish()
            }
            Op::Iter(_, pattern) => {
                let want = sight.map(|map| items(&map, |_| true));
                Scan::new(reader.iter(), want, *pattern).finish()
            }
            Op::Cursor(_, moves) => Walker::new(reader.cursor(), sight).walk(moves),
            Op::HoldIter(_, place, ends, pattern) => {
                let scan = Scan::new(reader.range(ends), items_of(&sight, ends), *pattern);
                self.held.iters[*place].replace(scan).map_or(Ok(()), Scan::finish)
            }
            Op::HoldCursor(_, place) => {
                self.held.cursors[*place] = Some(Walker::new(reader.cursor(), sight));
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn hold(&mut self, op: &Op) -> Check {
        let held = &mut self.held;
        match op {
            Op::Snapshot(place) => {
                // The one that goes shows its moment to the last.
                check_moment(held.moments[*place].take())?;
                let (snapshot, state) = (self.store.snapshot(), self.state.clone());
                same("the snapshot's sequence", snapshot.sequence(), state.sequence)?;
                let number = self.counts.steps;
                held.moments[*place] = Some(Moment { snapshot, state, number });
                Ok(())
            }
            Op::DropSnapshot(place) => check_moment(held.moments[*place].take()),
            Op::HoldView { from, name, to } => {
                let Some(moment) = &held.moments[*from] else { return Ok(()) };
                if let Some((Reader::View(view), sight)) = moment.view(NAMES[*name])? {
                    held.views[*to] = Some(View { view, sight, moment: moment.number });
                }
                Ok(())
            }
            Op::PullIter(place, count) => {
                held.iters[*place].as_mut().map_or(Ok(()), |scan| scan.pull(*count))
            }
            Op::MoveCursor(place, moves) => {
                held.cursors[*place].as_mut().map_or(Ok(()), |walker| walker.walk(moves))
            }
            _ => Ok(()),
        }
    }

    /// Everything that the store shows, by a store that may be another one.
    pub(crate) fn check_all(&self, store: &Lsm, what: &str) -> Check {
        let names: Vec<String> = self.state.spaces.keys().cloned().collect();
        same(&format!("{what}: the names of keyspaces"), store.keyspaces(), names)?;
        for (name, space) in &self.state.spaces {
            let what = format!("{what}: keyspace {name:?}");
            let handle = store.keyspace(name).map_err(|e| format!("{what}: {e}"))?;
            whole(&what, handle.iter(), &space.map, self.counts.steps)?;
            for (key, value) in space.map.iter().step_by(7) {
                agrees(&what, handle.get(key), Ok(Some(value.clone())))?;
            }
        }
        Ok(())
    }

    fn end(mut self) -> Result<Counts, String> {
        self.look()?;
        for moment in &mut self.held.moments {
            check_moment(moment.take())?;
        }
        self.held.iters.iter_mut().filter_map(Option::take).try_for_each(Scan::finish)?;
        self.maintain(&Op::Compact)?;
        self.maintain(&Op::Verify)?;
        self.check_all(&self.store, "at the end")?;
        self.maintain(&Op::WaitIdle)?;
        self.count_work();
        agrees("close", self.store.clone().close(), Ok(()))?;
        self.held.closed()?;
        Ok(self.counts)
    }
}

/// A snapshot that is let go still shows its moment, in every keyspace.
fn check_moment(moment: Option<Moment>) -> Check {
    let Some(moment) = moment else { return Ok(()) };
    for name in NAMES {
        if let Some((reader, sight)) = moment.view(name)? {
            let ends: Ends = (std::ops::Bound::Unbounded, std::ops::Bound::Unbounded);
            let scan = Scan::new(reader.iter(), items_of(&sight, &ends), moment.number);
            scan.finish().map_err(|e| format!("a snapshot's keyspace {name:?}: {e}"))?;
        }
    }
    let key = Key(Vec::new());
    let want = moment.state.map("default").ok_or(ErrorKind::InvalidArgument);
    let want = want.map(|map| map.get(&key.0[..]).cloned());
    agrees("a snapshot's get", moment.snapshot.get(&key.0), want)
}

/// For what a plant needs to know.
impl Run<'_> {
    /// A handle's map.
    pub(crate) fn map_of(&self, who: Who) -> Option<(Reader, Arc<Map>)> {
        let found = self.held.reader(&self.store, &self.state, who).ok()??;
        Some((found.0, found.1.ok()?))
    }
}
