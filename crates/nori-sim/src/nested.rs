//! A crash, a crash while opening what it left, and a crash while opening what that left.
//!
//! The second falls before each call of the first opening, the third before each call of the
//! second opening. Two processes may have left names that only the machine's memory knew, and a
//! power cut may keep the later and lose the earlier; so after a kill, `R` may get shorter, down
//! to what was durable, until an opening has returned. From then on it stays.

use crate::history::History;
use crate::image::{Checked, Moment, ROOT, check_files, matched, open};
use crate::make::{Taste, program};
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
    fn crash(&self, cut: Cut, seed: u64) -> Left {
        let kill = if cut == Cut::Kill { self.kill } else { self.power };
        Left { disk: self.disk.crash(cut, seed), kill, ..self.clone() }
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

/// A moment in the life of a seed's program, and the history it belongs to.
fn base(seed: u64, seen: &mut Seen, rng: &mut Rng) -> Checked<(Moment, History)> {
    let program = program(seed, Taste::Plain);
    let mut sim = Sim::new(&program, seen, Trace::default());
    sim.keep_moments();
    for op in &program.ops {
        sim.step(op)?;
    }
    let (mut moments, history) = sim.moments();
    Ok((moments.swap_remove(rng.index(moments.len())), history))
}

/// Runs the program of a seed, crashes it three deep in every way, and returns how many images
/// were opened.
///
/// # Errors
/// The first image that is not as it must be, and the three crashes that led to it.
pub fn nested(seed: u64, seen: &mut Seen) -> Result<u64, String> {
    let before = seen.images;
    attempt(|| three_deep(seed, seen))?;
    Ok(seen.images - before)
}

fn three_deep(seed: u64, seen: &mut Seen) -> Checked<()> {
    let mut rng = Rng::new(seed ^ 0x3dee);
    let (moment, history) = base(seed, seen, &mut rng)?;
    let at = Left {
        disk: moment.image,
        kill: moment.mark.kill,
        power: moment.mark.power,
        is_exact: false,
    };
    // Half of the first crashes and of the second ones are kills: the machine goes on.
    let cut = |rng: &mut Rng| {
        let any = *rng.pick(&Cut::ALL);
        if rng.chance(45) { Cut::Kill } else { any }
    };
    let first = cut(&mut rng);
    let left = at.crash(first, rng.next_u64());
    let say = |e: String| format!("{first:?} before call {}: {e}", moment.op);
    for (n, inside) in left.moments(&history, seed).map_err(say)?.iter().enumerate() {
        let second = cut(&mut rng);
        let say = |e| say(format!("then {second:?} in call {n} of the opening: {e}"));
        let left = inside.crash(second, rng.next_u64());
        let moments = left.moments(&history, seed + 1).map_err(say)?;
        for (m, inside) in moments.iter().enumerate() {
            let third = *rng.pick(&Cut::ALL);
            let say = |e| say(format!("then {third:?} in call {m} of the next: {e}"));
            let left = inside.crash(third, rng.next_u64());
            left.moments(&history, seed + 2).map_err(say)?;
            seen.images += 1;
        }
    }
    Ok(())
}
