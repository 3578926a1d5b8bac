//! The log that is being written.
//!
//! Any thread may call any verb. Appends, reservations and new segments exclude each other (one
//! lock, which a commit leader finds free); a sync excludes only other syncs, so appends go on
//! while the disk works. Locks are taken in the order housekeeping, appender, syncing, shared,
//! pins, kept; no lock that an append needs is held across a sync of a segment.
//!
//! 1. A segment gets its number only when its header is synced under another name; it takes
//!    records only when its name is durable.
//! 2. `durable` never passes the end of a segment that is not synced to that end, and only moves
//!    to positions read before the syncs that cover them were started.
//! 3. Records are written into room that was filled with real bytes before, so a full disk shows
//!    when room is made, where nothing has been changed yet.
//! 4. After a failed write, sync of records, rename or directory sync nothing more is written.

mod appender;
mod history;
mod pin;
mod retire;
mod segments;
mod sync;

pub use history::{keep_history, remove_history, retained_dir};
pub use pin::{SegmentFile, SegmentPin};

use crate::error::{Error, Result};
use crate::log::{LOG_HEADER_BYTES, LogHeader, RECORD_BYTES_MAX, RECORD_HEADER_BYTES};
use crate::plant::{Plant, planted};
use crate::poison::Poison;
use crate::position::Position;
use crate::segment::{check_number, segment_path};
use appender::Appender;
use history::Kept;
use nori_env::sync::{Arc, Mutex};
use nori_env::{File, FileSystem, FsError};
use pin::Pins;
use segments::Spare;
use std::path::{Path, PathBuf};

/// How a log treats its disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WalOptions {
    /// How many bytes of zeros are written ahead when a segment needs room. Default 1 MiB.
    /// Smaller saves space in tiny stores; larger makes fewer syncs pay for a grown file.
    pub grow_bytes: u64,
    /// How many retired segments are kept to be written again. Default 2; 0 deletes them all.
    /// More helps when segments retire in bursts and commits slow down after them.
    pub spares_max: usize,
    /// A retired segment longer than this is deleted, not kept. Default 256 MiB.
    pub spare_bytes_max: u64,
    /// How many bytes of retired segments are kept for [`Wal::read_from`]. Default 0: none, and
    /// retired segments are written again. More lets readers come later.
    pub retained_bytes: u64,
}

impl Default for WalOptions {
    fn default() -> WalOptions {
        WalOptions {
            grow_bytes: 1 << 20,
            spares_max: 2,
            spare_bytes_max: 256 << 20,
            retained_bytes: 0,
        }
    }
}

/// A write-ahead log of one process. See the crate's page for its promise and an example.
#[derive(Debug)]
pub struct Wal {
    fs: Arc<dyn FileSystem>,
    dir: PathBuf,
    options: WalOptions,
    /// Held by what renames, removes or prepares files.
    housekeeping: Mutex<()>,
    appender: Mutex<Appender>,
    syncing: Mutex<()>,
    shared: Mutex<Shared>,
    pins: Arc<Pins>,
    kept: Mutex<Kept>,
    poison: Poison,
}

/// What appends, syncs and housekeeping tell each other; held for a few instructions only.
#[derive(Debug)]
struct Shared {
    /// Live segments, oldest first; the last one takes the records.
    segments: Vec<Segment>,
    durable: Position,
    spares: Vec<Spare>,
}

#[derive(Clone, Debug)]
struct Segment {
    number: u64,
    file: Arc<dyn File>,
    /// Where its records end.
    end: u64,
}

impl Segment {
    fn end(&self) -> Position {
        Position::new(self.number, self.end)
    }
}

/// Where a group of records went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Appended {
    /// Where the first record starts.
    pub start: Position,
    /// Where the last one ends: what [`Wal::sync_to`] is given to make the group durable.
    pub end: Position,
    /// How many records.
    pub records: u64,
    /// Bytes written, headers included.
    pub bytes: u64,
}

impl Wal {
    /// Makes the log's first segment, numbered `first`, in `dir`, which is created if need be.
    ///
    /// `first` must be above the number of every segment in `dir`, and one above the highest if
    /// there is one that a manifest still names. The new segment continues none and promises
    /// nothing, so until a manifest names it, it changes nothing for whoever replays `dir`; no
    /// record may be appended before that manifest is durable.
    ///
    /// # Errors
    /// `DiskFull` or `Io`; at most a file that no one will read is left.
    pub fn create(
        fs: Arc<dyn FileSystem>,
        dir: &Path,
        first: u64,
        options: WalOptions,
    ) -> Result<Wal> {
        check_number(dir, first)?;
        fs.create_dir_all(dir).map_err(Error::growing)?;
        let kept = match options.retained_bytes {
            0 => Kept::default(),
            _ => Kept::open(&*fs, dir)?,
        };
        let made = segments::make_first(&*fs, dir, first)?;
        let (number, file) = (first, made.file.clone());
        let segments = vec![Segment { number, file, end: LOG_HEADER_BYTES }];
        let durable = Position::new(first, LOG_HEADER_BYTES);
        Ok(Wal {
            dir: dir.to_path_buf(),
            options,
            housekeeping: Mutex::new(()),
            appender: Mutex::new(made),
            syncing: Mutex::new(()),
            shared: Mutex::new(Shared { segments, durable, spares: Vec::new() }),
            pins: Arc::new(Pins::default()),
            kept: Mutex::new(kept),
            poison: Poison::default(),
            fs,
        })
    }

    /// Makes sure that `records` records with `payload_bytes` in all fit into the segment without
    /// needing the disk to have room. Called before a group is given its sequence numbers.
    ///
    /// # Errors
    /// `DiskFull`, `Io` (nothing was changed), `TooLarge`, `Poisoned`.
    pub fn reserve(&self, payload_bytes: u64, records: usize) -> Result<()> {
        let headers = RECORD_HEADER_BYTES.saturating_mul(records as u64);
        let mut appender = self.appender.lock();
        self.poison.check()?;
        self.make_room(&mut appender, payload_bytes.saturating_add(headers))
    }

    /// Writes a group of records, in order, behind all earlier ones. What it wrote survives a
    /// crash of the process at once, and a power cut after a sync.
    ///
    /// Room that was not reserved is made here; then `DiskFull` can come from here too. Small
    /// payloads are gathered into one write.
    ///
    /// # Errors
    /// `DiskFull`, `TooLarge`, `Poisoned`: nothing was written. `Io`: how much was written is
    /// unknown and the log is poisoned, unless the error came from making room.
    pub fn append<'a, I>(&self, payloads: I) -> Result<Appended>
    where
        I: IntoIterator<Item = &'a [u8]>,
        I::IntoIter: Clone,
    {
        let payloads = payloads.into_iter();
        let (mut bytes, mut records) = (0u64, 0);
        for payload in payloads.clone() {
            check_length(payload.len() as u64)?;
            bytes = bytes.saturating_add(RECORD_HEADER_BYTES + payload.len() as u64);
            records += 1;
        }
        let mut appender = self.appender.lock();
        self.poison.check()?;
        self.make_room(&mut appender, bytes)?;
        let start = appender.position();
        let written = appender.write(payloads, self.durable(), bytes);
        let end = written.map_err(|e| match planted(Plant::WriteErrorContinues) {
            true => Error::Io(e),
            false => self.poisoned_by(e),
        })?;
        if let Some(active) = self.shared.lock().segments.last_mut() {
            active.end = end.offset;
        }
        Ok(Appended { start, end, records, bytes })
    }

    /// Where the next record will start: everything before has been appended.
    pub fn end(&self) -> Position {
        self.shared.lock().end()
    }

    /// The end of what is known to be synced.
    pub fn durable(&self) -> Position {
        self.shared.lock().durable
    }

    /// How many bytes of segments have been appended and are not known to be synced. For a
    /// background step that calls [`Wal::sync`] each few MiB: a log that is left dirty for long
    /// makes one sync expensive for whoever needs it, be it for another file.
    pub fn unsynced_bytes(&self) -> u64 {
        let shared = self.shared.lock();
        let durable = shared.durable;
        let unsynced = shared.segments.iter().map(|s| match s.number.cmp(&durable.segment) {
            std::cmp::Ordering::Less => 0,
            std::cmp::Ordering::Equal => s.end.saturating_sub(durable.offset),
            std::cmp::Ordering::Greater => s.end,
        });
        unsynced.sum()
    }

    /// The first failure that ended writes, if there was one.
    pub fn poisoned(&self) -> Option<Arc<str>> {
        self.poison.cause()
    }

    /// Ends writes. For a caller that lost track of something the log depends on.
    pub fn poison(&self, cause: &str) {
        self.poison.set(cause);
    }

    /// The numbers of the segments that hold records still needed, oldest first. The last one is
    /// being written to.
    pub fn live_segments(&self) -> Vec<u64> {
        self.shared.lock().segments.iter().map(|s| s.number).collect()
    }

    /// Keeps all segments numbered `from` and above from being deleted or written again until
    /// the pin is dropped.
    pub fn pin(&self, from: u64) -> SegmentPin {
        // Under the lock that `retire` chooses its segments under.
        let shared = self.shared.lock();
        let held = shared.segments.iter().filter(|s| s.number >= from);
        let files = held.map(|s| {
            let path = segment_path(&self.dir, s.number);
            SegmentFile { number: s.number, path, file: s.file.clone(), end: s.end }
        });
        SegmentPin::new(&self.pins, from, files.collect())
    }

    fn make_room(&self, appender: &mut Appender, bytes: u64) -> Result<()> {
        appender.make_room(bytes, self.options.grow_bytes)
    }

    /// Ends writes because of `error`, and gives it back to be returned.
    fn poisoned_by(&self, error: FsError) -> Error {
        self.poison.set(&error.to_string());
        Error::Io(error)
    }

    /// The header of the segment behind the one that ends at `end`.
    fn next_header(&self, end: Position) -> LogHeader {
        LogHeader {
            number: end.segment + 1,
            salt: self.fs.random(),
            previous_end: end.offset,
            durable: self.durable(),
            ..LogHeader::default()
        }
    }
}

impl Shared {
    fn end(&self) -> Position {
        self.segments.last().map_or(Position::default(), Segment::end)
    }
}

fn check_length(bytes: u64) -> Result<()> {
    let bytes_max = RECORD_BYTES_MAX;
    if bytes > bytes_max { Err(Error::TooLarge { bytes, bytes_max }) } else { Ok(()) }
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod thread_tests;
