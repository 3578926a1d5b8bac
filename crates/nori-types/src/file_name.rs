//! The names of a store's files.
//!
//! ```text
//! LOCK  CURRENT  HEAT  REPAIRING  MANIFEST-000007
//! wal/000042.wal  wal/000043.spare  sst/000015.sst  *.tmp
//! ```

use std::fmt;

/// The number in a file's name. Never reused within a store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileNumber(pub u64);

impl FileNumber {
    /// The number after this one.
    pub fn next(self) -> FileNumber {
        FileNumber(self.0 + 1)
    }
}

impl fmt::Display for FileNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:06}", self.0)
    }
}

/// A file of a store by its name, without its directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileName {
    /// Held by the process that has the store open.
    Lock,
    /// Names the live manifest.
    Current,
    /// What the compaction policy has learned of the slots. Never needed, only useful.
    Heat,
    /// A repair fills this directory and has not finished: what is in it is no whole store.
    Repairing,
    /// A log of version edits.
    Manifest(FileNumber),
    /// A WAL segment, in `wal/`.
    Segment(FileNumber),
    /// A segment's file waiting to be used again, in `wal/`.
    Spare(FileNumber),
    /// A table, in `sst/`.
    Table(FileNumber),
    /// A file whose making did not finish; swept at open.
    Temporary(String),
}

impl FileName {
    /// What a name means; `None` for files that are not nori's.
    pub fn parse(name: &str) -> Option<FileName> {
        let number = |digits: &str| {
            let plain = digits.len() >= 6 && digits.bytes().all(|b| b.is_ascii_digit());
            let number = digits.parse().ok().filter(|_| plain)?;
            // One file, one name: "0000001.sst" is not ours.
            (FileNumber(number).to_string() == digits).then_some(FileNumber(number))
        };
        match name {
            "LOCK" => return Some(FileName::Lock),
            "CURRENT" => return Some(FileName::Current),
            "HEAT" => return Some(FileName::Heat),
            "REPAIRING" => return Some(FileName::Repairing),
            _ => {}
        }
        if let Some(digits) = name.strip_prefix("MANIFEST-") {
            return number(digits).map(FileName::Manifest);
        }
        match name.rsplit_once('.')? {
            (_, "tmp") => Some(FileName::Temporary(name.to_string())),
            (digits, "wal") => number(digits).map(FileName::Segment),
            (digits, "spare") => number(digits).map(FileName::Spare),
            (digits, "sst") => number(digits).map(FileName::Table),
            _ => None,
        }
    }

    /// The number in the name, if it has one.
    pub fn number(&self) -> Option<FileNumber> {
        match self {
            FileName::Manifest(n)
            | FileName::Segment(n)
            | FileName::Spare(n)
            | FileName::Table(n) => Some(*n),
            FileName::Lock
            | FileName::Current
            | FileName::Heat
            | FileName::Repairing
            | FileName::Temporary(_) => None,
        }
    }
}

impl fmt::Display for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FileName::Lock => f.write_str("LOCK"),
            FileName::Current => f.write_str("CURRENT"),
            FileName::Heat => f.write_str("HEAT"),
            FileName::Repairing => f.write_str("REPAIRING"),
            FileName::Manifest(n) => write!(f, "MANIFEST-{n}"),
            FileName::Segment(n) => write!(f, "{n}.wal"),
            FileName::Spare(n) => write!(f, "{n}.spare"),
            FileName::Table(n) => write!(f, "{n}.sst"),
            FileName::Temporary(name) => f.write_str(name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_back() {
        let names = [
            FileName::Lock,
            FileName::Current,
            FileName::Heat,
            FileName::Repairing,
            FileName::Manifest(FileNumber(7)),
            FileName::Segment(FileNumber(42)),
            FileName::Spare(FileNumber(1)),
            FileName::Table(FileNumber(12_345_678)),
            FileName::Temporary("CURRENT.tmp".into()),
        ];
        for name in names {
            assert_eq!(FileName::parse(&name.to_string()), Some(name));
        }
    }

    #[test]
    fn foreign_names_are_none() {
        for name in
            ["", "15.sst", "0000015.sst", "+00015.sst", "000015.SST", "MANIFEST-", "x", ".sst"]
        {
            assert_eq!(FileName::parse(name), None, "{name}");
        }
        assert_eq!(FileName::parse("99999999999999999999.sst"), None);
    }
}
