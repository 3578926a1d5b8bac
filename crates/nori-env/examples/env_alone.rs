//! nori-env by itself: a tiny counter that must survive power cuts, and a search for the moment
//! at which it would not.
//!
//!     cargo run -p nori-env --example env_alone

use nori_env::sync::{Arc, Mutex};
use nori_env::{Cut, FileSystem, FsResult, MemFs, OpenMode};
use std::path::Path;

/// Stores the counter: a new file, then its name over the old one.
fn store(fs: &dyn FileSystem, count: u64, is_careful: bool) -> FsResult<()> {
    let (new, live) = (Path::new("/count.tmp"), Path::new("/count"));
    if fs.exists(new)? {
        fs.remove(new)?;
    }
    let file = fs.open(new, OpenMode::CreateNew)?;
    file.write_at(&count.to_le_bytes(), 0)?;
    if is_careful {
        file.sync_data()?;
    }
    fs.rename(new, live)?;
    fs.sync_dir(Path::new("/"))
}

fn load(fs: &MemFs) -> Option<u64> {
    Some(u64::from_le_bytes(fs.read_file("/count")?.try_into().ok()?))
}

/// Counts to five; before each operation the power is cut in every way, and what is left must be
/// the count stored last or the one being stored.
fn search(is_careful: bool) -> FsResult<(u64, Vec<String>)> {
    let fs = MemFs::new(1);
    store(&fs, 0, true)?;
    let stored = Arc::new(Mutex::new(0));
    let found = Arc::new(Mutex::new((0, Vec::new())));
    let (known, report) = (stored.clone(), found.clone());
    fs.on_operation(Some(Arc::new(move |operation, image| {
        let known = *known.lock();
        let mut report = report.lock();
        for cut in Cut::ALL {
            for seed in 0..20 {
                report.0 += 1;
                let left = load(&image.crash(cut, seed));
                if left != Some(known) && left != Some(known + 1) {
                    report.1.push(format!("operation {operation}, {cut:?}: {left:?}"));
                }
            }
        }
    })));
    for count in 1..=5 {
        store(&fs, count, is_careful)?;
        *stored.lock() = count;
    }
    fs.on_operation(None);
    Ok(std::mem::take(&mut *found.lock()))
}

fn main() -> FsResult<()> {
    let (images, bad) = search(true)?;
    println!("with the sync: {images} crashes, {} of them lost the count", bad.len());
    assert!(bad.is_empty());
    let (images, bad) = search(false)?;
    println!("without: {images} crashes, {} of them lost the count, first:", bad.len());
    assert!(!bad.is_empty());
    bad.iter().take(3).for_each(|line| println!("  {line}"));
    Ok(())
}
