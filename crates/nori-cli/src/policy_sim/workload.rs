//! What is written and read: densities over the keys, which are the numbers from 0 to 1.

/// Bytes of one flush.
pub(super) const MEMTABLE: f64 = (64u64 << 20) as f64;

const GIB: f64 = (1u64 << 30) as f64;

/// How accesses are spread over keys: stretches of keys with an even density each.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Spread(Vec<Stretch>);

#[derive(Clone, Copy, Debug, PartialEq)]
struct Stretch {
    from: f64,
    to: f64,
    share: f64,
}

impl Spread {
    pub(super) fn even() -> Spread {
        Spread(vec![Stretch { from: 0.0, to: 1.0, share: 1.0 }])
    }

    /// `share` of the accesses go to the keys of `from .. from + width`.
    fn hot(from: f64, width: f64, share: f64) -> Spread {
        let to = from + width;
        let cold = (1.0 - share) / (1.0 - width);
        Spread(vec![
            Stretch { from: 0.0, to: from, share: cold * from },
            Stretch { from, to, share },
            Stretch { from: to, to: 1.0, share: cold * (1.0 - to) },
        ])
    }

    /// The share of the accesses to a range of keys.
    pub(super) fn share(&self, from: f64, to: f64) -> f64 {
        let part = |stretch: &Stretch| {
            let overlap = (to.min(stretch.to) - from.max(stretch.from)).max(0.0);
            let width = stretch.to - stretch.from;
            if width > 0.0 { stretch.share * overlap / width } else { 0.0 }
        };
        self.0.iter().map(part).sum()
    }

    /// Written bytes until a memtable holds its size in distinct keys, of a store of `live` bytes.
    pub(super) fn writes_per_flush(&self, live: f64) -> f64 {
        let distinct = |writes: f64| -> f64 {
            let part = |stretch: &Stretch| {
                let size = live * (stretch.to - stretch.from);
                if size > 0.0 { distinct_of(writes * stretch.share, size) } else { 0.0 }
            };
            self.0.iter().map(part).sum()
        };
        let (mut low, mut high) = (MEMTABLE, MEMTABLE * 64.0);
        for _ in 0..60 {
            let middle = (low + high) / 2.0;
            if distinct(middle) < MEMTABLE {
                low = middle;
            } else {
                high = middle;
            }
        }
        high
    }
}

/// Bytes of distinct keys among `writes` random bytes over `size` bytes of keys.
pub(super) fn distinct_of(writes: f64, size: f64) -> f64 {
    if size.is_infinite() { writes } else { size * (1.0 - (-writes / size).exp()) }
}

/// One workload; what is written and read may depend on how often the live data was flushed over.
#[derive(Clone, Debug)]
pub(super) struct Workload {
    pub(super) name: &'static str,
    /// New keys only, from an empty store on, until there are `live` bytes.
    pub(super) is_load: bool,
    pub(super) live: f64,
    pub(super) writes: fn(f64) -> Spread,
    pub(super) reads: fn(f64) -> Spread,
}

impl Workload {
    /// How often to flush over the live data before measuring, and while.
    pub(super) fn span(&self) -> (f64, f64) {
        match self {
            load if load.is_load => (0.0, 1.0),
            large if large.live > 200.0 * GIB => (0.75, 1.0),
            _ => (1.0, 2.0),
        }
    }
}

fn even(_: f64) -> Spread {
    Spread::even()
}

fn fifth(_: f64) -> Spread {
    Spread::hot(0.25, 0.2, 0.8)
}

fn twentieth(_: f64) -> Spread {
    Spread::hot(0.25, 0.05, 0.95)
}

fn right_eighth(_: f64) -> Spread {
    Spread::hot(0.625, 0.125, 0.95)
}

fn left_eighth(_: f64) -> Spread {
    Spread::hot(0.125, 0.125, 0.9)
}

/// Four moves while the data is written over once.
fn moving(flushed_over: f64) -> Spread {
    let step = (flushed_over * 4.0).floor() % 8.0;
    Spread::hot(step * 0.125, 0.0625, 0.9)
}

/// The seven workloads, with one point read for each KiB written.
pub(super) fn all(gb: f64) -> Vec<Workload> {
    let live = gb * GIB;
    let workload = |name, writes, reads| Workload { name, is_load: false, live, writes, reads };
    vec![
        workload("uniform", even, even),
        workload("80/20 reads=writes", fifth, fifth),
        workload("95/5 reads=writes", twentieth, twentieth),
        workload("hot reads, uniform writes", even, right_eighth),
        workload("hot reads, other hot writes", left_eighth, right_eighth),
        workload("moving hot spot", moving, moving),
        Workload { is_load: true, ..workload("random load", even, even) },
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_add_up_and_a_skewed_flush_takes_more_writes() {
        for spread in [even(0.0), fifth(0.0), twentieth(0.0), moving(1.3)] {
            let parts: f64 =
                (0..10).map(|i| spread.share(f64::from(i) / 10.0, f64::from(i + 1) / 10.0)).sum();
            assert!((parts - 1.0).abs() < 1e-9, "{spread:?}");
        }
        let writes = |spread: Spread| spread.writes_per_flush(10.0 * GIB) / MEMTABLE;
        assert!((writes(even(0.0)) - 1.003).abs() < 0.001, "{}", writes(even(0.0)));
        assert!(writes(twentieth(0.0)) > 1.05);
    }
}
