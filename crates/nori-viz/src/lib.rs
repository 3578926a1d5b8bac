//! Watching a store: what it does, now and lately, for people and programs to look at.
//!
//! [`serve()`] puts a page and an endpoint for `nori top` on a port of this machine. A [`Watch`]
//! takes [`Frame`]s of an open store, or of a directory, keeps the last of them in a [`Feed`] and
//! records them; a [`Remote`] reads those of another process, [`Feed::of_recording`] those of a
//! file.
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let dir = std::env::temp_dir().join(format!("nori-viz-doc-{}", std::process::id()));
//! let store = nori_lsm::Lsm::open(&dir)?;
//! let server = nori_viz::serve(&store, "127.0.0.1:0".parse()?)?;
//! println!("see {}", server.url());
//!
//! let seen = nori_viz::Remote::connect(server.address(), Default::default())?;
//! let last = seen.feed().last().expect("the first frame is there from the start");
//! assert_eq!(last.slots.len(), 1);
//! drop(server); // The port is free again; the store is as it was.
//! # store.close()?;
//! # nori_lsm::Lsm::destroy(&dir)?;
//! # Ok(())
//! # }
//! ```
//!
//! 1. Watching does not keep a store open, and nobody who writes or reads waits for it.
//! 2. What is remembered is bounded; what was lost is counted and shown.
//! 3. Nothing is served beyond this machine: keys are shown, and there is no password.
//! 4. Time is the machine's: what is watched is what people wait for.

mod error;
mod feed;
mod frame;
mod history;
mod rates;
mod record;
mod remote;
#[cfg(feature = "serve")]
mod serve;
mod take;
mod watch;

pub use error::{Error, Result};
pub use feed::Feed;
pub use frame::{Amplification, Choice, Event, Frame, Merge, Pressure, Rates, Slot, Totals};
pub use history::{History, Limits};
pub use record::{Decoder, Encoder, Header, RECORDING_VERSION};
pub use remote::Remote;
#[cfg(feature = "serve")]
pub use serve::{Server, serve};
pub use watch::{Options, Watch};

/// Whether an address is the one that is served.
fn is_this_machine(address: std::net::SocketAddr) -> bool {
    address.ip() == std::net::Ipv4Addr::LOCALHOST
}

/// The README's example is a test too.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
