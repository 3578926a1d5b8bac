//! `nori bench hotspot`: one long load with a hot spot that moves, told second by second.
//!
//! 1. Four of five writes and nine of ten reads fall into a twentieth of the key space, which is
//!    contiguous and changes its place at equal distances.
//! 2. One thread writes, so what each key holds is known at any time: one byte per key.
//! 3. Each read is checked; at the end each key and each value is. What is wrong is told, and the
//!    exit code is 1.

use crate::args::HotspotArgs;
use crate::failure::Failure;
use crate::out::Out;
use crate::watched::Watched;
use crate::{machine, stores};
use load::{Load, Loaded, Shared};
use model::Model;
use nori_bench::Data;
use nori_lsm::{Config, Durability, Lsm};
use report::{Second, Settled};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

mod load;
mod model;
mod plan;
mod report;
mod verify;

/// `nori bench hotspot`
pub(super) fn hotspot(args: &HotspotArgs, out: &mut Out) -> Result<(), Failure> {
    super::check_new(&args.dir)?;
    Watched::check(&args.watch)?;
    let config = config(args);
    config.validate()?;
    let done = run(args, config, out);
    if !args.keep {
        // Also after a failure: a store that is left over keeps the next run from starting.
        let _ = super::remove(&args.dir);
    }
    done
}

fn config(args: &HotspotArgs) -> Config {
    let config = stores::config()
        .durability(Durability::Buffered)
        .block_cache_bytes(args.cache_mb << 20)
        .memtable_bytes(usize::try_from(args.buffer_kb << 10).unwrap_or(usize::MAX))
        .compression(super::compression(args.compression));
    match args.k_global {
        Some(k) => config.k_global(k),
        None => config,
    }
}

fn run(args: &HotspotArgs, config: Config, out: &mut Out) -> Result<(), Failure> {
    let data = Data::new(args.keys, args.key_bytes, args.value_bytes, args.seed);
    let model = Model::new(&data);
    let store = Lsm::open_with(&args.dir, config)?;
    let watched = Watched::start(&args.watch, &store, out)?;
    report::begin(args, out)?;
    machine::reset_memory_peak();
    let (loaded, seconds) = load(args, &store, &model, out)?;
    let settled = settle(args, &store, &data)?;
    let verified = verify::verify(&store, &model, args.seed)?;
    watched.finish()?;
    store.close()?;
    report::end(args, &data, &loaded, &settled, &seconds, &verified, out)
}

/// Runs the load and tells each second of it.
fn load(
    args: &HotspotArgs,
    store: &Lsm,
    model: &Model<'_>,
    out: &mut Out,
) -> Result<(Loaded, Vec<Second>), Failure> {
    let shared = Shared::default();
    let load = Load { args, store, model, shared: &shared };
    std::thread::scope(|scope| {
        // The writer lets go of its end when it ends, however it does.
        let (held, ended) = channel::<()>();
        let writer = scope.spawn(move || {
            let _held = held;
            load.write()
        });
        let readers: Vec<_> =
            (0..args.readers).map(|thread| scope.spawn(move || load.read(thread))).collect();
        let seconds = watch(&load, &ended, out);
        let panicked = |_| Failure::failed("a thread of the bench panicked");
        let mut loaded = writer.join().map_err(panicked)??;
        for reader in readers {
            loaded.took_part(reader.join().map_err(panicked)??);
        }
        Ok((loaded, seconds?))
    })
}

fn watch(load: &Load<'_>, ended: &Receiver<()>, out: &mut Out) -> Result<Vec<Second>, Failure> {
    let started = Instant::now();
    let (mut seconds, mut last) = (Vec::new(), started);
    let mut due = Duration::from_secs(1);
    loop {
        let left = due.saturating_sub(started.elapsed());
        let over = ended.recv_timeout(left) != Err(RecvTimeoutError::Timeout);
        let now = Instant::now();
        let second = load.second(now - started, now - last);
        report::second(&second, out)?;
        seconds.push(second);
        if over {
            return Ok(seconds);
        }
        (last, due) = (now, due + Duration::from_secs(1));
    }
}

/// Waits for the work that the load put off, and tells what all of it cost.
fn settle(args: &HotspotArgs, store: &Lsm, data: &Data) -> Result<Settled, Failure> {
    let started = Instant::now();
    let before = store.metrics();
    if !args.no_settle {
        store.wait_idle()?;
    }
    let after = store.metrics();
    Ok(Settled {
        seconds: started.elapsed().as_secs_f64(),
        stalls: after.stalls,
        write_amplification_loaded: report::write_amplification(&before, args.keys, data),
        write_amplification: report::write_amplification(&after, args.keys, data),
        tables: after.tables,
        table_bytes: after.table_bytes,
        slots: after.slots,
        memory_peak_bytes: machine::memory_peak(),
    })
}
