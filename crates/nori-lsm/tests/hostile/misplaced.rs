//! Directories where files should be, files where directories should be, and a CURRENT that names
//! something else.

use crate::hook::{Hook, Hooked};
use crate::{ROOT, check, config, fill, in_time, kind, on, tiny};
use nori_env::sync::{Arc, Mutex};
use nori_env::{FileSystem, MemFs, OpenMode, OsFs};
use nori_lsm::{Background, Config, ErrorKind, Lsm};
use nori_testkit::TempDir;
use nori_types::checksum;
use std::fs;
use std::path::{Path, PathBuf};

fn real() -> Config {
    tiny(Config::default()).background(Background::Manual)
}

/// A real store with files of every kind; forty keys in its log, twenty of them in tables too.
fn sample(root: &Path) {
    let store = Lsm::open_with(root, real()).expect("opens");
    fill(&store, 20, 0);
    store.close().expect("closes");
    let store = Lsm::open_with(root, real()).expect("opens");
    fill(&store, 40, 1);
    // A killed process leaves its log.
    let copy = root.with_extension("copy");
    copy_dir(root, &copy);
    drop(store);
    fs::remove_dir_all(root).expect("removes");
    fs::rename(copy, root).expect("renames");
}

pub(crate) fn copy_dir(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("creates");
    for entry in fs::read_dir(from).expect("lists") {
        let Ok(entry) = entry else { continue };
        let target = to.join(entry.file_name());
        // What has gone meanwhile is not copied.
        if entry.file_type().is_ok_and(|t| t.is_dir()) {
            copy_dir(&entry.path(), &target);
        } else {
            let _ = fs::copy(entry.path(), target);
        }
    }
}

fn first_in(dir: &Path) -> PathBuf {
    let names = fs::read_dir(dir).expect("lists").map(|entry| entry.expect("is there").path());
    names.min().expect("there is one")
}

/// Everything of a store by its path below the root.
fn parts(root: &Path) -> Vec<PathBuf> {
    let manifest = fs::read_dir(root)
        .expect("lists")
        .map(|entry| entry.expect("is there").path())
        .find(|path| path.to_string_lossy().contains("MANIFEST"));
    let mut parts: Vec<_> = ["CURRENT", "LOCK", "HEAT", "wal", "sst"].map(|p| root.join(p)).into();
    parts.extend(manifest);
    parts.extend([first_in(&root.join("wal")), first_in(&root.join("sst"))]);
    parts
}

#[test]
fn what_should_be_a_file_or_a_directory_and_is_not_is_an_error_and_stays() {
    let dir = TempDir::new("misplaced");
    let good = dir.path().join("good");
    sample(&good);
    for (n, part) in parts(&good).into_iter().enumerate() {
        let root = dir.path().join(format!("store {n}"));
        copy_dir(&good, &root);
        let part = root.join(part.strip_prefix(&good).expect("below"));
        let (name, aside) = (part.display(), dir.path().join("aside"));
        let was_dir = part.is_dir();
        fs::rename(&part, &aside).expect("renames");
        if was_dir {
            fs::write(&part, b"a file").expect("writes");
        } else {
            fs::create_dir(&part).expect("creates");
            fs::write(part.join("inside"), b"precious").expect("writes");
        }
        let table = part.extension().is_some_and(|e| e == "sst");
        let learned = part.ends_with("HEAT");
        match Lsm::open_read_only_with(&root, real()) {
            // Nobody needs what was learned, nor the lock to read; a table is opened when read.
            Ok(store) if table => is_typed(&scan_error(&store)),
            Ok(store) if learned || part.ends_with("LOCK") => check(&store, 40, 1),
            Ok(_) => panic!("{name} is not what it should be, and nobody says so"),
            Err(e) => is_typed(&e),
        }
        match Lsm::open_with(&root, real()) {
            Ok(store) if table => is_typed(&scan_error(&store)),
            Ok(store) if learned => check(&store, 40, 1),
            Ok(_) => panic!("{name} is not what it should be, and nobody says so"),
            Err(e) => is_typed(&e),
        }
        if was_dir {
            fs::remove_file(&part).expect("is a file still");
        } else {
            assert_eq!(fs::read(part.join("inside")).expect("is there"), b"precious", "{name}");
            fs::remove_dir_all(&part).expect("is a directory still");
        }
        fs::rename(&aside, &part).expect("renames");
        check(&Lsm::open_with(&root, real()).expect("nothing was lost"), 40, 1);
    }
}

/// The error that a scan ends with.
fn scan_error(store: &Lsm) -> nori_lsm::Error {
    store.iter().find_map(Result::err).expect("a table is missing")
}

fn is_typed(e: &nori_lsm::Error) {
    let typed = matches!(e.kind(), ErrorKind::Io | ErrorKind::Corruption);
    assert!(typed && e.to_string().contains("store"), "{e}");
}

#[test]
fn a_place_for_what_is_lost_that_is_a_file_hides_no_data() {
    let dir = TempDir::new("lost");
    let root = dir.path().join("store");
    sample(&root);
    fs::write(root.join("lost"), b"a file").expect("writes");
    match Lsm::open_with(&root, real()) {
        Ok(store) => check(&store, 40, 1),
        Err(e) => assert_eq!(e.kind(), ErrorKind::Io, "{e}"),
    }
    assert_eq!(fs::read(root.join("lost")).expect("is there"), b"a file");
}

/// Waiting for somebody who writes into a pipe would be waiting for ever.
#[test]
fn a_pipe_in_the_place_of_a_file_is_an_error() {
    let dir = TempDir::new("pipe");
    let root = dir.path().join("store");
    sample(&root);
    for part in parts(&root) {
        if part.is_dir() || part.ends_with("LOCK") {
            continue;
        }
        let aside = dir.path().join("aside");
        fs::rename(&part, &aside).expect("renames");
        let made = std::process::Command::new("mkfifo").arg(&part).status();
        if !made.is_ok_and(|made| made.success()) {
            println!("skipped: no mkfifo");
            return;
        }
        let at = root.clone();
        let outcome = in_time("opening a pipe", move || {
            let store = Lsm::open_read_only_with(at, real()).map_err(|e| e.kind())?;
            store.iter().collect::<nori_lsm::Result<Vec<_>>>().map_err(|e| e.kind())
        });
        let learned = part.ends_with("HEAT");
        let io = outcome.as_ref().err().is_some_and(|e| *e == ErrorKind::Io);
        assert!(io || learned, "{}: {outcome:?}", part.display());
        fs::rename(&aside, &part).expect("renames");
    }
}

fn with_check(text: &str) -> Vec<u8> {
    format!("{text} check={:08x}\n", checksum(0, text.as_bytes())).into_bytes()
}

/// CURRENT is read as what it is: a name of a manifest beside it, or damage.
#[test]
fn a_current_that_names_something_else_leads_nowhere() {
    let good = MemFs::new(1);
    let store = Lsm::open_with(ROOT, config(on(&good))).expect("opens");
    fill(&store, 20, 0);
    store.close().expect("closes");
    let current = PathBuf::from(ROOT).join("CURRENT");
    let right = good.read_file(&current).expect("is there");
    let names = [
        "../../etc/passwd",
        "/etc/passwd",
        "CURRENT",
        "LOCK",
        ".",
        "..",
        "",
        "MANIFEST-",
        "MANIFEST-1",
        "MANIFEST-999999",
        "MANIFEST-000001/../../x",
        "./MANIFEST-000001",
        "MANIFEST-99999999999999999999999",
        "MANIFEST-18446744073709551615",
        "sst/000001.sst",
        "000001.sst",
        "MANIFEST-000001\0",
        "MANIFEST-\u{0661}\u{0661}\u{0661}\u{0661}\u{0661}\u{0661}",
    ];
    let named = names
        .map(|name| with_check(&format!("nori-current format=1 features=0,0,0 manifest={name}")));
    let mut contents: Vec<Vec<u8>> = named.into();
    contents.extend(names.map(|name| format!("{name}\n").into_bytes()));
    contents.push(right[..right.len() - 1].to_vec());
    contents.push([&right[..], &right].concat());
    contents.push([&right[..], b"\n"].concat());
    contents.push([b"\n", &right[..]].concat());
    contents.push(vec![0; 4096]);
    contents.push(vec![0xff; 100]);
    contents.push(vec![b'A'; 2 << 20]);
    contents.push(Vec::new());
    for content in contents {
        let disk = good.image();
        assert!(disk.write_file(&current, &content));
        let touched = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&touched);
        let hook: Hook = Arc::new(move |_, path: &Path| seen.lock().push(path.to_path_buf()));
        let fs: Arc<dyn FileSystem> = Hooked::over(on(&disk), hook);
        let said = content.escape_ascii().to_string();
        let said = &said[..said.len().min(120)];
        for opened in [
            kind(Lsm::open_with(ROOT, config(Arc::clone(&fs)))),
            kind(Lsm::open_read_only_with(ROOT, config(fs))),
        ] {
            assert_eq!(opened, Err(ErrorKind::Corruption), "{said}");
        }
        // Its directory's parent is synced, as at every open.
        let outside = |path: &&PathBuf| !path.starts_with(ROOT) && *path != Path::new("/");
        assert_eq!(touched.lock().iter().find(outside), None, "{said}");
        assert!(disk.write_file(&current, &right));
        check(&Lsm::open_with(ROOT, config(on(&disk))).expect("nothing was lost"), 20, 0);
    }
}

/// A file that says it is as long as a disk is an error, not the end of the process.
#[test]
fn files_that_are_far_too_long_are_errors() {
    const LENGTH: u64 = 1 << 40;
    let dir = TempDir::new("sparse");
    let good = dir.path().join("good");
    sample(&good);
    for (n, part) in parts(&good).into_iter().enumerate().filter(|(_, part)| part.is_file()) {
        let root = dir.path().join(format!("store {n}"));
        copy_dir(&good, &root);
        let part = root.join(part.strip_prefix(&good).expect("below"));
        let file = OsFs.open(&part, OpenMode::Write).expect("opens");
        if file.truncate(LENGTH).is_err() {
            println!("skipped: no sparse files of {LENGTH} bytes");
            return;
        }
        let name = part.display().to_string();
        let outcome = in_time(&name, move || {
            let store = Lsm::open_with(root, real())?;
            store.iter().collect::<nori_lsm::Result<Vec<_>>>()
        });
        match outcome {
            Ok(items) => assert_eq!(items.len(), 40, "{name}"),
            Err(e) => is_typed(&e),
        }
    }
}
