//! Keys of the shapes that break things: the empty key, one byte, long shared prefixes, keys that
//! are prefixes of each other, runs of 0x00 and 0xff, long ones.

use nori_env::Rng;

/// Random keys from a bounded pool, so that a program meets the same key again.
#[derive(Clone, Debug)]
pub struct KeyGen {
    pool: Vec<Vec<u8>>,
}

impl KeyGen {
    /// A pool of about `count` different keys of all shapes; at least one.
    pub fn new(rng: &mut Rng, count: usize) -> KeyGen {
        let shapes = 0..count.max(1);
        let mut pool: Vec<Vec<u8>> = shapes.map(|i| shape(rng, i)).collect();
        pool.sort();
        pool.dedup();
        KeyGen { pool }
    }

    /// A key of the pool.
    #[allow(clippy::should_implement_trait)]
    pub fn next(&mut self, rng: &mut Rng) -> Vec<u8> {
        rng.pick(&self.pool).clone()
    }

    /// A key of the pool or, one time in three, one close to it that is likely not inside: for
    /// seeks, bounds and lookups that should find nothing.
    pub fn near(&mut self, rng: &mut Rng) -> Vec<u8> {
        let mut key = self.next(rng);
        if !rng.chance(33) {
            return key;
        }
        match rng.below(4) {
            0 => key.push(0),
            1 => key.push(0xff),
            2 => drop(key.pop()),
            _ => {
                if let Some(last) = key.last_mut() {
                    *last = last.wrapping_add(1);
                }
            }
        }
        key
    }

    /// All keys, sorted.
    pub fn pool(&self) -> &[Vec<u8>] {
        &self.pool
    }
}

fn shape(rng: &mut Rng, i: usize) -> Vec<u8> {
    let byte = rng.below(256) as u8;
    match i % 8 {
        0 if i == 0 => Vec::new(),
        0 => vec![byte],
        1 => vec![0; 1 + rng.below(4) as usize],
        2 => vec![0xff; 1 + rng.below(4) as usize],
        3 => format!("shared/prefix/of/some/length/{:04}", rng.below(200)).into_bytes(),
        4 => format!("k{:03}", rng.below(300)).into_bytes(),
        5 => b"aaaaaaaaaaaa"[..rng.below(12) as usize].to_vec(),
        6 if rng.chance(10) => vec![byte; 1000 + rng.below(3000) as usize],
        6 => rng.next_u64().to_be_bytes().to_vec(),
        _ => (0..rng.below(6)).map(|_| *rng.pick(&[0u8, 1, b'a', 0x7f, 0x80, 0xff])).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pool_has_the_nasty_shapes_and_comes_again_from_its_seed() {
        let keys = KeyGen::new(&mut Rng::new(1), 400);
        let pool = keys.pool();
        assert!(pool.is_sorted() && pool.len() > 200);
        assert!(pool[0].is_empty());
        assert!(pool.iter().any(|k| k.len() == 1) && pool.iter().any(|k| k.len() >= 1000));
        assert!(pool.windows(2).any(|w| w[1].starts_with(&w[0]) && !w[0].is_empty()));
        assert!(
            pool.iter().any(|k| k == &[0, 0]) && pool.iter().any(|k| k.starts_with(&[0xff; 3]))
        );
        assert_eq!(KeyGen::new(&mut Rng::new(1), 400).pool(), pool);
        assert_eq!(KeyGen::new(&mut Rng::new(1), 0).pool().len(), 1);
    }

    #[test]
    fn near_keys_are_at_times_outside_the_pool() {
        let rng = &mut Rng::new(2);
        let mut keys = KeyGen::new(rng, 50);
        let inside = (0..300).filter(|_| {
            let key = keys.near(rng);
            keys.pool.contains(&key)
        });
        assert!((150..290).contains(&inside.count()));
    }
}
