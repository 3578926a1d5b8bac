//! The arena: pieces do not overlap, whoever asks for them.

#![allow(clippy::unwrap_used)]

use super::*;
use nori_env::Rng;
use nori_env::sync::{Arc, thread};
use nori_testkit::{env_usize, run_seeds};

/// A piece, filled with a byte of its own.
struct Piece(NonNull<u8>, usize, u8);

// SAFETY: a piece is memory that nobody else has.
unsafe impl Send for Piece {}

impl Piece {
    fn cut(arena: &Arena, rng: &mut Rng) -> Piece {
        let size = match rng.below(20) {
            0 => rng.below(100_000),
            _ => rng.below(300),
        };
        let align = 1 << rng.below(7);
        let at = arena.allocate(Layout::from_size_align(size as usize, align).unwrap());
        assert_eq!(at.as_ptr().addr() % align, 0);
        let byte = rng.below(256) as u8;
        // SAFETY: the piece has the size.
        unsafe { at.write_bytes(byte, size as usize) };
        Piece(at, size as usize, byte)
    }

    fn check(&self) {
        // SAFETY: as above; the arena lives.
        let bytes = unsafe { std::slice::from_raw_parts(self.0.as_ptr(), self.1) };
        assert!(bytes.iter().all(|byte| *byte == self.2), "a piece was written to by another");
    }
}

#[test]
fn pieces_do_not_overlap() {
    let pieces = env_usize("NORI_STEPS", 800);
    run_seeds("-p nori-memtable pieces_do_not_overlap", 6, |seed| {
        let arena = Arc::new(Arena::new());
        assert_eq!(arena.used(), 0);
        let threads = (0..3).map(|t| {
            let (arena, mut rng) = (Arc::clone(&arena), Rng::new(seed * 3 + t));
            thread::spawn(move || {
                (0..pieces).map(|_| Piece::cut(&arena, &mut rng)).collect::<Vec<_>>()
            })
        });
        let threads: Vec<_> = threads.collect();
        let cut: Vec<Piece> = threads.into_iter().flat_map(|t| t.join().unwrap()).collect();
        cut.iter().for_each(Piece::check);
        assert!(arena.used() >= cut.iter().map(|piece| piece.1).sum());
    });
}

#[test]
fn a_small_arena_is_small_and_a_large_one_wastes_little() {
    let piece = Layout::from_size_align(116, 8).unwrap();
    let arena = Arena::new();
    arena.allocate(piece);
    assert!(arena.used() < 256);
    let chunk = |arena: &Arena| {
        // SAFETY: the current chunk of an arena that has one.
        unsafe { (*arena.current.load(Ordering::Relaxed)).size }
    };
    assert_eq!(chunk(&arena), 4 << 10);
    let count = 100_000;
    for _ in 1..count {
        arena.allocate(piece);
    }
    let (used, asked) = (arena.used(), count * piece.size());
    assert_eq!(chunk(&arena), CHUNK_BYTES);
    assert!(used - asked < asked / 25, "{used} bytes for {asked}");
    // A piece larger than a chunk gets one of its own.
    let large = Layout::from_size_align(3 * CHUNK_BYTES, 8).unwrap();
    arena.allocate(large);
    assert!(chunk(&arena) >= large.size() && arena.used() > used + large.size() - CHUNK_BYTES);
}
