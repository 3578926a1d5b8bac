//! One store, opened twice by one process: refused under any of its names, until the last handle
//! of the first is gone.

use crate::bomb::{PLANNED, quietly};
use crate::hook::{Hook, Hooked};
use crate::{ROOT, check, config, fill, in_time, kind, on, tiny};
use nori_env::sync::atomic::{AtomicUsize, Ordering};
use nori_env::sync::{Arc, thread};
use nori_env::{FsOp, MemFs, Rng};
use nori_lsm::{Background, Config, ErrorKind, Lsm};
use nori_testkit::{TempDir, run_suite};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::Duration;

fn real() -> Config {
    tiny(Config::default()).background(Background::Manual)
}

/// Other names of one directory.
fn names(dir: &Path) -> Vec<PathBuf> {
    let shown = dir.display();
    let here = std::env::current_dir().expect("known");
    let up = here.components().skip(1).map(|_| "..").collect::<PathBuf>();
    vec![
        dir.join("store"),
        dir.join("store/"),
        dir.join("link"),
        dir.join("link/."),
        PathBuf::from(format!("{shown}//store")),
        PathBuf::from(format!("/{shown}/store")),
        PathBuf::from(format!("{shown}/./store/.")),
        PathBuf::from(format!("{shown}/store/../store")),
        PathBuf::from(format!("{shown}/store/wal/..")),
        up.join(dir.strip_prefix("/").expect("absolute")).join("store"),
    ]
}

#[test]
fn a_second_opening_is_refused_under_every_name() {
    let dir = TempDir::new("twice");
    std::fs::create_dir(dir.path().join("store")).expect("creates");
    symlink("store", dir.path().join("link")).expect("links");
    for first in names(dir.path()) {
        let store = Lsm::open_with(&first, real()).expect("the one before is closed");
        fill(&store, 10, 0);
        for second in names(dir.path()) {
            let said = second.display();
            assert_eq!(kind(Lsm::open_with(&second, real())), Err(ErrorKind::Locked), "{said}");
            assert_eq!(kind(Lsm::destroy(&second)), Err(ErrorKind::Locked), "{said}");
            check(&Lsm::open_read_only_with(&second, real()).expect("reads"), 10, 0);
        }
        check(&store, 10, 0);
    }
}

/// Every handle keeps the lock, whichever goes last.
#[test]
fn the_lock_is_free_when_the_last_handle_is_gone() {
    quietly();
    let disk = MemFs::new(1);
    for last in 0..7 {
        let store = Lsm::open_with(ROOT, config(on(&disk))).expect("the lock is free");
        fill(&store, 10, 0);
        let mut handles: Vec<Box<dyn std::any::Any>> = vec![
            Box::new(store.clone()),
            Box::new(store.keyspace("other").expect("creates")),
            Box::new(store.iter()),
            Box::new(store.snapshot()),
            Box::new(store.cursor()),
            Box::new(store.snapshot().keyspace("other").expect("exists")),
            Box::new(store),
        ];
        let held = handles.remove(last);
        drop(handles);
        let refused = kind(Lsm::open_with(ROOT, config(on(&disk))));
        assert_eq!(refused, Err(ErrorKind::Locked), "handle {last}");
        drop(held);
    }
    // An opening that failed keeps nothing.
    for at in 0..20 {
        let counted = Arc::new(AtomicUsize::new(at));
        let hook: Hook = Arc::new(move |op, _: &Path| {
            if op == FsOp::Sync && counted.fetch_sub(1, Ordering::SeqCst) == 0 {
                panic!("{PLANNED} of its own");
            }
        });
        let fs = Hooked::over(on(&disk), hook);
        let tried = thread::spawn(move || kind(Lsm::open_with(ROOT, config(fs))));
        let _ = tried.join();
        check(&Lsm::open_with(ROOT, config(on(&disk))).expect("the lock is free"), 10, 0);
    }
}

/// Closing takes a while; whoever opens meanwhile is refused or finds all of it done.
#[test]
fn opening_while_another_closes() {
    let test = "-p nori-lsm --test hostile opening_while_another_closes";
    run_suite("open-while-closing", "runs", test, 20, |seed| {
        in_time("opening and closing", move || {
            let (disk, mut rng) = (MemFs::new(seed), Rng::new(seed));
            let delay = Duration::from_micros(rng.below(300));
            let hook: Hook = Arc::new(move |op, _: &Path| {
                if matches!(op, FsOp::Sync | FsOp::Rename) {
                    thread::sleep(delay);
                }
            });
            let fs = Hooked::over(on(&disk), hook);
            let open = Arc::new(AtomicUsize::new(0));
            let users: Vec<_> = (0..3usize)
                .map(|me| {
                    let (fs, open) = (Arc::clone(&fs), Arc::clone(&open));
                    thread::spawn(move || {
                        let mut written = 0;
                        while written < 3 {
                            let config = config(Arc::clone(&fs));
                            let threads = Background::Threads(1);
                            let config = if me == 0 { config.background(threads) } else { config };
                            match Lsm::open_with(ROOT, config) {
                                Ok(store) => {
                                    assert_eq!(
                                        open.fetch_add(1, Ordering::SeqCst),
                                        0,
                                        "two at once"
                                    );
                                    let key = format!("{me}-{written}");
                                    store.put(key, "value").expect("writes");
                                    open.fetch_sub(1, Ordering::SeqCst);
                                    written += 1;
                                    if me == 1 {
                                        store.close().expect("closes");
                                    }
                                }
                                Err(e) => assert_eq!(e.kind(), ErrorKind::Locked, "{e}"),
                            }
                        }
                    })
                })
                .collect();
            users.into_iter().for_each(|user| user.join().expect("no panic"));
            let store = Lsm::open_with(ROOT, config(on(&disk))).expect("the lock is free");
            assert_eq!(store.iter().count(), 9);
        });
        1
    });
}
