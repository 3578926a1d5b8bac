//! Threads and what they share: the only place that names std's, loom's or shuttle's primitives.
//!
//! | build | primitives | channels |
//! | --- | --- | --- |
//! | plain | std | crossbeam-channel |
//! | `--cfg nori_loom` | loom: every order of a small model | loom's lock and condvar |
//! | `--cfg nori_shuttle` | shuttle: random schedules of a big one | shuttle's |
//!
//! All three offer the same names, so that code written against them is what gets checked. Under
//! the checkers they work only inside a model (`sync::loom::model`, `sync::shuttle::check_random`;
//! both crates are re-exported in those builds).
//!
//! 1. A panic in one thread does not poison a lock for the others: `lock` has no error. The
//!    engine keeps its own poison flag for failed writes.
//! 2. Time does not pass under the checkers: a wait with a limit ends by a notification or, after
//!    the others were given a turn, as timed out. Sleeping is yielding. Under shuttle a test may
//!    set a patience, beyond which waits do not run out.
//! 3. [`Arc`] is std's in every build, since loom's cannot hold a `dyn Trait`. Its count is no
//!    scheduling point then; a model about who drops last uses [`TrackedArc`].
//!
//! Not offered because loom lacks it: `thread::scope`, `get_mut` of atomics. A rendezvous channel
//! (`bounded(0)`) holds one message under the checkers. loom runs at most four threads beside the
//! model's own.

#[cfg(all(nori_loom, nori_shuttle))]
compile_error!("choose one of --cfg nori_loom and --cfg nori_shuttle");

mod locks;
#[cfg(any(test, nori_loom, nori_shuttle))]
#[cfg_attr(not(any(nori_loom, nori_shuttle)), allow(unreachable_pub))]
mod model_channel;
#[cfg(nori_shuttle)]
mod patience;
#[cfg(not(nori_loom))]
mod plain_cell;
pub mod thread;

#[cfg(nori_loom)]
use ::loom::{hint as backend_hint, sync as backend, thread as backend_thread};
#[cfg(nori_shuttle)]
use ::shuttle::{hint as backend_hint, sync as backend, thread as backend_thread};
#[cfg(not(any(nori_loom, nori_shuttle)))]
use std::{hint as backend_hint, sync as backend, thread as backend_thread};

pub use backend::{RwLockReadGuard, RwLockWriteGuard};
#[cfg(nori_tsan)]
pub use locks::OnceLock;
pub use locks::{Condvar, Mutex, MutexGuard, RwLock};
pub use std::sync::Arc;
#[cfg(not(nori_tsan))]
pub use std::sync::OnceLock;

/// An `Arc` whose count the checker watches: loom's under loom, std's elsewhere. Sized values
/// only.
#[cfg(nori_loom)]
pub use ::loom::sync::Arc as TrackedArc;
#[cfg(not(nori_loom))]
pub use std::sync::Arc as TrackedArc;

#[cfg(nori_loom)]
pub use ::loom;
#[cfg(nori_shuttle)]
pub use ::shuttle;
#[cfg(nori_shuttle)]
pub use patience::{lose_notification, set_patience};

/// Atomics.
pub mod atomic {
    pub use super::backend::atomic::{
        AtomicBool, AtomicI64, AtomicPtr, AtomicU8, AtomicU16, AtomicU32, AtomicU64, AtomicUsize,
        Ordering, fence,
    };
}

/// Cells that a checker can watch.
pub mod cell {
    #[cfg(not(nori_loom))]
    pub use super::plain_cell::UnsafeCell;
    #[cfg(nori_loom)]
    pub use ::loom::cell::UnsafeCell;
}

/// Hints.
pub mod hint {
    /// Tells the processor, or the checker, that this thread waits for another.
    pub fn spin_loop() {
        super::backend_hint::spin_loop();
    }
}

/// Channels.
pub mod channel {
    #[cfg(any(nori_loom, nori_shuttle))]
    pub use super::model_channel::{Receiver, Sender, bounded, unbounded};
    #[cfg(not(any(nori_loom, nori_shuttle)))]
    pub use crossbeam_channel::{Receiver, Sender, bounded, unbounded};
    pub use crossbeam_channel::{
        RecvError, RecvTimeoutError, SendError, TryRecvError, TrySendError,
    };
}
