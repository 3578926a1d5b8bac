//! What leader and follower say to each other: frames with a length in front.

use nori_lsm::Change;
use std::io::{self, Read, Write};

/// What a follower without a store asks for.
pub(crate) const NOTHING: u64 = u64::MAX;

/// What the leader sends.
#[derive(Debug, PartialEq)]
pub(crate) enum Message {
    /// A file of a checkpoint: its path within the store, and its bytes.
    File(String, Vec<u8>),
    /// The checkpoint is whole, and this is the last sequence number in it.
    Seeded(u64),
    /// The log does not reach back so far: ask for a checkpoint.
    TooOld,
    /// A change of the leader's store.
    Batch(u64, Vec<(String, Vec<u8>, Option<Vec<u8>>)>),
    Created(u64, String),
    Dropped(u64, String),
}

impl Message {
    // ANCHOR: of
    pub(crate) fn of(change: &Change) -> Option<Message> {
        Some(match change {
            Change::Batch { sequence, writes } => {
                let plain = writes.iter().map(|write| {
                    let value = write.value.as_ref().map(|value| value.to_vec());
                    (write.keyspace.to_string(), write.key.to_vec(), value)
                });
                Message::Batch(*sequence, plain.collect())
            }
            Change::KeyspaceCreated { sequence, name } => {
                Message::Created(*sequence, name.to_string())
            }
            Change::KeyspaceDropped { sequence, name } => {
                Message::Dropped(*sequence, name.to_string())
            }
            // A later nori may know more kinds of changes than this program.
            _ => return None,
        })
    }
    // ANCHOR_END: of

    pub(crate) fn send(&self, to: &mut impl Write) -> io::Result<()> {
        let mut frame = Vec::new();
        match self {
            Message::File(path, bytes) => {
                frame.push(0);
                put(&mut frame, path.as_bytes());
                put(&mut frame, bytes);
            }
            Message::Seeded(sequence) => {
                frame.push(1);
                frame.extend(sequence.to_le_bytes());
            }
            Message::TooOld => frame.push(2),
            Message::Batch(sequence, writes) => {
                frame.push(3);
                frame.extend(sequence.to_le_bytes());
                for (keyspace, key, value) in writes {
                    put(&mut frame, keyspace.as_bytes());
                    put(&mut frame, key);
                    frame.push(u8::from(value.is_some()));
                    put(&mut frame, value.as_deref().unwrap_or_default());
                }
            }
            Message::Created(sequence, name) | Message::Dropped(sequence, name) => {
                frame.push(if matches!(self, Message::Created(..)) { 4 } else { 5 });
                frame.extend(sequence.to_le_bytes());
                put(&mut frame, name.as_bytes());
            }
        }
        to.write_all(&(frame.len() as u64).to_le_bytes())?;
        to.write_all(&frame)
    }

    pub(crate) fn receive(from: &mut impl Read) -> io::Result<Message> {
        let mut length = [0; 8];
        from.read_exact(&mut length)?;
        let mut frame = Vec::new();
        from.take(u64::from_le_bytes(length)).read_to_end(&mut frame)?;
        let mut rest = frame.as_slice();
        let rest = &mut rest;
        let message = match take(rest, 1)?[0] {
            0 => Message::File(text(rest)?, bytes(rest)?),
            1 => Message::Seeded(number(rest)?),
            2 => Message::TooOld,
            3 => {
                let sequence = number(rest)?;
                let mut writes = Vec::new();
                while !rest.is_empty() {
                    let (keyspace, key) = (text(rest)?, bytes(rest)?);
                    let set = take(rest, 1)?[0] == 1;
                    writes.push((keyspace, key, Some(bytes(rest)?).filter(|_| set)));
                }
                Message::Batch(sequence, writes)
            }
            4 => Message::Created(number(rest)?, text(rest)?),
            5 => Message::Dropped(number(rest)?, text(rest)?),
            _ => return Err(broken()),
        };
        Ok(message)
    }
}

fn put(frame: &mut Vec<u8>, bytes: &[u8]) {
    frame.extend((bytes.len() as u64).to_le_bytes());
    frame.extend(bytes);
}

fn take<'a>(rest: &mut &'a [u8], len: usize) -> io::Result<&'a [u8]> {
    let (head, tail) = rest.split_at_checked(len).ok_or_else(broken)?;
    *rest = tail;
    Ok(head)
}

fn number(rest: &mut &[u8]) -> io::Result<u64> {
    let bytes = take(rest, 8)?;
    Ok(u64::from_le_bytes(bytes.try_into().map_err(|_| broken())?))
}

fn bytes(rest: &mut &[u8]) -> io::Result<Vec<u8>> {
    let len = usize::try_from(number(rest)?).map_err(|_| broken())?;
    Ok(take(rest, len)?.to_vec())
}

fn text(rest: &mut &[u8]) -> io::Result<String> {
    String::from_utf8(bytes(rest)?).map_err(|_| broken())
}

fn broken() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "a frame that makes no sense")
}
