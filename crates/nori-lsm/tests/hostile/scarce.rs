//! Too few file handles, media that cannot be written, files that may not be read.

use crate::paths::child;
use crate::{ROOT, check, config, fill, key, kind, on, tiny};
use nori_env::sync::{Arc, thread};
use nori_env::{Fault, FaultFs, FaultRule, FsOp, MemFs};
use nori_lsm::{Background, Compression, Config, ErrorKind, Lsm, Result};
use nori_testkit::TempDir;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

fn real() -> Config {
    tiny(Config::default()).background(Background::Manual)
}

/// About a hundred tables, none merged with another.
fn many_tables(config: Config) -> Config {
    config
        .table_bytes(1024)
        .compression(Compression::None)
        .k_global(16)
        .l0_soft(Some(500))
        .l0_hard(Some(1000))
}

const ROWS: usize = 300;

fn fill_many(root: &Path) {
    let store = Lsm::open_with(root, many_tables(real())).expect("opens");
    for n in 0..ROWS {
        store.put(key(n), vec![n as u8; 400]).expect("writes");
    }
    store.compact().expect("merges");
    assert!(store.metrics().tables > 60, "{}", store.metrics().tables);
    store.close().expect("closes");
}

/// The right values, or errors of the system; how many of both.
fn read_many(store: &Lsm) -> (usize, usize) {
    let (mut right, mut failed) = (0, 0);
    for n in 0..ROWS {
        match store.get(key(n)) {
            Ok(value) => {
                assert_eq!(value.as_deref(), Some(&vec![n as u8; 400][..]), "key {n}");
                right += 1;
            }
            Err(e) => {
                assert_eq!(e.kind(), ErrorKind::Io, "{e}");
                failed += 1;
            }
        }
    }
    let items: Result<Vec<_>> = store.iter().collect();
    match items {
        Ok(items) => assert_eq!(items.len(), ROWS),
        Err(e) => assert_eq!(e.kind(), ErrorKind::Io, "{e}"),
    }
    (right, failed)
}

#[test]
fn one_open_file_is_enough_for_any_number_of_tables_and_threads() {
    let dir = TempDir::new("one-file");
    let root = dir.path().join("store");
    fill_many(&root);
    let config = many_tables(real()).max_open_files(1).block_cache_bytes(0);
    let store = Lsm::open_with(&root, config).expect("opens");
    let readers: Vec<_> = (0..4)
        .map(|_| {
            let store = store.clone();
            thread::spawn(move || read_many(&store))
        })
        .collect();
    for reader in readers {
        assert_eq!(reader.join().expect("no panic"), (ROWS, 0));
    }
    store.compact().expect("merges");
    assert!(store.verify().expect("reads").is_ok());
}

/// This process has its own test for it; the limit is that of a child.
#[test]
fn too_few_file_handles_are_errors_and_lose_nothing() {
    let dir = TempDir::new("handles");
    let root = dir.path().join("store");
    fill_many(&root);
    // Each key written, acknowledged or not, by a child with so many handles.
    for handles in [5, 8, 10, 12, 14, 17, 20, 26, 40] {
        let mut shell = Command::new("sh");
        shell.args(["-c", "ulimit -n \"$HANDLES\" && exec \"$0\" \"$@\""]);
        let test = child("scarce::a_process_with_few_handles", dir.path());
        shell.arg(test.get_program()).args(test.get_args()).current_dir(dir.path());
        let done = shell.env("HANDLES", handles.to_string()).output().expect("starts");
        let said = String::from_utf8_lossy(&done.stdout);
        let complained = String::from_utf8_lossy(&done.stderr);
        let panicked = said.contains("panicked") || complained.contains("panicked");
        assert!(!panicked, "{handles} handles: {said} {complained}");
        if handles >= 10 {
            assert!(done.status.success(), "{handles} handles: {said} {complained}");
        }
        let store = Lsm::open_with(&root, many_tables(real())).expect("opens");
        assert_eq!(read_many(&store), (ROWS, 0), "{handles} handles: {said}");
        assert!(store.verify().expect("reads").is_ok());
        let lines = said.lines().filter_map(|line| line.strip_prefix("acknowledged "));
        let acknowledged: Vec<_> = lines.collect();
        for key in &acknowledged {
            assert!(store.keyspace("more").expect("opens").get(key).expect("reads").is_some());
        }
        let read = |line: &&str| line.starts_with("read only") || line.starts_with("limited");
        let (writes, reads) = (acknowledged.len(), said.lines().filter(read).collect::<Vec<_>>());
        println!("{handles} handles: {writes} of 200 writes; reads right and failed: {reads:?}");
        let kept_apart = acknowledged.iter().filter(|key| key.starts_with("true")).count();
        assert!(handles < 20 || kept_apart == 100, "two open tables are few enough");
    }
}

#[test]
#[ignore = "needs a limit of its process; run by too_few_file_handles_are_errors"]
fn a_process_with_few_handles() {
    for config in [many_tables(real()), many_tables(real()).max_open_files(2)] {
        let config = config.block_cache_bytes(0).stall_timeout(Duration::from_millis(50));
        let limited = format!("{config:?}").contains("max_open_files: 2");
        let reader = Lsm::open_read_only_with("store", config.clone());
        if let Ok(reader) = reader {
            println!("read only: {:?}", read_many(&reader));
        }
        let store = match Lsm::open_with("store", config) {
            Ok(store) => store,
            Err(e) => {
                assert_eq!(e.kind(), ErrorKind::Io, "{e}");
                println!("{e}");
                continue;
            }
        };
        println!("limited {limited}: {:?}", read_many(&store));
        let Ok(space) = store.keyspace("more") else { continue };
        for n in 0..100 {
            let key = format!("{limited}-{n}");
            match space.put(&key, vec![1; 200]) {
                Ok(()) => println!("acknowledged {key}"),
                Err(e) => println!("{e}"),
            }
        }
        let _ = (store.flush(), store.verify(), store.checkpoint("copy"), store.health());
        let _ = store.close();
        let _ = fs::remove_dir_all("copy");
    }
}

/// Taken away again when it is dropped.
struct Mount(PathBuf);

impl Mount {
    /// A directory as it is seen through a mount that cannot be written to; `None` with a reason
    /// printed where that cannot be made.
    fn read_only(dir: &Path, at: &Path) -> Option<Mount> {
        fs::create_dir_all(at).expect("creates");
        let run = |args: &[&str]| {
            let done = Command::new("mount").args(args).arg(at).output();
            done.map_err(|e| e.to_string()).and_then(|done| match done.status.success() {
                true => Ok(()),
                false => Err(String::from_utf8_lossy(&done.stderr).trim().to_string()),
            })
        };
        let dir = dir.to_string_lossy();
        if let Err(why) = run(&["--bind", &dir]) {
            println!("suite: name=read-only-mount skipped={why}");
            return None;
        }
        let mount = Mount(at.to_path_buf());
        if let Err(why) = run(&["-o", "remount,bind,ro"]) {
            println!("suite: name=read-only-mount skipped={why}");
            return None;
        }
        Some(mount)
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

fn contents(dir: &Path) -> Vec<(PathBuf, u64, i64)> {
    let mut all = Vec::new();
    for entry in fs::read_dir(dir).expect("lists") {
        let path = entry.expect("is there").path();
        let meta = fs::metadata(&path).expect("is there");
        if meta.is_dir() {
            all.extend(contents(&path));
        }
        all.push((path, meta.len(), meta.mtime_nsec()));
    }
    all.sort();
    all
}

#[test]
fn a_store_on_media_that_cannot_be_written_can_be_read() {
    let dir = TempDir::new("read-only");
    let root = dir.path().join("real").join("store");
    let store = Lsm::open_with(&root, real()).expect("opens");
    fill(&store, 40, 0);
    store.close().expect("closes");
    let Some(mount) = Mount::read_only(&dir.path().join("real"), &dir.path().join("ro")) else {
        return;
    };
    let seen = mount.0.join("store");
    let before = contents(&root);
    assert_eq!(kind(Lsm::open_with(&seen, real())), Err(ErrorKind::Io));
    assert_eq!(kind(Lsm::open_with(mount.0.join("new"), real())), Err(ErrorKind::Io));
    assert_eq!(kind(Lsm::destroy(&seen)), Err(ErrorKind::Io));
    let reader = Lsm::open_read_only_with(&seen, real()).expect("reads");
    check(&reader, 40, 0);
    assert_eq!(kind(reader.put("k", "v")), Err(ErrorKind::ReadOnly));
    assert_eq!(kind(reader.checkpoint(mount.0.join("copy"))), Err(ErrorKind::Io));
    assert!(reader.verify().expect("reads").is_ok());
    reader.close().expect("closes");
    assert_eq!(contents(&root), before, "something was written");
    drop(mount);
    check(&Lsm::open_with(&root, real()).expect("opens"), 40, 0);
}

/// The same with a disk that fails everything that would change it.
#[test]
fn readers_change_nothing() {
    let disk = MemFs::new(1);
    let store = Lsm::open_with(ROOT, config(on(&disk))).expect("opens");
    fill(&store, 40, 0);
    let disk = disk.crash(nori_env::Cut::Kill, 1);
    let faults = FaultFs::new(on(&disk));
    faults.inject(FaultRule::new(Fault::Eio).changing());
    let faulty = || config(Arc::new(faults.clone()));
    let before = disk.digest();
    assert_eq!(kind(Lsm::open_with(ROOT, faulty())), Err(ErrorKind::Io));
    let reader = Lsm::open_read_only_with(ROOT, faulty()).expect("reads");
    check(&reader, 40, 0);
    drop(reader);
    assert_eq!(disk.digest(), before);
    // A reader on a disk that fails to read gives errors of the disk, and goes on when it is well.
    for nth in 0..60 {
        let faults = FaultFs::new(on(&disk));
        let config = config(Arc::new(faults.clone())).block_cache_bytes(0);
        faults.inject(FaultRule::new(Fault::Eio).on(FsOp::Read).nth(nth));
        let reader = match Lsm::open_read_only_with(ROOT, config.clone()) {
            Ok(reader) => reader,
            // Looked at again by itself, it may be well.
            Err(e) => panic!("read {nth}: {e}"),
        };
        let _ = reader.iter().collect::<Result<Vec<_>>>();
        faults.clear();
        check(&reader, 40, 0);
    }
}

/// As another user than the one who made them; root may do everything.
#[test]
fn files_that_may_not_be_touched_are_errors() {
    let dir = TempDir::new("forbidden");
    let root = dir.path().join("store");
    let store = Lsm::open_with(&root, real()).expect("opens");
    fill(&store, 40, 0);
    store.close().expect("closes");
    let is_root = fs::metadata("/proc/self").map_or(1, |meta| meta.uid()) == 0;
    let run = |what: &str| {
        let mut child = child("scarce::a_process_of_another_user", dir.path());
        if is_root {
            child.uid(65_534).gid(65_534);
        }
        match child.env("NORI_EXPECT", what).output() {
            Ok(done) if done.status.success() => true,
            Ok(done) => {
                let (said, also) = (done.stdout, done.stderr);
                let said =
                    format!("{}{}", String::from_utf8_lossy(&said), String::from_utf8_lossy(&also));
                panic!("{what}: {said}");
            }
            Err(e) => {
                println!("suite: name=forbidden skipped=a process of another user: {e}");
                false
            }
        }
    };
    let mode = |path: &Path, mode: u32| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("changes");
    };
    if is_root {
        // To read, but not to write.
        mode(dir.path(), 0o755);
        if !run("read") {
            return;
        }
    }
    let sst = root.join("sst");
    let parts = [root.join("CURRENT"), sst.clone(), root.join("wal"), root.clone()];
    for part in parts {
        let before = fs::metadata(&part).expect("is there").mode();
        mode(&part, 0);
        let ran = run("nothing");
        mode(&part, before);
        if !ran {
            return;
        }
    }
    check(&Lsm::open_with(&root, real()).expect("opens"), 40, 0);
}

#[test]
#[ignore = "runs as another user; run by files_that_may_not_be_touched"]
fn a_process_of_another_user() {
    let expect = std::env::var("NORI_EXPECT").unwrap_or_default();
    assert_eq!(kind(Lsm::open_with("store", real())), Err(ErrorKind::Io));
    assert_eq!(kind(Lsm::destroy("store")), Err(ErrorKind::Io));
    let reader = Lsm::open_read_only_with("store", real());
    match expect.as_str() {
        "read" => check(&reader.expect("may be read"), 40, 0),
        _ => {
            let all = reader.and_then(|r| r.iter().collect::<Result<Vec<_>>>());
            assert_eq!(kind(all), Err(ErrorKind::Io));
        }
    }
}
