//! The model can see: stores that are broken behind the oracle's back, each in its own way.
//!
//! A plant does a small wrong to the store after some steps, as a bug would, and tells the oracle
//! nothing but the sequence numbers it used. A program must notice.

use crate::op::{Key, Op, Who};
use crate::options::KINDS;
use crate::programs::{STEPS, shortest};
use crate::run::{Run, run};
use nori_lsm::Result;
use nori_testkit::plant_caught;

/// A way to be wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Plant {
    /// A deleted key comes back.
    LostDelete,
    /// The last write of a batch is missing.
    TornBatch,
    /// Of two writes of a batch to one key the first wins.
    BatchBackwards,
    /// A flush loses a key.
    FlushLoses,
    /// A merge brings a key that was never there.
    MergeInvents,
    /// A snapshot sees a write behind it.
    LateSnapshot,
    /// A keyspace that was made anew is not empty.
    NotEmpty,
    /// A write to a keyspace also lands in "default".
    WrongKeyspace,
    /// Opening again loses a key.
    ReopenLoses,
    /// A held iterator has skipped an item.
    IteratorSkips,
    /// A held cursor has moved by itself.
    CursorSlips,
}

const ALL: [Plant; 11] = [
    Plant::LostDelete,
    Plant::TornBatch,
    Plant::BatchBackwards,
    Plant::FlushLoses,
    Plant::MergeInvents,
    Plant::LateSnapshot,
    Plant::NotEmpty,
    Plant::WrongKeyspace,
    Plant::ReopenLoses,
    Plant::IteratorSkips,
    Plant::CursorSlips,
];

impl Plant {
    /// What goes wrong after a step that went right.
    pub(crate) fn sabotage(self, run: &mut Run<'_>, op: &Op) -> Result<()> {
        match (self, op) {
            (Plant::LostDelete, Op::Delete(place, key)) => {
                behind(run, Who::Handle(*place), key, Some(b"undead"))
            }
            (Plant::TornBatch, Op::Batch(writes, _)) => match writes.last() {
                Some((place, key, Some(_))) if writes.len() > 1 => {
                    behind(run, Who::Handle(*place), key, None)
                }
                _ => Ok(()),
            },
            (Plant::BatchBackwards, Op::Batch(writes, _)) => {
                let twice = writes.iter().enumerate().find(|(n, (place, key, value))| {
                    let later = &mut writes[n + 1..].iter();
                    value.is_some() && later.any(|w| (w.0, &w.1) == (*place, key))
                });
                let Some((_, (place, key, Some(value)))) = twice else { return Ok(()) };
                behind(run, Who::Handle(*place), key, Some(&value.bytes()))
            }
            (Plant::FlushLoses, Op::Flush) | (Plant::ReopenLoses, Op::Reopen(..)) => {
                let last = run.state.map("default").and_then(|map| map.keys().next_back().cloned());
                let Some(key) = last else { return Ok(()) };
                behind(run, Who::Handle(0), &Key(key.to_vec()), None)
            }
            (Plant::MergeInvents, Op::Compact) => {
                behind(run, Who::Handle(0), &Key(b"invented".to_vec()), Some(b""))
            }
            (Plant::LateSnapshot, Op::Snapshot(place)) => {
                let late = Key(b"late".to_vec());
                behind(run, Who::Handle(0), &late, Some(b""))?;
                let snapshot = run.store.snapshot();
                if let Some(moment) = &mut run.held.moments[*place] {
                    moment.snapshot = snapshot;
                }
                behind(run, Who::Handle(0), &late, None)
            }
            (Plant::NotEmpty, Op::Keyspace(place, _)) => {
                let who = Who::Handle(*place);
                let is_empty = run.map_of(who).is_some_and(|(_, map)| map.is_empty());
                if !is_empty {
                    return Ok(());
                }
                behind(run, who, &Key(b"left over".to_vec()), Some(b""))
            }
            (Plant::WrongKeyspace, Op::Put(1.., key, value)) => {
                behind(run, Who::Handle(0), key, Some(&value.bytes()))
            }
            (Plant::IteratorSkips, Op::HoldIter(_, place, ..)) => {
                let held = run.held.iters[*place].as_mut();
                held.map_or(Ok(()), |scan| scan.disturb())
            }
            (Plant::CursorSlips, Op::MoveCursor(place, _)) => {
                let held = run.held.cursors[*place].as_mut();
                held.map_or(Ok(()), |walker| walker.disturb())
            }
            _ => Ok(()),
        }
    }
}

/// A write that the oracle does not hear of.
fn behind(run: &mut Run<'_>, who: Who, key: &Key, value: Option<&[u8]>) -> Result<()> {
    let Some((reader, _)) = run.map_of(who) else { return Ok(()) };
    run.state.sequence += 1;
    match (reader, value) {
        (crate::reader::Reader::Space(space), Some(value)) => space.put(&key.0, value),
        (crate::reader::Reader::Space(space), None) => space.delete(&key.0),
        (_, Some(value)) => run.store.put(&key.0, value),
        (_, None) => run.store.delete(&key.0),
    }
}

#[test]
fn every_planted_bug_is_found() {
    let kind = &KINDS[0];
    for plant in ALL {
        let found = (1..=5).find_map(|seed| {
            let program = crate::op::program(seed, STEPS);
            Some((seed, program.clone(), run(kind, seed, &program, Some(plant)).err()?))
        });
        let Some((seed, program, why)) = found else { panic!("{plant:?} was not noticed") };
        let step: String = why.chars().take(100).collect();
        println!("{step}");
        plant_caught(plant, "model", seed * STEPS as u64, "steps");
        if matches!(plant, Plant::TornBatch | Plant::IteratorSkips) {
            let short = shortest(kind, seed, &program, Some(plant));
            assert!(short.len() <= 8, "{plant:?} takes {} steps: {short:#?}", short.len());
            println!("  {short:?}");
        }
    }
}
