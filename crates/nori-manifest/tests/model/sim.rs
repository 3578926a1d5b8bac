//! The seeded scheduler.

use crate::plant::Plant;
use crate::world::{Acted, World};
use nori_env::Rng;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

pub struct Action {
    pub name: &'static str,
    weight: u64,
    act: fn(&mut World, &mut Rng) -> Acted,
}

const fn action(name: &'static str, weight: u64, act: fn(&mut World, &mut Rng) -> Acted) -> Action {
    Action { name, weight, act }
}

pub const ACTIONS: &[Action] = &[
    action("write", 60, World::write_begin),
    action("insert", 66, World::write_insert),
    action("publish", 66, World::write_publish),
    action("rotate", 24, World::rotate),
    action("flush begin", 24, World::flush_begin),
    action("flush write", 24, World::flush_write),
    action("flush install", 24, World::flush_install),
    action("snapshot", 12, World::snapshot_open),
    action("drop snapshot", 12, World::snapshot_drop),
    action("get begin", 12, World::read_begin),
    action("get end", 12, World::read_end),
    action("iterator begin", 6, World::iter_begin),
    action("iterator step", 30, World::iter_step),
    action("merge begin", 24, World::job_begin),
    action("merge step", 72, World::job_step),
    action("trivial move", 12, World::trivial_move),
    action("move fragments", 30, World::move_fragments),
    action("split", 9, World::split),
    action("merge slots", 15, World::merge_slots),
    action("purge slot", 6, World::purge_slot),
    action("create keyspace", 3, World::keyspace_create),
    action("drop keyspace", 3, World::keyspace_drop),
    action("drop record", 9, World::keyspace_drop_install),
    action("reap", 12, |world, _| world.reap()),
    action("restart", 1, |world, _| world.restart()),
];

pub struct Done {
    pub actions: u64,
    pub installs: u64,
    pub eager_moves: u64,
    pub counts: [u64; 32],
}

#[derive(Debug)]
pub struct Failure {
    pub actions: u64,
    pub text: String,
    trace: Vec<&'static str>,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let last = self.trace.iter().rev().take(20).rev().copied().collect::<Vec<_>>();
        write!(f, "after {} actions (.. {}): {}", self.actions, last.join(", "), self.text)
    }
}

impl World {
    /// For the choices of the end of a run.
    fn next_seed(&mut self) -> u64 {
        self.new_id().into()
    }

    fn step(&mut self, action: &Action, r: &mut Rng) -> Acted {
        self.changed = false;
        let acted = (action.act)(self, r)?;
        if acted {
            self.check(r)?;
        }
        Ok(acted)
    }

    fn until_idle(&mut self, name: &str, times: u64) -> Result<(), String> {
        let action = ACTIONS.iter().find(|a| a.name == name).unwrap();
        (0..times).try_for_each(|_| {
            let mut r = Rng::new(self.next_seed());
            self.step(action, &mut r).map(|_| ())
        })
    }

    /// Ends all that runs, drops all snapshots, merges everything to the bottom.
    fn drain(&mut self) -> Result<(), String> {
        self.snapshots.clear();
        self.opening.clear();
        while !self.groups.is_empty() {
            self.until_idle("insert", 8)?;
            self.until_idle("publish", 3)?;
        }
        while !self.pending_drops.is_empty() {
            self.until_idle("drop record", 4)?;
        }
        self.flush_sealed()?;
        self.until_idle("rotate", 1)?;
        self.flush_sealed()?;
        while !(self.jobs.is_empty() && self.iters.is_empty() && self.reads.is_empty()) {
            self.until_idle("merge step", 8)?;
            self.until_idle("iterator step", 8)?;
            self.until_idle("get end", 8)?;
        }
        self.bottom_pass()?;
        self.reap()?;
        self.check_reclaimed()
    }

    fn flush_sealed(&mut self) -> Result<(), String> {
        while self.current.memtables.len() > 1 || !self.flushes.is_empty() {
            self.until_idle("flush begin", 1)?;
            self.until_idle("flush write", 8)?;
            self.until_idle("flush install", 8)?;
        }
        Ok(())
    }

    /// A merge of everything in every slot; the parts that it cuts off are clean already.
    fn bottom_pass(&mut self) -> Result<(), String> {
        let ids: Vec<_> = self.current.version.slots().map(|slot| slot.id).collect();
        for id in ids {
            let (index, _) = self.current.version.slot_by_id(id).unwrap();
            self.job_start(index, true, &mut Rng::new(0))?;
            self.until_idle("merge step", 20)?;
        }
        Ok(())
    }
}

/// Runs one seed.
pub fn run(plant: Plant, seed: u64, steps: usize) -> Result<Done, Failure> {
    let mut world = World::new(plant, seed);
    let mut r = Rng::new(seed);
    // Each seed has its own taste: rare actions become common, windows between steps wide. Every
    // third one is about keyspaces, every fourth one restarts.
    let mut taste = |a: &Action| match a.name {
        "restart" => u64::from(seed % 4 == 1) * 4,
        _ if seed % 3 == 2 && a.weight < 10 => 8 * r.pick(&[1, 4, 4, 16]),
        _ => *r.pick(&[1, 4, 4, 16]),
    };
    let weights: Vec<u64> = ACTIONS.iter().map(|a| a.weight * taste(a)).collect();
    let total: u64 = weights.iter().sum();
    let (mut counts, mut trace) = ([0; 32], vec![]);
    let mut body = || -> Result<(), String> {
        for _ in 0..steps {
            let mut pick = r.below(total);
            let chosen = weights.iter().position(|weight| {
                let fits = pick < *weight;
                pick = pick.saturating_sub(*weight);
                fits
            });
            let chosen = chosen.unwrap();
            trace.push(ACTIONS[chosen].name);
            if world.step(&ACTIONS[chosen], &mut r.fork())? {
                counts[chosen] += 1;
            } else {
                trace.pop();
            }
        }
        world.drain().map_err(|text| format!("at the end: {text}"))
    };
    // The manifest asserts its invariants in this build; that, too, is being caught.
    let outcome = match plant {
        Plant::None => body(),
        _ => catch_unwind(AssertUnwindSafe(&mut body)).unwrap_or_else(|panic| {
            let text = panic.downcast_ref::<String>().cloned();
            Err(text.unwrap_or_else(|| "a broken assertion".into()))
        }),
    };
    let actions = counts.iter().sum();
    match outcome {
        Ok(()) => {
            let (installs, eager_moves) = (world.installs, world.eager_moves);
            Ok(Done { actions, installs, eager_moves, counts })
        }
        Err(text) => Err(Failure { actions, text, trace }),
    }
}
