//! Framing: a file that is a header and then records, each provable on its own.
//!
//! The write-ahead log and the manifest both use it; each brings its own magic and version. A
//! file is only ever appended to by the process that made it. The drawing is in `format.rs`.
//!
//! 1. A record is valid only in the file (salt) and at the offset it was written for.
//! 2. A header's checksum is verified before its length or promise is believed, the payload's
//!    before the payload is shown. Nothing is allocated on a length's word.
//! 3. A record's promise never lies beyond the record's own start.

mod format;
mod scan;

pub use format::{
    Features, LOG_HEADER_BYTES, LogFormat, LogHeader, RECORD_BYTES_MAX, RECORD_HEADER_BYTES, frame,
};
pub(crate) use format::{RecordHeader, record_header};
pub(crate) use scan::LogReader;
pub use scan::{LogRecord, LogScan, Tail, scan};

#[cfg(test)]
mod tests;
