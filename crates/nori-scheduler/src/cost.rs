//! How many runs a slot should keep: the cheapest sum of writing and reading.
//!
//! With K runs, a byte written to a slot of R fragments is rewritten `wa(K, R)` times, and a read
//! looks into up to K runs. One look is worth `lambda` written bytes, so a slot with w bytes and r
//! reads a second costs `w * wa(K, R) + lambda * r * K`, and K is where that is least.
//!
//! 1. All slots share one lambda. While the predicted write amplification of the whole store is
//!    above `wa_max`, lambda is lowered, never below a millionth of what was asked for.
//! 2. K moves only for a gain of a tenth, so steady traffic does not make it flap.
//! 3. A slot without reads and writes keeps its K.

use crate::policy::Policy;

/// R is tabulated at powers of two up to 2^23.
const EXPONENTS: usize = 24;

/// The cap lowers lambda by a fifth at a time; 0.8^62 is just under a millionth.
const CAP_STEPS: u32 = 62;

/// Keep the present K while the best costs more than this share of it.
const HYSTERESIS: f64 = 0.9;

/// Predicted write amplification of a slot that keeps `k` runs and holds `r` fragments, when what
/// lies above the bottom run may reach `alpha` of it.
///
/// Between two rewrites of the bottom, m fragments pile up: the bottom then costs r/m per fragment
/// and the k - 1 runs above cost the binomial counter's t = (q! m)^(1/q) writes, shortened by what
/// the last, partial round does not pay.
fn write_amplification(k: usize, r: f64, alpha: f64) -> f64 {
    if k <= 1 {
        return 1.0 + r;
    }
    let q = (k - 1) as f64;
    let factorial: f64 = (1..k).map(|i| i as f64).product();
    let m_max = (alpha * r).max(1.0);
    let (mut m, mut best) = (1.0f64, f64::MAX);
    loop {
        let at = m.min(m_max);
        let t = ((factorial * at).powf(1.0 / q) - (q + 1.0) / 2.0).max(0.0);
        best = best.min(r / at + 1.0 + t * q / (q + 1.0));
        if m >= m_max {
            return best;
        }
        m *= 1.25;
    }
}

/// [`write_amplification`] at powers of two of R.
#[derive(Debug)]
pub(crate) struct WaTable {
    /// `rows[k - 1][log2 r]`
    rows: Vec<[f64; EXPONENTS]>,
}

impl WaTable {
    pub(crate) fn new(k_max: usize, alpha: f64) -> WaTable {
        let row = |k: usize| {
            std::array::from_fn(|exponent| {
                write_amplification(k, 2f64.powi(exponent as i32), alpha)
            })
        };
        WaTable { rows: (1..=k_max.max(1)).map(row).collect() }
    }

    /// Predicted write amplification for `k` runs, interpolated between powers of two.
    pub(crate) fn wa(&self, k: usize, r: f64) -> f64 {
        let exponent = r.max(1.0).log2().min((EXPONENTS - 1) as f64 - 1e-9);
        let (low, part) = (exponent as usize, exponent.fract());
        let row = &self.rows[k.clamp(1, self.rows.len()) - 1];
        row[low] * (1.0 - part) + row[low + 1] * part
    }
}

/// What one slot pays for each K.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Demand {
    /// Reads a second.
    pub(crate) reads: f64,
    /// Bytes written a second.
    pub(crate) writes: f64,
    /// Bytes of the slot in units.
    pub(crate) ratio: f64,
    /// The K it has.
    pub(crate) k: usize,
}

impl Demand {
    /// Rewritten bytes a second plus lambda times looks a second.
    pub(crate) fn cost(&self, k: usize, table: &WaTable, lambda: f64) -> f64 {
        self.writes * table.wa(k, self.ratio) + lambda * self.reads * k as f64
    }

    fn is_idle(&self) -> bool {
        self.reads <= 0.0 && self.writes <= 0.0
    }
}

/// Chooses K for all slots at once.
#[derive(Debug)]
pub(crate) struct Budgets {
    pub(crate) table: WaTable,
    /// `w * wa(k)` of each slot and k, filled by each choice.
    costs: Vec<f64>,
    /// Lambda after the cap, as of the last choice.
    pub(crate) lambda: f64,
}

impl Budgets {
    pub(crate) fn new(policy: &Policy) -> Budgets {
        let table = WaTable::new(policy.k_global, policy.alpha);
        Budgets { table, costs: Vec::new(), lambda: policy.lambda }
    }

    /// Sets `k` of each demand.
    pub(crate) fn choose(&mut self, policy: &Policy, demands: &mut [Demand]) {
        let k_max = policy.k_global;
        self.costs.clear();
        for demand in demands.iter() {
            let write = |k| demand.writes * self.table.wa(k, demand.ratio);
            self.costs.extend((1..=k_max).map(write));
        }
        self.lambda = self.capped_lambda(policy, demands);
        let lambda = self.lambda;
        for (demand, costs) in demands.iter_mut().zip(self.costs.chunks(k_max)) {
            if demand.is_idle() {
                continue;
            }
            let (best, cost) = cheapest(costs, lambda * demand.reads);
            let now = demand.k.clamp(1, k_max);
            let cost_now = costs[now - 1] + lambda * demand.reads * now as f64;
            demand.k = if cost < HYSTERESIS * cost_now { best } else { now };
        }
    }

    /// The greatest lambda, a fifth less at a time, that keeps the whole store under its cap.
    /// A lower lambda never predicts more writing, so the step is found by halving.
    fn capped_lambda(&self, policy: &Policy, demands: &[Demand]) -> f64 {
        let allowed = policy.wa_max * demands.iter().map(|demand| demand.writes).sum::<f64>();
        let lambda_at = |step: u32| policy.lambda * 0.8f64.powi(step as i32);
        let is_under_cap = |step: u32| {
            let price = |(demand, costs): (&Demand, &[f64])| {
                costs[cheapest(costs, lambda_at(step) * demand.reads).0 - 1]
            };
            let slots = demands.iter().zip(self.costs.chunks(policy.k_global));
            slots.map(price).sum::<f64>() <= allowed
        };
        let (mut low, mut high) = (0, CAP_STEPS);
        while low < high {
            let middle = (low + high) / 2;
            if is_under_cap(middle) {
                high = middle;
            } else {
                low = middle + 1;
            }
        }
        lambda_at(low)
    }
}

/// The cheapest K and its cost, where a run costs `per_run` and `costs[k - 1]` is the writing.
fn cheapest(costs: &[f64], per_run: f64) -> (usize, f64) {
    let mut best = (1, f64::INFINITY);
    for (index, write) in costs.iter().enumerate() {
        let cost = write + per_run * (index + 1) as f64;
        if cost < best.1 {
            best = (index + 1, cost);
        }
    }
    best
}

#[cfg(test)]
mod tests;
