//! The manifest: any bytes as CURRENT, as a manifest, as one record; and a real manifest with one
//! byte changed.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use nori_env::sync::Arc;
use nori_env::{FileSystem, MemFs};
use nori_manifest::{
    Loaded, Manifest, ManifestOptions, Version, VersionEdit, key_prefix, split_prefix,
};
use nori_types::{FileNumber, SeqNo, TableMeta};
use nori_wal::{LogFormat, LogHeader, Position, frame};

use crate::input::Input;

/// The framing that the manifest's own files say they use.
const FORMAT: LogFormat =
    LogFormat { magic: *b"nrmf", version: 2, incompatible: 0, what: "manifest" };

pub(crate) fn run(data: &[u8]) {
    let mut input = Input::new(data);
    match input.u8() % 4 {
        0 => {
            let (fs, _) = fresh();
            assert!(fs.write_file(current(), input.rest()));
            let _ = load(&fs);
        }
        1 => any_manifest(input.rest()),
        2 => any_records(input),
        _ => one_byte_changed(input),
    }
}

/// The records alone, as a target: no choice stands before them.
pub(crate) fn run_records(data: &[u8]) {
    any_records(Input::new(data));
}

fn any_manifest(bytes: &[u8]) {
    let (fs, manifest) = fresh();
    assert!(fs.write_file(path(&manifest), bytes));
    survives(&fs);
}

/// Records whose checksums are right and whose contents are anything: the decoder's own work.
fn any_records(mut input: Input<'_>) {
    let (fs, manifest) = fresh();
    let path = path(&manifest);
    let mut bytes = fs.read_file(&path).unwrap_or_default();
    let header = LogHeader::decode(&bytes, &FORMAT, manifest.number(), &path);
    let header = header.expect("a manifest is a log file");
    while !input.is_empty() {
        let at = bytes.len() as u64;
        frame(&mut bytes, &header, at, input.long_piece(), Position::default());
    }
    assert!(fs.write_file(&path, &bytes));
    survives(&fs);
}

/// What loads is consistent, and loads the same again.
fn survives(fs: &MemFs) {
    let Ok(Some(loaded)) = load(fs) else { return };
    loaded.version.check().expect("a version that loads is consistent");
    let again = load(fs).ok().flatten().expect("it loads again");
    assert_eq!(dump(&loaded.version), dump(&again.version));
    for slot in loaded.version.slots() {
        assert_eq!(loaded.version.route(&slot.range.lo).1.id, slot.id, "routing finds the slot");
    }
}

/// Logs edits, changes one byte of the manifest or of CURRENT, and loads: the newest version, or
/// the one before its last edit, or an error.
fn one_byte_changed(mut input: Input<'_>) {
    let (of_current, place, xor) = (input.u8().is_multiple_of(4), input.u16(), input.u8());
    let (fs, mut manifest) = fresh();
    let mut version = Arc::new(Version::new());
    let mut history = vec![dump(&version)];
    while !input.is_empty() && history.len() < 24 {
        let next = next_edit(&version, &mut input);
        // An edit that does not fit is refused and changes nothing.
        if let Some(logged) = next.and_then(|edit| manifest.log(&version, edit).ok()) {
            version = logged;
            history.push(dump(&version));
        }
    }
    let changed = if of_current { current() } else { path(&manifest) };
    let length = fs.read_file(&changed).map_or(1, |bytes| bytes.len() as u64);
    fs.corrupt(&changed, u64::from(place) % length, xor);
    match load(&fs) {
        Ok(Some(loaded)) => {
            let newest = history.len() - 1;
            let oldest = if xor == 0 { newest } else { newest.saturating_sub(1) };
            let found = dump(&loaded.version);
            assert!(history[oldest..].contains(&found), "no version of the history:\n{found}");
        }
        Ok(None) => panic!("CURRENT is there"),
        Err(error) => assert!(xor != 0, "a good manifest loads: {error}"),
    }
}

/// The next change that the input asks for, if the version has a place for it.
fn next_edit(version: &Version, input: &mut Input<'_>) -> Option<VersionEdit> {
    let seq = version.last_known().plus(1);
    let durable = version.durable;
    match input.u8() % 6 {
        0 => {
            let name = format!("keyspace-{}", version.catalog.next_id());
            version.edit_create_keyspace(&name, seq, durable).ok()
        }
        1 => version.edit_drop_keyspace(u32::from(input.u8()), seq, durable).ok(),
        2 => {
            version.edit_split(&[stored(version, input).into()], input.u8().is_multiple_of(2)).ok()
        }
        3 => {
            let mut ends = [stored(version, input), stored(version, input)];
            ends.sort();
            let meta = table(version, &ends, seq);
            let next_file = meta.number.0 + 1;
            let floor = version.wal_floor + 1;
            let edit = version.edit_flush(&[meta], &|_| true, floor, seq, durable);
            Some(edit.with_next_file(next_file))
        }
        4 => {
            let slot = version.slot(usize::from(input.u8()) % version.slot_count())?;
            let first = usize::from(input.u8()) % slot.runs.len().max(1);
            let pinned = slot.runs.get(first..).filter(|runs| !runs.is_empty())?;
            version.edit_replace(slot.id, pinned, &[], &[], 1).ok()
        }
        _ => Some(version.edit_positions(version.wal_floor + 1, seq, durable)),
    }
}

/// A key of some keyspace.
fn stored(version: &Version, input: &mut Input<'_>) -> Vec<u8> {
    let id = u32::from(input.u8()) % version.catalog.next_id();
    let key = [&key_prefix(id)[..], input.piece()].concat();
    assert!(split_prefix(&key).is_some_and(|(found, _)| found == id), "a prefix is read again");
    key
}

fn table(version: &Version, ends: &[Vec<u8>; 2], seq: SeqNo) -> TableMeta {
    TableMeta {
        number: FileNumber(version.next_file.max(100)),
        id: 7,
        bytes: 4096,
        entries: 9,
        tombstones: 1,
        smallest: ends[0].clone().into(),
        largest: ends[1].clone().into(),
        seq_min: seq,
        seq_max: seq,
        raw_bytes: 4096,
    }
}

/// A disk with a new manifest of an empty version.
fn fresh() -> (MemFs, Manifest) {
    let fs = MemFs::new(1);
    fs.create_dir_all(dir()).expect("an empty disk");
    let shared: Arc<dyn FileSystem> = Arc::new(fs.clone());
    let made = Manifest::create(shared, dir(), &Version::new(), ManifestOptions::default());
    (fs, made.expect("an empty disk"))
}

fn load(fs: &MemFs) -> nori_manifest::Result<Option<Loaded>> {
    Manifest::load(fs, dir())
}

/// All of a version that must survive a restart, as text.
fn dump(version: &Version) -> String {
    let mut out = String::new();
    for keyspace in version.catalog.iter() {
        let _ = writeln!(out, "{keyspace:?}");
    }
    for slot in version.slots() {
        let _ = writeln!(out, "slot {} {:?} {}", slot.id, slot.range, slot.kept);
        for run in &slot.runs {
            let _ = writeln!(out, "  run {} {}", run.flush_seq, run.level);
            for table in &run.tables {
                let _ = writeln!(out, "    {:?} {:?}", table.file.meta, table.range);
            }
        }
    }
    let (flushed, last_seq, floor) = (version.flushed, version.last_seq, version.wal_floor);
    let _ = writeln!(out, "{flushed} {last_seq} {floor} {}", version.durable);
    out
}

fn dir() -> &'static Path {
    Path::new("store")
}

fn current() -> PathBuf {
    dir().join("CURRENT")
}

fn path(manifest: &Manifest) -> PathBuf {
    dir().join(format!("MANIFEST-{}", FileNumber(manifest.number())))
}

pub(crate) fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    // Two keyspaces, guards, flushes over several slots, a merge, a drop, positions.
    let program = b"\x00\x00\x02\x00\x01m\x00\x03\x00\x01a\x00\x01z\x02\x01\x02kk\x01\
                    \x03\x00\x01b\x01\x01q\x04\x00\x00\x01\x01\x05";
    let with = |head: &[u8]| [head, &program[..]].concat();

    // The manifest that this program makes, and the payloads of its edits.
    let (fs, mut manifest) = fresh();
    let start = manifest.bytes();
    let mut version = Arc::new(Version::new());
    let mut input = Input::new(program);
    while !input.is_empty() {
        let next = next_edit(&version, &mut input);
        if let Some(logged) = next.and_then(|edit| manifest.log(&version, edit).ok()) {
            version = logged;
        }
    }
    let bytes = fs.read_file(path(&manifest)).unwrap_or_default();
    let header = LogHeader::decode(&bytes, &FORMAT, manifest.number(), &path(&manifest));
    let mut records = vec![2];
    for record in header.iter().flat_map(|header| nori_wal::scan(&bytes, header).records) {
        if record.start >= start {
            records.extend_from_slice(&(record.payload.len() as u16).to_le_bytes());
            records.extend_from_slice(record.payload);
        }
    }
    let text = fs.read_file(current()).unwrap_or_default();
    vec![
        ("current", [&[0], &text[..]].concat()),
        ("whole", [&[1], &bytes[..]].concat()),
        ("records", records),
        ("program", with(&[3, 1, 0, 0, 0])),
        ("program_with_damage", with(&[3, 1, 0x90, 1, 4])),
        ("program_with_damaged_current", with(&[3, 0, 5, 0, 4])),
    ]
}

pub(crate) fn record_seeds() -> Vec<(&'static str, Vec<u8>)> {
    let found = seeds().into_iter().find(|(name, _)| *name == "records");
    let records = found.map(|(_, bytes)| bytes[1..].to_vec()).unwrap_or_default();
    let first = records.first_chunk().map_or(0, |len| 2 + usize::from(u16::from_le_bytes(*len)));
    let first = records.get(..first).unwrap_or_default().to_vec();
    vec![
        ("twice", [&first[..], &first].concat()),
        ("edits", records),
        ("first_edit", first),
        ("empty", vec![0, 0]),
    ]
}
