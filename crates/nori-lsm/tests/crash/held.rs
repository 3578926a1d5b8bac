//! Snapshots and iterators that are held while a program goes on.

use crate::history::State;
use nori_env::Rng;
use nori_lsm::{Iter, Lsm, Result, Snapshot};
use std::collections::VecDeque;

/// How many of each are held.
const HELD_MAX: usize = 3;

type Item = (Vec<u8>, Vec<u8>);

/// An iterator and what it has still to show.
struct Walked {
    iter: Iter,
    left: VecDeque<Item>,
}

#[derive(Default)]
pub(crate) struct Held {
    snapshots: VecDeque<(Snapshot, State)>,
    iters: VecDeque<Walked>,
}

impl Held {
    /// Takes a snapshot and an iterator of what the store shows now.
    pub(crate) fn hold(&mut self, store: &Lsm, shown: State, rng: &mut Rng) -> Result<()> {
        let names: Vec<&String> = shown.0.keys().collect();
        let name = *rng.pick(&names);
        let left = shown.0[name].iter().map(|(k, v)| (k.clone(), v.clone())).collect();
        self.iters.push_back(Walked { iter: store.keyspace(name)?.iter(), left });
        self.snapshots.push_back((store.snapshot(), shown));
        if self.snapshots.len() > HELD_MAX {
            self.snapshots.pop_front();
        }
        if self.iters.len() > HELD_MAX {
            self.iters.pop_front();
        }
        Ok(())
    }

    /// Compares what they show with what they showed when they were taken.
    pub(crate) fn look(&mut self, rng: &mut Rng) -> Result<()> {
        for (snapshot, shown) in &self.snapshots {
            for (name, keys) in &shown.0 {
                let view = snapshot.keyspace(name)?;
                let items: Vec<_> = view.iter().collect::<Result<_>>()?;
                let same = items.iter().map(|(k, v)| (&k[..], &v[..]));
                assert!(
                    same.eq(keys.iter().map(|(k, v)| (&k[..], &v[..]))),
                    "the snapshot at {} changed in {name}",
                    snapshot.sequence()
                );
            }
        }
        let mut broken = None;
        for walked in &mut self.iters {
            for _ in 0..rng.below(4) {
                let back = rng.chance(30);
                let item = if back { walked.iter.next_back() } else { walked.iter.next() };
                // After an error an iterator has ended.
                let item = match item.transpose() {
                    Ok(item) => item.map(|(k, v)| (k.to_vec(), v.to_vec())),
                    Err(e) => {
                        broken = Some(e);
                        walked.left.clear();
                        continue;
                    }
                };
                let left = &mut walked.left;
                let expected = if back { left.pop_back() } else { left.pop_front() };
                assert!(item == expected, "an iterator shows {item:?}, not {expected:?}");
            }
        }
        broken.map_or(Ok(()), Err)
    }
}
