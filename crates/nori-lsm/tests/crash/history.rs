//! The oracle's memory: every element in order, the state after each prefix, and how long a
//! prefix a process crash and a power cut must keep from which operation on.

use std::collections::BTreeMap;

pub(crate) type Keys = BTreeMap<Vec<u8>, Vec<u8>>;

/// Keyspace name to its keys. "default" is always there.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct State(pub(crate) BTreeMap<String, Keys>);

impl Default for State {
    fn default() -> State {
        State([("default".to_string(), Keys::new())].into())
    }
}

impl std::fmt::Debug for State {
    /// Keyspaces, keys, and the number that each value starts with.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (name, keys) in &self.0 {
            write!(f, "{name}{{")?;
            for (key, value) in keys {
                let number = value.iter().take(8).fold(0u64, |n, byte| n << 8 | u64::from(*byte));
                write!(f, " {}={number}", key.escape_ascii())?;
            }
            write!(f, " }} ")?;
        }
        Ok(())
    }
}

/// One write of a batch: keyspace, key, value or a deletion.
pub(crate) type Write = (String, Vec<u8>, Option<Vec<u8>>);

/// One element of the history.
#[derive(Clone, Debug)]
pub(crate) enum Element {
    Batch(Vec<Write>),
    Create(String),
    Drop(String),
}

impl Element {
    /// How many sequence numbers it takes.
    fn width(&self) -> u64 {
        match self {
            Element::Batch(operations) => operations.len() as u64,
            Element::Create(_) | Element::Drop(_) => 1,
        }
    }

    fn apply(&self, state: &mut State) {
        match self {
            Element::Batch(operations) => {
                for (space, key, value) in operations {
                    let Some(keys) = state.0.get_mut(space) else { continue };
                    match value {
                        Some(value) => keys.insert(key.clone(), value.clone()),
                        None => keys.remove(key),
                    };
                }
            }
            Element::Create(name) => {
                state.0.insert(name.clone(), Keys::new());
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
    /// `states[p]`: after the first `p` elements.
    pub(crate) states: Vec<State>,
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
        let mut state = self.states.last().expect("one state").clone();
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

    /// The next process goes on from the first `p` elements, of which `power` survive a power cut.
    pub(crate) fn restart(&mut self, p: usize, power: usize) {
        self.lasts.truncate(p);
        self.states.truncate(p + 1);
        self.mark = Mark { kill: p, power };
    }
}
