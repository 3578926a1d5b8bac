//! Power cuts and kills before every operation of every step.

use crate::rig::Rig;
use crate::truth::Truth;
use crate::twin::{Step, Twin, check_leftovers, go_on};
use nori_env::{Cut, FileSystem, MemFs, Rng};
use nori_testkit::run_seeds;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

/// What a crash before each operation of `work` leaves.
fn images(disk: &MemFs, work: impl FnOnce()) -> Vec<(Cut, u64, MemFs)> {
    let taken = Arc::new(Mutex::new(Vec::new()));
    let into = Arc::clone(&taken);
    disk.on_operation(Some(Arc::new(move |number, disk: &MemFs| {
        let cut = Cut::ALL[(number % Cut::ALL.len() as u64) as usize];
        let image = disk.crash(cut, number);
        into.lock().unwrap().push((cut, number, image));
    })));
    work();
    disk.on_operation(None);
    std::mem::take(&mut *taken.lock().unwrap())
}

fn kind(step: &Step) -> &'static str {
    match step {
        Step::Append(_) => "append",
        Step::Truncate(_) => "truncate",
        Step::Purge(_) => "purge",
        Step::Vote(_) => "vote",
        Step::Commit(_) => "commit",
        Step::Apply(_) => "apply",
        Step::Build => "build",
        Step::Install(_) => "install",
    }
}

#[test]
fn a_crash_anywhere_leaves_what_was_promised() {
    let mut points = BTreeMap::<&str, u64>::new();
    run_seeds("-p nori-openraft --test raft a_crash_anywhere", 12, |seed| {
        let (mut rng, mut truth) = (Rng::new(seed), Truth::new(seed + 2000));
        let (disk, mut rig) = Rig::in_memory(seed);
        let mut twin = Twin::default();
        for number in 0..60 {
            let step = twin.choose(&mut rng, &mut truth);
            let mut after = twin.clone();
            after.apply(&step, &mut truth);
            let images = images(&disk, || {
                twin.run(&step, &mut rig, &mut truth).unwrap();
                // Background work belongs to what a crash may hit.
                while rng.chance(30) && rig.store.store().step().unwrap() {}
            });
            for (cut, operation, image) in images {
                let told =
                    format!("{cut:?} before operation {operation} of step {number}: {step:?}");
                let fs: Arc<dyn FileSystem> = Arc::new(image.clone());
                let mut rig = Rig::open(fs).unwrap_or_else(|e| panic!("{told}: {e}"));
                check_leftovers(&image, &rig, &told);
                twin.check_crash(&after, &mut rig, &mut truth, cut.is_kill(), &told);
                go_on(&mut rig, &mut truth, &told);
                *points.entry(kind(&step)).or_default() += 1;
            }
            twin = after;
        }
    });
    println!("{points:?}");
    let points: u64 = points.values().sum();
    println!("{points} crash points");
}

/// A new directory: nothing there yet, not even the store.
#[test]
fn a_crash_while_it_is_made_leaves_one_to_open() {
    let disk = MemFs::new(3);
    let images = images(&disk, || {
        Rig::open(Arc::new(disk.clone())).unwrap();
    });
    assert!(images.len() > 20, "{}", images.len());
    let points = images.len();
    for (cut, operation, image) in images {
        let told = format!("{cut:?} before operation {operation}");
        let mut rig = Rig::open(Arc::new(image.clone())).unwrap_or_else(|e| panic!("{told}: {e}"));
        check_leftovers(&image, &rig, &told);
        go_on(&mut rig, &mut Truth::new(3), &told);
    }
    println!("{points} crash points");
}
