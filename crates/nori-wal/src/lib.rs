//! A write-ahead log: salted records, durable positions, group append, replay.

mod error;
mod log;
mod plant;
mod poison;
mod position;
mod replay;
mod segment;
mod wal;

pub use error::{Error, Result};
pub use log::{
    Features, LOG_HEADER_BYTES, LogFormat, LogHeader, LogRecord, LogScan, RECORD_BYTES_MAX,
    RECORD_HEADER_BYTES, Tail, frame, scan,
};
pub use position::Position;
pub use replay::{Lost, RecoveryMode, Replayed, TornTail, has_records, replay};
pub use wal::{Appended, SegmentFile, SegmentPin, Wal, WalOptions};
