//! What can go wrong, and what to do then.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

/// The result of watching.
pub type Result<T> = std::result::Result<T, Error>;

/// Why something could not be watched, served, recorded or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The endpoint serves this machine only.
    #[error(
        "{address}: the endpoint shows keys and has no password, so it is served on 127.0.0.1 \
         only; to see it from elsewhere, forward a port to it, for example with ssh -L"
    )]
    NotThisMachine {
        /// What was asked for.
        address: SocketAddr,
    },
    /// The address could not be listened on.
    #[error("listening on {address}: {source}; choose another port, or 0 for any free one")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// A thread could not be started.
    #[error("starting a thread that watches: {0}")]
    Thread(io::Error),
    /// A recording could not be written.
    #[error("writing the recording: {0}; what was written before can be read")]
    Write(io::Error),
    /// A recording could not be read.
    #[error("reading line {line} of the recording: {source}")]
    Read {
        /// The line, from 1.
        line: u64,
        /// What the system said.
        source: io::Error,
    },
    /// The first line is not that of a recording.
    #[error(
        "line 1 is not the first line of a nori-viz recording: {found}; \
         name a file that \"--record\" wrote"
    )]
    NotARecording {
        /// What was found, or what is wrong with it.
        found: String,
    },
    /// The recording was made by a newer nori.
    #[error(
        "the recording has version {found}, and this nori reads up to version {known}; \
         read it with the nori that made it"
    )]
    TooNew {
        /// Its version.
        found: u64,
        /// The newest that can be read.
        known: u64,
    },
    /// A line is not what it should be.
    #[error("line {line} of the recording: {what}; the lines before it are good")]
    Line {
        /// The line, from 1.
        line: u64,
        /// What is wrong.
        what: String,
    },
    /// A process that should serve the endpoint did not answer as one.
    #[error("{address}: {what}; is it the endpoint of a process that runs?")]
    Remote {
        /// The address.
        address: SocketAddr,
        /// What happened.
        what: String,
    },
    /// A store's directory could not be opened.
    #[error("{}: {source}", path.display())]
    Store {
        /// The directory.
        path: PathBuf,
        /// What the store said.
        source: Box<nori_lsm::Error>,
    },
}
