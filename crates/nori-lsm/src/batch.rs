//! Write batches, encoded as they are built, in the bytes that the WAL record carries.
//!
//! ```text
//! batch    sequence 8 LE (of the first operation; 0 until committed)   count 4 LE   operations
//! operation   kind 1   key length varint   value length varint   key   value
//! ```
//! A key is stored with its keyspace's prefix. Operation i has sequence number `sequence + i`, so
//! of several operations on one key the last wins. The record's checksum covers the batch.

use crate::error::{Error, Result};
use crate::keyspace::{Keyspace, KeyspaceState};
use nori_env::sync::Arc;
use nori_manifest::split_prefix;
use nori_types::{KEY_BYTES_MAX, Reader, SeqNo, ValueKind, put_varint, varint_len};
use std::fmt;

/// The longest value, in bytes.
pub(crate) const VALUE_BYTES_MAX: usize = 1 << 30;
/// The largest encoded batch, in bytes.
const BATCH_BYTES_MAX: usize = (1 << 31) - 1;
const HEADER_BYTES: usize = 12;

/// Several writes that take effect together or not at all.
///
/// Building cannot fail: what cannot be written (an over-long key, a dropped keyspace) is reported
/// by [`crate::Lsm::write`], which then writes nothing.
///
/// ```
/// let mut batch = nori_lsm::WriteBatch::new();
/// batch.put("k", "v").delete("old");
/// assert_eq!(batch.len(), 2);
/// ```
#[derive(Clone, Default)]
pub struct WriteBatch {
    /// Empty, or the header and the operations.
    bytes: Vec<u8>,
    count: u32,
    /// Operations that set a key.
    puts: u32,
    /// The keyspaces named by handle; "default" needs none.
    keyspaces: Vec<Arc<KeyspaceState>>,
    /// The first operation that cannot be written.
    fault: Option<String>,
}

impl WriteBatch {
    /// A batch without operations.
    pub fn new() -> WriteBatch {
        WriteBatch::default()
    }

    /// Sets a key of the keyspace "default".
    pub fn put(&mut self, key: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> &mut WriteBatch {
        self.push(&[0], key.as_ref(), Some(value.as_ref()));
        self
    }

    /// Deletes a key of the keyspace "default".
    pub fn delete(&mut self, key: impl AsRef<[u8]>) -> &mut WriteBatch {
        self.push(&[0], key.as_ref(), None);
        self
    }

    /// Sets a key of a keyspace.
    pub fn put_in(
        &mut self,
        keyspace: &Keyspace,
        key: impl AsRef<[u8]>,
        value: impl AsRef<[u8]>,
    ) -> &mut WriteBatch {
        self.name(keyspace.state());
        self.push(keyspace.state().prefix(), key.as_ref(), Some(value.as_ref()));
        self
    }

    /// Deletes a key of a keyspace.
    pub fn delete_in(&mut self, keyspace: &Keyspace, key: impl AsRef<[u8]>) -> &mut WriteBatch {
        self.name(keyspace.state());
        self.push(keyspace.state().prefix(), key.as_ref(), None);
        self
    }

    /// How many operations it holds.
    pub fn len(&self) -> usize {
        self.count as usize
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Its encoded size in bytes.
    pub fn byte_len(&self) -> usize {
        self.bytes.len()
    }

    /// Forgets all operations and keeps the memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.count = 0;
        self.puts = 0;
        self.keyspaces.clear();
        self.fault = None;
    }

    /// One operation on a keyspace, sized to fit.
    pub(crate) fn single(
        state: &Arc<KeyspaceState>,
        key: &[u8],
        value: Option<&[u8]>,
    ) -> WriteBatch {
        let mut batch = WriteBatch::new();
        let sized = key.len() <= KEY_BYTES_MAX && value.is_none_or(|v| v.len() <= VALUE_BYTES_MAX);
        if sized {
            let (key, value) = (state.prefix().len() + key.len(), value.map_or(0, <[u8]>::len));
            let lengths = varint_len(key as u64) + varint_len(value as u64);
            batch.bytes.reserve_exact(HEADER_BYTES + 1 + lengths + key + value);
        }
        batch.name(state);
        batch.push(state.prefix(), key, value);
        batch
    }

    fn name(&mut self, state: &Arc<KeyspaceState>) {
        if !state.is_default_of_any_store() && !self.keyspaces.iter().any(|k| Arc::ptr_eq(k, state))
        {
            self.keyspaces.push(Arc::clone(state));
        }
    }

    fn push(&mut self, prefix: &[u8], key: &[u8], value: Option<&[u8]>) {
        let value_bytes = value.unwrap_or(&[]);
        if let Some(what) = self.refusal(key.len(), value_bytes.len()) {
            self.fault.get_or_insert(what);
            return;
        }
        if self.bytes.is_empty() {
            self.bytes.resize(HEADER_BYTES, 0);
        }
        let kind = if value.is_some() { ValueKind::Value } else { ValueKind::Tombstone };
        self.bytes.push(kind as u8);
        put_varint(&mut self.bytes, (prefix.len() + key.len()) as u64);
        put_varint(&mut self.bytes, value_bytes.len() as u64);
        self.bytes.extend_from_slice(prefix);
        self.bytes.extend_from_slice(key);
        self.bytes.extend_from_slice(value_bytes);
        self.count += 1;
        self.puts += u32::from(value.is_some());
        self.bytes[8..12].copy_from_slice(&self.count.to_le_bytes());
    }

    fn refusal(&self, key: usize, value: usize) -> Option<String> {
        if key > KEY_BYTES_MAX {
            return Some(format!("a key of {key} bytes is longer than {KEY_BYTES_MAX}"));
        }
        if value > VALUE_BYTES_MAX {
            return Some(format!("a value of {value} bytes is longer than {VALUE_BYTES_MAX}"));
        }
        let total = self.bytes.len().saturating_add(key).saturating_add(value) + 64;
        (total > BATCH_BYTES_MAX)
            .then(|| format!("the batch would be larger than {BATCH_BYTES_MAX} bytes"))
    }

    /// A batch for each operation, for a planted fault.
    pub(crate) fn apart(&self) -> Vec<WriteBatch> {
        let operations = Operations::new(&self.bytes).into_iter().flatten().flatten();
        let part = |operation: Operation| {
            let (key, value) = operation.parts(&self.bytes);
            let mut part = WriteBatch { keyspaces: self.keyspaces.clone(), ..WriteBatch::new() };
            part.push(&[], key, (operation.kind == ValueKind::Value).then_some(value));
            part
        };
        operations.map(part).collect()
    }

    /// Whether it sets no key.
    pub(crate) fn only_deletes(&self) -> bool {
        self.puts == 0
    }

    /// What keeps the batch from being written, if anything.
    pub(crate) fn validate(&self) -> Result<()> {
        match &self.fault {
            Some(what) => Err(Error::invalid(what.clone())),
            None => Ok(()),
        }
    }

    /// The keyspaces that operations name by handle.
    pub(crate) fn keyspaces(&self) -> &[Arc<KeyspaceState>] {
        &self.keyspaces
    }

    /// The record's payload, with its sequence number filled in.
    pub(crate) fn payload_at(&mut self, seq: SeqNo) -> &[u8] {
        self.bytes[..8].copy_from_slice(&seq.get().to_le_bytes());
        &self.bytes
    }

    /// The record's payload.
    pub(crate) fn payload(&self) -> &[u8] {
        &self.bytes
    }
}

impl fmt::Debug for WriteBatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WriteBatch")
            .field("operations", &self.count)
            .field("bytes", &self.bytes.len())
            .field("fault", &self.fault)
            .finish()
    }
}

/// One operation of a payload: where key and value lie in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Operation {
    pub(crate) seq: SeqNo,
    pub(crate) kind: ValueKind,
    /// Offset of key and value, which lie together.
    pub(crate) at: usize,
    pub(crate) key_len: usize,
    pub(crate) value_len: usize,
}

impl Operation {
    /// Key and value, of the payload that the operation was read from.
    pub(crate) fn parts<'a>(&self, payload: &'a [u8]) -> (&'a [u8], &'a [u8]) {
        payload[self.at..][..self.key_len + self.value_len].split_at(self.key_len)
    }
}

/// Why a payload cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BadPayload {
    /// It is not a batch.
    Malformed(&'static str),
    /// It holds an operation of a kind this build does not know.
    UnknownKind(u8),
}

/// The operations of a payload. Stops at the first that does not parse.
#[derive(Clone, Debug)]
pub(crate) struct Operations<'a> {
    len: usize,
    reader: Reader<'a>,
    next: SeqNo,
    left: u32,
}

impl<'a> Operations<'a> {
    /// Reads a payload's header.
    pub(crate) fn new(payload: &'a [u8]) -> std::result::Result<Operations<'a>, BadPayload> {
        let mut reader = Reader::new(payload);
        let header = reader.u64().and_then(|seq| Ok((seq, reader.u32()?)));
        let (seq, left) = header.map_err(|_| BadPayload::Malformed("the header is cut short"))?;
        if seq > SeqNo::MAX.get() - u64::from(left) {
            return Err(BadPayload::Malformed("the sequence number has more than 56 bits"));
        }
        Ok(Operations { len: payload.len(), reader, next: SeqNo::new(seq), left })
    }

    /// The sequence number of the next operation.
    pub(crate) fn next_seq(&self) -> SeqNo {
        self.next
    }

    /// The sequence number of the last operation, or of none: the one before the first.
    pub(crate) fn last_seq(&self) -> SeqNo {
        SeqNo::new((self.next.get() + u64::from(self.left)).saturating_sub(1))
    }

    fn parse(&mut self) -> std::result::Result<Operation, BadPayload> {
        let short = |_| BadPayload::Malformed("an operation is cut short");
        let kind = self.reader.u8().map_err(short)?;
        let kind = ValueKind::from_u8(kind).ok_or(BadPayload::UnknownKind(kind))?;
        let key_len = self.reader.varint().map_err(short)?;
        let value_len = self.reader.varint().map_err(short)?;
        let at = self.len - self.reader.rest().len();
        let total = key_len.checked_add(value_len).and_then(|t| usize::try_from(t).ok());
        let total = total.ok_or(BadPayload::Malformed("an operation's length overflows"))?;
        let entry = self.reader.bytes(total).map_err(short)?;
        let (key_len, value_len) = (key_len as usize, value_len as usize);
        if entry.get(..key_len).and_then(split_prefix).is_none() {
            return Err(BadPayload::Malformed("an operation's key names no keyspace"));
        }
        let operation = Operation { seq: self.next, kind, at, key_len, value_len };
        self.next = self.next.plus(1);
        Ok(operation)
    }
}

impl Iterator for Operations<'_> {
    type Item = std::result::Result<Operation, BadPayload>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.left == 0 {
            let rest = std::mem::replace(&mut self.reader, Reader::new(&[]));
            let clean = rest.is_empty();
            return (!clean)
                .then_some(Err(BadPayload::Malformed("bytes behind the last operation")));
        }
        self.left -= 1;
        let parsed = self.parse();
        if parsed.is_err() {
            self.left = 0;
            self.reader = Reader::new(&[]);
        }
        Some(parsed)
    }
}

#[cfg(test)]
mod tests;
