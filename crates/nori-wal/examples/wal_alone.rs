//! nori-wal by itself: a journal of lines that survives `kill -9` and power cuts.
//!
//! `cargo run -p nori-wal --example wal_alone -- DIRECTORY LINE...` adds the lines to the journal
//! in the directory and prints it. Without arguments it keeps a journal in a temporary directory
//! over two openings. A small file beside the log, replaced atomically, says where replay starts.

use nori_env::sync::Arc;
use nori_env::{FileSystem, OpenMode, OsFs};
use nori_wal::{Error, Position, RecoveryMode, Wal, WalOptions, replay};
use std::path::{Path, PathBuf};

fn main() -> Result<(), Error> {
    let mut args = std::env::args().skip(1);
    if let Some(dir) = args.next() {
        let lines: Vec<String> = args.collect();
        journal(&PathBuf::from(dir), &lines)?;
        return Ok(());
    }
    let dir = std::env::temp_dir().join(format!("nori-journal-{}", std::process::id()));
    let lines = |lines: &[&str]| lines.iter().map(ToString::to_string).collect::<Vec<_>>();
    journal(&dir, &lines(&["press olives", "mend the net"]))?;
    let all = journal(&dir, &lines(&["count the sheep"]))?;
    assert_eq!(all.len(), 3);
    remove(&OsFs, &dir)
}

/// Adds lines to the journal in a directory, prints it and returns it.
fn journal(dir: &Path, new: &[String]) -> Result<Vec<Vec<u8>>, Error> {
    let fs: Arc<dyn FileSystem> = Arc::new(OsFs);
    let wal_dir = dir.join("wal");
    fs.create_dir_all(&wal_dir)?;
    // A process that was killed may have left names that only memory knows.
    fs.sync_dir(dir)?;
    fs.sync_dir(&wal_dir)?;

    // ANCHOR: replay
    let mut lines: Vec<Vec<u8>> = Vec::new();
    let mut first = 1;
    if let Some(floor) = read_floor(&*fs, dir)? {
        let mut keep = |_: Position, line: &[u8]| -> Result<(), Error> {
            lines.push(line.to_vec());
            Ok(())
        };
        let promise = Position::new(floor, nori_wal::LOG_HEADER_BYTES);
        let mode = RecoveryMode::CutTornTail;
        let found = replay(&*fs, &wal_dir, floor, promise, mode, &mut keep)?;
        println!("replayed {} lines up to {}", found.records, found.end);
        first = found.highest_segment + 1;
    }
    // ANCHOR_END: replay

    // ANCHOR: append
    // The old files are never written again. A new log takes over what they held; turning the
    // floor to it is the moment of the change.
    let wal = Wal::create(fs.clone(), &wal_dir, first, WalOptions::default())?;
    lines.extend(new.iter().map(|line| line.clone().into_bytes()));
    wal.append(lines.iter().map(Vec::as_slice))?;
    wal.sync()?;
    write_floor(&*fs, dir, first)?;
    wal.sweep()?;
    // ANCHOR_END: append

    for line in &lines {
        println!("{}", String::from_utf8_lossy(line));
    }
    Ok(lines)
}

fn read_floor(fs: &dyn FileSystem, dir: &Path) -> Result<Option<u64>, Error> {
    let path = dir.join("FLOOR");
    if !fs.exists(&path)? {
        return Ok(None);
    }
    let text = fs.open(&path, OpenMode::Read)?.read_all()?;
    Ok(String::from_utf8_lossy(&text).trim().parse().ok())
}

fn write_floor(fs: &dyn FileSystem, dir: &Path, floor: u64) -> Result<(), Error> {
    let (path, temporary) = (dir.join("FLOOR"), dir.join("FLOOR.tmp"));
    if fs.exists(&temporary)? {
        fs.remove(&temporary)?;
    }
    let file = fs.open(&temporary, OpenMode::CreateNew)?;
    file.write_at(format!("{floor}\n").as_bytes(), 0)?;
    file.sync_all()?;
    fs.rename(&temporary, &path)?;
    Ok(fs.sync_dir(dir)?)
}

/// Removes the journal: files first, then their directories.
fn remove(fs: &dyn FileSystem, dir: &Path) -> Result<(), Error> {
    for folder in [dir.join("wal"), dir.to_owned()] {
        for name in fs.list(&folder)? {
            if name != "wal" {
                fs.remove(&folder.join(name))?;
            }
        }
        fs.remove_dir(&folder)?;
    }
    Ok(())
}
