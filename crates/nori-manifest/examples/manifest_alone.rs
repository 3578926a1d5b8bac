//! nori-manifest by itself: a catalogue of table files on a disk that loses power.
//!
//! Flushes and merges are only told of, no table is written: the manifest does not mind.

use bytes::Bytes;
use nori_env::sync::Arc;
use nori_env::{Cut, FileSystem, MemFs};
use nori_manifest::{Manifest, ManifestOptions, Result, Version, key_prefix};
use nori_types::{FileNumber, SeqNo, TableMeta};
use nori_wal::Position;
use std::path::Path;

fn key(user: &str) -> Bytes {
    Bytes::from([&key_prefix(0)[..], user.as_bytes()].concat())
}

fn table(number: u64, first: &str, last: &str) -> TableMeta {
    TableMeta {
        number: FileNumber(number),
        id: number,
        bytes: 1 << 20,
        entries: 1000,
        tombstones: 10,
        smallest: key(first),
        largest: key(last),
        seq_min: SeqNo::new(1),
        seq_max: SeqNo::new((number * 10).min(120)),
        raw_bytes: 1 << 21,
    }
}

fn show(version: &Version) {
    for slot in version.slots() {
        println!("slot {} {:?}", slot.id, slot.range);
        for run in slot.runs.iter().rev() {
            let kind = if run.is_fragment() { "fragment" } else { "run" };
            let tables = run.tables.iter().map(|t| format!("{} {:?}", t.file.number(), t.range));
            println!("   {kind}: {}", tables.collect::<Vec<_>>().join(", "));
        }
    }
}

fn main() -> Result<()> {
    let (fs, dir) = (MemFs::new(7), Path::new("/store"));
    fs.create_dir_all(dir)?;
    let mut current = Arc::new(Version::new());
    // ANCHOR: write
    let disk: Arc<dyn FileSystem> = Arc::new(fs.clone());
    let mut manifest = Manifest::create(disk, dir, &current, ManifestOptions::default())?;

    current = manifest.log(&current, current.edit_split(&[key("m")], true)?)?;
    for (number, first, last) in [(10, "ant", "yak"), (11, "bee", "fox"), (12, "owl", "rat")] {
        let last_seq = SeqNo::new(number * 10);
        let tables = [table(number, first, last)];
        let flush = current.edit_flush(&tables, &|_| true, 1, last_seq, Position::new(1, 64));
        current = manifest.log(&current, flush)?;
    }
    // ANCHOR_END: write
    println!("three flushes:");
    show(&current);

    // ANCHOR: merge
    let (_, slot) = current.route(&key("ant"));
    let merged = [table(13, "ant", "fox")];
    let edit = current.edit_replace(slot.id, &slot.runs, &merged, &[], 1)?;
    current = manifest.log(&current, edit)?;
    // ANCHOR_END: merge
    println!("the left slot merged; may be deleted: {:?}", current.obsolete().take());
    show(&current);

    // ANCHOR: load
    let after = fs.crash(Cut::SyncedOnly, 1);
    let loaded = Manifest::load(&after, dir)?.expect("the manifest was synced by each edit");
    println!("after a power cut, from {} edits in {} bytes:", loaded.edits, loaded.bytes);
    show(&loaded.version);
    // ANCHOR_END: load
    assert_eq!(loaded.version.slots().count(), current.slots().count());
    Ok(())
}
