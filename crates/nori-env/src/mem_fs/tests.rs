//! What each cut may leave and must leave, and that images are copies, repeatable and cheap.

#![allow(clippy::unwrap_used)]

use super::*;
use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::thread;
use std::path::PathBuf;

fn path(text: &str) -> PathBuf {
    PathBuf::from(text)
}

fn create(fs: &MemFs, name: &str) -> Arc<dyn File> {
    fs.open(Path::new(name), OpenMode::CreateNew).unwrap()
}

fn read(fs: &MemFs, name: &str) -> Option<String> {
    fs.read_file(name).map(|b| String::from_utf8_lossy(&b).into_owned())
}

/// A file `/a` with `synced` on disk and `tail` behind it in the page cache, its name on disk.
fn with_tail(synced: &[u8], tail: &[&[u8]]) -> MemFs {
    let fs = MemFs::new(1);
    let file = create(&fs, "/a");
    file.write_at(synced, 0).unwrap();
    file.sync_data().unwrap();
    fs.sync_dir(Path::new("/")).unwrap();
    let mut at = synced.len() as u64;
    for part in tail {
        file.write_at(part, at).unwrap();
        at += part.len() as u64;
    }
    fs
}

fn outcomes(fs: &MemFs, cut: Cut, name: &str) -> BTreeSet<Option<String>> {
    (0..300).map(|seed| read(&fs.crash(cut, seed), name)).collect()
}

fn set(items: &[Option<&str>]) -> BTreeSet<Option<String>> {
    items.iter().map(|i| i.map(str::to_string)).collect()
}

#[test]
fn a_kill_keeps_everything_and_stays_unsynced() {
    let fs = with_tail(b"ab", &[b"cd"]);
    create(&fs, "/new");
    let after = fs.crash(Cut::Kill, 1);
    assert_eq!(read(&after, "/a"), Some("abcd".into()));
    assert!(after.exists(Path::new("/new")).unwrap());
    let later = after.crash(Cut::SyncedOnly, 2);
    assert_eq!(read(&later, "/a"), Some("ab".into()));
    assert!(!later.exists(Path::new("/new")).unwrap());
}

#[test]
fn synced_only_and_all_written_are_the_two_ends() {
    let fs = with_tail(b"ab", &[b"cd", b"ef"]);
    assert_eq!(outcomes(&fs, Cut::SyncedOnly, "/a"), set(&[Some("ab")]));
    assert_eq!(outcomes(&fs, Cut::AllWritten, "/a"), set(&[Some("abcdef")]));
}

#[test]
fn a_prefix_of_operations_spans_files() {
    let fs = with_tail(b"ab", &[b"cd"]);
    let other = create(&fs, "/b");
    other.write_at(b"x", 0).unwrap();
    let mut seen = BTreeSet::new();
    for seed in 0..300 {
        let after = fs.crash(Cut::PrefixOfOps, seed);
        seen.insert((read(&after, "/a"), read(&after, "/b")));
    }
    let pair = |a: &str, b: Option<&str>| (Some(a.to_string()), b.map(str::to_string));
    let all =
        [pair("ab", None), pair("abcd", None), pair("abcd", Some("")), pair("abcd", Some("x"))];
    assert_eq!(seen, BTreeSet::from(all));
}

#[test]
fn the_last_write_tears_at_any_byte() {
    let fs = with_tail(b"ab", &[b"cd", b"ef"]);
    let all = set(&[Some("ab"), Some("abc"), Some("abcd"), Some("abcde"), Some("abcdef")]);
    assert_eq!(outcomes(&fs, Cut::TornLast, "/a"), all);
}

#[test]
fn a_tail_may_turn_to_zeros_with_its_length_kept() {
    let fs = with_tail(b"ab", &[b"cd"]);
    let all = set(&[Some("ab\0\0"), Some("abc\0"), Some("abcd")]);
    assert_eq!(outcomes(&fs, Cut::ZeroTail, "/a"), all);
}

#[test]
fn sectors_come_in_any_subset_and_never_touch_synced_ones() {
    let fs = with_tail(b"ab", &[b"cdef"]);
    fs.set_sectors(&[2]);
    let seen = outcomes(&fs, Cut::RandomSectors, "/a");
    let all = set(&[
        Some("ab"),
        Some("ab\0\0\0\0"),
        Some("abcd"),
        Some("abcd\0\0"),
        Some("ab\0\0ef"),
        Some("abcdef"),
    ]);
    assert_eq!(seen, all);
}

#[test]
fn a_sector_written_twice_may_hold_the_older_bytes() {
    let fs = with_tail(b"ab", &[b"cd"]);
    let file = fs.open(Path::new("/a"), OpenMode::Write).unwrap();
    file.write_at(b"XY", 2).unwrap();
    fs.set_sectors(&[512]);
    let seen = outcomes(&fs, Cut::RandomSectors, "/a");
    for wanted in ["ab", "abcd", "abXY"] {
        assert!(seen.contains(&Some(wanted.into())), "{wanted} in {seen:?}");
    }
}

#[test]
fn garbage_tails_hold_stale_bytes_of_files() {
    let fs = with_tail(b"ab", &[b"cd"]);
    fs.write_file("/old", b"0123");
    let seen = outcomes(&fs, Cut::GarbageTail, "/a");
    assert!(seen.contains(&Some("ab23".into())), "{seen:?}");
    assert!(seen.contains(&Some("abcd".into())), "{seen:?}");
    assert!(seen.iter().flatten().all(|s| s.starts_with("ab")), "{seen:?}");
}

#[test]
fn names_and_bytes_are_synced_apart() {
    let fs = MemFs::new(1);
    let file = create(&fs, "/a");
    file.write_at(b"x", 0).unwrap();
    file.sync_all().unwrap();
    assert_eq!(read(&fs.crash(Cut::SyncedOnly, 0), "/a"), None);
    let fs = MemFs::new(1);
    create(&fs, "/a").write_at(b"x", 0).unwrap();
    fs.sync_dir(Path::new("/")).unwrap();
    assert_eq!(read(&fs.crash(Cut::SyncedOnly, 0), "/a"), Some(String::new()));
}

#[test]
fn a_rename_is_there_as_a_whole_or_not_at_all() {
    let fs = MemFs::new(1);
    fs.write_file("/d/CURRENT", b"old");
    fs.write_file("/d/tmp", b"new");
    fs.rename(Path::new("/d/tmp"), Path::new("/d/CURRENT")).unwrap();
    for cut in Cut::ALL {
        for seed in 0..50 {
            let after = fs.crash(cut, seed);
            let found = (read(&after, "/d/CURRENT").unwrap(), read(&after, "/d/tmp"));
            let done = found == ("new".into(), None);
            assert!(done || found == ("old".into(), Some("new".into())), "{cut:?} {found:?}");
            assert!(done || !cut.is_kill());
        }
    }
    fs.sync_dir(Path::new("/d")).unwrap();
    assert_eq!(read(&fs.crash(Cut::SyncedOnly, 0), "/d/CURRENT"), Some("new".into()));
}

#[test]
fn a_removed_file_may_return_until_its_directory_is_synced() {
    let fs = MemFs::new(1);
    fs.write_file("/a", b"x");
    fs.remove(Path::new("/a")).unwrap();
    assert_eq!(outcomes(&fs, Cut::RandomSectors, "/a"), set(&[None, Some("x")]));
    fs.sync_dir(Path::new("/")).unwrap();
    for cut in Cut::ALL {
        assert_eq!(outcomes(&fs, cut, "/a"), set(&[None]));
    }
    assert_eq!(fs.total_bytes(), 0);
}

#[test]
fn made_directories_are_durable() {
    let fs = MemFs::new(1);
    fs.create_dir_all(Path::new("/x/y/z")).unwrap();
    for cut in Cut::ALL {
        assert!(fs.crash(cut, 3).exists(Path::new("/x/y/z")).unwrap(), "{cut:?}");
    }
    // A crash in the middle leaves a part, never a child without its parent.
    let fs = MemFs::new(1);
    let seen = Arc::new(Mutex::new(BTreeSet::new()));
    let log = seen.clone();
    fs.on_operation(Some(Arc::new(move |_, image| {
        let after = image.crash(Cut::SyncedOnly, 0);
        let is = |p: &str| after.exists(Path::new(p)).unwrap();
        log.lock().insert((is("/x"), is("/x/y")));
    })));
    fs.create_dir_all(Path::new("/x/y")).unwrap();
    assert_eq!(*seen.lock(), BTreeSet::from([(false, false), (true, false)]));
}

#[test]
fn after_a_failed_sync_bytes_are_clean_and_lost() {
    let fs = with_tail(b"ab", &[b"cd"]);
    let file = fs.open(Path::new("/a"), OpenMode::Write).unwrap();
    file.lose_unsynced();
    assert_eq!(read(&fs, "/a"), Some("abcd".into()));
    file.sync_data().unwrap();
    assert_eq!(outcomes(&fs, Cut::AllWritten, "/a"), set(&[Some("ab")]));
    // A later write and sync brings its own bytes and leaves a hole where the lost ones were.
    file.write_at(b"ef", 4).unwrap();
    file.sync_data().unwrap();
    assert_eq!(read(&fs, "/a"), Some("abcdef".into()));
    assert_eq!(outcomes(&fs, Cut::Kill, "/a"), set(&[Some("abcdef")]));
    assert_eq!(outcomes(&fs, Cut::KillEvict, "/a"), set(&[Some("ab\0\0ef")]));
    assert_eq!(outcomes(&fs, Cut::SyncedOnly, "/a"), set(&[Some("ab\0\0ef")]));
    assert_eq!(fs.read_synced("/a").unwrap(), b"ab\0\0ef");
}

#[test]
fn a_full_disk_takes_what_fits() {
    let fs = MemFs::new(1);
    fs.set_capacity(Some(10));
    let file = create(&fs, "/a");
    file.write_at(b"0123456", 0).unwrap();
    assert_eq!(fs.free_space(Path::new("/")).unwrap(), 3);
    let error = file.write_at(b"abcdef", 7).unwrap_err();
    assert!(error.is_full(), "{error}");
    assert_eq!(read(&fs, "/a"), Some("0123456abc".into()));
    assert!(fs.open(Path::new("/b"), OpenMode::CreateNew).unwrap_err().is_full());
    // Writing over needs no room; removing gives room, once nobody has the file open.
    file.write_at(b"XYZ", 0).unwrap();
    fs.remove(Path::new("/a")).unwrap();
    assert_eq!(fs.free_space(Path::new("/")).unwrap(), 0);
    drop(file);
    assert_eq!(fs.free_space(Path::new("/")).unwrap(), 10);
}

#[test]
fn allocated_room_counts_and_is_kept() {
    let fs = MemFs::new(1);
    fs.set_capacity(Some(100));
    let (a, b) = (create(&fs, "/a"), create(&fs, "/b"));
    a.allocate(80).unwrap();
    assert_eq!((a.len().unwrap(), fs.total_bytes()), (0, 80));
    assert!(b.write_at(&[1; 30], 0).unwrap_err().is_full());
    a.write_at(&[2; 80], 0).unwrap();
    assert!(a.allocate(200).unwrap_err().is_full());
}

#[test]
fn images_are_independent_and_random_numbers_differ() {
    let fs = with_tail(b"ab", &[b"cd"]);
    let after = fs.crash(Cut::Kill, 1);
    after.open(Path::new("/a"), OpenMode::Write).unwrap().write_at(b"ZZ", 0).unwrap();
    after.remove(Path::new("/a")).unwrap();
    assert_eq!(read(&fs, "/a"), Some("abcd".into()));
    let numbers: BTreeSet<u64> = (0..20).map(|seed| fs.crash(Cut::Kill, seed).random()).collect();
    assert_eq!(numbers.len(), 20);
    let twice = fs.crash(Cut::Kill, 1).crash(Cut::Kill, 1);
    assert_ne!(twice.random(), fs.crash(Cut::Kill, 1).random());
}

#[test]
fn the_hook_sees_the_state_before_each_operation() {
    let fs = MemFs::new(1);
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = seen.clone();
    fs.on_operation(Some(Arc::new(move |op, image| {
        log.lock().push((op, image.read_file("/a").map(|b| b.len())));
    })));
    let file = create(&fs, "/a");
    file.write_at(b"abc", 0).unwrap();
    file.sync_data().unwrap();
    fs.on_operation(None);
    file.write_at(b"d", 3).unwrap();
    assert_eq!(*seen.lock(), [(0, None), (1, Some(0)), (2, Some(3))]);
    assert_eq!(fs.operations(), 4);
}

#[test]
fn a_lock_is_held_once_and_freed_by_drop_and_crash() {
    let fs = MemFs::new(1);
    let held = fs.lock(Path::new("/LOCK")).unwrap();
    assert!(held.is_some());
    assert!(fs.lock(Path::new("/LOCK")).unwrap().is_none());
    assert!(fs.crash(Cut::Kill, 0).lock(Path::new("/LOCK")).unwrap().is_some());
    drop(held);
    assert!(fs.lock(Path::new("/LOCK")).unwrap().is_some());
}

#[test]
fn the_test_verbs_work_behind_the_back() {
    let fs = MemFs::new(1);
    assert!(fs.write_file("/d/a", b"abc"));
    assert!(!fs.write_file("/d", b"a directory"));
    assert!(!fs.write_file("/d/a/b", b"through a file"));
    assert!(fs.corrupt("/d/a", 1, 0x20));
    assert!(!fs.corrupt("/d/a", 3, 1));
    assert_eq!(read(&fs.crash(Cut::SyncedOnly, 0), "/d/a"), Some("aBc".into()));
    assert_eq!(fs.files(), [(path("/d/a"), 3)]);
    assert_eq!((fs.total_bytes(), fs.operations()), (3, 0));
    assert!(fs.remove_file("/d/a"));
    assert!(!fs.remove_file("/d/a"));
    assert!(fs.files().is_empty());
}

#[test]
fn absurd_offsets_are_errors() {
    let fs = MemFs::new(1);
    let file = create(&fs, "/a");
    for offset in [u64::MAX, u64::MAX - 1, 1 << 60, FILE_BYTES_MAX] {
        assert!(file.write_at(b"xx", offset).is_err());
        assert!(file.truncate(offset.max(FILE_BYTES_MAX + 1)).is_err());
        assert_eq!(file.read_at(&mut [0; 4], offset).unwrap(), 0);
    }
}

/// A random program: files written, cut, synced, renamed, linked, removed.
fn program(fs: &MemFs, seed: u64, steps: usize) {
    let mut rng = Rng::new(seed);
    let names = ["/a", "/b", "/c", "/d"];
    for _ in 0..steps {
        let (one, two) = (Path::new(*rng.pick(&names)), Path::new(*rng.pick(&names)));
        let file = fs.open(one, OpenMode::Write).or_else(|_| fs.open(one, OpenMode::CreateNew));
        let mut data = vec![0; rng.index(6_000)];
        rng.fill(&mut data);
        match rng.below(12) {
            0 => drop(fs.rename(one, two)),
            1 => drop(fs.remove(one)),
            2 => drop(fs.hard_link(one, two)),
            3 => drop(fs.sync_dir(Path::new("/"))),
            4 => drop(file.unwrap().truncate(rng.below(9_000))),
            5 | 6 => file.unwrap().sync_data().unwrap(),
            7 if rng.chance(20) => file.unwrap().lose_unsynced(),
            _ => file.unwrap().write_at(&data, rng.below(9_000)).unwrap(),
        }
    }
}

#[test]
fn the_same_seed_gives_the_same_image() {
    let images = |seed| -> Vec<u64> {
        let fs = MemFs::new(seed);
        program(&fs, seed, 60);
        Cut::ALL.iter().map(|cut| fs.crash(*cut, seed).digest()).collect()
    };
    for seed in 0..30 {
        assert_eq!(images(seed), images(seed), "seed {seed}");
    }
    assert_ne!(images(1), images(2));
}

/// What must hold of every image: synced bytes where no unsynced change lies, in every cut.
#[test]
fn no_cut_touches_what_was_synced() {
    for seed in 0..200 {
        let fs = MemFs::new(seed);
        program(&fs, seed, 40);
        for name in ["/a", "/b", "/c", "/d"] {
            if let Ok(file) = fs.open(Path::new(name), OpenMode::Write) {
                // A failed sync may have parted view and disk; write everything again.
                let bytes = file.read_all().unwrap();
                file.truncate(0).unwrap();
                file.write_at(&bytes, 0).unwrap();
                file.sync_data().unwrap();
            }
        }
        fs.sync_dir(Path::new("/")).unwrap();
        let before = fs.files();
        for cut in Cut::ALL {
            let after = fs.crash(cut, seed);
            assert_eq!(after.files(), before, "seed {seed} {cut:?}");
            for (path, _) in &before {
                assert_eq!(after.read_file(path), fs.read_file(path), "seed {seed} {cut:?}");
            }
        }
    }
}

#[test]
fn a_power_cut_leaves_nothing_pending() {
    for seed in 0..100 {
        let fs = MemFs::new(seed);
        program(&fs, seed, 30);
        for cut in Cut::ALL.into_iter().filter(|c| !c.is_kill()) {
            let after = fs.crash(cut, seed);
            let again = after.crash(Cut::SyncedOnly, 1);
            assert_eq!(after.files(), again.files(), "seed {seed} {cut:?}");
        }
    }
}

#[test]
fn crashes_may_be_taken_while_threads_write() {
    let fs = MemFs::new(1);
    let stop = Arc::new(AtomicBool::new(false));
    let writers: Vec<_> = (0..3_u8)
        .map(|n| {
            let (fs, stop) = (fs.clone(), stop.clone());
            thread::spawn(move || {
                let file = create(&fs, &format!("/{n}"));
                fs.sync_dir(Path::new("/")).unwrap();
                let mut at = 0;
                while !stop.load(Ordering::Relaxed) && at < 300_000 {
                    file.write_at(&[n + 1; 100], at).unwrap();
                    file.sync_data().unwrap();
                    at += 100;
                }
            })
        })
        .collect();
    for seed in 0..300 {
        let after = fs.crash(Cut::ALL[seed as usize % 9], seed);
        for (path, len) in after.files() {
            let bytes = after.read_file(&path).unwrap();
            let wrong = bytes[..(len as usize).saturating_sub(100)].iter().any(|b| *b != bytes[0]);
            assert!(!wrong, "synced bytes changed in {}", path.display());
        }
    }
    stop.store(true, Ordering::Relaxed);
    writers.into_iter().for_each(|w| w.join().unwrap());
}

#[test]
fn images_are_cheap() {
    let fs = MemFs::new(1);
    for n in 0..40 {
        fs.write_file(format!("/sst/{n:06}.sst"), &vec![7; 4_000]);
    }
    let file = create(&fs, "/wal");
    let count = Arc::new(crate::sync::atomic::AtomicU64::new(0));
    let counter = count.clone();
    fs.on_operation(Some(Arc::new(move |op, image| {
        let after = image.crash(Cut::ALL[op as usize % 9], op);
        counter.fetch_add(after.files().len() as u64, Ordering::Relaxed);
    })));
    let start = std::time::Instant::now();
    for n in 0..10_000_u64 {
        file.write_at(&[1; 50], n % 500 * 50).unwrap();
        if n % 3 == 0 {
            file.sync_data().unwrap();
        }
    }
    assert!(count.load(Ordering::Relaxed) > 400_000);
    println!("10,000 images in {:?}", start.elapsed());
}
