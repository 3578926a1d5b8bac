//! A crash, a crash while opening what it left, and a crash while opening what that left.
//!
//! The second falls before each call of the first opening, the third before each call of the
//! second opening. Two processes may have left names that only the machine's memory knew, and a
//! power cut may keep the later and lose the earlier; so after a kill, `R` may get shorter, down
//! to what was durable, until an opening has returned. From then on it stays.

use crate::history::History;
use crate::image::{Checked, ROOT, check_files, matched, open};
use crate::make::{Taste, program};
use crate::op::{Blow, Op, Program};
use crate::run::attempt;
use crate::seen::Seen;
use crate::sim::Sim;
use crate::trace::Trace;
use nori_env::sync::{Arc, Mutex};
use nori_env::{Cut, MemFs, Rng};

/// A disk, and how many elements opening it must show: a kill may not cost what a cut of the
/// power may.
#[derive(Clone)]
struct Left {
    disk: MemFs,
    kill: usize,
    power: usize,
    /// Whether exactly `kill` elements must show, since an opening has returned with them.
    is_exact: bool,
}

impl Left {
    fn crash(&self, blow: Blow) -> Left {
        let kill = if blow.cut == Cut::Kill { self.kill } else { self.power };
        Left { disk: self.disk.crash(blow.cut, u64::from(blow.seed)), kill, ..self.clone() }
    }

    /// Opens it; returns it before each call of that, and behind all.
    fn moments(&self, history: &History, options: u64) -> Checked<Vec<Left>> {
        let images: Arc<Mutex<Vec<MemFs>>> = Arc::default();
        let taken = Arc::clone(&images);
        self.disk.on_operation(Some(Arc::new(move |_, image: &MemFs| {
            taken.lock().push(image.clone());
        })));
        let store = open(&self.disk, ROOT, options)?;
        self.disk.on_operation(None);
        let disk = self.disk.image();
        check_files(&disk, &store)?;
        let p = matched(&store, history)?;
        if p < self.kill || self.is_exact && p != self.kill {
            let more = if self.is_exact { "exactly" } else { "at least" };
            return Err(format!("{p} elements, {more} {} required", self.kill));
        }
        drop(store);
        let images = std::mem::take(&mut *images.lock()).into_iter();
        let mut moments: Vec<Left> = images.map(|disk| Left { disk, ..self.clone() }).collect();
        moments.push(Left { disk, kill: p, power: p, is_exact: true });
        Ok(moments)
    }
}

/// Runs the program of a seed, crashes it three deep in every way, and returns how many images
/// were opened.
///
/// # Errors
/// The first image that is not as it must be, and the program with the crashes that led to it.
pub fn nested(seed: u64, seen: &mut Seen) -> Result<u64, (Box<Program>, String)> {
    let (before, mut program) = (seen.images, program(seed, Taste::Plain));
    let mut blows = Vec::new();
    match attempt(|| three_deep(&program, &mut blows, seen)) {
        Ok(()) => Ok(seen.images - before),
        Err(said) => {
            program.ops.insert(0, Op::Crash(blows));
            Err((Box::new(program), said))
        }
    }
}

/// `blows` are the crashes so far, so that whoever hears of an error knows them.
fn three_deep(program: &Program, blows: &mut Vec<Blow>, seen: &mut Seen) -> Checked<()> {
    let mut rng = Rng::new(program.seed ^ 0x3dee);
    let mut sim = Sim::new(program, seen, Trace::default());
    sim.keep_moments();
    for op in &program.ops {
        sim.step(op)?;
    }
    let (options, (mut moments, history)) = (sim.next_options(), sim.moments());
    let moment = moments.swap_remove(rng.index(moments.len()));
    let (kill, power) = (moment.mark.kill, moment.mark.power);
    let at = Left { disk: moment.image, kill, power, is_exact: false };
    let left = at.crash(blow(moment.op, &mut rng, blows));
    for (n, inside) in (0..).zip(left.moments(&history, options)?) {
        blows.truncate(1);
        let left = inside.crash(blow(n, &mut rng, blows));
        for (m, inside) in (0..).zip(left.moments(&history, options + 1)?) {
            blows.truncate(2);
            let left = inside.crash(blow(m, &mut rng, blows));
            left.moments(&history, options + 2).map_err(|e| {
                format!("{:?} before calls {}, {n}, {m}: {e}", cuts(blows), moment.op)
            })?;
            seen.images += 1;
        }
    }
    Ok(())
}

/// The next crash. The first two are mostly kills, so that the machine goes on with what only its
/// memory knows; the last is mostly the power cut that keeps anything and loses anything.
fn blow(at: u64, rng: &mut Rng, blows: &mut Vec<Blow>) -> Blow {
    let any = *rng.pick(&Cut::ALL);
    let usual = if blows.len() < 2 { Cut::Kill } else { Cut::RandomSectors };
    let cut = if rng.chance(50) { usual } else { any };
    let seed = rng.below(1 << 30).try_into().unwrap_or(0);
    let blow = Blow { at: at.try_into().unwrap_or(u32::MAX), cut, seed };
    blows.push(blow);
    blow
}

fn cuts(blows: &[Blow]) -> Vec<Cut> {
    blows.iter().map(|blow| blow.cut).collect()
}
