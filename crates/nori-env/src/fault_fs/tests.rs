//! Each fault, each way to aim it, and what it leaves on the disk behind.

#![allow(clippy::unwrap_used)]

use super::*;
use crate::{Cut, MemFs};
use std::io::ErrorKind;
use std::time::{Duration, Instant};

fn both() -> (MemFs, FaultFs) {
    let mem = MemFs::new(1);
    (mem.clone(), FaultFs::new(Arc::new(mem)))
}

fn create(fs: &dyn FileSystem, name: &str) -> Arc<dyn File> {
    fs.open(Path::new(name), OpenMode::CreateNew).unwrap()
}

/// A small life of two files; returns the first error.
fn life(fs: &FaultFs) -> FsResult<()> {
    let root = Path::new("/");
    let file = fs.open(Path::new("/a.tmp"), OpenMode::CreateNew)?;
    file.write_at(b"0123", 0)?;
    file.sync_data()?;
    fs.rename(Path::new("/a.tmp"), Path::new("/a"))?;
    fs.sync_dir(root)?;
    file.write_at(b"XX", 1)?;
    file.sync_all()?;
    file.read_all()?;
    fs.hard_link(Path::new("/a"), Path::new("/b"))?;
    fs.list(root)?;
    file.truncate(9)?;
    file.allocate(20)?;
    fs.remove(Path::new("/b"))
}

#[test]
fn without_rules_everything_passes_and_is_counted() {
    let (mem, fs) = both();
    life(&fs).unwrap();
    assert_eq!(mem.read_file("/a").unwrap(), b"0XX3\0\0\0\0\0");
    assert_eq!((fs.operations(), fs.changing_operations()), (14, 11));
    assert!(fs.hits().is_empty());
}

#[test]
fn a_sweep_fails_each_operation_once_and_then_none() {
    for (fault, reached) in [(Fault::Eio, 14), (Fault::Enospc, 5), (Fault::ShortWrite, 2)] {
        let mut failed = Vec::new();
        for n in 0.. {
            let (_, fs) = both();
            fs.inject(FaultRule::new(fault).nth(n));
            let result = life(&fs);
            let hits = fs.hits();
            assert_eq!(result.is_err(), hits.len() == 1, "{fault:?} {n}");
            let Some(hit) = hits.first() else { break };
            let error = result.unwrap_err();
            assert_eq!(error.is_full(), fault == Fault::Enospc, "{error}");
            failed.push(hit.op);
        }
        assert_eq!(failed.len(), reached, "{fault:?} {failed:?}");
    }
}

#[test]
fn rules_match_kinds_and_paths() {
    let (_, fs) = both();
    fs.inject(FaultRule::new(Fault::Eio).on(FsOp::Write).path("wal/").after(1));
    fs.create_dir_all(Path::new("/wal")).unwrap();
    let (log, other) = (create(&fs, "/wal/1"), create(&fs, "/other"));
    for n in 0..3 {
        assert_eq!(log.write_at(b"x", 0).is_ok(), n < 1);
        other.write_at(b"x", 0).unwrap();
        log.sync_data().unwrap();
    }
    fs.clear();
    log.write_at(b"x", 0).unwrap();
    // A rename matches with either name.
    fs.inject(FaultRule::new(Fault::Eio).path("CURRENT").changing());
    assert!(fs.rename(Path::new("/other"), Path::new("/CURRENT")).is_err());
}

#[test]
fn one_in_k_is_about_that_and_repeats_with_its_seed() {
    let failures = |seed| {
        let (_, fs) = both();
        fs.set_seed(seed);
        fs.inject(FaultRule::new(Fault::Eio).on(FsOp::Write).one_in(4));
        let file = create(&fs, "/a");
        (0..1_000).map(|_| file.write_at(b"x", 0).is_err()).collect::<Vec<_>>()
    };
    let count = failures(1).iter().filter(|f| **f).count();
    assert!((200..300).contains(&count), "{count}");
    assert_eq!(failures(1), failures(1));
    assert_ne!(failures(1), failures(2));
}

#[test]
fn a_failed_write_writes_nothing_and_a_short_one_half() {
    for (fault, left) in
        [(Fault::Eio, &b""[..]), (Fault::ShortWrite, b"012"), (Fault::Enospc, b"012")]
    {
        let (mem, fs) = both();
        fs.inject(FaultRule::new(fault).on(FsOp::Write));
        assert!(create(&fs, "/a").write_at(b"012345", 0).is_err());
        assert_eq!(mem.read_file("/a").unwrap(), left, "{fault:?}");
    }
}

#[test]
fn a_full_disk_refuses_growth_only() {
    let (_, fs) = both();
    let file = create(&fs, "/a");
    file.write_at(b"0123", 0).unwrap();
    fs.inject(FaultRule::new(Fault::Enospc));
    file.write_at(b"XXXX", 0).unwrap();
    file.sync_data().unwrap();
    file.truncate(2).unwrap();
    assert!(file.write_at(b"YY", 1).unwrap_err().is_full());
    assert!(file.truncate(9).unwrap_err().is_full());
    assert!(fs.open(Path::new("/b"), OpenMode::CreateNew).unwrap_err().is_full());
    fs.sync_dir(Path::new("/")).unwrap();
    fs.rename(Path::new("/a"), Path::new("/c")).unwrap();
    fs.remove(Path::new("/c")).unwrap();
    // A rule that names a kind means it: copy-on-write disks need room to write over.
    fs.clear();
    fs.inject(FaultRule::new(Fault::Enospc).on(FsOp::Write));
    assert!(file.write_at(b"Z", 0).unwrap_err().is_full());
}

#[test]
fn a_medium_that_is_only_read_refuses_changes() {
    let (mem, fs) = both();
    mem.write_file("/dir/file", b"bytes");
    fs.inject(FaultRule::new(Fault::ReadOnly).changing().path("/dir"));
    let path = Path::new("/dir/file");
    assert_eq!(fs.open(path, OpenMode::Read).unwrap().read_all().unwrap(), b"bytes");
    let refused = [fs.remove(path).unwrap_err(), fs.lock(Path::new("/dir/LOCK")).unwrap_err()];
    assert!(refused.iter().all(|e| e.source.kind() == ErrorKind::ReadOnlyFilesystem));
    create(&fs, "/beside");
    assert_eq!(mem.read_file("/dir/file").unwrap(), b"bytes");
}

#[test]
fn a_failed_sync_loses_the_bytes_for_good() {
    let (mem, fs) = both();
    let file = create(&fs, "/a");
    fs.sync_dir(Path::new("/")).unwrap();
    file.write_at(b"abc", 0).unwrap();
    fs.inject(FaultRule::new(Fault::Eio).on(FsOp::Sync).nth(0));
    assert_eq!(file.sync_data().unwrap_err().source.raw_os_error(), Some(5));
    file.sync_data().unwrap();
    assert_eq!(mem.read_file("/a").unwrap(), b"abc");
    assert_eq!(mem.crash(Cut::AllWritten, 0).read_file("/a").unwrap(), b"");
}

#[test]
fn a_flipped_bit_is_one_bit_of_one_read() {
    let (mem, fs) = both();
    mem.write_file("/a", &[0; 64]);
    fs.inject(FaultRule::new(Fault::FlipBit).nth(1));
    let file = fs.open(Path::new("/a"), OpenMode::Read).unwrap();
    let ones = || {
        let bytes = file.read_all().unwrap();
        bytes.iter().map(|b| b.count_ones()).sum::<u32>()
    };
    assert_eq!((ones(), ones(), ones()), (0, 1, 0));
    assert_eq!(fs.hits()[0].op, FsOp::Read);
}

#[test]
fn after_a_crash_nothing_reaches_the_disk() {
    let (mem, fs) = both();
    let file = create(&fs, "/a");
    file.write_at(b"a", 0).unwrap();
    fs.inject(FaultRule::new(Fault::Crash).on(FsOp::Sync));
    let before = mem.operations();
    assert!(file.sync_data().is_err());
    fs.clear();
    for error in [
        file.write_at(b"b", 1).unwrap_err(),
        file.sync_data().unwrap_err(),
        fs.sync_dir(Path::new("/")).unwrap_err(),
        fs.list(Path::new("/")).unwrap_err(),
    ] {
        assert_eq!(error.source.kind(), ErrorKind::Other, "{error}");
    }
    assert!(fs.has_crashed());
    assert_eq!(mem.operations(), before);
    // The bytes were pending, not lost: the machine may still have written them.
    assert_eq!(mem.crash(Cut::AllWritten, 0).read_file("/a").unwrap(), b"a");
}

#[test]
fn delays_add_up_and_the_call_happens() {
    let (mem, fs) = both();
    let file = create(&fs, "/a");
    fs.inject(FaultRule::new(Fault::Latency(Duration::from_millis(3))).on(FsOp::Write));
    fs.inject(FaultRule::new(Fault::Latency(Duration::from_millis(4))));
    let start = Instant::now();
    file.write_at(b"x", 0).unwrap();
    assert!(start.elapsed() >= Duration::from_millis(7));
    assert_eq!(mem.read_file("/a").unwrap(), b"x");
}

#[test]
fn threads_share_the_count() {
    let (_, fs) = both();
    fs.inject(FaultRule::new(Fault::Eio).on(FsOp::Write).nth(150));
    let failures: usize = (0..4)
        .map(|n| {
            let fs = fs.clone();
            thread::spawn(move || {
                let file = create(&fs, &format!("/{n}"));
                (0..100).filter(|_| file.write_at(b"x", 0).is_err()).count()
            })
        })
        .collect::<Vec<_>>()
        .into_iter()
        .map(|t| t.join().unwrap())
        .sum();
    assert_eq!((failures, fs.operations(), fs.hits().len()), (1, 404, 1));
}
