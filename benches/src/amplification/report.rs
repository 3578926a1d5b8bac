//! The table, and how it stands against what is owed.

use super::run::Outcome;

/// The names of the columns.
pub fn print_title() {
    println!(
        "{:<28} {:<15} {:>6} {:>6} {:>5} {:>6} {:>9} {:>4} {:>5} {:>8} {:>6} {:>7} {:>7} {:>11}",
        "workload",
        "shape",
        "WA",
        "RA",
        "SA",
        "slotSA",
        "job max",
        "L0",
        "runs",
        "jobs/fl",
        "slots",
        "tables",
        "K",
        "K hot/cold"
    );
}

/// One run.
pub fn print_row(workload: &str, shape: &str, o: &Outcome) {
    println!(
        "{:<28} {:<15} {:>6.2} {:>6.2} {:>5.2} {:>6.2} {:>6.1} MB {:>4} {:>5} {:>8.1} {:>6} \
         {:>7} {:>7} {:>11}",
        workload,
        shape,
        o.wa,
        o.ra,
        o.sa,
        o.sa_slot_max,
        o.job_bytes_max as f64 / 1_048_576.0,
        o.l0_max,
        o.runs_max,
        o.jobs_per_flush,
        o.slots,
        o.tables,
        format!("{}..{}", o.k.0, o.k.1),
        format!("{:.1}/{:.1}", o.k_hot_cold.0, o.k_hot_cold.1)
    );
}

/// What the adaptive shape is owed against the fixed ones: WA and RA over those of leveled, RA
/// over that of tiered.
const OWED: [(&str, f64, f64, f64); 8] = [
    ("uniform", 0.80, 1.05, 0.55),
    ("80/20", 0.85, 1.00, 0.50),
    ("95/5", 1.00, 0.75, 0.35),
    ("hot reads", 0.70, 0.70, 0.35),
    ("hot reads, other hot writes", 0.65, 0.60, 0.35),
    ("moving", 1.00, 0.85, 0.40),
    ("random load", 1.00, 0.80, 0.60),
    ("sequential", 1.00, 1.00, f64::INFINITY),
];

/// One workload's three runs against what is owed; false if something is missed.
pub fn print_targets(
    workload: &str,
    reads_per_kb: f64,
    [adaptive, leveled, tiered]: [&Outcome; 3],
) -> bool {
    let Some((_, wa, ra, ra_tiered)) = OWED.iter().find(|owed| owed.0 == workload) else {
        return true;
    };
    let ratios = [
        ("WA/leveled", adaptive.wa / leveled.wa, *wa),
        ("RA/leveled", adaptive.ra / leveled.ra, *ra),
        ("RA/tiered", adaptive.ra / tiered.ra, *ra_tiered),
    ];
    // Away from one read per KiB the product is what counts: more of one, less of the other.
    let product = adaptive.wa * adaptive.ra / (leveled.wa * leveled.ra);
    if reads_per_kb != 1.0 {
        let met = product <= 0.905;
        let missed = if met { "" } else { ", MISSED" };
        println!("  WA*RA/leveled {product:.2} (owed 0.90{missed})");
        return met;
    }
    let mut all = true;
    let said = ratios.map(|(name, is, owed)| {
        // What two decimals show is what counts.
        let met = is <= owed + 0.005;
        all &= met;
        format!("{name} {is:.2} (owed {owed:.2}{})", if met { "" } else { ", MISSED" })
    });
    println!("  {}   WA*RA/leveled {product:.2}", said.join("   "));
    all
}
