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

/// What chains did.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    /// Images that were opened.
    pub(crate) images: u64,
    pub(crate) splits: u64,
    pub(crate) joins: u64,
    pub(crate) moves: u64,
    /// Images with a file of what was learned, and how many of these were damaged.
    pub(crate) heats: (u64, u64),
    /// Such a file, from an earlier link or another chain.
    heat: Vec<u8>,
}

impl Seen {
    /// Whether slots changed in every way, so that the images mean something for them.
    pub(crate) fn is_complete(&self) -> bool {
        let all = [self.splits, self.joins, self.moves, self.heats.0, self.heats.1];
        all.iter().all(|count| *count > 0)
    }

    /// Does something bad to the file of what was learned, which must not matter.
    fn spoil_heat(&mut self, disk: &MemFs, rng: &mut Rng) {
        let path = Path::new(ROOT).join("HEAT");
        let Some(mut bytes) = disk.read_file(&path) else { return };
        self.heats.0 += 1;
        if !rng.chance(30) {
            self.heat = bytes;
            return;
        }
        self.heats.1 += 1;
        let at = rng.index(bytes.len().max(1));
        match rng.below(5) {
            0 => bytes.truncate(at),
            1 => bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= 0x20),
            2 => bytes.iter_mut().skip(at).for_each(|byte| *byte = 0),
            3 => bytes = self.heat.clone(),
            _ => {
                disk.remove_file(&path);
                return;
            }
        }
        disk.write_file(&path, &bytes);
    }

    fn note(&mut self, store: &Lsm) -> Checked<()> {
        let metrics = store.metrics();
        self.splits += metrics.slot_splits;
        self.joins += metrics.slot_joins;
        self.moves += metrics.trivial_moves;
        let ledgers: Vec<_> = store.slots().into_iter().map(|slot| slot.ledger).collect();
        let sums = [
            (ledgers.iter().map(|l| l.flush_bytes).sum::<u64>(), metrics.flush_bytes),
            (ledgers.iter().map(|l| l.flushed_user_bytes).sum(), metrics.flushed_user_bytes),
            (ledgers.iter().map(|l| l.compactions).sum(), metrics.compactions),
            (
                ledgers.iter().map(|l| l.compaction_bytes_written).sum(),
                metrics.compaction_bytes_written,
            ),
            (ledgers.iter().map(|l| l.scans).sum(), metrics.scans),
        ];
        match sums.iter().find(|(booked, counted)| booked != counted) {
            Some(sums) => Err(format!("the books of the slots: {sums:?}")),
            None => Ok(()),
        }
    }
}

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
fn check(
    disk: &MemFs,
    at: &Moment,
    cut: Cut,
    history: &History,
    seed: u64,
    seen: &mut Seen,
) -> Checked<usize> {
    seen.images += 1;
    seen.spoil_heat(disk, &mut Rng::new(seed));
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

/// Runs one chain.
pub(crate) fn chain(seed: u64, seen: &mut Seen) -> Checked<()> {
    let mut rng = Rng::new(seed);
    let mut disk = MemFs::new(seed);
    disk.set_sectors(&[32, 512]);
    let history: Shared = Arc::new(Mutex::new(History::default()));
    let mut value = 0;
    for link in 0..4 {
        let modes = [Durability::Synced, Durability::Buffered, Durability::Interval(INTERVAL)];
        let durability = *rng.pick(&modes);
        let setup = (durability, seed + link);
        let moments = run_link(&disk, &history, &mut rng, setup, &mut value, seen)
            .map_err(|e| format!("{durability:?} link {link}: {e}"))?;
        let known = history.lock().clone();
        let say = |cut: Cut, at: &Moment, e: String| {
            format!("{durability:?} link {link}, {cut:?} before operation {}: {e}", at.op)
        };
        for at in &moments {
            for _ in 0..2 {
                let cut = *rng.pick(&Cut::ALL);
                let left = at.image.crash(cut, rng.next_u64());
                let seed = rng.next_u64();
                check(&left, at, cut, &known, seed, seen).map_err(|e| say(cut, at, e))?;
            }
        }
        // Early moments lie inside opening.
        let early = if rng.chance(40) { moments.len().min(25) } else { moments.len() };
        let at = &moments[rng.below(early as u64) as usize];
        let cut = *rng.pick(&Cut::ALL);
        disk = at.image.crash(cut, rng.next_u64());
        let p = check(&disk.image(), at, cut, &known, 0, seen).map_err(|e| say(cut, at, e))?;
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
    seen: &mut Seen,
) -> Checked<Vec<Moment>> {
    let moments: Arc<Mutex<Vec<Moment>>> = Arc::default();
    let (taken, shared) = (Arc::clone(&moments), Arc::clone(history));
    disk.on_operation(Some(Arc::new(move |op, image: &MemFs| {
        let mark = shared.lock().mark;
        taken.lock().push(Moment { op, image: image.clone(), mark });
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
                seen.images += 1;
                check_checkpoint(disk, dir, &known.states[*p], cut, rng.next_u64())?;
            }
            drop(known);
            seen.note(&store)?;
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
    let (mut seen, mut chains) = (Seen::default(), 0);
    run_seeds("-p nori-lsm --test crash every_crash_leaves_a_prefix", 24, |seed| {
        chain(seed, &mut seen).unwrap_or_else(|e| panic!("seed {seed}: {e}"));
        chains += 1;
    });
    let Seen { images, splits, joins, moves, heats, .. } = &seen;
    println!("{images} crash images, 0 violations; {splits} cuts, {joins} joins, {moves} moves");
    println!("{} images had learned something, which was spoilt in {}", heats.0, heats.1);
    // What never happened was never tested.
    assert!(chains < 24 || seen.is_complete(), "{seen:?}");
}
