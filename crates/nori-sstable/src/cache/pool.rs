//! Memory that one cached block after the other uses, whichever thread reads them.
//!
//! An allocator keeps memory by thread: what a block of one thread frees serves no block that
//! another one reads. As readers come and go, a cache of blocks taken from the allocator so holds
//! up to twice its bytes. Here a block that is evicted leaves its buffer to the next.
//!
//! 1. A buffer is a multiple of [`GRAIN_BYTES`], and used only for blocks that round up to it.
//! 2. Buffers that nobody uses are kept up to a limit; the rest goes to the allocator.

use bytes::Bytes;
use nori_env::sync::{Arc, Mutex};
use std::collections::BTreeMap;

/// Buffers are multiples of this: blocks of a table differ by a few entries.
pub(crate) const GRAIN_BYTES: usize = 256;

/// Buffers for blocks.
#[derive(Debug)]
pub(crate) struct Pool {
    free_bytes_max: usize,
    free: Mutex<Free>,
}

#[derive(Debug, Default)]
struct Free {
    by_capacity: BTreeMap<usize, Vec<Vec<u8>>>,
    bytes: usize,
}

/// A buffer in use.
struct Lent {
    buffer: Vec<u8>,
    pool: Arc<Pool>,
}

impl Pool {
    /// Keeps so many bytes of buffers that nobody uses.
    pub(crate) fn new(free_bytes_max: u64) -> Arc<Pool> {
        let free_bytes_max = usize::try_from(free_bytes_max).unwrap_or(usize::MAX);
        Arc::new(Pool { free_bytes_max, free: Mutex::default() })
    }

    /// A copy of a content in a buffer of the pool, which has it back when the copy is dropped.
    pub(crate) fn copy(self: &Arc<Pool>, content: &[u8]) -> Bytes {
        let mut buffer = self.take(content.len().next_multiple_of(GRAIN_BYTES));
        buffer.extend_from_slice(content);
        Bytes::from_owner(Lent { buffer, pool: Arc::clone(self) })
    }

    fn take(&self, capacity: usize) -> Vec<u8> {
        let kept = {
            let mut free = self.free.lock();
            let kept = free.by_capacity.get_mut(&capacity).and_then(Vec::pop);
            if kept.is_some() {
                free.bytes -= capacity;
            }
            kept
        };
        kept.unwrap_or_else(|| Vec::with_capacity(capacity))
    }

    fn give_back(&self, mut buffer: Vec<u8>) {
        buffer.clear();
        let capacity = buffer.capacity();
        let mut free = self.free.lock();
        if free.bytes.saturating_add(capacity) <= self.free_bytes_max {
            free.bytes += capacity;
            free.by_capacity.entry(capacity).or_default().push(buffer);
        }
    }
}

impl AsRef<[u8]> for Lent {
    fn as_ref(&self) -> &[u8] {
        &self.buffer
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        self.pool.give_back(std::mem::take(&mut self.buffer));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_buffer_of_one_block_serves_the_next_of_about_its_size() {
        let pool = Pool::new(1 << 20);
        let first = pool.copy(&[1; 4000]);
        let at = first.as_ptr();
        let other = pool.copy(&[2; 4000]);
        assert!(other.as_ptr() != at && first == [1; 4000][..] && other == [2; 4000][..]);
        drop(first);
        let larger = pool.copy(&[3; 5000]);
        assert!(larger.as_ptr() != at, "that one is too small");
        let (shared, next) = (other.slice(10..20), pool.copy(&[4; 4090]));
        assert!(next.as_ptr() == at && next == [4; 4090][..]);
        // A reader keeps what it reads, also when the cache has let it go.
        drop(other);
        let after = pool.copy(&[5; 4000]);
        assert!(shared == [2; 10][..] && after == [5; 4000][..]);
    }

    #[test]
    fn what_nobody_uses_is_kept_up_to_a_limit() {
        let pool = Pool::new(10_000);
        let all: Vec<Bytes> = (0..100).map(|n| pool.copy(&vec![n; 100 * usize::from(n)])).collect();
        assert_eq!(pool.free.lock().bytes, 0);
        drop(all);
        let free = pool.free.lock();
        let sum: usize = free.by_capacity.values().flatten().map(Vec::capacity).sum();
        assert!(sum == free.bytes && sum <= 10_000 && sum > 2_000, "{sum} of {}", free.bytes);
    }
}
