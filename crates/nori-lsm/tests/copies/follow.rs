//! Random programs with followers: whatever is flushed, retained, forgotten, killed or cut off, a
//! follower sees every change once and in order, or is told that it comes too late.
//!
//! The oracle is the list of all changes by sequence number. After a crash the store says how many
//! of them it has; no follower may have seen more.

use crate::tiny;
use nori_env::sync::Arc;
use nori_env::{Cut, Fault, FaultFs, FaultRule, MemFs, Rng};
use nori_lsm::{Change, Changes, Config, Durability, ErrorKind, Lsm, WriteBatch};
use nori_testkit::run_suite;

const NAMES: [&str; 3] = ["a", "b", "c"];

/// What was asked of the store.
#[derive(Clone, Debug, PartialEq)]
enum Asked {
    Batch(Vec<(String, Vec<u8>, Option<Vec<u8>>)>),
    Created(String),
    Dropped(String),
}

/// A follower, and the last sequence number it saw.
struct Follower {
    at: u64,
    feed: Option<Changes>,
}

struct World {
    rng: Rng,
    disk: MemFs,
    faults: Arc<FaultFs>,
    retention: u64,
    durability: Durability,
    store: Lsm,
    /// Each change with the last sequence number it took.
    asked: Vec<(u64, Asked)>,
    followers: Vec<Follower>,
    /// History may have been lost: power was cut, or little is retained.
    may_be_late: bool,
    shown: u64,
    shown_after_crash: u64,
    late: u64,
    crashes: u64,
}

impl World {
    fn new(seed: u64) -> World {
        let mut rng = Rng::new(seed);
        let disk = MemFs::new(seed);
        let retention = [1 << 30, 1 << 30, 12 << 10, 0][rng.below(4) as usize];
        let durability = [Durability::Synced, Durability::Buffered][rng.below(2) as usize];
        let faults = Arc::new(FaultFs::new(Arc::new(disk.clone())));
        let config = config(&faults, retention, durability);
        World {
            store: Lsm::open_with("/store", config).expect("opens"),
            followers: vec![Follower { at: 0, feed: None }],
            may_be_late: retention < 1 << 30,
            asked: Vec::new(),
            shown: 0,
            shown_after_crash: 0,
            late: 0,
            crashes: 0,
            rng,
            disk,
            faults,
            retention,
            durability,
        }
    }

    fn last(&self) -> u64 {
        self.asked.last().map_or(0, |(sequence, _)| *sequence)
    }

    /// One step; errors only where a crash was planted.
    fn step(&mut self) -> nori_lsm::Result<()> {
        match self.rng.below(20) {
            0 => self.create(),
            1 => self.remove(),
            2 => self.store.flush(),
            3 => self.store.compact(),
            4 => self.store.step().map(drop),
            5 => {
                // Where a checkpoint may have been taken: it is durable.
                self.store.sync()?;
                let from = self.rng.below(self.asked.len() as u64 + 1) as usize;
                let at = self.asked.get(from).map_or(self.last(), |(sequence, _)| *sequence);
                self.followers.push(Follower { at, feed: None });
                Ok(())
            }
            6..=10 => self.follow(),
            _ => self.write(),
        }
    }

    fn create(&mut self) -> nori_lsm::Result<()> {
        let name = NAMES[self.rng.below(3) as usize];
        if self.store.keyspaces().iter().all(|known| known != name) {
            self.asked.push((self.last() + 1, Asked::Created(name.to_string())));
        }
        self.store.keyspace(name).map(drop)
    }

    fn remove(&mut self) -> nori_lsm::Result<()> {
        let name = NAMES[self.rng.below(3) as usize];
        if self.store.keyspaces().iter().any(|known| known == name) {
            self.asked.push((self.last() + 1, Asked::Dropped(name.to_string())));
            self.store.drop_keyspace(name)?;
        }
        Ok(())
    }

    fn write(&mut self) -> nori_lsm::Result<()> {
        let names = self.store.keyspaces();
        let (mut batch, mut writes) = (WriteBatch::new(), Vec::new());
        for _ in 0..=self.rng.below(4) {
            let name = &names[self.rng.below(names.len() as u64) as usize];
            let space = self.store.keyspace(name)?;
            let key = self.rng.below(40).to_be_bytes()[7..].to_vec();
            let value = (self.rng.below(5) > 0).then(|| {
                let length = [3, 30, 600][self.rng.below(3) as usize];
                vec![self.rng.below(256) as u8; length]
            });
            match &value {
                Some(value) => batch.put_in(&space, &key, value),
                None => batch.delete_in(&space, &key),
            };
            writes.push((name.clone(), key, value));
        }
        self.asked.push((self.last() + writes.len() as u64, Asked::Batch(writes)));
        self.store.write(batch)
    }

    /// A follower reads on for a while.
    fn follow(&mut self) -> nori_lsm::Result<()> {
        let which = self.rng.below(self.followers.len() as u64) as usize;
        let patience = self.rng.below(30);
        match self.read(which, patience) {
            Err(e) if e.kind() == ErrorKind::SeqNoTooOld && self.may_be_late => {
                self.late += 1;
                self.followers.swap_remove(which);
                self.store.sync()?;
                let at = self.store.snapshot().sequence();
                self.followers.push(Follower { at, feed: None });
                Ok(())
            }
            read => read,
        }
    }

    fn read(&mut self, which: usize, patience: u64) -> nori_lsm::Result<()> {
        let follower = &mut self.followers[which];
        if follower.feed.is_none() {
            follower.feed = Some(self.store.changes(follower.at)?);
        }
        let Some(feed) = &mut follower.feed else { return Ok(()) };
        for _ in 0..patience {
            let Some(change) = feed.try_next()? else {
                assert_eq!(follower.at, self.store.snapshot().sequence(), "nothing is held back");
                return Ok(());
            };
            let next = self.asked.partition_point(|(sequence, _)| *sequence <= follower.at);
            let seen = (change.sequence(), told(&change));
            assert_eq!(Some(&seen), self.asked.get(next), "behind {}", follower.at);
            follower.at = change.sequence();
            self.shown += 1;
            self.shown_after_crash += u64::from(self.crashes > 0);
        }
        Ok(())
    }

    /// The process dies or power is cut; everybody begins again.
    fn crash(&mut self) {
        let cut = Cut::ALL[self.rng.below(Cut::ALL.len() as u64) as usize];
        let disk = self.disk.crash(cut, self.rng.next_u64());
        self.followers.iter_mut().for_each(|follower| follower.feed = None);
        self.may_be_late |= !cut.is_kill() || self.faults.has_crashed();
        self.crashes += 1;
        self.faults = Arc::new(FaultFs::new(Arc::new(disk.clone())));
        self.disk = disk;
        let config = config(&self.faults, self.retention, self.durability);
        self.store = Lsm::open_with("/store", config).expect("opens after a crash");
        let last = self.store.recovery().last_sequence;
        let kept = self.asked.partition_point(|(sequence, _)| *sequence <= last);
        self.asked.truncate(kept);
        assert_eq!(self.last(), last, "the store ends with a whole change");
        for follower in &self.followers {
            assert!(follower.at <= last, "{cut:?}: {} was shown, {last} is left", follower.at);
        }
    }
}

fn config(faults: &Arc<FaultFs>, retention: u64, durability: Durability) -> Config {
    let config = tiny(faults.clone()).k_global(2).durability(durability);
    config.wal_retention_bytes(retention)
}

fn told(change: &Change) -> Asked {
    match change {
        Change::KeyspaceCreated { name, .. } => Asked::Created(name.to_string()),
        Change::KeyspaceDropped { name, .. } => Asked::Dropped(name.to_string()),
        Change::Batch { writes, .. } => {
            let plain = writes.iter().map(|w| {
                let value = w.value.as_ref().map(|value| value.to_vec());
                (w.keyspace.to_string(), w.key.to_vec(), value)
            });
            Asked::Batch(plain.collect())
        }
        other => panic!("{other:?}"),
    }
}

/// Runs a program; what it showed, showed behind a crash, and how often it was too late.
fn run(seed: u64) -> (u64, u64, u64) {
    let mut world = World::new(seed);
    for _ in 0..400 {
        let planted = world.rng.below(60) == 0;
        if planted {
            let after = world.rng.below(12);
            world.faults.inject(FaultRule::new(Fault::Crash).after(after));
        }
        let stepped = world.step();
        match stepped {
            Ok(()) if planted || world.rng.below(80) == 0 => world.crash(),
            Ok(()) => {}
            Err(_) if planted => world.crash(),
            Err(e) => panic!("{e}"),
        }
    }
    for which in 0..world.followers.len() {
        match world.read(which, u64::MAX) {
            Err(e) if e.kind() == ErrorKind::SeqNoTooOld && world.may_be_late => world.late += 1,
            read => read.expect("reads to the end"),
        }
    }
    (world.shown, world.shown_after_crash, world.late)
}

#[test]
fn followers_see_every_change_once_and_in_order() {
    let (mut shown, mut after, mut late, mut seeds) = (0, 0, 0, 0);
    run_suite("changes", "changes", "-p nori-lsm --test copies followers_see", 40, |seed| {
        let seen = run(seed);
        (shown, after, late, seeds) = (shown + seen.0, after + seen.1, late + seen.2, seeds + 1);
        seen.0
    });
    assert!(seeds < 10 || (after > 0 && late > 0 && shown > after), "{shown} {after} {late}");
}
