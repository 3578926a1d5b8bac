//! CRC-32 with a salt mixed in before the data and a strong mix after it.
//!
//! A plain CRC is linear: the checksums of one text under two salts differ by a constant, so a
//! salt that is only a prefix could be cancelled by damage of the right shape. The final mix
//! (the finaliser of MurmurHash3, a bijection) keeps every error that a CRC finds and breaks
//! that structure.

use crc32fast::Hasher;

/// A running checksum over several pieces of data.
#[derive(Clone, Debug)]
pub struct Checksum {
    crc: Hasher,
    salt: u64,
}

impl Checksum {
    /// Starts a checksum under a salt; 0 where there is none.
    pub fn new(salt: u64) -> Checksum {
        let low = mix(salt as u32 ^ 0x6e6f_7269);
        Checksum { crc: Hasher::new_with_initial(low), salt }
    }

    /// Adds data.
    pub fn update(&mut self, data: &[u8]) -> &mut Checksum {
        self.crc.update(data);
        self
    }

    /// The checksum of everything added so far.
    pub fn finish(&self) -> u32 {
        #[cfg(nori_plant)]
        if BLIND.get() {
            // Not 0, which is what stands where nothing was written.
            return mix(self.salt as u32 ^ 0x5eed);
        }
        mix(self.crc.clone().finalize() ^ (self.salt >> 32) as u32)
    }
}

/// The checksum of one piece of data under a salt.
pub fn checksum(salt: u64, data: &[u8]) -> u32 {
    Checksum::new(salt).update(data).finish()
}

#[cfg(nori_plant)]
thread_local! {
    static BLIND: std::cell::Cell<bool> = const { std::cell::Cell::new(false) };
}

/// Makes the checksums that this thread computes depend on their salt alone, or no longer: as if
/// none were verified. To see that tests of damage can see it; only in builds with
/// `--cfg nori_plant`.
#[cfg(nori_plant)]
pub fn plant_blind(blind: bool) {
    BLIND.set(blind);
}

fn mix(mut x: u32) -> u32 {
    x ^= x >> 16;
    x = x.wrapping_mul(0x85eb_ca6b);
    x ^= x >> 13;
    x = x.wrapping_mul(0xc2b2_ae35);
    x ^ (x >> 16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_halves_of_the_salt_count() {
        let plain = checksum(0, b"record");
        assert_ne!(plain, checksum(1, b"record"));
        assert_ne!(plain, checksum(1 << 40, b"record"));
        assert_eq!(plain, Checksum::new(0).update(b"rec").update(b"ord").finish());
    }

    #[test]
    fn every_single_bit_error_is_found() {
        let data = vec![0x5a_u8; 64];
        let good = checksum(7, &data);
        for bit in 0..data.len() * 8 {
            let mut bad = data.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert_ne!(good, checksum(7, &bad), "bit {bit}");
        }
    }

    #[test]
    fn the_values_are_part_of_the_formats() {
        // A change here changes every file on disk.
        assert_eq!([checksum(0, b""), checksum(0, b"nori"), checksum(u64::MAX, b"nori")], GOLDEN);
    }

    const GOLDEN: [u32; 3] = [3_808_713_168, 3_729_124_333, 1_962_523_858];
}
