//! Chunks of freed arenas, kept for the next ones.
//!
//! All memtables of a process share the pool. It holds 32 MiB at most. Nobody waits for it: who
//! finds its lock taken asks the allocator instead. The checkers' builds keep nothing, since
//! their locks do not outlive a model.

use std::ptr::NonNull;

#[cfg(any(nori_loom, nori_shuttle))]
pub(super) use off::{keep, take};
#[cfg(not(any(nori_loom, nori_shuttle)))]
pub(super) use on::{keep, take};

#[cfg(any(nori_loom, nori_shuttle))]
mod off {
    use super::NonNull;

    pub(in super::super) fn take() -> Option<NonNull<u8>> {
        None
    }

    pub(in super::super) fn keep(_: NonNull<u8>) -> bool {
        false
    }
}

#[cfg(not(any(nori_loom, nori_shuttle)))]
mod on {
    use super::NonNull;
    use nori_env::sync::{Mutex, OnceLock};

    const KEPT_MAX: usize = (32 << 20) / super::super::CHUNK_BYTES;

    /// The memory of a chunk, which nobody uses.
    struct Kept(NonNull<u8>);

    // SAFETY: memory belongs to no thread.
    unsafe impl Send for Kept {}

    static POOL: OnceLock<Mutex<Vec<Kept>>> = OnceLock::new();

    /// The memory of a chunk, if there is one.
    pub(in super::super) fn take() -> Option<NonNull<u8>> {
        POOL.get()?.try_lock()?.pop().map(|kept| kept.0)
    }

    /// Keeps the memory of a chunk; false if the caller has to free it.
    pub(in super::super) fn keep(chunk: NonNull<u8>) -> bool {
        let pool = POOL.get_or_init(|| Mutex::new(Vec::with_capacity(KEPT_MAX)));
        let Some(mut pool) = pool.try_lock().filter(|pool| pool.len() < KEPT_MAX) else {
            return false;
        };
        pool.push(Kept(chunk));
        true
    }
}
