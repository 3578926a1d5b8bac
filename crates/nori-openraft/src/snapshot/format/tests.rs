//! Damaged snapshots, cut ones, and the bytes of the format.

use super::*;
use nori_env::{FileSystem, MemFs, OpenMode};
use nori_testkit::{flips, golden, truncations};
use std::path::Path;

type Entries = Vec<(Vec<u8>, Vec<u8>)>;

fn written(entries: &Entries) -> Vec<u8> {
    let (fs, path) = (MemFs::new(1), Path::new("/s"));
    let file = fs.open(path, OpenMode::CreateNew).unwrap();
    let mut writer = SnapshotWriter::new(Arc::clone(&file), 0x1234_5678_9abc, b"meta").unwrap();
    for (key, value) in entries {
        writer.entry(key, value).unwrap();
    }
    assert_eq!(writer.end().unwrap(), file.len().unwrap());
    file.read_all().unwrap()
}

fn read(bytes: &[u8]) -> Result<Entries> {
    let (fs, path) = (MemFs::new(1), Path::new("/s"));
    fs.open(path, OpenMode::CreateNew)?.write_at(bytes, 0)?;
    let (mut reader, meta) = SnapshotReader::new(fs.open(path, OpenMode::Read)?)?;
    assert_eq!(meta, b"meta");
    let mut all = Vec::new();
    while let Some(entries) = reader.next_entries()? {
        all.extend(entries.into_iter().map(|(key, value)| (key.to_vec(), value.to_vec())));
    }
    Ok(all)
}

fn some() -> Entries {
    (0..5_u8).map(|n| (vec![n; n.into()], vec![b'v'; usize::from(n) * 3])).collect()
}

#[test]
fn what_is_written_is_read() {
    let long: Entries = (0..3000_u32).map(|n| (n.to_be_bytes().into(), vec![7; 100])).collect();
    for entries in [Vec::new(), some(), long] {
        assert_eq!(read(&written(&entries)).unwrap(), entries);
    }
}

#[test]
fn no_flipped_bit_and_no_cut_goes_unseen() {
    let whole = written(&some());
    for (bit, damaged) in flips(&whole) {
        let result = read(&damaged);
        let is_seen = matches!(result, Err(Error::Corruption { .. } | Error::FormatTooNew { .. }));
        assert!(is_seen, "bit {bit}: {result:?}");
    }
    for cut in truncations(&whole) {
        assert!(cut.len() == whole.len() || read(cut).is_err(), "{} bytes", cut.len());
    }
    assert!(read(&[&whole[..], b"x"].concat()).is_err());
}

/// A frame that checks but lies about what it holds.
#[test]
fn a_length_that_lies_takes_no_memory() {
    let mut whole = written(&some());
    let at = HEADER_BYTES;
    whole[at..at + 4].copy_from_slice(&u32::MAX.to_le_bytes());
    let error = read(&whole).unwrap_err();
    assert!(error.is_corruption() && error.to_string().contains("length of a frame"), "{error}");
}

#[test]
fn the_bytes_of_version_1_stay() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/snapshot-v1.snap");
    golden(path, &written(&some()));
}
