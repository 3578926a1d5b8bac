//! What the keyspaces of a store hold.
//!
//! ```text
//! keyspace         key                 value
//! raft-log         index, 8 bytes BE   the entry
//! raft-meta        format              1
//!                  vote                the last vote
//!                  committed           the last committed log id that openraft told
//!                  purged              log id: entries up to here are no part of the log
//!                  state               number N of the keyspace that holds the state
//!                  applied             log id of the last entry whose effect the state has
//!                  membership          the last membership among these entries
//!                  snapshot            number of the current snapshot's file, its length, its meta
//! raft-state-N     what the state machine wrote
//! ```
//!
//! Values of the first two are MessagePack with the names of fields, so that a field with a default
//! may be added to a request without losing the log. nori checks every byte of them.
//!
//! All of it is in one nori store, which has one write-ahead log. So a crash leaves a prefix of all
//! that was written, over all keyspaces:
//!
//! 1. An entry that is applied is in the log or purged; one that `committed` names is in the log.
//! 2. State, `applied` and `membership` are written in one batch and always belong together.

use crate::error::{Error, Result};
use nori_lsm::{Keyspace, WriteBatch};
use openraft::{LogId, RaftTypeConfig, SnapshotMeta, StoredMembership};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

pub(crate) const FORMAT: u64 = 1;
pub(crate) const LOG: &str = "raft-log";
pub(crate) const META: &str = "raft-meta";
const STATE: &str = "raft-state-";

pub(crate) type LogIdOf<C> = LogId<<C as RaftTypeConfig>::NodeId>;
pub(crate) type MembershipOf<C> =
    StoredMembership<<C as RaftTypeConfig>::NodeId, <C as RaftTypeConfig>::Node>;
pub(crate) type MetaOf<C> =
    SnapshotMeta<<C as RaftTypeConfig>::NodeId, <C as RaftTypeConfig>::Node>;

/// The keys of `raft-meta`.
pub(crate) mod key {
    pub(crate) const FORMAT: &str = "format";
    pub(crate) const VOTE: &str = "vote";
    pub(crate) const COMMITTED: &str = "committed";
    pub(crate) const PURGED: &str = "purged";
    pub(crate) const STATE: &str = "state";
    pub(crate) const APPLIED: &str = "applied";
    pub(crate) const MEMBERSHIP: &str = "membership";
    pub(crate) const SNAPSHOT: &str = "snapshot";
}

/// Which snapshot is the current one.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(bound = "")]
pub(crate) struct SnapshotRecord<C: RaftTypeConfig> {
    pub(crate) number: u64,
    pub(crate) bytes: u64,
    pub(crate) meta: MetaOf<C>,
}

/// The keyspace of a state.
pub(crate) fn state_name(number: u64) -> String {
    format!("{STATE}{number}")
}

/// The number of a state's keyspace.
pub(crate) fn state_number(name: &str) -> Option<u64> {
    let number = name.strip_prefix(STATE)?.parse().ok()?;
    (state_name(number) == name).then_some(number)
}

pub(crate) fn encode<T: Serialize>(what: &str, value: &T) -> Result<Vec<u8>> {
    let cause = |e: rmp_serde::encode::Error| record(what, &e);
    rmp_serde::to_vec_named(value).map_err(cause)
}

pub(crate) fn decode<T: DeserializeOwned>(what: &str, bytes: &[u8]) -> Result<T> {
    rmp_serde::from_slice(bytes).map_err(|e| record(what, &e))
}

fn record(what: &str, cause: &dyn std::fmt::Display) -> Error {
    Error::Record { what: what.to_string(), cause: cause.to_string() }
}

/// A record of `raft-meta`.
pub(crate) fn read<T: DeserializeOwned>(meta: &Keyspace, key: &str) -> Result<Option<T>> {
    meta.get(key)?.map(|bytes| decode(key, &bytes)).transpose()
}

/// Puts a record of `raft-meta` into a batch.
pub(crate) fn put<T: Serialize>(
    batch: &mut WriteBatch,
    meta: &Keyspace,
    key: &str,
    value: &T,
) -> Result<()> {
    batch.put_in(meta, key, encode(key, value)?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_names_have_numbers() {
        assert_eq!(state_number(&state_name(17)), Some(17));
        for name in ["raft-state-", "raft-state-x", "raft-state-07", "raft-state-+7", "raft-log"] {
            assert_eq!(state_number(name), None, "{name}");
        }
    }

    #[test]
    fn a_field_with_a_default_may_be_added() {
        #[derive(Serialize)]
        struct Old {
            a: u32,
        }
        #[derive(Deserialize)]
        struct New {
            a: u32,
            #[serde(default)]
            b: Vec<u8>,
        }
        let new: New = decode("test", &encode("test", &Old { a: 7 }).unwrap()).unwrap();
        assert_eq!((new.a, new.b.len()), (7, 0));
        assert!(matches!(decode::<u64>("test", b"\xc1"), Err(Error::Record { .. })));
    }
}
