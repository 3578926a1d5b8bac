//! The bytes of CURRENT and of a manifest. Integers are little-endian.
//!
//! ```text
//! CURRENT     one line of text, so that a person can read it:
//!             nori-current format=1 features=0,0,0 manifest=MANIFEST-000007 check=1a2b3c4d\n
//!             features are the bits "incompatible,read-compatible,ignorable" in hex;
//!             check is the checksum of all before " check="
//!
//! MANIFEST-n  header 64, records: the framing of nori-wal's log files, magic "nrmf"
//!             (each record's header and payload have salted checksums over lengths and bytes)
//!
//! payload     0  kind   1
//!             1  level  1   of the format: a reader that does not know it must not read on
//!             2  body       bincode, standard configuration; all of it is consumed
//!
//! kind        1  edit         a change: tables, slot changes, keyspaces, positions
//!             2  keyspaces    part of the snapshot, ids ascending from 0
//!             3  tables       part of the snapshot
//!             4  slots        part of the snapshot, by key; their tables come before them
//!             5  end          closes the snapshot: floor, last sequence, durable, next numbers,
//!                             and how many records, keyspaces, tables and slots there were
//!
//! run         in edits and slots: the sequence of its newest flush, one byte for its level
//!             (0: a fragment of a flush), its references
//!
//! file        snapshot records, one end, edits
//! ```
//!
//! Version 2 of the file and level 2 of the records: a run has a level where it had a flag.
//! What a build before them wrote is refused, since that flag reads as a level.
//!
//! A record's promise, in the framing's header, is the end of the manifest bytes that were synced
//! when it was written. So everything before the last edit is promised by it or by an earlier
//! one; of the last edit nobody vouches for, which is why damage there looks like a torn tail.
//! The snapshot vouches for itself: CURRENT names a manifest only once its end is synced.
//!
//! `durable` inside edits and the end record is the WAL's durable position, another thing.

use nori_wal::LogFormat;

/// What this build writes, and reads.
pub(crate) const FORMAT: LogFormat =
    LogFormat { magic: *b"nrmf", version: 2, incompatible: 0, what: "manifest" };

/// The read-compatible feature bits that this build knows.
pub(crate) const READ_COMPATIBLE: u32 = 0;

/// The format of CURRENT.
pub(crate) const CURRENT_FORMAT: u64 = 1;

/// CURRENT is read only up to here; a longer one is damaged.
pub(crate) const CURRENT_BYTES_MAX: u64 = 512;

/// The record level that this build writes, and the only one it reads.
pub(crate) const RECORD_LEVEL: u8 = 2;

pub(crate) const KIND_EDIT: u8 = 1;
pub(crate) const KIND_KEYSPACES: u8 = 2;
pub(crate) const KIND_TABLES: u8 = 3;
pub(crate) const KIND_SLOTS: u8 = 4;
pub(crate) const KIND_END: u8 = 5;

/// About how long a snapshot record becomes before the next one is begun.
pub(crate) const SNAPSHOT_RECORD_BYTES: usize = 64 * 1024;
