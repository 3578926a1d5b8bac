//! Whether concurrent calls on one key have an order that explains them.
//!
//! The calls of a history are linearizable if each can be given one moment between its begin and
//! its end so that, in the order of these moments, each get returns what the last put or delete
//! before it left (Herlihy and Wing 1990). The check walks through begins and ends in the order of
//! time and keeps all the worlds that can still be true: the value in each, and which of the calls
//! under way have had their moment (Lowe 2017 calls this just-in-time linearization). When a call
//! ends, only worlds in which it had its moment, with the result it returned, go on. A history
//! none of whose worlds is left has no explanation.
//!
//! 1. A call whose begin is another one's end is taken as concurrent with it: a clock that ticks
//!    slowly makes the check weaker, never wrong.
//! 2. A thread has one call under way, so worlds are at most values times subsets of threads.

use std::collections::BTreeSet;

/// A call on a register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    /// Sets the value.
    Put(u64),
    /// Removes the value.
    Delete,
    /// Returned this.
    Get(Option<u64>),
}

#[derive(Clone, Copy, Debug)]
struct Event {
    thread: usize,
    begin: u64,
    end: u64,
    call: Call,
}

/// The calls on one key, which has no value at first.
#[derive(Clone, Debug, Default)]
pub struct History {
    calls: Vec<Event>,
}

/// What is so in one world: the value, and a bit for each thread whose call had its moment.
type World = (Option<u64>, u64);

impl History {
    /// Adds a call of a thread (below 64), with the times at which it began and ended.
    pub fn add(&mut self, thread: usize, begin: u64, end: u64, call: Call) {
        self.calls.push(Event { thread, begin, end, call });
    }

    /// How many calls there are.
    pub fn len(&self) -> usize {
        self.calls.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.calls.is_empty()
    }

    /// Looks for an order.
    ///
    /// # Errors
    /// The call that none explains, and those that were under way with it.
    pub fn check(&self) -> Result<(), String> {
        // (time, is an end, call): begins come first at one time (invariant 1).
        let mut moments: Vec<(u64, bool, usize)> = Vec::new();
        for (at, event) in self.calls.iter().enumerate() {
            moments.push((event.begin, false, at));
            moments.push((event.end, true, at));
        }
        moments.sort_unstable();
        let mut worlds: BTreeSet<World> = BTreeSet::from([(None, 0)]);
        let mut under_way: Vec<usize> = Vec::new();
        for (_, is_end, at) in moments {
            if !is_end {
                under_way.push(at);
                continue;
            }
            let bit = 1 << self.calls[at].thread;
            let had_it = self.all_from(&worlds, &under_way).into_iter().filter(|w| w.1 & bit != 0);
            let next: BTreeSet<World> = had_it.map(|(value, done)| (value, done & !bit)).collect();
            if next.is_empty() {
                return Err(self.unexplained(at, &worlds, &under_way));
            }
            worlds = next;
            under_way.retain(|&other| other != at);
        }
        Ok(())
    }

    /// All worlds that come from these when any calls under way have their moments.
    fn all_from(&self, worlds: &BTreeSet<World>, under_way: &[usize]) -> BTreeSet<World> {
        let mut all = worlds.clone();
        let mut todo: Vec<World> = worlds.iter().copied().collect();
        while let Some((value, done)) = todo.pop() {
            for &at in under_way {
                let Event { thread, call, .. } = self.calls[at];
                let bit = 1 << thread;
                let after = match call {
                    _ if done & bit != 0 => continue,
                    Call::Put(new) => Some(new),
                    Call::Delete => None,
                    Call::Get(seen) if seen != value => continue,
                    Call::Get(_) => value,
                };
                if all.insert((after, done | bit)) {
                    todo.push((after, done | bit));
                }
            }
        }
        all
    }

    fn unexplained(&self, at: usize, worlds: &BTreeSet<World>, under_way: &[usize]) -> String {
        let values: BTreeSet<Option<u64>> = worlds.iter().map(|world| world.0).collect();
        let others = under_way.iter().filter(|&&other| other != at);
        let others: Vec<&Event> = others.map(|&other| &self.calls[other]).collect();
        format!(
            "{:?} cannot be: the value is one of {values:?}, under way are {others:?}",
            self.calls[at]
        )
    }
}

#[cfg(test)]
mod tests;
