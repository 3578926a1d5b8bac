//! What is replicated: changes of keys, applied by each member to its own nori store.

use nori_openraft::{RaftOptions, RaftStore, Result, SnapshotFile, StateBatch, StateMachine};
use serde::{Deserialize, Serialize};
use std::path::Path;

openraft::declare_raft_types!(
    /// The types that openraft is used with.
    pub TypeConfig:
        D = Change,
        R = Applied,
        SnapshotData = SnapshotFile,
);

/// openraft, with these types.
pub type Raft = openraft::Raft<TypeConfig>;
/// The storage of a member.
pub type Storage = RaftStore<TypeConfig, Kv>;

/// What stands in the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Change {
    /// Sets a key.
    Put {
        /// The key: any bytes.
        #[serde(with = "bytes_form")]
        key: Vec<u8>,
        /// The value: any bytes.
        #[serde(with = "bytes_form")]
        value: Vec<u8>,
    },
    /// Removes a key.
    Delete {
        /// The key: any bytes.
        #[serde(with = "bytes_form")]
        key: Vec<u8>,
    },
}

/// That a change was applied; its place in the log is in openraft's answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Applied;

/// Keys and values, as they are.
#[derive(Clone, Copy, Debug)]
pub struct Kv;

// ANCHOR: machine
impl StateMachine<TypeConfig> for Kv {
    fn apply(&self, state: &mut StateBatch<'_>, change: Change) -> Result<Applied> {
        match change {
            Change::Put { key, value } => state.put(key, value),
            Change::Delete { key } => state.delete(key),
        }
        Ok(Applied)
    }

    fn blank(&self) -> Applied {
        Applied
    }
}
// ANCHOR_END: machine

/// Opens a member's storage.
///
/// # Errors
/// Those of [`RaftStore::open`].
pub fn open(dir: &Path) -> Result<Storage> {
    RaftStore::open(dir, RaftOptions::default(), Kv)
}

/// Bytes in one piece, where serde would write number by number.
mod bytes_form {
    use serde::de::{Deserializer, SeqAccess, Visitor};
    use serde::ser::Serializer;
    use std::fmt;

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], to: S) -> Result<S::Ok, S::Error> {
        to.serialize_bytes(bytes)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
        from.deserialize_byte_buf(Bytes)
    }

    struct Bytes;

    impl<'de> Visitor<'de> for Bytes {
        type Value = Vec<u8>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("bytes")
        }

        fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Vec<u8>, E> {
            Ok(bytes.to_vec())
        }

        fn visit_byte_buf<E>(self, bytes: Vec<u8>) -> Result<Vec<u8>, E> {
            Ok(bytes)
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<u8>, A::Error> {
            let mut bytes = Vec::new();
            while let Some(byte) = list.next_element()? {
                bytes.push(byte);
            }
            Ok(bytes)
        }
    }
}
