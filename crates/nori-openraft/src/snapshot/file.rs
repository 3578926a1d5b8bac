//! A snapshot's file, as openraft sends and receives it.
//!
//! 1. Calls on the disk are made by the thread for reads, never by the one that polls.
//! 2. One piece is under way at a time. A write returns when its piece is handed over, the next
//!    call waits for it and reports its error; `flush` and `shutdown` wait too.
//! 3. The position moves when bytes were handed to the caller, so a read that is given up and made
//!    again loses nothing.

use super::arrivals::Arrival;
use super::dir::Temporary;
use crate::error::{Error, Result};
use crate::worker::{Pending, Worker};
use nori_env::File;
use nori_env::sync::Arc;
use std::fmt;
use std::future::Future;
use std::io::{self, SeekFrom};
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncSeek, AsyncWrite, ReadBuf};

/// The longest piece that is read or written at once.
const PIECE_BYTES: usize = 256 << 10;

/// The data of a snapshot, in a file: `SnapshotData` of the `RaftTypeConfig`. One that was received
/// and never installed removes its file when it is dropped.
pub struct SnapshotFile {
    file: Arc<dyn File>,
    worker: Worker,
    /// Where the next piece is read or written.
    position: u64,
    len: u64,
    busy: Busy,
    /// While it is being received. A finished snapshot is not to be written to.
    temporary: Option<Temporary>,
    arrival: Option<Arrival>,
}

enum Busy {
    Idle,
    Writing(Pending<()>),
    /// A piece from an offset on its way.
    Reading(u64, Pending<Vec<u8>>),
    /// What was read from an offset, and how much of it was taken.
    Read(u64, Vec<u8>, usize),
}

impl SnapshotFile {
    pub(crate) fn finished(file: Arc<dyn File>, worker: &Worker) -> Result<SnapshotFile> {
        SnapshotFile::new(file, worker, None)
    }

    pub(crate) fn receiving(
        file: Arc<dyn File>,
        worker: &Worker,
        temporary: Temporary,
        arrival: Arrival,
    ) -> Result<SnapshotFile> {
        let mut this = SnapshotFile::new(file, worker, Some(temporary))?;
        this.arrival = Some(arrival);
        Ok(this)
    }

    fn new(file: Arc<dyn File>, worker: &Worker, temporary: Option<Temporary>) -> Result<Self> {
        let (len, worker, busy) = (file.len()?, worker.clone(), Busy::Idle);
        Ok(SnapshotFile { file, worker, position: 0, len, busy, temporary, arrival: None })
    }

    /// Where the file is, for messages.
    pub fn path(&self) -> &Path {
        self.file.path()
    }

    /// Its length in bytes, of what was written so far.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether it has no bytes.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Waits for the piece under way and gives the file to whoever installs it.
    pub(crate) async fn into_parts(mut self) -> Result<(Arc<dyn File>, Option<Temporary>)> {
        if let Busy::Writing(pending) = std::mem::replace(&mut self.busy, Busy::Idle) {
            pending.await?;
        }
        Ok((Arc::clone(&self.file), self.temporary.take()))
    }

    fn poll_written(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Busy::Writing(pending) = &mut self.busy {
            let written = ready!(Pin::new(pending).poll(context));
            self.busy = Busy::Idle;
            written.map_err(|e| e.to_io())?;
        }
        Poll::Ready(Ok(()))
    }
}

impl Drop for SnapshotFile {
    fn drop(&mut self) {
        if let Some(temporary) = self.temporary.take() {
            // Removing a file touches the disk, and stands behind the piece under way.
            drop(self.worker.run(move || {
                drop(temporary);
                Ok(())
            }));
        }
    }
}

impl AsyncRead for SnapshotFile {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        loop {
            ready!(this.poll_written(context))?;
            match &mut this.busy {
                Busy::Reading(at, pending) => {
                    let (at, read) = (*at, ready!(Pin::new(pending).poll(context)));
                    this.busy = Busy::Idle;
                    this.busy = Busy::Read(at, read.map_err(|e| e.to_io())?, 0);
                }
                Busy::Read(at, piece, taken) if *at == this.position => {
                    let rest = piece.get(*taken..).unwrap_or_default();
                    let now = rest.len().min(buffer.remaining());
                    buffer.put_slice(&rest[..now]);
                    (*at, *taken) = (*at + now as u64, *taken + now);
                    this.position += now as u64;
                    if *taken == piece.len() {
                        this.busy = Busy::Idle;
                    }
                    return Poll::Ready(Ok(()));
                }
                _ if buffer.remaining() == 0 || this.position >= this.len => {
                    return Poll::Ready(Ok(()));
                }
                _ => {
                    let (file, at) = (Arc::clone(&this.file), this.position);
                    let wanted = buffer.remaining().min(PIECE_BYTES);
                    let pending = this.worker.run(move || {
                        let mut piece = vec![0; wanted];
                        let read = file.read_at(&mut piece, at)?;
                        piece.truncate(read);
                        Ok(piece)
                    });
                    this.busy = Busy::Reading(at, pending);
                }
            }
        }
    }
}

impl AsyncWrite for SnapshotFile {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        ready!(this.poll_written(context))?;
        if this.temporary.is_none() {
            let kind = io::ErrorKind::PermissionDenied;
            return Poll::Ready(Err(io::Error::new(kind, "a finished snapshot is not written to")));
        }
        let piece = buffer[..buffer.len().min(PIECE_BYTES)].to_vec();
        let (file, at, written) = (Arc::clone(&this.file), this.position, piece.len());
        let job = move || file.write_at(&piece, at).map_err(Error::from);
        this.busy = Busy::Writing(this.worker.run(job));
        this.position += written as u64;
        this.len = this.len.max(this.position);
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_written(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_flush(context)
    }
}

impl AsyncSeek for SnapshotFile {
    fn start_seek(mut self: Pin<&mut Self>, to: SeekFrom) -> io::Result<()> {
        let position = match to {
            SeekFrom::Start(position) => Some(position),
            SeekFrom::End(by) => self.len.checked_add_signed(by),
            SeekFrom::Current(by) => self.position.checked_add_signed(by),
        };
        let before = || io::Error::new(io::ErrorKind::InvalidInput, "a position before the start");
        self.position = position.ok_or_else(before)?;
        Ok(())
    }

    fn poll_complete(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<u64>> {
        Poll::Ready(Ok(self.position))
    }
}

impl fmt::Debug for SnapshotFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (path, len, position) = (self.path(), self.len, self.position);
        let mut told = f.debug_struct("SnapshotFile");
        told.field("path", &path).field("len", &len).field("position", &position).finish()
    }
}
