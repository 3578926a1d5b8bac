//! What a child tells its parent, in messages of one size.
//!
//! ```text
//! kind u64 | number u64 | counts 4 x u64 | at u64          56 bytes, little-endian
//! ```
//!
//! 1. A message is written with one call and is shorter than what a pipe takes whole, so messages
//!    of several threads do not mix, and a killed child leaves no half of one.
//! 2. `at` is the time when it was sent, in nanoseconds of the clock that all processes share: what
//!    it tells of happened before.

use rustix::time::{ClockId, clock_gettime};

/// Writers of a child at most.
pub const WRITERS: usize = 4;

/// One number for each writer: how many of its writes are meant.
pub type Counts = [u64; WRITERS];

/// Bytes of a message.
pub(crate) const MESSAGE_BYTES: usize = 24 + 8 * WRITERS;

/// What a child tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Message {
    /// The open is about to begin.
    Opening,
    /// The store is open; this much of each writer it shows.
    Opened(Counts),
    /// A writer was told Ok: writer, number.
    Acked(u64, u64),
    /// The store said that everything up to here is durable.
    Durable(Counts),
    /// A checkpoint is complete and holds at least this.
    Checkpointed(u64, Counts),
    /// A keyspace of that number was made.
    Created(u64),
    /// It is about to be dropped.
    Dropping(u64),
    /// It was dropped.
    Dropped(u64),
    /// A write was refused, and its writer ended.
    Failed,
    /// The close is about to begin.
    Closing,
    /// The store was closed without an error.
    Closed,
}

/// Nanoseconds of the system's monotonic clock.
pub(crate) fn now() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    (now.tv_sec as u64).saturating_mul(1_000_000_000).saturating_add(now.tv_nsec as u64)
}

impl Message {
    pub(crate) fn encode(self, at: u64) -> [u8; MESSAGE_BYTES] {
        let (kind, number, counts) = match self {
            Message::Opening => (0, 0, [0; WRITERS]),
            Message::Opened(counts) => (1, 0, counts),
            Message::Acked(writer, number) => {
                let mut counts = [0; WRITERS];
                counts[0] = writer;
                (2, number, counts)
            }
            Message::Durable(counts) => (3, 0, counts),
            Message::Checkpointed(number, counts) => (4, number, counts),
            Message::Created(number) => (5, number, [0; WRITERS]),
            Message::Dropping(number) => (6, number, [0; WRITERS]),
            Message::Dropped(number) => (7, number, [0; WRITERS]),
            Message::Failed => (8, 0, [0; WRITERS]),
            Message::Closing => (9, 0, [0; WRITERS]),
            Message::Closed => (10, 0, [0; WRITERS]),
        };
        let mut bytes = [0; MESSAGE_BYTES];
        let words = [kind, number].into_iter().chain(counts).chain([at]);
        for (place, word) in bytes.chunks_exact_mut(8).zip(words) {
            place.copy_from_slice(&u64::to_le_bytes(word));
        }
        bytes
    }

    /// A message and its time. `None` if these bytes are no message.
    pub(crate) fn decode(bytes: &[u8; MESSAGE_BYTES]) -> Option<(Message, u64)> {
        let mut words = [0; 3 + WRITERS];
        for (word, place) in words.iter_mut().zip(bytes.chunks_exact(8)) {
            *word = u64::from_le_bytes(place.try_into().ok()?);
        }
        let [kind, number, counts @ .., at] = words;
        let message = match kind {
            0 => Message::Opening,
            1 => Message::Opened(counts),
            2 if counts[0] < WRITERS as u64 => Message::Acked(counts[0], number),
            3 => Message::Durable(counts),
            4 => Message::Checkpointed(number, counts),
            5 => Message::Created(number),
            6 => Message::Dropping(number),
            7 => Message::Dropped(number),
            8 => Message::Failed,
            9 => Message::Closing,
            10 => Message::Closed,
            _ => return None,
        };
        Some((message, at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_goes_on() {
        let before = now();
        assert!(before > 0 && now() >= before);
    }

    #[test]
    fn messages_come_back_and_nonsense_is_none() {
        let counts = [1, 2, 3, u64::MAX];
        let all = [
            Message::Opening,
            Message::Opened(counts),
            Message::Acked(3, 77),
            Message::Durable(counts),
            Message::Checkpointed(5, counts),
            Message::Created(1),
            Message::Dropping(1),
            Message::Dropped(1),
            Message::Failed,
            Message::Closing,
            Message::Closed,
        ];
        for message in all {
            assert_eq!(Message::decode(&message.encode(7)), Some((message, 7)));
        }
        assert_eq!(Message::decode(&[0xff; MESSAGE_BYTES]), None);
        assert_eq!(Message::decode(&Message::Acked(9, 1).encode(7)), None);
    }
}
