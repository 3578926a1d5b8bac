//! Killed while opening, opened again, and power lost then: two processes may have left names
//! that only the machine's memory knew, and a power cut may keep the later and lose the earlier.

use crate::chain::state;
use crate::program::config;
use nori_env::sync::{Arc, Mutex};
use nori_env::{Cut, MemFs, Rng};
use nori_lsm::{Durability, Lsm};
use nori_testkit::run_seeds;

type Checked<T> = Result<T, String>;

fn open(disk: &MemFs, seed: u64) -> Checked<Lsm> {
    let config = config(Arc::new(disk.clone()), Durability::Synced, seed);
    Lsm::open_with("/store", config).map_err(|e| format!("open: {e}"))
}

/// The disk before each operation that opening it does.
fn moments(disk: &MemFs, seed: u64) -> Checked<Vec<MemFs>> {
    let moments: Arc<Mutex<Vec<MemFs>>> = Arc::default();
    let seen = Arc::clone(&moments);
    disk.on_operation(Some(Arc::new(move |_, image: &MemFs| seen.lock().push(image.clone()))));
    let store = open(disk, seed)?;
    disk.on_operation(None);
    drop(store);
    Ok(std::mem::take(&mut *moments.lock()))
}

/// Kills the first open at each operation and the second one by a power cut at each of its own.
pub(crate) fn nested(seed: u64, images: &mut u64) -> Checked<()> {
    let mut rng = Rng::new(seed);
    let disk = MemFs::new(seed);
    disk.set_sectors(&[32, 512]);
    let store = open(&disk, seed)?;
    for n in 0..3 + rng.below(12) {
        let size = *rng.pick(&[8, 900]);
        store.put(format!("k{}", n % 5), vec![n as u8; size]).map_err(|e| e.to_string())?;
    }
    let shown = state(&store).map_err(|e| e.to_string())?;
    let left = disk.crash(Cut::Kill, seed);
    drop(store);
    for (first, killed) in moments(&left.image(), seed)?.iter().enumerate() {
        let machine = killed.crash(Cut::Kill, rng.next_u64());
        for (second, cut) in moments(&machine, seed)?.iter().enumerate() {
            let image = cut.crash(Cut::RandomSectors, rng.next_u64());
            *images += 1;
            let say = |e: String| format!("killed at {first}, power cut at {second}: {e}");
            let store = open(&image, seed).map_err(say)?;
            let found = state(&store).map_err(|e| say(e.to_string()))?;
            if found != shown {
                return Err(say(format!("{found:?}, not {shown:?}")));
            }
        }
    }
    Ok(())
}

#[test]
fn a_kill_and_a_power_cut_while_opening() {
    let mut images = 0;
    run_seeds("-p nori-lsm --test crash a_kill_and_a_power_cut_while_opening", 3, |seed| {
        nested(seed, &mut images).unwrap_or_else(|e| panic!("seed {seed}: {e}"));
    });
    println!("{images} crash images, 0 violations");
    assert!(images > 500);
}
