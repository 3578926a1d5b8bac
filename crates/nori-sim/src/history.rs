//! The oracle's memory: every element in order, the state after each prefix, and how long a
//! prefix a process crash and a power cut must keep from which operation on.
//!
//! 1. `states[p]` is what the first `p` elements give; a batch is one element.
//! 2. `mark.power <= mark.kill <= len()`: the first `power` elements survive a power cut, the
//!    first `kill` the end of the process. What lies behind was issued and not acknowledged.
//! 3. A copy costs one count per keyspace and state, so each moment of a run may have one.

use bytes::Bytes;
use nori_env::sync::Arc;
use std::collections::BTreeMap;

/// The keys of a keyspace and their values.
pub(crate) type Keys = BTreeMap<Bytes, Bytes>;

/// Keyspace name to its keys. "default" is always there.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct State(pub(crate) BTreeMap<Arc<str>, Arc<Keys>>);

impl Default for State {
    fn default() -> State {
        State([(Arc::from("default"), Arc::default())].into())
    }
}

impl std::fmt::Debug for State {
    /// Keyspaces, keys, and the number that each value starts with.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (name, keys) in &self.0 {
            write!(f, "{name}{{")?;
            for (key, value) in keys.iter() {
                let number = value.iter().take(8).fold(0u64, |n, byte| n << 8 | u64::from(*byte));
                write!(f, " {}={number}", key.escape_ascii())?;
            }
            write!(f, " }} ")?;
        }
        Ok(())
    }
}

/// One write of a batch: keyspace, key, value or a deletion.
pub(crate) type Entry = (Arc<str>, Bytes, Option<Bytes>);

/// One element of the history.
#[derive(Clone, Debug)]
pub(crate) enum Element {
    Batch(Vec<Entry>),
    Create(Arc<str>),
    Drop(Arc<str>),
}

impl Element {
    /// How many sequence numbers it takes.
    fn width(&self) -> u64 {
        match self {
            Element::Batch(operations) => operations.len() as u64,
            Element::Create(_) | Element::Drop(_) => 1,
        }
    }

    pub(crate) fn apply(&self, state: &mut State) {
        match self {
            Element::Batch(operations) => {
                for (space, key, value) in operations {
                    let Some(keys) = state.0.get_mut(space).map(Arc::make_mut) else { continue };
                    match value {
                        Some(value) => keys.insert(key.clone(), value.clone()),
                        None => keys.remove(key),
                    };
                }
            }
            Element::Create(name) => {
                state.0.insert(Arc::clone(name), Arc::default());
            }
            Element::Drop(name) => {
                state.0.remove(name);
            }
        }
    }
}

/// Prefix lengths that must survive.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Mark {
    pub(crate) kill: usize,
    pub(crate) power: usize,
}

#[derive(Clone, Debug)]
pub(crate) struct History {
    /// The last sequence number of each element.
    lasts: Vec<u64>,
    states: Vec<State>,
    pub(crate) mark: Mark,
}

impl Default for History {
    fn default() -> History {
        History { lasts: Vec::new(), states: vec![State::default()], mark: Mark::default() }
    }
}

impl History {
    pub(crate) fn len(&self) -> usize {
        self.lasts.len()
    }

    /// What the running store shows: everything acknowledged.
    pub(crate) fn shown(&self) -> &State {
        &self.states[self.mark.kill]
    }

    /// An element is about to be written behind sequence number `visible`.
    pub(crate) fn issue(&mut self, element: &Element, visible: u64) {
        let mut state = self.states.last().expect("there is always a state").clone();
        element.apply(&mut state);
        self.states.push(state);
        self.lasts.push(visible + element.width());
    }

    /// The last element was refused and is not there.
    pub(crate) fn withdraw(&mut self) {
        self.lasts.pop();
        self.states.pop();
    }

    /// All elements were acknowledged.
    pub(crate) fn acknowledge(&mut self, synced: bool) {
        self.mark.kill = self.len();
        if synced {
            self.mark.power = self.len();
        }
    }

    /// Everything acknowledged so far is durable.
    pub(crate) fn durable(&mut self) {
        self.mark.power = self.mark.power.max(self.mark.kill);
    }

    /// The longest prefix that gives this state; one that ends at `last` if it fits.
    pub(crate) fn find(&self, state: &State, last: u64) -> Option<usize> {
        let exact = self.lasts.iter().filter(|l| **l <= last).count();
        let fits = |p: &usize| self.states[*p] == *state;
        Some(exact).filter(fits).or_else(|| (0..self.states.len()).rev().find(fits))
    }

    /// The last sequence number of the shortest prefix that looks like the first `p` elements: a
    /// store that shows it has given this number at least.
    pub(crate) fn last_of(&self, p: usize) -> u64 {
        let shortest = (0..=p).find(|q| self.states[*q] == self.states[p]).unwrap_or(p);
        shortest.checked_sub(1).map_or(0, |q| self.lasts[q])
    }

    /// The next process goes on from the first `p` elements, of which `power` survive a power cut.
    pub(crate) fn restart(&mut self, p: usize, power: usize) {
        self.lasts.truncate(p);
        self.states.truncate(p + 1);
        self.mark = Mark { kill: p, power };
    }
}
