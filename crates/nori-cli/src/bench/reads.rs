//! `nori bench reads`: keys of an existing store read again and again, and the slots before and
//! after. Reads are what makes slots hot; the slots of other keys stay as they are.

use crate::args::ReadsArgs;
use crate::commands::slots::slot_table;
use crate::failure::Failure;
use crate::out::Out;
use crate::progress::Progress;
use crate::{stores, text, units};
use nori_lsm::{Keyspace, Lsm, Result, SlotInfo};
use std::time::{Duration, Instant};

/// Keys that are remembered to be read; of more, every n-th.
const KEYS_MAX: usize = 1 << 20;

/// `nori bench reads`
pub(super) fn reads(args: &ReadsArgs, out: &mut Out) -> std::result::Result<(), Failure> {
    let prefix = text::parse(&args.prefix, false)?;
    let bytes = usize::try_from(args.buffer_mb << 20).unwrap_or(usize::MAX);
    let store = stores::open_existing_with(&args.store, |config| config.memtable_bytes(bytes))?;
    stores::view(&store, &args.keyspace)?;
    let keyspace = store.keyspace(&args.keyspace)?;
    let keys = collect(&keyspace, &prefix)?;
    if keys.is_empty() {
        return Err(Failure::Failed("no key starts with that prefix".to_string()));
    }
    store.wait_idle()?;
    show("before", &store, &keyspace, out)?;
    let before = store.metrics();
    let (done, seconds) = read(args, &keyspace, &keys, out)?;
    store.wait_idle()?;
    show("after", &store, &keyspace, out)?;
    let after = store.metrics();
    let reads = (after.point_reads - before.point_reads).max(1) as f64;
    out.line(format!(
        "{} of {} keys in {seconds:.0} s, {} a second; {:.2} runs met, {:.2} looked into by each",
        units::plural(done, "read", "reads"),
        units::count(keys.len() as u64),
        units::count(units::rate(done, seconds) as u64),
        (after.runs_visible - before.runs_visible) as f64 / reads,
        (after.runs_probed - before.runs_probed) as f64 / reads,
    ))?;
    out.line(format!(
        "{} merges meanwhile, {} written; \"nori why {}\" tells of them",
        after.compactions - before.compactions,
        units::bytes(after.compaction_bytes_written - before.compaction_bytes_written),
        args.store.display()
    ))?;
    Ok(store.close()?)
}

fn collect(keyspace: &Keyspace, prefix: &[u8]) -> Result<Vec<Vec<u8>>> {
    let (mut keys, mut step) = (Vec::new(), 1);
    for (n, entry) in keyspace.prefix(prefix).enumerate() {
        let (key, _) = entry?;
        if n % step == 0 {
            keys.push(key.to_vec());
        }
        if keys.len() > KEYS_MAX {
            step *= 2;
            keys = keys.into_iter().step_by(2).collect();
        }
    }
    Ok(keys)
}

fn show(
    when: &str,
    store: &Lsm,
    keyspace: &Keyspace,
    out: &mut Out,
) -> std::result::Result<(), Failure> {
    let slots: Vec<SlotInfo> = keyspace.slots();
    out.line(format!("{when}: {} slots, pressure {:.2}", slots.len(), store.pressure().pressure))?;
    for line in slot_table(&slots, usize::MAX, false).lines() {
        out.line(line)?;
    }
    out.line("")
}

/// Reads random keys of those until the time is over; how many, and in how many seconds.
fn read(
    args: &ReadsArgs,
    keyspace: &Keyspace,
    keys: &[Vec<u8>],
    out: &Out,
) -> std::result::Result<(u64, f64), Failure> {
    let progress = Progress::spinner(out, "reading");
    let start = Instant::now();
    let limit = Duration::from_secs(args.seconds);
    let one = |thread: u64| -> Result<u64> {
        let mut state = args.seed.wrapping_add(thread).wrapping_mul(2).wrapping_add(1);
        let mut done = 0;
        while start.elapsed() < limit {
            for _ in 0..256 {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                keyspace.get(&keys[(state % keys.len() as u64) as usize])?;
            }
            done += 256;
            if thread == 0 {
                progress.note(units::plural(done, "read", "reads"));
            }
        }
        Ok(done)
    };
    let counts = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..args.threads).map(|t| scope.spawn(move || one(t))).collect();
        threads.into_iter().map(|thread| thread.join()).collect::<Vec<_>>()
    });
    let mut total = 0;
    for count in counts {
        let count = count.map_err(|_| Failure::Failed("a reading thread panicked".into()))?;
        total += count?;
    }
    Ok((total, start.elapsed().as_secs_f64()))
}
