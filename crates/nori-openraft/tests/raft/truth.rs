//! What a cluster has committed: entries, and the state at each of them.

use nori_env::Rng;
use nori_openraft::{Result, SnapshotFile, StateBatch, StateMachine};
use openraft::{CommittedLeaderId, Entry, EntryPayload, LogId, Membership, StoredMembership};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

openraft::declare_raft_types!(
    pub(crate) Types:
        D = Command,
        R = Reply,
        SnapshotData = SnapshotFile,
);

pub(crate) type Id = LogId<u64>;
pub(crate) type Contents = BTreeMap<Vec<u8>, Vec<u8>>;
pub(crate) type Stored = StoredMembership<u64, openraft::BasicNode>;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Command {
    Put(String, String),
    Delete(String),
    /// Puts something behind the value that the key has.
    Append(String, String),
    /// Writes down how many keys there are with a prefix.
    Count(String, String),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Reply(pub(crate) Option<String>);

/// The state machine of the tests.
pub(crate) struct Words;

impl StateMachine<Types> for Words {
    fn apply(&self, state: &mut StateBatch<'_>, command: Command) -> Result<Reply> {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ok(Reply(match command {
            Command::Put(key, value) => {
                let before = state.get(&key)?.map(|before| text(&before));
                state.put(key, value);
                before
            }
            Command::Delete(key) => {
                state.delete(key);
                None
            }
            Command::Append(key, tail) => {
                let mut value = state.get(&key)?.map(|value| text(&value)).unwrap_or_default();
                value.push_str(&tail);
                value = value.split_off(value.len().saturating_sub(60));
                state.put(key, &value);
                Some(value)
            }
            Command::Count(prefix, into) => {
                let count = state.prefix(prefix.as_bytes()).collect::<Result<Vec<_>>>()?.len();
                state.put(into, count.to_string());
                Some(count.to_string())
            }
        }))
    }

    fn blank(&self) -> Reply {
        Reply(None)
    }
}

/// The same on a map.
pub(crate) fn apply(state: &mut Contents, command: &Command) -> Reply {
    let text = |bytes: &Vec<u8>| String::from_utf8_lossy(bytes).into_owned();
    Reply(match command.clone() {
        Command::Put(key, value) => state.insert(key.into(), value.into()).map(|v| text(&v)),
        Command::Delete(key) => {
            state.remove(key.as_bytes());
            None
        }
        Command::Append(key, tail) => {
            let mut value = state.get(key.as_bytes()).map(text).unwrap_or_default();
            value.push_str(&tail);
            value = value.split_off(value.len().saturating_sub(60));
            state.insert(key.into(), value.clone().into());
            Some(value)
        }
        Command::Count(prefix, into) => {
            let count = state.keys().filter(|key| key.starts_with(prefix.as_bytes())).count();
            state.insert(into.into(), count.to_string().into());
            Some(count.to_string())
        }
    })
}

pub(crate) fn id(term: u64, node: u64, index: u64) -> Id {
    LogId::new(CommittedLeaderId::new(term, node), index)
}

pub(crate) fn command(rng: &mut Rng) -> Command {
    let prefix = *rng.pick(&["a", "b", "ab"]);
    let key = format!("{prefix}{}", rng.below(12));
    let value = "v".repeat(rng.index(40)) + &rng.below(1000).to_string();
    match rng.below(10) {
        0..4 => Command::Put(key, value),
        4..6 => Command::Delete(key),
        6..9 => Command::Append(key, value),
        _ => Command::Count(prefix.to_string(), format!("count {prefix}")),
    }
}

/// Entries that a cluster has agreed on, as many as anybody asked for.
pub(crate) struct Truth {
    rng: Rng,
    entries: Vec<Entry<Types>>,
    /// Before each entry.
    states: Vec<(Contents, Stored)>,
    replies: Vec<Reply>,
}

impl Truth {
    pub(crate) fn new(seed: u64) -> Truth {
        let states = vec![(Contents::new(), Stored::default())];
        Truth { rng: Rng::new(seed), entries: Vec::new(), states, replies: Vec::new() }
    }

    fn grow(&mut self, entries: usize) {
        while self.entries.len() < entries {
            let index = self.entries.len() as u64;
            let log_id = id(1 + index / 7, 1, index);
            let payload = match self.rng.below(12) {
                0 => EntryPayload::Blank,
                1 => {
                    let members: BTreeSet<u64> = (0..1 + self.rng.below(4)).collect();
                    EntryPayload::Membership(Membership::new(vec![members], None))
                }
                _ => EntryPayload::Normal(command(&mut self.rng)),
            };
            let (mut state, mut membership) = self.states.last().unwrap().clone();
            let reply = match &payload {
                EntryPayload::Normal(command) => apply(&mut state, command),
                EntryPayload::Membership(new) => {
                    membership = Stored::new(Some(log_id), new.clone());
                    Reply(None)
                }
                EntryPayload::Blank => Reply(None),
            };
            self.replies.push(reply);
            self.states.push((state, membership));
            self.entries.push(Entry { log_id, payload });
        }
    }

    pub(crate) fn entries(&mut self, range: Range<u64>) -> Vec<Entry<Types>> {
        self.grow(range.end as usize);
        self.entries[range.start as usize..range.end as usize].to_vec()
    }

    pub(crate) fn replies(&mut self, range: Range<u64>) -> Vec<Reply> {
        self.grow(range.end as usize);
        self.replies[range.start as usize..range.end as usize].to_vec()
    }

    pub(crate) fn id(&mut self, index: u64) -> Id {
        self.entries(index..index + 1)[0].log_id
    }

    /// State and membership when everything before `next` is applied.
    pub(crate) fn before(&mut self, next: u64) -> &(Contents, Stored) {
        self.grow(next as usize);
        &self.states[next as usize]
    }
}
