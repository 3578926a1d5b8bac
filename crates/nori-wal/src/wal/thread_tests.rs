//! One appender, several syncers, a housekeeper, and crashes while they run.

#![allow(clippy::unwrap_used)]

use super::*;
use crate::replay::{RecoveryMode, replay};
use nori_env::sync::atomic::{AtomicBool, Ordering};
use nori_env::sync::thread;
use nori_env::{Cut, MemFs};
use nori_testkit::run_seeds;

const DIR: &str = "/wal";
const GROUPS: u64 = 300;

/// Images of a running log, each with a position that was reported durable before it was taken.
fn run(seed: u64) -> Vec<(MemFs, u64, Position)> {
    let fs = MemFs::new(seed);
    let options = WalOptions { grow_bytes: 512, ..WalOptions::default() };
    let wal = Arc::new(Wal::create(Arc::new(fs.clone()), Path::new(DIR), 1, options).unwrap());
    let done = Arc::new(AtomicBool::new(false));
    let floor = Arc::new(Mutex::new(1));
    let mut threads = Vec::new();
    for _ in 0..2 {
        let (wal, done) = (wal.clone(), done.clone());
        threads.push(thread::spawn(move || {
            let mut last = Position::default();
            while !done.load(Ordering::Acquire) {
                let to = wal.end();
                let durable = wal.sync_to(to).unwrap();
                assert!(durable >= to && durable >= last, "a sync fell short or went back");
                last = durable;
            }
        }));
    }
    let (keeper, stop, kept) = (wal.clone(), done.clone(), floor.clone());
    threads.push(thread::spawn(move || {
        while !stop.load(Ordering::Acquire) {
            let pin = keeper.pin(0);
            let newest = keeper.end().segment;
            assert!(keeper.retire(newest).unwrap().is_empty(), "a pinned segment was retired");
            drop(pin);
            let mut floor = kept.lock();
            *floor = newest.saturating_sub(1).max(*floor);
            keeper.retire(*floor).unwrap();
            drop(floor);
            keeper.prepare_spare(300).unwrap();
            thread::yield_now();
        }
    }));
    let mut images = Vec::new();
    for group in 0..GROUPS {
        let payload = [group.to_le_bytes(), [7; 8]].concat();
        wal.append([&payload[..], &payload[..]]).unwrap();
        if group % 10 == 9 {
            wal.next_segment().unwrap();
        }
        if group % 20 == 13 {
            // Held, so that the floor is not raised between reading it and taking the image.
            let floor = floor.lock();
            let durable = wal.durable();
            images.push((fs.image(), *floor, durable));
        }
    }
    done.store(true, Ordering::Release);
    threads.into_iter().for_each(|t| t.join().unwrap());
    images
}

#[test]
fn threads_keep_the_order_and_the_promises() {
    let mut checked = 0;
    run_seeds("-p nori-wal threads_keep_the_order_and_the_promises", 10, |seed| {
        for (image, floor, durable) in run(seed) {
            for cut in Cut::ALL {
                let disk = image.crash(cut, seed);
                let mut seen: Vec<u64> = Vec::new();
                let mut keep = |_: Position, payload: &[u8]| -> Result<()> {
                    seen.push(u64::from_le_bytes(payload[..8].try_into().unwrap()));
                    Ok(())
                };
                let mode = RecoveryMode::CutTornTail;
                let found = replay(&disk, Path::new(DIR), floor, durable, mode, &mut keep).unwrap();
                assert!(found.end >= durable, "{cut:?}");
                // Two records a group, groups without a gap.
                let first = seen.first().copied().unwrap_or(0);
                for (i, group) in seen.iter().enumerate() {
                    assert_eq!(*group, first + i as u64 / 2, "{cut:?}");
                }
                checked += 1;
            }
        }
    });
    println!("{checked} images");
}
