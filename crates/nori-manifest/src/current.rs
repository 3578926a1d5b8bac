//! CURRENT: the name of the manifest that rules.
//!
//! It is replaced as a whole: written under another name, synced, renamed, its directory synced.
//! What it names is synced, and so is the name it names it by, before the rename.

use crate::format::{CURRENT_BYTES_MAX, CURRENT_FORMAT};
use crate::{Error, Result};
use nori_env::{FileSystem, OpenMode};
use nori_types::{Corruption, FileName, FileNumber, FormatTooNew, checksum};
use std::path::{Path, PathBuf};

/// The path of CURRENT in a store's directory.
pub(crate) fn current_path(dir: &Path) -> PathBuf {
    dir.join(FileName::Current.to_string())
}

/// The path of a manifest in a store's directory.
pub(crate) fn manifest_path(dir: &Path, number: u64) -> PathBuf {
    dir.join(FileName::Manifest(FileNumber(number)).to_string())
}

/// The text of a CURRENT that names the manifest `number`.
pub(crate) fn encode(number: u64) -> String {
    let name = FileName::Manifest(FileNumber(number));
    let text = format!("nori-current format={CURRENT_FORMAT} features=0,0,0 manifest={name}");
    let sum = checksum(0, text.as_bytes());
    format!("{text} check={sum:08x}\n")
}

/// The number of the manifest that the text names.
pub(crate) fn decode(bytes: &[u8], path: &Path) -> Result<u64> {
    let damaged = |what: &str, found: String| -> Error {
        Corruption::new(path, 0, "CURRENT", what, found).into()
    };
    let shown = || bytes.escape_ascii().to_string();
    let text = std::str::from_utf8(bytes).ok().and_then(|text| text.strip_suffix('\n'));
    let Some((text, sum)) = text.and_then(|text| text.rsplit_once(" check=")) else {
        return Err(damaged("one line with a checksum", shown()));
    };
    let expected = checksum(0, text.as_bytes());
    if sum != format!("{expected:08x}") {
        return Err(damaged(&format!("checksum {expected:08x}"), sum.escape_debug().to_string()));
    }
    let words: Vec<&str> = text.split(' ').collect();
    let [magic, format, features, manifest, ..] = words[..] else {
        return Err(damaged("four words", shown()));
    };
    let format = format.strip_prefix("format=").and_then(|n| n.parse::<u64>().ok());
    let (Some(format), "nori-current") = (format, magic) else {
        return Err(damaged("\"nori-current format=\"", shown()));
    };
    let too_new = |what: &str, found: u64, supported: u64| -> Error {
        FormatTooNew { path: path.to_path_buf(), what: what.to_string(), found, supported }.into()
    };
    if format > CURRENT_FORMAT {
        return Err(too_new("CURRENT's format", format, CURRENT_FORMAT));
    }
    let bits = features.strip_prefix("features=").and_then(|f| f.split(',').next());
    let Some(bits) = bits.and_then(|bits| u64::from_str_radix(bits, 16).ok()) else {
        return Err(damaged("feature bits", shown()));
    };
    if bits != 0 {
        return Err(too_new("CURRENT's set of feature bits", bits, 0));
    }
    let name = manifest.strip_prefix("manifest=").and_then(FileName::parse);
    match name {
        Some(FileName::Manifest(number)) => Ok(number.0),
        _ => Err(damaged("the name of a manifest", shown())),
    }
}

/// Reads CURRENT; `None` if there is none.
pub(crate) fn read(fs: &dyn FileSystem, dir: &Path) -> Result<Option<u64>> {
    let path = current_path(dir);
    let file = match fs.open(&path, OpenMode::Read) {
        Ok(file) => file,
        Err(error) if error.is_not_found() => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let len = file.len()?;
    if len > CURRENT_BYTES_MAX {
        let expected = format!("at most {CURRENT_BYTES_MAX} bytes");
        return Err(Corruption::new(path, 0, "CURRENT", expected, len).into());
    }
    decode(&file.read_all()?, &path).map(Some)
}

/// Where turning CURRENT failed.
#[derive(Debug)]
pub(crate) enum Turn {
    /// The old CURRENT still rules.
    Unchanged(Error),
    /// Which one rules is unknown until the directory has been read after a crash.
    Unknown(Error),
}

impl<E: Into<Error>> From<E> for Turn {
    fn from(error: E) -> Turn {
        Turn::Unchanged(error.into())
    }
}

/// Makes CURRENT name a manifest that is durable already, its directory entry too.
pub(crate) fn turn(fs: &dyn FileSystem, dir: &Path, number: u64) -> std::result::Result<(), Turn> {
    let (path, temporary) = (current_path(dir), dir.join("CURRENT.tmp"));
    match fs.remove(&temporary) {
        Err(error) if !error.is_not_found() => return Err(error.into()),
        _ => {}
    }
    let file = fs.open(&temporary, OpenMode::CreateNew)?;
    file.write_at(encode(number).as_bytes(), 0)?;
    file.sync_all()?;
    let renamed = fs.rename(&temporary, &path).and_then(|()| fs.sync_dir(dir));
    renamed.map_err(|error| Turn::Unknown(error.into()))
}

#[cfg(all(test, not(nori_loom)))]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use nori_env::sync::Arc;
    use nori_env::{Fault, FaultFs, FaultRule, FsOp, MemFs};

    fn with_sum(text: &str) -> Vec<u8> {
        format!("{text} check={:08x}\n", checksum(0, text.as_bytes())).into_bytes()
    }

    #[test]
    fn it_comes_back_and_every_flipped_byte_is_noticed() {
        let path = Path::new("CURRENT");
        let good = encode(1_234_567).into_bytes();
        assert_eq!(decode(&good, path).unwrap(), 1_234_567);
        for at in 0..good.len() {
            for bit in 0..8 {
                let mut bad = good.clone();
                bad[at] ^= 1 << bit;
                let error = decode(&bad, path).unwrap_err();
                assert!(matches!(error, Error::Corruption(_)), "byte {at}: {error}");
            }
            assert!(matches!(decode(&good[..at], path), Err(Error::Corruption(_))));
        }
    }

    #[test]
    fn later_formats_are_not_guessed_at() {
        let path = Path::new("CURRENT");
        for text in [
            "nori-current format=2 features=0,0,0 manifest=MANIFEST-000007",
            "nori-current format=2 something else entirely",
            "nori-current format=1 features=8,0,0 manifest=MANIFEST-000007",
        ] {
            let error = decode(&with_sum(text), path).unwrap_err();
            assert!(matches!(error, Error::FormatTooNew(_)), "{text}: {error}");
        }
        let known = "nori-current format=1 features=0,3,5 manifest=MANIFEST-000007 more=1";
        assert_eq!(decode(&with_sum(known), path).unwrap(), 7);
        for text in ["", "nori-current", "nori-current format=x features=0 manifest=y", "a b c d"] {
            assert!(matches!(decode(&with_sum(text), path), Err(Error::Corruption(_))), "{text}");
        }
    }

    #[test]
    fn only_a_missing_file_is_none_and_long_ones_are_not_read() {
        let disk = MemFs::new(1);
        let dir = Path::new("/store");
        disk.create_dir_all(dir).unwrap();
        assert_eq!(read(&disk, dir).unwrap(), None);
        let line = encode(7);
        let padded = |len: u64| {
            let mut bytes = line.clone().into_bytes();
            bytes.resize(usize::try_from(len).unwrap(), b' ');
            disk.write_file(current_path(dir), &bytes);
            read(&disk, dir).unwrap_err().to_string()
        };
        let too_long = "at most";
        assert!(padded(CURRENT_BYTES_MAX + 1).contains(too_long));
        assert!(!padded(CURRENT_BYTES_MAX).contains(too_long), "it is read, and damaged");
        assert!(!padded(CURRENT_BYTES_MAX - 1).contains(too_long));
        disk.write_file(current_path(dir), line.as_bytes());
        assert_eq!(read(&disk, dir).unwrap(), Some(7));
        let faults = FaultFs::new(Arc::new(disk));
        faults.inject(FaultRule::new(Fault::Eio).on(FsOp::Open).path("CURRENT"));
        assert!(matches!(read(&faults, dir), Err(Error::Io(_))), "an error is not \"none\"");
    }

    #[test]
    fn a_leftover_that_cannot_be_removed_leaves_current_alone() {
        let disk = MemFs::new(2);
        let dir = Path::new("/store");
        disk.create_dir_all(dir).unwrap();
        disk.write_file(dir.join("CURRENT.tmp"), b"left");
        let faults = FaultFs::new(Arc::new(disk));
        faults.inject(FaultRule::new(Fault::Eio).on(FsOp::Remove));
        let Err(Turn::Unchanged(error)) = turn(&faults, dir, 7) else { panic!("it turned") };
        assert!(error.to_string().starts_with("remove"), "{error}");
        faults.clear();
        turn(&faults, dir, 7).unwrap();
        assert_eq!(read(&faults, dir).unwrap(), Some(7));
    }
}
