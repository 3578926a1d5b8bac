//! Keyspaces: guarded prefixes of the one key space.
//!
//! Every stored key starts with the id of its keyspace, in a varint that sorts as the number
//! does:
//!
//! ```text
//! 0xxxxxxx                             id below 2^7
//! 10xxxxxx x*8                         below 2^14
//! 110xxxxx x*16                        below 2^21
//! 1110xxxx x*24                        below 2^28
//! 11110000 x*32                        the rest
//! ```
//!
//! Invariants:
//! 1. Ids are given in order, 0 is "default", and none is given twice: the catalog is dense.
//! 2. Of the keyspaces with one name at most the youngest is not dropped.
//! 3. Only the shortest form of an id is a prefix, so no prefix is the start of another.

use nori_types::{KeyRange, SeqNo};

use crate::{Error, Result};
use bytes::Bytes;

/// The name of keyspace 0, which always exists.
pub const DEFAULT_KEYSPACE: &str = "default";

/// The longest name of a keyspace, in bytes.
pub const KEYSPACE_NAME_BYTES_MAX: usize = 255;

/// The highest id; the one above it ends its range.
pub(crate) const ID_MAX: u32 = u32::MAX - 1;

/// One keyspace, alive or dropped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keyspace {
    /// Never given to another keyspace.
    pub id: u32,
    /// 1 to 255 bytes, compared bytewise.
    pub name: String,
    /// Readers at this sequence number and above see it.
    pub created: SeqNo,
    /// Readers at this sequence number and above do not.
    pub dropped: Option<SeqNo>,
}

impl Keyspace {
    /// Whether a reader at `seq` sees the keyspace.
    pub fn exists_at(&self, seq: SeqNo) -> bool {
        self.created <= seq && self.dropped.is_none_or(|dropped| seq < dropped)
    }
}

/// All keyspaces there ever were, by id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Catalog {
    keyspaces: Vec<Keyspace>,
}

impl Catalog {
    /// Only "default".
    pub(crate) fn new() -> Catalog {
        let name = DEFAULT_KEYSPACE.to_string();
        Catalog { keyspaces: vec![Keyspace { id: 0, name, created: SeqNo::ZERO, dropped: None }] }
    }

    /// A catalog as it was stored; `None` if ids are missing or repeated (invariant 1).
    pub(crate) fn from_stored(keyspaces: Vec<Keyspace>) -> Option<Catalog> {
        let dense = keyspaces.iter().zip(0..).all(|(k, id)| k.id == id);
        (dense && !keyspaces.is_empty()).then_some(Catalog { keyspaces })
    }

    /// The keyspace with this id.
    pub fn get(&self, id: u32) -> Option<&Keyspace> {
        self.keyspaces.get(usize::try_from(id).ok()?)
    }

    /// The keyspace that has this name now; a dropped one has no name.
    pub fn by_name(&self, name: &str) -> Option<&Keyspace> {
        self.keyspaces.iter().find(|k| k.name == name && k.dropped.is_none())
    }

    /// All keyspaces, dropped ones too, by id.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Keyspace> + ExactSizeIterator {
        self.keyspaces.iter()
    }

    /// The id that the next keyspace gets.
    pub fn next_id(&self) -> u32 {
        u32::try_from(self.keyspaces.len()).unwrap_or(u32::MAX)
    }

    /// When the keyspace of a stored key was dropped.
    pub fn dropped(&self, stored_key: &[u8]) -> Option<SeqNo> {
        self.get(split_prefix(stored_key)?.0)?.dropped
    }

    /// The highest sequence number in the catalog.
    pub fn last_seq(&self) -> SeqNo {
        let seqs = self.keyspaces.iter().map(|k| k.created.max(k.dropped.unwrap_or_default()));
        seqs.max().unwrap_or_default()
    }

    /// With one keyspace more, or one that was alive dropped.
    pub(crate) fn with(&self, keyspace: &Keyspace) -> Result<Catalog> {
        let mut catalog = self.clone();
        let id = keyspace.id;
        if id == self.next_id() && id <= ID_MAX {
            check_name(&keyspace.name)?;
            if self.by_name(&keyspace.name).is_some() {
                return Error::misfit(format!("keyspace {:?} exists already", keyspace.name));
            }
            catalog.keyspaces.push(keyspace.clone());
            return Ok(catalog);
        }
        let index = usize::try_from(id).unwrap_or(usize::MAX);
        let Some(old) = catalog.keyspaces.get_mut(index) else {
            return Error::misfit(format!("keyspace {id} does not exist"));
        };
        let same = old.name == keyspace.name && old.created == keyspace.created;
        if id == 0 || old.dropped.is_some() || !same {
            return Error::misfit(format!("keyspace {id} cannot be dropped"));
        }
        if keyspace.dropped.is_none_or(|dropped| dropped <= old.created) {
            return Error::misfit(format!("keyspace {id} is dropped before it was created"));
        }
        old.dropped = keyspace.dropped;
        Ok(catalog)
    }
}

fn check_name(name: &str) -> Result<()> {
    if (1..=KEYSPACE_NAME_BYTES_MAX).contains(&name.len()) {
        return Ok(());
    }
    Error::misfit(format!("a keyspace's name has 1 to 255 bytes, not {}", name.len()))
}

/// The bytes that every stored key of a keyspace starts with.
pub fn key_prefix(id: u32) -> Bytes {
    let wide = id.to_be_bytes();
    let [a, b, c, d] = wide;
    match id {
        0..0x80 => Bytes::copy_from_slice(&[d]),
        0x80..0x4000 => Bytes::copy_from_slice(&[0x80 | c, d]),
        0x4000..0x20_0000 => Bytes::copy_from_slice(&[0xc0 | b, c, d]),
        0x20_0000..0x1000_0000 => Bytes::copy_from_slice(&[0xe0 | a, b, c, d]),
        _ => Bytes::copy_from_slice(&[0xf0, a, b, c, d]),
    }
}

/// The stored keys of a keyspace. The range of keyspace 0 starts at the very first key, the empty
/// one, so that the ranges of all ids cover all keys.
pub fn keyspace_range(id: u32) -> KeyRange {
    let lo = if id == 0 { Bytes::new() } else { key_prefix(id) };
    KeyRange { lo, hi: id.checked_add(1).map(key_prefix) }
}

/// Takes a stored key apart: the id of its keyspace and the user's key. `None` if it does not
/// start with an id in its shortest form.
pub fn split_prefix(stored_key: &[u8]) -> Option<(u32, &[u8])> {
    let first = *stored_key.first()?;
    let (len, lowest, high) = match first {
        0..0x80 => return Some((u32::from(first), &stored_key[1..])),
        0x80..0xc0 => (2, 0x80, first & 0x3f),
        0xc0..0xe0 => (3, 0x4000, first & 0x1f),
        0xe0..0xf0 => (4, 0x20_0000, first & 0x0f),
        0xf0 => (5, 0x1000_0000, 0),
        _ => return None,
    };
    let (prefix, rest) = stored_key.split_at_checked(len)?;
    let id = prefix[1..].iter().fold(u32::from(high), |id, byte| (id << 8) | u32::from(*byte));
    (id >= lowest).then_some((id, rest))
}

#[cfg(test)]
mod tests;
