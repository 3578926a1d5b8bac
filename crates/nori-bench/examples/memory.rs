//! How much memory a store takes at most, beside its budget: `cargo run --release -p nori-bench
//! --example memory -- --budget-mb 32 --data-mb 1024 --dir DIR`.
//!
//! Fills, overwrites, reads and scans one store, and tells after each part the most memory that the
//! process had above what it had before the store was opened, as the system counts it (resident,
//! code included), against the budget and against what the store says of itself.

#![allow(clippy::disallowed_methods, clippy::disallowed_types)]

use nori_bench::{Data, Rng, machine};
use nori_lsm::{Config, Durability, Lsm, MemoryInfo};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

struct Args {
    budget: u64,
    data: u64,
    value_bytes: u64,
    iterators: u64,
    reads: u64,
    dir: PathBuf,
}

fn args() -> Result<Args> {
    let mut args = Args {
        budget: 64 << 20,
        data: 1 << 30,
        value_bytes: 100,
        iterators: 100,
        reads: 500_000,
        dir: PathBuf::from("nori-memory"),
    };
    let mut given = std::env::args().skip(1);
    while let Some(name) = given.next() {
        let value = given.next().ok_or(format!("{name} needs a value"))?;
        match name.as_str() {
            "--budget-mb" => args.budget = value.parse::<u64>()? << 20,
            "--data-mb" => args.data = value.parse::<u64>()? << 20,
            "--value-bytes" => args.value_bytes = value.parse()?,
            "--iterators" => args.iterators = value.parse()?,
            "--reads" => args.reads = value.parse()?,
            "--dir" => args.dir = PathBuf::from(value),
            _ => return Err(format!("there is no {name}").into()),
        }
    }
    Ok(args)
}

/// The most that was seen in one part.
struct Part {
    idle: u64,
    budget: u64,
    counted: u64,
    started: Instant,
}

impl Part {
    fn look(&mut self, store: &Lsm) {
        self.counted = self.counted.max(store.metrics().memory.total_bytes);
    }

    fn tell(&mut self, name: &str, store: &Lsm) -> f64 {
        self.look(store);
        let peak = machine::memory_peak().unwrap_or(0).saturating_sub(self.idle);
        let now = machine::memory_now().unwrap_or(0).saturating_sub(self.idle);
        let (mb, memory) = (|bytes: u64| bytes as f64 / f64::from(1 << 20), store.metrics().memory);
        let MemoryInfo { blocks_bytes, tables_bytes, active_bytes, sealed_bytes, .. } = memory;
        println!(
            "{name:<12} {:>7.1} {:>7.1} {:>7.1} {:>6.2} | blocks {:>6.1} tables {:>6.1} \
             active {:>5.1} sealed {:>5.1} jobs {:>4.1} iterators {:>5.1} | {:>6.1} s",
            mb(peak),
            mb(now),
            mb(self.counted),
            peak as f64 / self.budget as f64,
            mb(blocks_bytes),
            mb(tables_bytes),
            mb(active_bytes),
            mb(sealed_bytes),
            mb(memory.jobs_bytes),
            mb(memory.iterators_bytes),
            self.started.elapsed().as_secs_f64(),
        );
        machine::reset_memory_peak();
        (self.counted, self.started) = (0, Instant::now());
        peak as f64 / self.budget as f64
    }
}

fn main() -> ExitCode {
    match run() {
        Ok(worst) => {
            println!("at most {worst:.2} of the budget");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<f64> {
    let args = args()?;
    if args.dir.exists() {
        return Err(format!("{} exists already", args.dir.display()).into());
    }
    let keys = args.data / (16 + args.value_bytes);
    let data = Data::new(keys, 16, args.value_bytes, 42);
    let mut key = Vec::new();
    data.key(0, &mut key);
    let idle = machine::memory_now().unwrap_or(0);
    machine::reset_memory_peak();
    let config = Config::default()
        .memory_budget(args.budget)
        .durability(Durability::Buffered)
        .stall_timeout(Duration::from_secs(3600));
    let store = Lsm::open_with(&args.dir, config)?;
    let mut part = Part { idle, budget: args.budget, counted: 0, started: Instant::now() };
    println!("budget {} MiB, {keys} keys, idle {} KiB", args.budget >> 20, idle >> 10);
    println!(
        "{:<12} {:>7} {:>7} {:>7} {:>6} | in MiB at the end",
        "", "peak", "now", "counted", "part"
    );
    let mut worst: f64 = part.tell("open", &store);
    let mut rng = Rng::new(1);
    for at in 0..keys {
        // A full-period order that jumps about.
        put(&store, &data, (at * 7_368_787) % keys, &mut key)?;
        if at % 10_000 == 0 {
            part.look(&store);
        }
    }
    worst = worst.max(part.tell("fill", &store));
    store.wait_idle()?;
    worst = worst.max(part.tell("settle", &store));
    read(&store, &data, args.reads, &mut rng, &mut part, &mut key)?;
    worst = worst.max(part.tell("read", &store));
    for at in 0..keys / 4 {
        put(&store, &data, rng.below(keys), &mut key)?;
        if at % 10_000 == 0 {
            part.look(&store);
        }
    }
    worst = worst.max(part.tell("overwrite", &store));
    store.wait_idle()?;
    read(&store, &data, args.reads, &mut rng, &mut part, &mut key)?;
    worst = worst.max(part.tell("read again", &store));
    let threads = std::thread::scope(|scope| {
        let readers: Vec<_> = (0..4)
            .map(|seed| {
                let (store, data) = (&store, &data);
                scope.spawn(move || {
                    let (mut rng, mut key) = (Rng::new(seed), Vec::new());
                    for _ in 0..args.reads / 4 {
                        data.key(rng.below(keys), &mut key);
                        store.get(&key)?;
                    }
                    Ok::<(), nori_lsm::Error>(())
                })
            })
            .collect();
        readers.into_iter().map(|reader| reader.join()).collect::<Vec<_>>()
    });
    for thread in threads {
        thread.map_err(|_| "a reader panicked")??;
    }
    worst = worst.max(part.tell("4 readers", &store));
    let mut met = 0u64;
    for item in store.iter() {
        item?;
        met += 1;
    }
    worst = worst.max(part.tell("scan", &store));
    let mut open = Vec::new();
    for _ in 0..args.iterators {
        data.key(rng.below(keys), &mut key);
        let mut iter = store.range::<Vec<u8>, _>(key.clone()..);
        met += iter.by_ref().take(10).count() as u64;
        open.push(iter);
    }
    worst = worst.max(part.tell("iterators", &store));
    for round in 0..20 {
        for iter in &mut open {
            met += iter.by_ref().take(100).count() as u64;
        }
        for _ in 0..keys / 100 {
            put(&store, &data, rng.below(keys), &mut key)?;
        }
        if round % 5 == 0 {
            part.look(&store);
        }
    }
    worst = worst.max(part.tell("all at once", &store));
    drop(open);
    store.wait_idle()?;
    worst = worst.max(part.tell("at the end", &store));
    println!("met {met} entries; {:?}", store.pressure());
    store.close()?;
    Lsm::destroy(&args.dir)?;
    Ok(worst)
}

fn put(store: &Lsm, data: &Data, at: u64, key: &mut Vec<u8>) -> Result<()> {
    data.key(at, key);
    Ok(store.put(&*key, data.value(at))?)
}

fn read(
    store: &Lsm,
    data: &Data,
    reads: u64,
    rng: &mut Rng,
    part: &mut Part,
    key: &mut Vec<u8>,
) -> Result<()> {
    for at in 0..reads {
        data.key(rng.below(data.keys), key);
        if store.get(&*key)?.is_none() {
            return Err(format!("{} is missing", key.escape_ascii()).into());
        }
        if at % 10_000 == 0 {
            part.look(store);
        }
    }
    Ok(())
}
