//! Stores whose slots hold a few kilobytes, so that they are cut, joined, heated and cooled all
//! the time, and programs that see to it: loads in key order, reads of one place over and over,
//! ranges that are deleted, and hours that go by.

use crate::op::{Ends, Key, Maker, Op};
use crate::options::{Kind, Limits, SMALL};
use nori_env::Rng;
use nori_lsm::{CompactionMode, Compression, Config, Durability};
use nori_testkit::KeyGen;
use std::ops::Bound;
use std::time::Duration;

/// How slots are held small.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Slotted {
    target: u64,
    mode: CompactionMode,
    alpha: f64,
    /// Soft and hard.
    l0: (usize, usize),
    half_life: Duration,
    epsilon: f64,
}

const ADAPTIVE: Slotted = Slotted {
    target: 8 << 10,
    mode: CompactionMode::Atll,
    alpha: 0.5,
    l0: (4, 8),
    half_life: Duration::from_secs(60),
    epsilon: 0.05,
};

/// The kinds of stores with tiny slots.
pub(crate) const SLOT_KINDS: [Kind; 8] = [
    Kind { name: "slots_adaptive", slotted: Some(ADAPTIVE), ..SMALL },
    Kind {
        name: "slots_of_one_kilobyte",
        k: 2,
        table_bytes: 1 << 10,
        compression: Compression::None,
        slotted: Some(Slotted {
            target: 1 << 10,
            alpha: 0.05,
            epsilon: 1.0,
            l0: (2, 4),
            half_life: Duration::from_secs(10),
            ..ADAPTIVE
        }),
        ..SMALL
    },
    Kind {
        name: "slots_of_one_run",
        k: 1,
        table_bytes: 2 << 10,
        durability: Durability::Buffered,
        slotted: Some(Slotted { target: 2 << 10, l0: (1, 2), ..ADAPTIVE }),
        ..SMALL
    },
    Kind {
        name: "slots_full_of_garbage",
        k: 3,
        max_sealed: 1,
        slots: 8,
        slotted: Some(Slotted { target: 4 << 10, alpha: 100.0, epsilon: 0.0, ..ADAPTIVE }),
        ..SMALL
    },
    Kind {
        name: "slots_leveled",
        table_bytes: 2 << 10,
        slotted: Some(Slotted { target: 4 << 10, mode: CompactionMode::Leveled, ..ADAPTIVE }),
        ..SMALL
    },
    Kind {
        name: "slots_tiered",
        k: 2,
        table_bytes: 2 << 10,
        open_files: 2,
        slotted: Some(Slotted { target: 4 << 10, mode: CompactionMode::Tiered, ..ADAPTIVE }),
        ..SMALL
    },
    Kind {
        name: "slots_threads",
        k: 2,
        threads: 3,
        slotted: Some(Slotted {
            target: 2 << 10,
            half_life: Duration::from_millis(20),
            epsilon: 0.5,
            ..ADAPTIVE
        }),
        ..SMALL
    },
    Kind {
        name: "slots_threads_of_any_mode",
        k: 3,
        threads: 2,
        max_sealed: 1,
        durability: Durability::Interval(Duration::from_millis(5)),
        slotted: Some(Slotted {
            target: 1 << 10,
            mode: CompactionMode::Leveled,
            l0: (1, 3),
            half_life: Duration::from_millis(5),
            ..ADAPTIVE
        }),
        ..SMALL
    },
];

impl Slotted {
    /// The options of an opening; of three openings one is like the first.
    pub(crate) fn config(&self, config: Config, change: u64, limits: &mut Limits) -> Config {
        limits.mode = self.mode;
        let config = config
            .slot_target_bytes(Some(self.target))
            .compaction(self.mode)
            .alpha(self.alpha)
            .l0_soft(Some(self.l0.0))
            .l0_hard(Some(self.l0.1))
            .half_life(Some(self.half_life))
            .bandit_epsilon(self.epsilon)
            .seed(change);
        if change.is_multiple_of(3) {
            return config;
        }
        let rng = &mut Rng::new(change);
        let modes = [CompactionMode::Atll, CompactionMode::Leveled, CompactionMode::Tiered];
        let soft = 1 + rng.index(4);
        limits.mode = *rng.pick(&modes);
        config
            .slot_target_bytes(Some(*rng.pick(&[1 << 10, 2_000, 8 << 10, 1 << 20])))
            .compaction(limits.mode)
            .alpha(*rng.pick(&[0.05, 0.5, 100.0]))
            .l0_soft(Some(soft))
            .l0_hard(Some(soft + 1 + rng.index(3)))
            .bandit_epsilon(*rng.pick(&[0.0, 0.05, 1.0]))
            .bandit_ucb_c(*rng.pick(&[0.0, 0.5, 10.0]))
            .lambda(*rng.pick(&[1.0, 2048.0, 1e6]))
    }
}

/// The program of a seed.
pub(crate) fn slot_program(seed: u64, steps: usize) -> Vec<Op> {
    let mut rng = Rng::new(seed);
    let keys = KeyGen::new(&mut rng, 500);
    let mut maker = Maker { rng, keys, tag: 0 };
    let stays_hot = 1 + maker.rng.index(steps.max(1));
    let mut hot = maker.near();
    let op = |n: usize| {
        if n.is_multiple_of(stays_hot) {
            hot = maker.key();
        }
        if maker.rng.chance(12) { maker.slot_op(&hot) } else { maker.op() }
    };
    (0..steps).map(op).collect()
}

/// The key of a number in a load.
pub(crate) fn load_key(number: u32) -> Key {
    Key(format!("load/{number:05}").into_bytes())
}

impl Maker {
    fn slot_op(&mut self, hot: &Key) -> Op {
        match self.rng.below(20) {
            0..=4 => {
                let key = if self.rng.chance(70) { hot.clone() } else { self.key() };
                Op::Hot(self.who(), key, 40 + self.rng.below(400) as u32)
            }
            5..=8 => {
                let (place, first) = (self.handle(), self.rng.below(1_000) as u32);
                let (count, value) = (1 + self.rng.below(30) as u32, self.value());
                self.tag += count;
                Op::Load(place, first, count, value)
            }
            9 => Op::Erase(self.handle(), self.ends()),
            10 => Op::Erase(self.handle(), self.loaded()),
            11 => Op::WaitIdle,
            12..=14 => Op::Steps(1 + self.rng.index(8)),
            15 => Op::Flush,
            _ => Op::Wait(self.rng.below(100_000)),
        }
    }

    fn loaded(&mut self) -> Ends {
        let first = self.rng.below(1_000) as u32;
        let (lo, hi) = (load_key(first), load_key(first + self.rng.below(200) as u32));
        (Bound::Included(lo), Bound::Excluded(hi))
    }
}
