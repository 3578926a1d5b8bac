//! Numbers of which few are drawn often: rank r with a weight of 1 / r^0.99.
//!
//! The method is that of Gray et al., "Quickly Generating Billion-Record Synthetic Databases"
//! (1994), with the skew of YCSB (Cooper et al. 2010).

use crate::numbers::Rng;

const THETA: f64 = 0.99;
/// So many weights are added up one by one; the rest is an integral.
const SUMMED: u64 = 100_000;

/// Draws ranks below a number, rank 0 the most often.
#[derive(Clone, Copy, Debug)]
pub struct Zipf {
    n: u64,
    sum: f64,
    alpha: f64,
    eta: f64,
}

impl Zipf {
    /// Ranks below `n`; rank 0 alone where `n` is 0.
    pub fn new(n: u64) -> Zipf {
        let sum = weights(n);
        let eta = (1.0 - (2.0 / n.max(3) as f64).powf(1.0 - THETA)) / (1.0 - weights(2) / sum);
        Zipf { n, sum, alpha: 1.0 / (1.0 - THETA), eta }
    }

    /// The next rank.
    pub fn draw(&self, rng: &mut Rng) -> u64 {
        let unit = (rng.next_u64() >> 11) as f64 / (1u64 << 53) as f64;
        let at = unit * self.sum;
        if self.n < 2 || at < 1.0 {
            return 0;
        }
        if self.n == 2 || at < weights(2) {
            return 1;
        }
        let rank = self.n as f64 * (self.eta * unit - self.eta + 1.0).powf(self.alpha);
        (rank as u64).min(self.n - 1)
    }
}

/// The sum of the weights of `n` ranks.
fn weights(n: u64) -> f64 {
    let summed: f64 = (1..=n.min(SUMMED)).map(|rank| (rank as f64).powf(-THETA)).sum();
    let integral = |rank: f64| rank.powf(1.0 - THETA) / (1.0 - THETA);
    // Half a rank to each side makes the integral exact to the eighth digit here.
    let rest = |n: u64| integral(n as f64 + 0.5) - integral(SUMMED as f64 + 0.5);
    summed + if n > SUMMED { rest(n) } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_ranks_are_drawn_often() {
        let (n, draws) = (1000u64, 200_000);
        let (zipf, mut rng) = (Zipf::new(n), Rng::new(5));
        let mut counts = vec![0u64; n as usize];
        for _ in 0..draws {
            counts[zipf.draw(&mut rng) as usize] += 1;
        }
        let sum = weights(n);
        let share = |ranks: std::ops::Range<usize>| {
            counts[ranks].iter().sum::<u64>() as f64 / f64::from(draws)
        };
        // The first two ranks are exact, the others within a few percent of their weight.
        assert!((share(0..1) - 1.0 / sum).abs() < 0.005, "{}", share(0..1));
        for last in [10u64, 100, 500] {
            let (seen, owed) = (share(0..last as usize), weights(last) / sum);
            assert!((seen - owed).abs() < 0.03, "{last}: {seen} {owed}");
        }
        assert!(counts[n as usize / 2..].iter().sum::<u64>() > 0);
    }

    #[test]
    fn a_seed_explains_the_draws_and_small_numbers_are_no_exception() {
        let draws = |seed| {
            let (zipf, mut rng) = (Zipf::new(1 << 20), Rng::new(seed));
            (0..100).map(|_| zipf.draw(&mut rng)).collect::<Vec<_>>()
        };
        assert_eq!(draws(1), draws(1));
        assert_ne!(draws(1), draws(2));
        for n in 0..5u64 {
            let (zipf, mut rng) = (Zipf::new(n), Rng::new(1));
            let drawn: Vec<u64> = (0..1000).map(|_| zipf.draw(&mut rng)).collect();
            assert!(drawn.iter().all(|&rank| rank < n.max(1)), "{n}");
            assert_eq!(drawn.iter().max(), Some(&(n.max(1) - 1)), "{n}");
        }
    }

    #[test]
    fn the_integral_goes_on_where_the_sum_ends() {
        let exact: f64 = (1..=4 * SUMMED).map(|rank| (rank as f64).powf(-THETA)).sum();
        assert!((weights(4 * SUMMED) - exact).abs() < 1e-6 * exact);
    }
}
