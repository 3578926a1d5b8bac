//! Random programs over every verb that changes a store.

use crate::op::{Blow, Mode, Op, PLACES, Program, Rule, SPACES, Value, When, Write, Wrong};
use nori_env::{Cut, Rng};

/// What a program is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taste {
    /// Four short lives of a store, each with every crash before each of its calls.
    Crashes,
    /// One long life with everything: reads, crashes, full and failing disks, other options.
    Mixed,
    /// One short life without crashes, for those who add them.
    Plain,
}

/// Steps of a plain program. Each of its calls is failed or crashed in a run of its own, so twice
/// the steps cost four times as much.
const PLAIN_STEPS: usize = 24;

/// The program of a seed.
pub fn program(seed: u64, taste: Taste) -> Program {
    let mut maker = Maker::new(seed, taste == Taste::Mixed);
    let images = if taste == Taste::Crashes { 2 } else { 0 };
    match taste {
        Taste::Crashes => {
            for _ in 0..4 {
                maker.life(40);
            }
            maker.ops.push(Op::Crash(Vec::new()));
        }
        Taste::Mixed => {
            for _ in 0..12 {
                maker.life(60);
            }
        }
        Taste::Plain => {
            let options = maker.options();
            maker.ops.push(options);
            (0..PLAIN_STEPS).for_each(|_| maker.step());
        }
    }
    Program { seed, images, cut: None, ops: maker.ops }
}

/// What a program does more or less of.
struct Taken {
    /// How many of a hundred values are large.
    large: u64,
    /// Background steps are rare, so that memtables pile up.
    lazy: bool,
    /// Keyspaces come and go all the time.
    spaces: bool,
    /// Slots grow and shrink; nobody cuts them by hand.
    slots: bool,
    /// How many different keys there are.
    keys: u64,
    /// How many of a hundred steps read.
    reads: u64,
}

struct Maker {
    rng: Rng,
    taken: Taken,
    /// Numbers every value, so that no two are equal.
    tag: u32,
    ops: Vec<Op>,
}

impl Maker {
    fn new(seed: u64, reads: bool) -> Maker {
        let mut rng = Rng::new(seed);
        let slots = rng.chance(40);
        let taken = Taken {
            large: *rng.pick(&[5, 20, 70]),
            lazy: rng.chance(40),
            spaces: rng.chance(25),
            slots,
            keys: if slots { 30 } else { 6 },
            reads: if reads { 35 } else { 5 },
        };
        Maker { rng, taken, tag: 0, ops: Vec::new() }
    }

    /// A store is opened, lives for a while, and ends.
    fn life(&mut self, steps_max: u64) {
        let options = self.options();
        self.ops.push(options);
        if let Some(rule) = self.fault() {
            self.ops.push(Op::Fault(rule));
        }
        let ends_well = self.rng.chance(20);
        if !ends_well {
            let blows = self.blows();
            self.ops.push(Op::Crash(blows));
        }
        for _ in 0..1 + self.rng.below(steps_max) {
            self.step();
        }
        if ends_well {
            self.ops.push(Op::Reopen(self.rng.chance(70)));
        }
        // What went wrong with the disk mostly ends with the life.
        if self.rng.chance(80) {
            self.ops.push(Op::Mend);
        }
    }

    fn options(&mut self) -> Op {
        Op::Options(self.number(1 << 30))
    }

    fn number(&mut self, below: u64) -> u32 {
        self.rng.below(below).try_into().unwrap_or(u32::MAX)
    }

    /// Most fall anywhere, some into the opening, and some openings are hit again and again.
    fn blows(&mut self) -> Vec<Blow> {
        let mut blows = vec![];
        let calls = if self.rng.chance(40) { 25 } else { 220 };
        while blows.len() < 4 && (blows.is_empty() || self.rng.chance(35)) {
            let calls = if blows.is_empty() { calls } else { 25 };
            let (cut, at) = (*self.rng.pick(&Cut::ALL), self.number(calls));
            blows.push(Blow { at, cut, seed: self.number(1 << 30) });
        }
        blows
    }

    /// Most lives have no fault, some one anywhere, some one where it hurts.
    fn fault(&mut self) -> Option<Rule> {
        let (nth, early) = (self.number(200), self.number(20));
        let place = |name| {
            let found = PLACES.iter().position(|(known, ..)| *known == name);
            found.and_then(|n| n.try_into().ok()).unwrap_or(0)
        };
        let rule = |wrong, name, when| Some(Rule { wrong, place: place(name), when });
        match self.rng.below(20) {
            0 | 1 => rule(Wrong::Eio, "any", When::Once(nth)),
            2 => rule(Wrong::Full, "any", When::Once(nth)),
            3 => rule(Wrong::Short, "any", When::Once(nth)),
            4 => rule(Wrong::Eio, "manifest-sync", When::Once(early)),
            5 => rule(Wrong::Eio, "log-sync", When::Once(early)),
            6 => rule(Wrong::Eio, "tables", When::Once(2 * early)),
            7 => rule(Wrong::Full, "any", When::From(nth)),
            8 => rule(Wrong::Short, "manifest", When::Once(early)),
            9 => rule(Wrong::Eio, "sync", When::OneIn(8 + early)),
            _ => None,
        }
    }

    fn step(&mut self) {
        if self.rng.chance(self.taken.reads) {
            let op = self.read();
            return self.ops.push(op);
        }
        let op = match self.rng.below(114) {
            52..=58 if self.taken.spaces => self.keyspace(),
            47..=51 | 93..=96 if self.taken.slots => return self.grow(),
            44..=46 if self.taken.slots => return self.shrink(),
            66..=79 if self.taken.lazy => self.write(),
            0..=54 => self.write(),
            55..=59 => Op::Sync,
            60..=65 => Op::Flush,
            66..=77 => Op::Steps(1),
            78..=79 => Op::Tick,
            80..=82 => Op::Compact,
            83..=84 => Op::CompactRange(0, self.key()),
            85..=91 => self.keyspace(),
            92 => Op::WriteDropped,
            93..=96 => Op::SplitAt(0, self.key()),
            97..=99 => return self.snapshot_over_merges(),
            100..=101 => Op::Checkpoint,
            102..=104 => Op::Hold(self.space()),
            105 | 106 => Op::Look(self.bits()),
            107 => Op::Mend,
            108 | 109 => self.disk(),
            _ => return self.read_and_wait(),
        };
        self.ops.push(op);
    }

    fn key(&mut self) -> u16 {
        self.rng.below(self.taken.keys).try_into().unwrap_or(0)
    }

    /// Mostly "default", more of the others where they come and go.
    fn space(&mut self) -> u8 {
        let others = if self.taken.spaces { 60 } else { 25 };
        let any = self.rng.below(u64::from(SPACES)).try_into().unwrap_or(0);
        if self.rng.chance(others) { any } else { 0 }
    }

    fn bits(&mut self) -> u32 {
        *self.rng.clone().pick(&[0, u32::MAX, self.number(1 << 32)])
    }

    fn value(&mut self, len: u64) -> Option<Value> {
        self.tag += 1;
        Some(Value { tag: self.tag, len: len.try_into().unwrap_or(0) })
    }

    fn write(&mut self) -> Op {
        let writes = (0..1 + self.rng.below(3)).map(|_| {
            let (space, key) = (self.space(), self.key());
            if self.rng.chance(30) {
                return Write { space, key, value: None };
            }
            // Large values: records over several sectors, values over several blocks, memtables
            // that fill.
            let large = self.rng.chance(self.taken.large);
            let len = if large { 700 + self.rng.below(900) } else { 8 };
            let len = match self.rng.below(100) {
                0 | 1 => 0,
                // More than a memtable holds.
                2 => 5_000 + self.rng.below(15_000),
                _ => len,
            };
            Write { space, key, value: self.value(len) }
        });
        let writes = writes.collect();
        let mode = match self.rng.below(20) {
            0..=12 => Mode::Plain,
            13 | 14 => Mode::Synced,
            15..=17 => Mode::Buffered,
            _ => Mode::Try,
        };
        Op::Write(writes, mode)
    }

    /// Much is written in one place, and goes where it belongs.
    fn grow(&mut self) {
        let first = self.key();
        let keys = first..first + 1 + self.number(10) as u16;
        let writes = keys.map(|key| Write { space: 0, key, value: self.value(1000) }).collect();
        self.ops.push(Op::Write(writes, Mode::Synced));
        let steps = Op::Steps(self.number(12) as u8);
        self.ops.extend([Op::Flush, steps]);
    }

    /// Everything in some places is deleted.
    fn shrink(&mut self) {
        let first = self.key();
        let keys = first..first + 2 + self.number(40) as u16;
        let writes = keys.map(|key| Write { space: 0, key, value: None }).collect();
        self.ops.push(Op::Write(writes, Mode::Synced));
        let steps = Op::Steps(self.number(12) as u8);
        self.ops.extend([Op::Flush, steps, Op::Compact]);
    }

    fn keyspace(&mut self) -> Op {
        let space = 1 + self.number(u64::from(SPACES) - 1) as u8;
        if self.rng.chance(60) { Op::Create(space) } else { Op::Drop(space) }
    }

    /// A snapshot is held while things change.
    fn snapshot_over_merges(&mut self) {
        let (hold, write, look) = (Op::Hold(self.space()), self.write(), self.bits());
        self.ops.extend([hold, write, Op::Flush, Op::Compact, Op::Look(look)]);
    }

    /// One place is read over and over, and time passes, at times so much that what was learned
    /// is written down.
    fn read_and_wait(&mut self) {
        let wait = Op::Wait(*self.rng.pick(&[11, 60, 400]));
        let heat = Op::Heat(self.key(), 30);
        self.ops.extend([heat, wait, Op::Steps(20)]);
    }

    /// The disk becomes full, or fails now and then.
    fn disk(&mut self) -> Op {
        match self.rng.below(4) {
            0 => Op::Room(self.number(20_000)),
            1 => {
                let when = *self.rng.pick(&[When::Once(5), When::OneIn(10), When::From(3)]);
                Op::Fault(Rule { wrong: Wrong::Flip, place: 0, when })
            }
            _ => self.fault().map_or(Op::Mend, Op::Fault),
        }
    }

    fn read(&mut self) -> Op {
        match self.rng.below(10) {
            0..=2 => Op::Get(self.space(), self.key()),
            3 | 4 => {
                let keys = (0..1 + self.rng.below(5)).map(|_| self.key()).collect();
                Op::MultiGet(self.space(), keys)
            }
            5 => Op::Walk(self.space(), self.key(), self.number(1 << 32)),
            6 | 7 => {
                let (a, b) = (self.key(), self.key());
                Op::Scan(self.space(), a.min(b), a.max(b), self.bits())
            }
            8 => Op::Look(self.bits()),
            _ if self.rng.chance(20) => Op::Release,
            _ => Op::Hold(self.space()),
        }
    }
}
