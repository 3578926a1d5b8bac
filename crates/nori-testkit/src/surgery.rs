//! Damage for decoders: every byte flipped, every length, pieces swapped.

use std::ops::Range;

/// Copies of `bytes`, each with one byte changed: for each offset, first its lowest bit flipped,
/// then all its bits. The offset comes along for messages.
pub fn flips(bytes: &[u8]) -> impl Iterator<Item = (usize, Vec<u8>)> {
    let places = (0..bytes.len()).flat_map(|at| [(at, 0x01), (at, 0xff)]);
    places.map(|(at, xor)| {
        let mut bad = bytes.to_vec();
        bad[at] ^= xor;
        (at, bad)
    })
}

/// All proper prefixes of `bytes`, the empty one first.
pub fn truncations(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    (0..bytes.len()).map(|len| &bytes[..len])
}

/// `bytes` with two pieces exchanged. Panics unless `first` ends at or before `second` and both
/// lie inside.
pub fn swapped(bytes: &[u8], first: Range<usize>, second: Range<usize>) -> Vec<u8> {
    assert!(first.end <= second.start, "the pieces are in order and apart");
    let pieces = [
        &bytes[..first.start],
        &bytes[second.clone()],
        &bytes[first.end..second.start],
        &bytes[first],
        &bytes[second.end..],
    ];
    pieces.concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_flip_differs_in_its_byte_only() {
        let good = [0u8, 0xff, 7];
        let all: Vec<_> = flips(&good).collect();
        assert_eq!(all.len(), 6);
        for (at, bad) in all {
            let differ: Vec<_> = (0..3).filter(|i| bad[*i] != good[*i]).collect();
            assert_eq!(differ, [at]);
        }
    }

    #[test]
    fn truncations_leave_out_the_whole() {
        assert_eq!(truncations(b"ab").collect::<Vec<_>>(), [&b""[..], b"a"]);
        assert_eq!(truncations(b"").count(), 0);
    }

    #[test]
    fn pieces_of_different_lengths_change_places() {
        assert_eq!(swapped(b"0123456789", 1..3, 5..8), b"0567341289");
        assert_eq!(swapped(b"0123", 0..2, 2..4), b"2301");
    }
}
