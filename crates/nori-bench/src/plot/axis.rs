//! The marks of an axis and their words.

/// Marks are at most this many, zero among them.
const TICKS_MAX: f64 = 6.0;

/// Marks from zero on at round numbers; the last one is not below `highest`.
pub(super) fn ticks(highest: f64) -> Vec<f64> {
    if !(highest > 0.0 && highest.is_finite()) {
        return vec![0.0, 1.0];
    }
    let rough = highest / (TICKS_MAX - 1.0);
    let power = 10f64.powf(rough.log10().floor());
    let round = [1.0, 2.0, 2.5, 5.0, 10.0].map(|step| step * power);
    let step = round.into_iter().find(|step| *step >= rough * 0.999_999).unwrap_or(power * 10.0);
    let count = (highest / step - 1e-6).ceil().max(1.0) as u64;
    (0..=count).map(|n| n as f64 * step).collect()
}

/// What an axis counts.
#[derive(Clone, Copy, Debug)]
pub(super) enum Unit {
    /// Things.
    Count,
    /// Seconds.
    Seconds,
    /// Nanoseconds, told in whatever fits.
    Nanoseconds,
}

impl Unit {
    /// A mark's words.
    pub(super) fn label(self, value: f64) -> String {
        let steps: &[(f64, &str)] = match self {
            Unit::Count => &[(1e9, " G"), (1e6, " M"), (1e3, " k"), (1.0, "")],
            Unit::Seconds => &[(1.0, " s")],
            Unit::Nanoseconds => &[(1e9, " s"), (1e6, " ms"), (1e3, " us"), (1.0, " ns")],
        };
        if value == 0.0 {
            return "0".to_string();
        }
        let fits = |step: &&(f64, &str)| value >= step.0 * 0.999_999;
        let (step, unit) = steps.iter().find(fits).or(steps.last()).copied().unwrap_or((1.0, ""));
        format!("{}{unit}", short(value / step))
    }
}

/// Up to six digits behind the point, none that say nothing.
fn short(value: f64) -> String {
    let digits = format!("{value:.6}");
    digits.trim_end_matches('0').trim_end_matches('.').to_string()
}
