//! Where a memtable's entries, leaves and fences lie: chunks of memory, filled from front to back.
//!
//! ```text
//! chunk   older 8   size 8   used 8   (to 64)   pieces ...
//! ```
//!
//! Nothing is freed before the arena, and then whole chunks are, so a memtable of half a million
//! entries goes in some hundred steps. Chunks double from 4 KiB to 256 KiB: a small memtable
//! stays small, and a large one wastes little in its last chunk. Chunks of full size are kept for
//! the next arena (see [`pool`]), because memory that was never touched is slow to write to.
//!
//! 1. A piece is handed out once. `used` only grows, by compare-and-swap, to the piece's end.
//! 2. A chunk that lacks room for a piece is followed by a fresh one. One of those who notice
//!    wins; the others give theirs back and use the winner's. What is left of the old chunk is
//!    lost, and counted as used.
//! 3. A piece's contents need their own publication: the arena orders nothing.

#![allow(unsafe_code)] // It hands out memory.

mod pool;

use nori_env::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};
use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::ptr::{self, NonNull};

const FIRST_BYTES: usize = 4 << 10;
const CHUNK_BYTES: usize = 256 << 10;
/// Of every chunk; enough for any piece.
const ALIGN: usize = 64;

/// Memory that grows.
#[derive(Debug)]
pub(crate) struct Arena {
    current: AtomicPtr<Chunk>,
    /// The sizes of the chunks before the current one.
    filled: AtomicUsize,
}

/// The front of a chunk.
#[derive(Debug)]
struct Chunk {
    older: *mut Chunk,
    size: usize,
    used: AtomicUsize,
}

impl Arena {
    /// An arena without memory.
    pub(crate) fn new() -> Arena {
        Arena { current: AtomicPtr::new(ptr::null_mut()), filled: AtomicUsize::new(0) }
    }

    /// How much memory was used, in bytes. Exact while nobody allocates.
    pub(crate) fn used(&self) -> usize {
        let filled = self.filled.load(Ordering::Relaxed);
        // SAFETY: null, or a chunk, which lives as long as the arena.
        let current = unsafe { self.current.load(Ordering::Acquire).as_ref() };
        filled + current.map_or(0, |chunk| chunk.used.load(Ordering::Relaxed))
    }

    /// Puts a value into the arena. Its destructor does not run.
    pub(crate) fn place<T>(&self, value: T) -> &T {
        let at = self.allocate(Layout::new::<T>()).cast::<T>();
        // SAFETY: the piece has the size and alignment of a `T`, is nobody else's (invariant 1),
        // and lives as long as the arena.
        unsafe {
            at.write(value);
            at.as_ref()
        }
    }

    /// A piece of memory that lives as long as the arena; not initialised. Alignments up to 64.
    pub(crate) fn allocate(&self, piece: Layout) -> NonNull<u8> {
        loop {
            let chunk = NonNull::new(self.current.load(Ordering::Acquire));
            if let Some(at) = chunk.and_then(|chunk| take(chunk, piece)) {
                return at;
            }
            self.grow(chunk, piece);
        }
    }

    /// Makes a chunk with room for `piece` the current one, unless another is by now.
    fn grow(&self, old: Option<NonNull<Chunk>>, piece: Layout) {
        // SAFETY: chunks live as long as the arena, and only `used` changes.
        let size = old.map_or(0, |chunk| unsafe { chunk.as_ref() }.size);
        let least = size_of::<Chunk>().next_multiple_of(ALIGN) + piece.size();
        let grown = (size * 2).clamp(FIRST_BYTES, CHUNK_BYTES).max(least.next_power_of_two());
        let older = old.map_or(ptr::null_mut(), NonNull::as_ptr);
        let fresh = Chunk::new(older, grown);
        let order = (Ordering::Release, Ordering::Relaxed);
        match self.current.compare_exchange(older, fresh.as_ptr(), order.0, order.1) {
            Ok(_) => _ = self.filled.fetch_add(size, Ordering::Relaxed),
            Err(_) => Chunk::free(fresh),
        }
    }
}

/// Cuts a piece off a chunk, if it has room for it.
#[inline]
fn take(chunk: NonNull<Chunk>, piece: Layout) -> Option<NonNull<u8>> {
    debug_assert!(piece.align() <= ALIGN);
    // SAFETY: chunks live as long as the arena, and only `used` changes.
    let front = unsafe { chunk.as_ref() };
    let mut used = front.used.load(Ordering::Relaxed);
    loop {
        let at = used.next_multiple_of(piece.align());
        let end = at.checked_add(piece.size()).filter(|end| *end <= front.size)?;
        match front.used.compare_exchange(used, end, Ordering::Relaxed, Ordering::Relaxed) {
            // SAFETY: `at` lies inside the chunk's allocation.
            Ok(_) => return Some(unsafe { chunk.cast::<u8>().add(at) }),
            Err(now) => used = now,
        }
    }
}

impl Chunk {
    fn new(older: *mut Chunk, size: usize) -> NonNull<Chunk> {
        let kept = if size == CHUNK_BYTES { pool::take() } else { None };
        let memory = kept.unwrap_or_else(|| {
            let layout = Chunk::layout(size);
            // SAFETY: the size is not zero.
            let memory = NonNull::new(unsafe { alloc(layout) });
            memory.unwrap_or_else(|| handle_alloc_error(layout))
        });
        let used = AtomicUsize::new(size_of::<Chunk>().next_multiple_of(ALIGN));
        let chunk = memory.cast::<Chunk>();
        // SAFETY: the memory is large enough, aligned, and nobody else's.
        unsafe { chunk.write(Chunk { older, size, used }) };
        chunk
    }

    /// The caller is the last to know the chunk.
    fn free(chunk: NonNull<Chunk>) {
        // SAFETY: a chunk has its front.
        let size = unsafe { chunk.as_ref() }.size;
        let memory = chunk.cast::<u8>();
        if size != CHUNK_BYTES || !pool::keep(memory) {
            // SAFETY: allocated with this layout, and nobody knows it any more.
            unsafe { dealloc(memory.as_ptr(), Chunk::layout(size)) };
        }
    }

    fn layout(size: usize) -> Layout {
        Layout::from_size_align(size, ALIGN).expect("a chunk is as large as what it was made for")
    }
}

// SAFETY: pieces are handed out once, through atomics; chunks are freed by the last owner.
unsafe impl Send for Arena {}
// SAFETY: as above.
unsafe impl Sync for Arena {}

impl Drop for Arena {
    fn drop(&mut self) {
        let mut next = NonNull::new(self.current.load(Ordering::Acquire));
        while let Some(chunk) = next {
            // SAFETY: nobody else holds the arena, and each chunk is met once.
            next = NonNull::new(unsafe { chunk.as_ref() }.older);
            Chunk::free(chunk);
        }
    }
}

#[cfg(all(test, not(nori_loom)))]
mod tests;
