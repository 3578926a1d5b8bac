//! A write-ahead log: salted records, durable positions, group append, replay.

mod error;
mod log;
mod position;

pub use error::{Error, Result};
pub use log::{
    Features, LOG_HEADER_BYTES, LogFormat, LogHeader, LogRecord, LogScan, RECORD_BYTES_MAX,
    RECORD_HEADER_BYTES, Tail, frame, scan,
};
pub use position::Position;
