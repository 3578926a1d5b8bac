//! What the scenarios share: a store, its writers and what they were promised, and the oracle.
//!
//! A writer's n-th batch sets all its cells to n and adds the n-th entry to its list. So whoever
//! looks sees a whole batch if all cells hold one number, and a prefix without gaps if the list
//! ends there.

use crate::twins::{Twin, broken};
use nori_env::sync::thread::{self, JoinHandle};
use nori_env::sync::{Arc, Mutex};
use nori_env::{Cut, FileSystem, ManualClock, MemFs, Rng};
use nori_lsm::{Background, Config, Durability, Iter, Keyspace, Lsm, Result, WriteBatch};
// std's: what the oracle remembers is no scheduling point.
use std::sync::atomic::{AtomicU64, Ordering};

pub const ROOT: &str = "/store";

/// Writers at most.
const WRITERS: usize = 4;

/// Cells of a writer.
const CELLS: u8 = 2;

/// The second byte of the keys of a writer's list; cells come before.
const LIST: u8 = 0x80;

/// A store under test.
pub struct Rig {
    pub disk: MemFs,
    pub clock: ManualClock,
    pub store: Lsm,
    /// The last batch of each writer that was acknowledged, and the last one tried.
    acked: [AtomicU64; WRITERS],
    tried: [AtomicU64; WRITERS],
}

/// Small sizes: a few batches fill a memtable, a few flushes are work for a merge.
pub fn config(fs: Arc<dyn FileSystem>, clock: &ManualClock) -> Config {
    Config::default()
        .file_system(fs)
        .clock(Arc::new(clock.clone()))
        .memtable_bytes(4096)
        .max_sealed(1)
        .block_bytes(512)
        .table_bytes(4096)
        .block_cache_bytes(16 << 10)
        .k_global(2)
        .disk_reserve_bytes(Some(0))
}

impl Rig {
    /// A new store whose background threads run.
    pub fn open(adapt: impl FnOnce(Config) -> Config) -> Arc<Rig> {
        let disk = MemFs::new(1);
        let fs = Arc::new(disk.clone());
        Rig::open_on(disk, fs, adapt)
    }

    /// The same on a file system in front of `disk`.
    pub fn open_on(
        disk: MemFs,
        fs: Arc<dyn FileSystem>,
        adapt: impl FnOnce(Config) -> Config,
    ) -> Arc<Rig> {
        let clock = ManualClock::default();
        let config = adapt(config(fs, &clock).background(Background::Threads(1)));
        let store = Lsm::open_with(ROOT, config).expect("an empty disk");
        let [acked, tried] = [(); 2].map(|()| std::array::from_fn(|_| AtomicU64::new(0)));
        Arc::new(Rig { disk, clock, store, acked, tried })
    }

    pub fn acked(&self, me: usize) -> u64 {
        self.acked[me].load(Ordering::Relaxed)
    }

    pub fn tried(&self, me: usize) -> u64 {
        self.tried[me].load(Ordering::Relaxed)
    }

    /// A writer's next batch, with a value of `pad` bytes in it.
    pub fn write(&self, me: usize, pad: usize) -> Result<()> {
        self.write_to(me, pad, None)
    }

    /// The same in a keyspace.
    pub fn write_to(&self, me: usize, pad: usize, space: Option<&Keyspace>) -> Result<()> {
        let n = self.tried(me) + 1;
        self.tried[me].store(n, Ordering::Relaxed);
        let mut batch = WriteBatch::new();
        let mut put = |key: &[u8], value: Vec<u8>| match space {
            _ if broken(Twin::BatchInPieces) => self.store.put(key, value).expect("writes"),
            Some(space) => drop(batch.put_in(space, key, value)),
            None => drop(batch.put(key, value)),
        };
        for cell in 0..CELLS {
            put(&[me as u8, cell], n.to_be_bytes().to_vec());
        }
        let number = n.to_be_bytes();
        put(&[me as u8, LIST, number[6], number[7]], vec![n as u8; pad]);
        let done = self.store.write(batch);
        if done.is_ok() {
            self.acked[me].store(n, Ordering::Relaxed);
        }
        done
    }

    /// The last batch was refused: nothing of it was written, so its number is free again.
    pub fn refused(&self, me: usize) {
        self.tried[me].store(self.acked(me), Ordering::Relaxed);
    }

    /// What was acknowledged until now, by writer.
    pub fn promised(&self) -> [u64; WRITERS] {
        std::array::from_fn(|me| self.acked(me))
    }

    /// Looks at one writer's keys in one of several ways; the number of the last batch seen,
    /// which is at least what was acknowledged before, and at least `before`.
    pub fn look(&self, me: usize, before: u64, dice: &mut Rng) -> u64 {
        let promised = self.acked(me).max(before);
        let store = &self.store;
        let cell = |cell: u8| store.get([me as u8, cell]).expect("reads").map_or(0, number);
        let seen = match dice.below(5) {
            0 => cell(0),
            1 => cell(CELLS - 1),
            2 => {
                let keys: Vec<[u8; 2]> = (0..CELLS).map(|cell| [me as u8, cell]).collect();
                let values = store.multi_get(&keys).expect("reads");
                let numbers: Vec<u64> =
                    values.into_iter().map(|value| value.map_or(0, number)).collect();
                assert!(numbers.windows(2).all(|w| w[0] == w[1]), "half a batch: {numbers:?}");
                numbers[0]
            }
            3 => whole(store.prefix([me as u8])),
            _ => whole_from_behind(store.prefix([me as u8])),
        };
        let tried = self.tried(me);
        assert!(seen >= promised, "writer {me}: {seen} seen, {promised} before");
        assert!(seen <= tried, "writer {me}: {seen} seen, {tried} written");
        seen
    }

    /// Ends the store, opens it again, and finds each writer's acknowledged batches, and of those
    /// that were not at most one.
    pub fn finish(self: Arc<Rig>) {
        let Ok(rig) = Arc::try_unwrap(self) else { panic!("all threads have ended") };
        let (promised, tried) = (rig.promised(), rig.tried.each_ref());
        let tried = tried.map(|n| n.load(Ordering::Relaxed));
        rig.store.close().expect("closes");
        check_disk(&rig.disk, ROOT, &promised, &tried);
    }

    /// Closes the store and opens it with other options.
    pub fn reopen(self: Arc<Rig>, adapt: impl FnOnce(Config) -> Config) -> Arc<Rig> {
        let Ok(mut rig) = Arc::try_unwrap(self) else { panic!("nobody else holds the rig") };
        rig.store.close().expect("closes");
        let config = config(Arc::new(rig.disk.clone()), &rig.clock);
        rig.store = Lsm::open_with(ROOT, adapt(config)).expect("opens");
        Arc::new(rig)
    }

    /// What a crash now leaves is a store with all that was promised.
    pub fn check_crash(&self, cut: Cut, promised: &[u64], dice: &mut Rng) {
        let image = self.disk.crash(cut, dice.next_u64());
        let tried: Vec<u64> = (0..WRITERS).map(|me| self.tried(me)).collect();
        check_disk(&image, ROOT, promised, &tried);
    }
}

/// Opens what is on a disk, without threads, and holds it against what was promised.
pub fn check_disk(disk: &MemFs, root: &str, promised: &[u64], tried: &[u64]) -> Vec<u64> {
    let config = config(Arc::new(disk.clone()), &ManualClock::default());
    let store = Lsm::open_with(root, config.background(Background::Manual)).expect("opens");
    let found = promised.iter().zip(tried).enumerate().map(|(me, (promised, tried))| {
        let found = whole(store.prefix([me as u8]));
        assert!(found >= *promised, "writer {me}: {found} on disk, {promised} acknowledged");
        assert!(found <= *tried, "writer {me}: {found} on disk, {tried} written");
        found
    });
    found.collect()
}

fn number(value: impl AsRef<[u8]>) -> u64 {
    value.as_ref().iter().fold(0, |n, byte| n << 8 | u64::from(*byte))
}

/// The last batch that a scan of one writer's keys shows; all cells hold its number, and the list
/// has no gap and ends there.
pub fn whole(items: Iter) -> u64 {
    batches(items.collect())
}

fn whole_from_behind(items: Iter) -> u64 {
    let mut items: Vec<_> = items.rev().collect();
    items.reverse();
    batches(items.into_iter().collect())
}

fn batches(items: Result<Vec<(bytes::Bytes, bytes::Bytes)>>) -> u64 {
    let items = items.expect("reads");
    let Some((_, first)) = items.first() else { return 0 };
    let last = number(first);
    let (cells, list) = items.split_at(usize::from(CELLS).min(items.len()));
    let told: Vec<u64> = cells.iter().map(|(_, value)| number(value)).collect();
    assert_eq!(told, vec![last; usize::from(CELLS)], "half a batch");
    let listed: Vec<u64> = list.iter().map(|(key, _)| number(&key[2..])).collect();
    assert!(listed.iter().copied().eq(1..=last), "batches up to {last}, and not: {listed:?}");
    last
}

/// A thread of the scenario.
pub fn spawn(rig: &Arc<Rig>, body: impl FnOnce(&Rig) + Send + 'static) -> JoinHandle<()> {
    let rig = Arc::clone(rig);
    thread::spawn(move || body(&rig))
}

pub fn join(threads: impl IntoIterator<Item = JoinHandle<()>>) {
    threads.into_iter().for_each(|thread| thread.join().expect("no panic"));
}

/// A writer that writes some batches of up to `pad` bytes.
pub fn writer(
    rig: &Arc<Rig>,
    me: usize,
    batches: usize,
    pad: usize,
    dice: &mut Rng,
) -> JoinHandle<()> {
    let mut dice = dice.fork();
    spawn(rig, move |rig| {
        for _ in 0..batches {
            rig.write(me, dice.index(pad)).expect("writes");
        }
    })
}

/// Some state that threads of a scenario share without a promise about it.
pub type Board<T> = Arc<Mutex<T>>;

/// What the store is told of `promised`.
pub fn kept(promised: Durability) -> Durability {
    if broken(Twin::AckBeforeSync) { Durability::Buffered } else { promised }
}

/// Durable on return, or only handed over: both must be right.
pub fn some_durability(dice: &mut Rng) -> Durability {
    *dice.pick(&[Durability::Synced, Durability::Buffered])
}
