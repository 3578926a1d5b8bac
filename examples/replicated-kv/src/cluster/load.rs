//! Clients that write and read while members fail, and what they were told.
//!
//! 1. A value is written once in the whole test, so a read tells which write it saw.
//! 2. A write of which nobody knows what became of it is under way for ever: it may take effect at
//!    any moment after its begin. A key with several of them is left for a new one, since the check
//!    looks at every subset.

use crate::client::{Client, Failed};
use nori_torture::{Call, History};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Registers that are written and read by all.
const REGISTERS: u64 = 4;
/// Lost answers after which a register's key is left for a new one.
const LOST_MAX: usize = 5;
/// Calls after which it is, too: the check of a long history costs more.
const CALLS_MAX: usize = 4_000;
/// Threads that a history tells apart.
const THREADS: usize = 32;
/// How long a request may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// What was done, and what was found.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tally {
    /// Writes that were acknowledged.
    pub writes: u64,
    /// Reads that were answered.
    pub reads: u64,
    /// Writes whose answer was lost.
    pub unknown: u64,
    /// Requests that nobody took.
    pub refused: u64,
}

/// A register: its key's generation, the calls on that key, and how many answers were lost.
#[derive(Debug, Default)]
struct Register {
    generation: u64,
    history: History,
    lost: usize,
    under_way: usize,
    /// Keys that are done.
    finished: Vec<(String, History)>,
}

impl Register {
    /// Begins a call: the generation of the key it is for, or `None` while a key is left.
    fn begin(&mut self, which: u64) -> Option<u64> {
        let is_full = self.lost >= LOST_MAX || self.history.len() >= CALLS_MAX;
        if is_full && self.under_way > 0 {
            return None;
        }
        if is_full {
            let history = std::mem::take(&mut self.history);
            self.finished.push((key_of(which, self.generation), history));
            self.generation += 1;
            self.lost = 0;
        }
        self.under_way += 1;
        Some(self.generation)
    }
}

#[derive(Debug)]
struct Shared {
    begun: Instant,
    stop: AtomicBool,
    value: AtomicU64,
    registers: Vec<Mutex<Register>>,
    /// Acknowledged writes of keys that are written once.
    acknowledged: Mutex<BTreeMap<String, u64>>,
    tally: Mutex<Tally>,
    is_stale: bool,
}

/// Clients at work.
#[derive(Debug)]
pub struct Load {
    shared: Arc<Shared>,
    tasks: Vec<tokio::task::JoinHandle<()>>,
    runtime: tokio::runtime::Runtime,
}

impl Load {
    /// Starts clients: half of what each does is on registers, half on keys of its own. With
    /// `is_stale` they read what some member has, which the check must find.
    ///
    /// # Errors
    /// What keeps the runtime from starting.
    pub fn start(members: &[String], clients: usize, is_stale: bool) -> Result<Load, String> {
        let runtime = tokio::runtime::Runtime::new().map_err(|e| e.to_string())?;
        let shared = Arc::new(Shared {
            begun: Instant::now(),
            stop: AtomicBool::new(false),
            value: AtomicU64::new(1),
            registers: (0..REGISTERS).map(|_| Mutex::default()).collect(),
            acknowledged: Mutex::default(),
            tally: Mutex::default(),
            is_stale,
        });
        let tasks = (0..clients.min(THREADS)).map(|thread| {
            let client = Client::new(members.to_vec(), PATIENCE);
            runtime.spawn(work(thread, client, Arc::clone(&shared)))
        });
        let tasks = tasks.collect();
        Ok(Load { shared, tasks, runtime })
    }

    /// What was done so far.
    pub fn tally(&self) -> Tally {
        *lock(&self.shared.tally)
    }

    /// Ends the clients; gives what was acknowledged, and every history that nothing explains.
    pub fn stop(self) -> (Tally, BTreeMap<String, u64>, usize, Vec<String>) {
        self.shared.stop.store(true, Ordering::Relaxed);
        for task in self.tasks {
            let _ = self.runtime.block_on(task);
        }
        let (mut histories, mut wrong) = (0, Vec::new());
        for (number, register) in self.shared.registers.iter().enumerate() {
            let mut register = lock(register);
            let last = key_of(number as u64, register.generation);
            let history = std::mem::take(&mut register.history);
            register.finished.push((last, history));
            for (key, history) in register.finished.drain(..) {
                histories += 1;
                wrong.extend(history.check().err().map(|why| format!("{key}: {why}")));
            }
        }
        let acknowledged = lock(&self.shared.acknowledged).clone();
        (*lock(&self.shared.tally), acknowledged, histories, wrong)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn key_of(register: u64, generation: u64) -> String {
    format!("register-{register}-{generation}")
}

impl Shared {
    fn now(&self) -> u64 {
        u64::try_from(self.begun.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    fn count(&self, add: impl FnOnce(&mut Tally)) {
        add(&mut lock(&self.tally));
    }
}

/// One client.
async fn work(thread: usize, client: Client, shared: Arc<Shared>) {
    let mut rng = nori_env::Rng::new(thread as u64 + 1);
    let mut number = 0_u64;
    while !shared.stop.load(Ordering::Relaxed) {
        if rng.chance(50) {
            let register = rng.below(REGISTERS);
            on_register(thread, register, rng.below(100), &client, &shared).await;
            continue;
        }
        number += 1;
        let key = format!("own-{thread:02}-{number:08}");
        let value = shared.value.fetch_add(1, Ordering::Relaxed);
        match client.put(key.as_bytes(), value.to_string().as_bytes()).await {
            Ok(()) => {
                lock(&shared.acknowledged).insert(key, value);
                shared.count(|tally| tally.writes += 1);
            }
            Err(Failed::Unknown(_)) => shared.count(|tally| tally.unknown += 1),
            Err(Failed::Refused(_)) => shared.count(|tally| tally.refused += 1),
        }
    }
}

/// A call on a register, and its place in the history.
async fn on_register(thread: usize, which: u64, dice: u64, client: &Client, shared: &Shared) {
    let cell = &shared.registers[which as usize];
    let Some(generation) = lock(cell).begin(which) else {
        // Those under way end first.
        tokio::time::sleep(Duration::from_millis(5)).await;
        return;
    };
    let key = key_of(which, generation);
    let begin = shared.now();
    let (call, outcome) = if dice < 50 {
        let read = match shared.is_stale {
            true => client.get_stale(client.any(), key.as_bytes()).await,
            false => client.get(key.as_bytes()).await,
        };
        match read {
            Ok(found) => {
                let value = found.map(|v| String::from_utf8_lossy(&v).parse().unwrap_or(0));
                (Call::Get(value), Ok(()))
            }
            // A read that was not answered says nothing.
            Err(error) => (Call::Get(None), Err(Failed::Refused(error.to_string()))),
        }
    } else if dice < 90 {
        let value = shared.value.fetch_add(1, Ordering::Relaxed);
        (Call::Put(value), client.put(key.as_bytes(), value.to_string().as_bytes()).await)
    } else {
        (Call::Delete, client.delete(key.as_bytes()).await)
    };
    let end = shared.now();
    let mut register = lock(cell);
    register.under_way -= 1;
    let is_read = matches!(call, Call::Get(_));
    match outcome {
        Ok(()) => register.history.add(thread, begin, end, call),
        Err(Failed::Unknown(_)) => {
            let own = THREADS + register.lost;
            register.lost += 1;
            register.history.add(own, begin, u64::MAX, call);
        }
        Err(Failed::Refused(_)) => {}
    }
    drop(register);
    shared.count(|tally| match outcome {
        Ok(()) if is_read => tally.reads += 1,
        Ok(()) => tally.writes += 1,
        Err(Failed::Unknown(_)) => tally.unknown += 1,
        Err(Failed::Refused(_)) => tally.refused += 1,
    });
}
