//! The bytes of a simulated file, cheap to copy.
//!
//! 1. Chunks are shared between copies until one of them writes: copying a file costs one
//!    reference count per 4 KiB, whatever is in it.
//! 2. Bytes at or behind `len` in the last chunk are zero, so growing needs no cleaning.

use std::sync::Arc;

const CHUNK: usize = 4096;

/// The bytes of a file. `None` is a chunk of zeros.
#[derive(Clone, Default)]
pub(super) struct Content {
    chunks: Vec<Option<Arc<[u8; CHUNK]>>>,
    len: usize,
}

impl Content {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Copies bytes from `at` on; returns how many there were.
    pub(super) fn read(&self, at: usize, buffer: &mut [u8]) -> usize {
        let wanted = buffer.len().min(self.len.saturating_sub(at));
        let mut done = 0;
        while done < wanted {
            let (index, from) = ((at + done) / CHUNK, (at + done) % CHUNK);
            let n = (CHUNK - from).min(wanted - done);
            let target = &mut buffer[done..done + n];
            match &self.chunks[index] {
                Some(chunk) => target.copy_from_slice(&chunk[from..from + n]),
                None => target.fill(0),
            }
            done += n;
        }
        wanted
    }

    pub(super) fn to_vec(&self) -> Vec<u8> {
        let mut bytes = vec![0; self.len];
        self.read(0, &mut bytes);
        bytes
    }

    /// Writes, growing with zeros in a gap.
    pub(super) fn write(&mut self, at: usize, data: &[u8]) {
        if data.is_empty() {
            return;
        }
        self.grow(at + data.len());
        let mut done = 0;
        while done < data.len() {
            let (index, from) = ((at + done) / CHUNK, (at + done) % CHUNK);
            let n = (CHUNK - from).min(data.len() - done);
            self.chunk(index)[from..from + n].copy_from_slice(&data[done..done + n]);
            done += n;
        }
    }

    /// Cuts, or grows with zeros.
    pub(super) fn resize(&mut self, len: usize) {
        if len >= self.len {
            return self.grow(len);
        }
        self.chunks.truncate(len.div_ceil(CHUNK));
        self.len = len;
        if !len.is_multiple_of(CHUNK) && self.chunks[len / CHUNK].is_some() {
            self.chunk(len / CHUNK)[len % CHUNK..].fill(0);
        }
    }

    /// Makes all bytes from `from` on zero.
    pub(super) fn zero_from(&mut self, from: usize) {
        let len = self.len;
        if from < len {
            self.resize(from);
            self.grow(len);
        }
    }

    /// Flips bits of one byte; nothing behind the end.
    pub(super) fn flip(&mut self, at: usize, xor: u8) {
        if at < self.len {
            self.chunk(at / CHUNK)[at % CHUNK] ^= xor;
        }
    }

    /// Takes over the other's chunks under a range, without copying. Both lengths stay.
    pub(super) fn share(&mut self, other: &Content, at: usize, len: usize) {
        let end = (at + len).div_ceil(CHUNK).min(other.chunks.len()).min(self.chunks.len());
        let start = (at / CHUNK).min(end);
        self.chunks[start..end].clone_from_slice(&other.chunks[start..end]);
    }

    fn grow(&mut self, len: usize) {
        if len > self.len {
            self.chunks.resize(len.div_ceil(CHUNK), None);
            self.len = len;
        }
    }

    fn chunk(&mut self, index: usize) -> &mut [u8; CHUNK] {
        let chunk = self.chunks[index].get_or_insert_with(|| Arc::new([0; CHUNK]));
        Arc::make_mut(chunk)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Rng;

    #[test]
    fn content_behaves_like_a_vector() {
        for seed in 0..200 {
            let mut rng = Rng::new(seed);
            let (mut content, mut twin) = (Content::default(), Vec::new());
            let mut frozen: Vec<(Content, Vec<u8>)> = Vec::new();
            for _ in 0..40 {
                let at = rng.index(3 * CHUNK);
                match rng.below(6) {
                    0 => {
                        content.resize(at);
                        twin.resize(at, 0);
                    }
                    1 => {
                        content.zero_from(at);
                        twin.iter_mut().skip(at).for_each(|b| *b = 0);
                    }
                    2 => {
                        content.flip(at, 0x81);
                        twin.iter_mut().skip(at).take(1).for_each(|b| *b ^= 0x81);
                    }
                    3 => frozen.push((content.clone(), twin.clone())),
                    _ => {
                        let mut data = vec![0; rng.index(CHUNK * 3 / 2)];
                        rng.fill(&mut data);
                        content.write(at, &data);
                        if twin.len() < at + data.len() && !data.is_empty() {
                            twin.resize(at + data.len(), 0);
                        }
                        twin.iter_mut().skip(at).zip(&data).for_each(|(t, d)| *t = *d);
                    }
                }
                assert_eq!(content.to_vec(), twin, "seed {seed}");
            }
            for (content, twin) in frozen {
                assert_eq!(content.to_vec(), twin, "a copy changed, seed {seed}");
            }
        }
    }
}
