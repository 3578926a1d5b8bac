//! Places in a log.

use std::fmt;

/// A segment's number and an offset in it. Said of an end, it means the bytes before it.
///
/// Positions order by segment, then by offset. The default, `(0, 0)`, lies before everything; as
/// a durable position it promises nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// The number of the segment (or of the manifest) in its file name.
    pub segment: u64,
    /// Bytes from the start of the file.
    pub offset: u64,
}

impl Position {
    /// The place `offset` bytes into a segment.
    pub const fn new(segment: u64, offset: u64) -> Position {
        Position { segment, offset }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:06}:{}", self.segment, self.offset)
    }
}
