//! nori-bench by itself: does filling in random order cost more than filling in order?

use nori_bench::{Bench, NORI, Plan, Quiet, Result, Workload};

fn main() -> Result<()> {
    let dir = std::env::temp_dir().join(format!("nori-fills-{}", std::process::id()));
    let plan = Plan { keys: 20_000, ..Plan::new(&dir) };
    let mut bench = Bench::new(NORI, &plan)?;
    let mut checksums = Vec::new();
    for fill in [Workload::FillSeq, Workload::FillRandom] {
        for row in bench.run(fill, &Quiet)? {
            let p99_us = row.latency.map_or(0.0, |latency| latency.p99_ns as f64 / 1e3);
            println!("{fill}: {:.0} puts/s, p99 {p99_us:.1} us", row.ops_per_second);
        }
        // Either way the store holds the same.
        checksums.extend(bench.run(Workload::Scan, &Quiet)?.first().and_then(|row| row.checksum));
    }
    assert_eq!(checksums.first(), checksums.last());
    bench.remove()
}
