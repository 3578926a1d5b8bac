//! Which keys are written and read.
//!
//! Densities are piecewise even over the ranks of the keys, as in the simulations that the policy
//! was chosen by, and may change with the amount of data written.

use nori_env::Rng;

/// Even pieces: from and to as shares of all ranks, and the share of accesses between.
pub(crate) type Density = Vec<(f64, f64, f64)>;

/// One kind of traffic.
#[derive(Clone, Copy, Debug)]
pub struct Workload {
    /// Its name.
    pub name: &'static str,
    /// Writes, by bytes written so far over live bytes.
    pub(crate) writes: fn(f64) -> Density,
    /// Reads, likewise.
    pub(crate) reads: fn(f64) -> Density,
    /// How the keys come.
    pub(crate) kind: Kind,
}

/// How keys come to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// All are there; they are overwritten.
    Overwrite,
    /// None is there; each comes once, in random order.
    RandomLoad,
    /// Likewise, in order.
    Sequential,
}

fn even(_: f64) -> Density {
    vec![(0.0, 1.0, 1.0)]
}

/// `share` of the accesses in a part of the ranks, the others spread over the rest.
fn hot(from: f64, width: f64, share: f64) -> Density {
    let out = (1.0 - share) / (1.0 - width);
    let to = from + width;
    vec![(0.0, from, out * from), (from, to, share), (to, 1.0, out * (1.0 - to))]
}

fn moving(written: f64) -> Density {
    hot(((written * 4.0) as u64 % 8) as f64 * 0.125, 0.0625, 0.9)
}

const OVERWRITE: Kind = Kind::Overwrite;

/// The workloads that the policy is held to.
pub const WORKLOADS: [Workload; 8] = [
    Workload { name: "uniform", writes: even, reads: even, kind: OVERWRITE },
    Workload {
        name: "80/20",
        writes: |_| hot(0.25, 0.2, 0.8),
        reads: |_| hot(0.25, 0.2, 0.8),
        kind: OVERWRITE,
    },
    Workload {
        name: "95/5",
        writes: |_| hot(0.25, 0.05, 0.95),
        reads: |_| hot(0.25, 0.05, 0.95),
        kind: OVERWRITE,
    },
    Workload {
        name: "hot reads",
        writes: even,
        reads: |_| hot(0.625, 0.125, 0.95),
        kind: OVERWRITE,
    },
    Workload {
        name: "hot reads, other hot writes",
        writes: |_| hot(0.125, 0.125, 0.9),
        reads: |_| hot(0.625, 0.125, 0.95),
        kind: OVERWRITE,
    },
    Workload { name: "moving", writes: moving, reads: moving, kind: OVERWRITE },
    Workload { name: "random load", writes: even, reads: even, kind: Kind::RandomLoad },
    Workload { name: "sequential", writes: even, reads: even, kind: Kind::Sequential },
];

/// Draws a rank below `keys`.
pub(crate) fn draw(density: &Density, rng: &mut Rng, keys: u64) -> u64 {
    let unit = |rng: &mut Rng| (rng.next_u64() >> 11) as f64 / (1u64 << 53) as f64;
    let mut left = unit(rng);
    let mut at = density.last().map_or((0.0, 1.0), |piece| (piece.0, piece.1));
    for &(from, to, share) in density {
        if left < share {
            at = (from, to);
            break;
        }
        left -= share;
    }
    let rank = (at.0 + (at.1 - at.0) * unit(rng)) * keys as f64;
    (rank as u64).min(keys.saturating_sub(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_follow_the_density() {
        let (mut rng, density) = (Rng::new(3), hot(0.25, 0.2, 0.8));
        let inside = (0..10_000).filter(|_| (250..450).contains(&draw(&density, &mut rng, 1000)));
        let inside = inside.count();
        assert!((7_700..8_300).contains(&inside), "{inside}");
    }
}
