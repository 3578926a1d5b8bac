//! Snapshots and iterators that are held while a program goes on.

use crate::history::State;
use crate::image::Checked;
use bytes::Bytes;
use nori_lsm::{Error, Iter, Keyspace, Lsm, Result, Snapshot};
use std::collections::VecDeque;

/// How many of each are held.
const HELD_MAX: usize = 3;

type Item = (Bytes, Bytes);

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
    /// Takes a snapshot, and an iterator of a keyspace, of what the store shows now.
    pub(crate) fn hold(&mut self, store: &Lsm, shown: &State, space: &Keyspace) {
        let keys = shown.0.get(space.name());
        let left = keys.into_iter().flat_map(|keys| keys.iter());
        let left = left.map(|(k, v)| (k.clone(), v.clone())).collect();
        self.iters.push_back(Walked { iter: space.iter(), left });
        self.snapshots.push_back((store.snapshot(), shown.clone()));
        if self.snapshots.len() > HELD_MAX {
            self.snapshots.pop_front();
        }
        if self.iters.len() > HELD_MAX {
            self.iters.pop_front();
        }
    }

    /// Compares what they show with what they showed when they were taken. An error of the store
    /// comes back as such; the bits move the iterators.
    pub(crate) fn look(&mut self, bits: u32) -> Checked<std::result::Result<(), Error>> {
        for (snapshot, shown) in &self.snapshots {
            for (name, keys) in &shown.0 {
                let items = snapshot.keyspace(name).and_then(|v| v.iter().collect());
                let items: Vec<Item> = match items {
                    Ok(items) => items,
                    Err(e) => return Ok(Err(e)),
                };
                if !items.iter().map(|(k, v)| (k, v)).eq(keys.iter()) {
                    let sequence = snapshot.sequence();
                    return Err(format!("the snapshot at {sequence} changed in {name}"));
                }
            }
        }
        let mut broken = Ok(());
        let mut bits = bits.rotate_left(self.iters.len() as u32);
        for walked in &mut self.iters {
            for _ in 0..bits % 4 {
                bits = bits.rotate_right(3);
                if let Err(e) = walked.step(bits & 1 == 1)? {
                    broken = Err(e);
                }
            }
        }
        Ok(broken)
    }
}

impl Walked {
    fn step(&mut self, back: bool) -> Checked<Result<()>> {
        let item = if back { self.iter.next_back() } else { self.iter.next() };
        match item.transpose() {
            Ok(item) => {
                let left = &mut self.left;
                let expected = if back { left.pop_back() } else { left.pop_front() };
                if item != expected {
                    return Err(format!("an iterator shows {item:?}, not {expected:?}"));
                }
                Ok(Ok(()))
            }
            Err(e) => {
                // After an error an iterator has ended.
                self.left.clear();
                Ok(Err(e))
            }
        }
    }
}
