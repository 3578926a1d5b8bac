//! Where a store may lie: behind links, under any bytes, at relative paths of a process that goes
//! elsewhere.

use crate::misplaced::copy_dir;
use crate::{check, fill, kind, tiny};
use nori_lsm::{Background, Config, ErrorKind, Lsm};
use nori_testkit::TempDir;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

fn real() -> Config {
    tiny(Config::default()).background(Background::Manual)
}

/// All of a store's life at one path.
fn live(root: &Path, copy: &Path) {
    let store = Lsm::open_with(root, real()).expect("opens");
    fill(&store, 30, 0);
    store.flush().expect("flushes");
    fill(&store, 30, 1);
    store.checkpoint(copy).expect("copies");
    store.compact().expect("merges");
    assert_eq!(kind(Lsm::open_with(root, real())), Err(ErrorKind::Locked));
    check(&Lsm::open_read_only_with(root, real()).expect("reads"), 30, 1);
    fill(&store, 30, 2);
    store.close().expect("closes");
    let store = Lsm::open_with(root, real()).expect("opens");
    check(&store, 30, 2);
    assert!(store.verify().expect("reads").is_ok());
    drop(store);
    check(&Lsm::open_with(copy, real()).expect("opens"), 30, 1);
    Lsm::destroy(copy).expect("removes");
    Lsm::destroy(root).expect("removes");
    assert!(!root.exists() && !copy.exists());
}

#[test]
fn directories_may_have_any_name() {
    let dir = TempDir::new("names");
    let names: [&[u8]; 9] = [
        b"with spaces in it ",
        b"two\nlines",
        b"tab\tand\x01",
        b"\xff\xfe\x80 not UTF-8",
        "sch\u{f6}n \u{2603}".as_bytes(),
        b"-rf",
        b"'quoted\" $(x) `y` \\",
        b"CURRENT",
        &[b'n'; 255],
    ];
    for name in names {
        let at = dir.path().join(OsStr::from_bytes(name));
        let copy = at.join("inside").join("copy");
        live(&at.join("inside").join("store"), &copy);
        live(&at.join("inside"), &at.join("copy"));
    }
}

#[test]
fn paths_that_no_system_takes_are_errors() {
    let dir = TempDir::new("long");
    fs::write(dir.path().join("file"), b"x").expect("writes");
    let long = vec!["directory"; 1000].join("/");
    let bad: Vec<PathBuf> = vec![
        dir.path().join("n".repeat(256)),
        dir.path().join(long),
        dir.path().join("file"),
        dir.path().join("file/below"),
        dir.path().join("nul\0byte"),
        PathBuf::from("/proc/self/store"),
        PathBuf::from("/dev/null"),
        PathBuf::from("/dev/null/store"),
    ];
    for path in bad {
        let shown = path.display().to_string();
        let shown = &shown[..shown.len().min(200)];
        assert_eq!(kind(Lsm::open_with(&path, real())), Err(ErrorKind::Io), "{shown}");
        let reader = Lsm::open_read_only_with(&path, real()).expect_err("there is nothing");
        let typed = matches!(reader.kind(), ErrorKind::Io | ErrorKind::InvalidArgument);
        assert!(typed, "{shown}: {reader}");
        let destroyed = Lsm::destroy(&path).expect_err("there is nothing");
        let typed = matches!(destroyed.kind(), ErrorKind::Io | ErrorKind::InvalidArgument);
        assert!(typed, "{shown}: {destroyed}");
    }
    assert_eq!(fs::read(dir.path().join("file")).expect("is there"), b"x");
}

#[test]
fn a_deep_path_of_just_the_length_a_system_takes() {
    let dir = TempDir::new("deep");
    // Longest names of files below: sst/ and a number, MANIFEST-, a segment's temporary name.
    let mut path = dir.path().to_path_buf();
    while path.as_os_str().len() < 4000 {
        let room = 4030 - path.as_os_str().len();
        path.push("d".repeat(room.min(200)));
    }
    // What the system takes is made one by one; what it does not take is an error.
    match Lsm::open_with(&path, real()) {
        Ok(store) => {
            fill(&store, 30, 0);
            store.flush().expect("flushes");
            check(&store, 30, 0);
        }
        Err(e) => assert_eq!(e.kind(), ErrorKind::Io, "{e}"),
    }
}

#[test]
fn a_store_behind_links() {
    let dir = TempDir::new("links");
    fs::create_dir(dir.path().join("real")).expect("creates");
    symlink("real", dir.path().join("link")).expect("links");
    symlink("link", dir.path().join("chain")).expect("links");
    let store = Lsm::open_with(dir.path().join("chain"), real()).expect("opens");
    fill(&store, 30, 0);
    store.close().expect("closes");
    check(&Lsm::open_with(dir.path().join("real"), real()).expect("opens"), 30, 0);
    // wal/ and sst/ on other disks, the usual way to spread a store.
    for part in ["wal", "sst"] {
        let (own, other) = (dir.path().join("real").join(part), dir.path().join(part));
        fs::rename(&own, &other).expect("renames");
        symlink(&other, &own).expect("links");
    }
    let store = Lsm::open_with(dir.path().join("link"), real()).expect("opens");
    check(&store, 30, 0);
    fill(&store, 30, 1);
    store.compact().expect("merges");
    store.close().expect("closes");
    check(&Lsm::open_with(dir.path().join("real"), real()).expect("opens"), 30, 1);
    symlink("loop", dir.path().join("loop")).expect("links");
    assert_eq!(kind(Lsm::open_with(dir.path().join("loop"), real())), Err(ErrorKind::Io));
    symlink("nowhere", dir.path().join("dangling")).expect("links");
    assert_eq!(kind(Lsm::open_with(dir.path().join("dangling"), real())), Err(ErrorKind::Io));
}

#[test]
fn files_behind_links_are_read_and_what_they_lead_to_is_not_written() {
    let dir = TempDir::new("linked-files");
    let root = dir.path().join("store");
    let store = Lsm::open_with(&root, real()).expect("opens");
    fill(&store, 30, 0);
    store.close().expect("closes");
    let table = fs::read_dir(root.join("sst")).expect("lists").next().expect("one").expect("it");
    let (own, other) = (table.path(), dir.path().join("elsewhere"));
    fs::rename(&own, &other).expect("renames");
    symlink(&other, &own).expect("links");
    let bytes = fs::read(&other).expect("reads");
    let store = Lsm::open_with(&root, real()).expect("opens");
    check(&store, 30, 0);
    fill(&store, 30, 1);
    store.compact().expect("merges");
    store.close().expect("closes");
    assert_eq!(fs::read(&other).expect("is there"), bytes, "only the link was ours to remove");
    // A link that leads nowhere: nothing is taken for an answer.
    let store = Lsm::open_with(&root, real()).expect("opens");
    check(&store, 30, 1);
    drop(store);
    let table = fs::read_dir(root.join("sst")).expect("lists").next().expect("one").expect("it");
    fs::rename(table.path(), &other).expect("renames");
    symlink(dir.path().join("nowhere"), table.path()).expect("links");
    match Lsm::open_with(&root, real()) {
        Ok(store) => assert_eq!(kind(store.get(crate::key(3))), Err(ErrorKind::Io)),
        Err(e) => assert!(matches!(e.kind(), ErrorKind::Io | ErrorKind::Corruption), "{e}"),
    }
    // CURRENT as a link is followed to read, and replaced when it turns.
    fs::remove_file(table.path()).expect("removes");
    fs::rename(&other, table.path()).expect("renames");
    let (current, target) = (root.join("CURRENT"), dir.path().join("target"));
    fs::rename(&current, &target).expect("renames");
    symlink(&target, &current).expect("links");
    let before = fs::read(&target).expect("reads");
    check(&Lsm::open_with(&root, real()).expect("opens"), 30, 1);
    assert_eq!(fs::read(&target).expect("is there"), before);
    fs::remove_file(&current).expect("removes");
    symlink(dir.path().join("nowhere"), &current).expect("links");
    assert_eq!(kind(Lsm::open_with(&root, real())), Err(ErrorKind::Corruption));
}

/// Runs an ignored test of this binary by itself, in a directory.
pub(crate) fn child(test: &str, dir: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("known"));
    command.args([test, "--exact", "--ignored", "--nocapture"]).current_dir(dir);
    command
}

#[test]
fn a_relative_path_stays_where_it_was() {
    let dir = TempDir::new("relative");
    fs::create_dir(dir.path().join("elsewhere")).expect("creates");
    let status = child("paths::a_process_that_changes_its_directory", dir.path()).status();
    assert!(status.expect("starts").success());
    let left: Vec<_> = fs::read_dir(dir.path().join("elsewhere")).expect("lists").collect();
    assert!(left.is_empty(), "{left:?}");
    check(&Lsm::open_with(dir.path().join("store"), real()).expect("opens"), 200, 1);
}

#[test]
#[ignore = "changes the directory of its process; run by a_relative_path_stays_where_it_was"]
fn a_process_that_changes_its_directory() {
    let store = Lsm::open_with("store", real().max_open_files(1)).expect("opens");
    fill(&store, 200, 0);
    let reader = Lsm::open_read_only_with("./store", real()).expect("reads");
    std::env::set_current_dir("elsewhere").expect("changes");
    fill(&store, 200, 1);
    store.compact().expect("merges");
    check(&store, 200, 1);
    check(&reader, 200, 0);
    assert_eq!(kind(Lsm::open_with("../store", real())), Err(ErrorKind::Locked));
    store.close().expect("closes");
}

/// A copy of a store's directory is a store of its own.
#[test]
fn a_copied_directory_is_another_store() {
    let dir = TempDir::new("copied");
    let (one, two) = (dir.path().join("one"), dir.path().join("two"));
    let store = Lsm::open_with(&one, real()).expect("opens");
    fill(&store, 30, 0);
    store.flush().expect("flushes");
    copy_dir(&one, &two);
    let other = Lsm::open_with(&two, real()).expect("is not locked");
    fill(&other, 30, 1);
    check(&store, 30, 0);
    check(&other, 30, 1);
}
