//! Chains of programs and power cuts.

use crate::history::{History, Keys, Mark, State};
use crate::program::{INTERVAL, Program, Shared, config};
use nori_env::sync::{Arc, Mutex};
use nori_env::{Cut, Fault, FaultFs, FaultRule, FileSystem, FsOp, MemFs, Rng};
use nori_lsm::{Durability, ErrorKind, Lsm};
use nori_testkit::run_seeds;
use std::collections::BTreeMap;
use std::path::Path;

const ROOT: &str = "/store";

/// A moment before one operation: the disk, what must survive it, how much was issued by then.
struct Moment {
    op: u64,
    image: MemFs,
    mark: Mark,
}

type Checked<T> = Result<T, String>;

/// Everything a store shows.
pub(crate) fn state(store: &Lsm) -> nori_lsm::Result<State> {
    let mut all = BTreeMap::new();
    for name in store.keyspaces() {
        let keys: nori_lsm::Result<Keys> = store
            .keyspace(&name)?
            .iter()
            .map(|item| item.map(|(k, v)| (k.to_vec(), v.to_vec())))
            .collect();
        all.insert(name, keys?);
    }
    Ok(State(all))
}

/// No file that nobody names, none missing.
fn check_files(fs: &dyn FileSystem, store: &Lsm) -> Checked<()> {
    let list = |sub: &str| fs.list(&Path::new(ROOT).join(sub)).map_err(|e| e.to_string());
    let (root, wal, sst) = (list("")?, list("wal")?, list("sst")?);
    let metrics = store.metrics();
    let expected = ["CURRENT", "HEAT", "LOCK", "lost", "sst", "wal"];
    let known = |name: &String| name.starts_with("MANIFEST-") || expected.contains(&&name[..]);
    let known = root.iter().all(known);
    let manifests = root.iter().filter(|n| n.starts_with("MANIFEST-")).count();
    if !known || manifests != 1 || wal.len() != 1 || sst.len() as u64 != metrics.tables {
        return Err(format!("orphans: {root:?} {wal:?} {sst:?}, {} tables live", metrics.tables));
    }
    Ok(())
}

/// The prefix that an open store shows.
fn matched(store: &Lsm, history: &History) -> Checked<usize> {
    let shown = state(store).map_err(|e| format!("reading: {e}"))?;
    let last = store.metrics().last_sequence;
    history.find(&shown, last).ok_or_else(|| format!("no prefix gives {shown:?}"))
}

/// Opens what a crash left and compares it with what must have survived.
fn check(disk: &MemFs, at: &Moment, cut: Cut, history: &History, seed: u64) -> Checked<usize> {
    let fs: Arc<dyn FileSystem> = Arc::new(disk.clone());
    let store = Lsm::open_with(ROOT, config(Arc::clone(&fs), Durability::Synced, seed))
        .map_err(|e| format!("open: {e}"))?;
    check_files(&*fs, &store)?;
    let p = matched(&store, history)?;
    let required = if cut == Cut::Kill { at.mark.kill } else { at.mark.power };
    if p < required {
        return Err(format!("{p} elements of {}, {required} required", history.len()));
    }
    Ok(p)
}

/// Most links have no fault, some one anywhere, some one where it hurts.
fn fault(rng: &mut Rng) -> Option<FaultRule> {
    let (nth, early) = (rng.below(200), rng.below(20));
    let rule = |fault| FaultRule::new(fault);
    match rng.below(16) {
        0 | 1 => Some(rule(Fault::Eio).nth(nth)),
        2 => Some(rule(Fault::Enospc).nth(nth)),
        3 => Some(rule(Fault::ShortWrite).nth(nth)),
        4 => Some(rule(Fault::Eio).on(FsOp::Sync).path("MANIFEST").nth(early)),
        5 => Some(rule(Fault::Eio).on(FsOp::Sync).path("/wal/").nth(early)),
        6 => Some(rule(Fault::Eio).changing().path("/sst/").nth(2 * early)),
        7 => Some(rule(Fault::Enospc).after(nth)),
        8 => Some(rule(Fault::ShortWrite).path("MANIFEST").nth(early)),
        _ => None,
    }
}

/// Runs one chain; counts the images that were opened.
pub(crate) fn chain(seed: u64, images: &mut u64) -> Checked<()> {
    let mut rng = Rng::new(seed);
    let mut disk = MemFs::new(seed);
    disk.set_sectors(&[32, 512]);
    let history: Shared = Arc::new(Mutex::new(History::default()));
    let mut value = 0;
    for link in 0..4 {
        let modes = [Durability::Synced, Durability::Buffered, Durability::Interval(INTERVAL)];
        let durability = *rng.pick(&modes);
        let setup = (durability, seed + link);
        let moments = run_link(&disk, &history, &mut rng, setup, &mut value, images)
            .map_err(|e| format!("{durability:?} link {link}: {e}"))?;
        let known = history.lock().clone();
        let say = |cut: Cut, at: &Moment, e: String| {
            format!("{durability:?} link {link}, {cut:?} before operation {}: {e}", at.op)
        };
        for at in &moments {
            for _ in 0..2 {
                let cut = *rng.pick(&Cut::ALL);
                let left = at.image.crash(cut, rng.next_u64());
                *images += 1;
                check(&left, at, cut, &known, rng.next_u64()).map_err(|e| say(cut, at, e))?;
            }
        }
        // Early moments lie inside opening.
        let early = if rng.chance(40) { moments.len().min(25) } else { moments.len() };
        let at = &moments[rng.below(early as u64) as usize];
        let cut = *rng.pick(&Cut::ALL);
        disk = at.image.crash(cut, rng.next_u64());
        *images += 1;
        let p = check(&disk.image(), at, cut, &known, 0).map_err(|e| say(cut, at, e))?;
        let power = if cut.is_kill() { at.mark.power.min(p) } else { p };
        history.lock().restart(p, power);
    }
    Ok(())
}

/// A checkpoint that was finished opens after any crash, and holds what was there when it was
/// asked for.
fn check_checkpoint(disk: &MemFs, dir: &str, expected: &State, cut: Cut, seed: u64) -> Checked<()> {
    let fs: Arc<dyn FileSystem> = Arc::new(disk.crash(cut, seed));
    let store = Lsm::open_with(dir, config(fs, Durability::Synced, seed))
        .map_err(|e| format!("opening {dir} after {cut:?}: {e}"))?;
    let shown = state(&store).map_err(|e| format!("reading {dir}: {e}"))?;
    if shown != *expected {
        return Err(format!("{dir} shows {shown:?}, not {expected:?}"));
    }
    Ok(())
}

/// Opens the disk, runs a program, and returns a moment for each operation and the end.
fn run_link(
    disk: &MemFs,
    history: &Shared,
    rng: &mut Rng,
    (durability, seed): (Durability, u64),
    value: &mut u64,
    images: &mut u64,
) -> Checked<Vec<Moment>> {
    let moments: Arc<Mutex<Vec<Moment>>> = Arc::default();
    let (seen, shared) = (Arc::clone(&moments), Arc::clone(history));
    disk.on_operation(Some(Arc::new(move |op, image: &MemFs| {
        let mark = shared.lock().mark;
        seen.lock().push(Moment { op, image: image.clone(), mark });
    })));
    let faults = FaultFs::new(Arc::new(disk.clone()));
    let rule = fault(rng);
    let faulty = rule.is_some();
    rule.into_iter().for_each(|rule| faults.inject(rule));
    let mut program = Program::new(history, rng, durability).with_faults(&faults);
    let config = config(Arc::new(faults.clone()), durability, seed).clock(program.clock());
    program.value = *value;
    match Lsm::open_with(ROOT, config) {
        Ok(store) => {
            // The fault strikes once, or from now on: a read that it struck is repeated.
            let first = matched(&store, &history.lock());
            let again = |_| {
                faults.clear();
                matched(&store, &history.lock())
            };
            let p = first.or_else(again)?;
            // What an open store shows is durable.
            history.lock().restart(p, p);
            let steps = rng.below(40);
            program.run(&store, steps, faulty)?;
            *value = program.value;
            faults.clear();
            let known = history.lock();
            let shown = state(&store).map_err(|e| format!("reading at the end: {e}"))?;
            if shown != *known.shown() {
                let expected = known.shown();
                return Err(format!("the running store shows {shown:?}, not {expected:?}"));
            }
            for (dir, p) in &program.checkpoints {
                let cut = *rng.pick(&Cut::ALL);
                *images += 1;
                check_checkpoint(disk, dir, &known.states[*p], cut, rng.next_u64())?;
            }
            drop(known);
            if rng.chance(30) && store.close().is_ok() && !faulty {
                history.lock().durable();
            }
        }
        Err(e) if faulty && e.kind() != ErrorKind::Corruption => {}
        Err(e) => return Err(format!("open: {e}")),
    }
    disk.on_operation(None);
    let mut moments = std::mem::take(&mut *moments.lock());
    let mark = history.lock().mark;
    moments.push(Moment { op: disk.operations(), image: disk.image(), mark });
    Ok(moments)
}

#[test]
fn every_crash_leaves_a_prefix() {
    let mut images = 0;
    run_seeds("-p nori-lsm --test crash every_crash_leaves_a_prefix", 24, |seed| {
        chain(seed, &mut images).unwrap_or_else(|e| panic!("seed {seed}: {e}"));
    });
    println!("{images} crash images, 0 violations");
}
