//! What can happen to the files of a store at rest.

use crate::sample::{Sample, name, overwrite};
use nori_env::sync::Arc;
use nori_env::{FileSystem, MemFs, OpenMode, Rng};
use nori_sstable::{BlockCache, Table};
use nori_types::{FileName, FileNumber};
use std::ops::Range;
use std::path::{Path, PathBuf};

/// How a byte is changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flip {
    OneBit,
    Zero,
    Ones,
}

/// What stands where it should not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fill {
    Zeros,
    Garbage,
    /// The file's own beginning once more.
    Again,
}

/// One thing that happens. Files are indexes into the sample's.
#[derive(Clone, Debug)]
pub(crate) enum Damage {
    Flip {
        file: usize,
        at: usize,
        how: Flip,
    },
    Cut {
        file: usize,
        at: usize,
    },
    Extended {
        file: usize,
        by: usize,
        with: Fill,
    },
    /// A write that never came, or one of something else.
    Overwritten {
        file: usize,
        range: Range<usize>,
        with: Fill,
    },
    /// Two pieces of one file change places.
    SwappedInside {
        file: usize,
        first: Range<usize>,
        second: Range<usize>,
    },
    /// Pieces of two files change places.
    SwappedBetween {
        file: usize,
        first: Range<usize>,
        other: usize,
        second: Range<usize>,
    },
    Removed {
        file: usize,
    },
    Replaced {
        file: usize,
        by: usize,
    },
    SwappedFiles {
        file: usize,
        other: usize,
    },
    Renamed {
        file: usize,
        to: FileName,
    },
    Doubled {
        file: usize,
        to: FileName,
    },
}

/// Everything that can happen to a sample: each byte and length, then pieces, then files.
pub(crate) fn all(sample: &Sample) -> Vec<Damage> {
    let mut all = Vec::new();
    for (file, (_, bytes)) in sample.files.iter().enumerate() {
        for at in 0..bytes.len() {
            all.extend([Flip::OneBit, Flip::Zero, Flip::Ones].map(|how| Damage::Flip {
                file,
                at,
                how,
            }));
            all.push(Damage::Cut { file, at });
        }
    }
    for file in 0..sample.files.len() {
        grown(file, &mut all);
        pieces(sample, file, &mut all);
    }
    whole_files(sample, &mut all);
    all
}

fn grown(file: usize, all: &mut Vec<Damage>) {
    for by in [1, 2, 4, 5, 8, 23, 24, 64, 128, 129, 512, 4096, 70_000] {
        for with in [Fill::Zeros, Fill::Garbage, Fill::Again] {
            all.push(Damage::Extended { file, by, with });
        }
    }
}

fn pieces(sample: &Sample, file: usize, all: &mut Vec<Damage>) {
    let len = sample.files[file].1.len();
    let mut ranges: Vec<Range<usize>> = Vec::new();
    for size in [512, 4096] {
        ranges.extend((0..len).step_by(size).map(|at| at..len.min(at + size)));
    }
    ranges.extend(parts(sample, file));
    for (i, range) in ranges.iter().enumerate() {
        for with in [Fill::Zeros, Fill::Garbage, Fill::Again] {
            all.push(Damage::Overwritten { file, range: range.clone(), with });
        }
        let later = ranges[i + 1..].iter().filter(|other| other.start >= range.end);
        all.extend(later.map(|other| Damage::SwappedInside {
            file,
            first: range.clone(),
            second: other.clone(),
        }));
        for other in file + 1..sample.files.len() {
            let end = sample.files[other].1.len().min(range.end);
            let same = range.start..end;
            // The same place of another file, or any of its parts.
            let places = parts(sample, other).into_iter().chain((!same.is_empty()).then_some(same));
            all.extend(places.map(|second| Damage::SwappedBetween {
                file,
                first: range.clone(),
                other,
                second,
            }));
        }
    }
}

/// The blocks of a table, the records of a segment: what a file is made of.
fn parts(sample: &Sample, file: usize) -> Vec<Range<usize>> {
    let path = &sample.files[file].0;
    match name(path) {
        Some(FileName::Table(number)) => blocks(&sample.disk, path, number),
        Some(FileName::Segment(_)) => {
            let own = sample.records.iter().filter(|record| record.file == file);
            // Every few: swapping each with each would be most of the suite.
            own.map(|record| record.start..record.end).step_by(8).collect()
        }
        _ => Vec::new(),
    }
}

fn blocks(disk: &MemFs, path: &Path, number: FileNumber) -> Vec<Range<usize>> {
    let file = disk.open(path, OpenMode::Read).expect("is there");
    let layout = Table::open(file, number, BlockCache::new(0)).expect("a table").layout();
    let sections = layout.blocks.iter().map(|block| block.section).step_by(3);
    let sections = sections.chain(layout.filter).chain([layout.index, layout.properties]);
    sections.map(|s| s.offset as usize..(s.offset + s.bytes) as usize).collect()
}

fn whole_files(sample: &Sample, all: &mut Vec<Damage>) {
    let count = sample.files.len();
    for file in 0..count {
        all.push(Damage::Removed { file });
        for other in (0..count).filter(|other| *other != file) {
            all.push(Damage::Replaced { file, by: other });
            if file < other {
                all.push(Damage::SwappedFiles { file, other });
            }
        }
        for to in other_names(sample, &sample.files[file].0) {
            all.push(Damage::Renamed { file, to: to.clone() });
            all.push(Damage::Doubled { file, to });
        }
    }
}

/// Names of the same kind: those beside it, those of other files, far ones.
fn other_names(sample: &Sample, path: &Path) -> Vec<FileName> {
    let Some(own) = name(path) else { return Vec::new() };
    let Some(number) = own.number() else {
        return [FileName::Current, FileName::Heat, FileName::Lock].to_vec();
    };
    let taken = sample.files.iter().filter_map(|(path, _)| name(path)?.number());
    let near = [number.0.saturating_sub(1), number.0 + 1, number.0 + 2, number.0 + 1000, 1 << 60];
    let mut numbers: Vec<u64> = near.into_iter().chain(taken.map(|n| n.0)).collect();
    numbers.sort_unstable();
    numbers.dedup();
    let make = |n: u64| match own {
        FileName::Manifest(_) => FileName::Manifest(FileNumber(n)),
        FileName::Table(_) => FileName::Table(FileNumber(n)),
        FileName::Spare(_) => FileName::Spare(FileNumber(n)),
        _ => FileName::Segment(FileNumber(n)),
    };
    numbers.into_iter().filter(|n| *n != number.0).map(make).collect()
}

fn filled(bytes: &mut [u8], with: Fill, own: &[u8]) {
    match with {
        Fill::Zeros => bytes.fill(0),
        Fill::Garbage => Rng::new(bytes.len() as u64).fill(bytes),
        Fill::Again => bytes.iter_mut().zip(own.iter().cycle()).for_each(|(to, from)| *to = *from),
    }
}

impl Damage {
    /// The files it hits.
    pub(crate) fn files(&self) -> Vec<usize> {
        match *self {
            Damage::Flip { file, .. }
            | Damage::Cut { file, .. }
            | Damage::Extended { file, .. }
            | Damage::Overwritten { file, .. }
            | Damage::SwappedInside { file, .. }
            | Damage::Removed { file }
            | Damage::Renamed { file, .. }
            | Damage::Doubled { file, .. }
            | Damage::Replaced { file, .. } => vec![file],
            Damage::SwappedBetween { file, other, .. } | Damage::SwappedFiles { file, other } => {
                vec![file, other]
            }
        }
    }

    /// What the files are afterwards, with their bytes; `None`: gone. Those that do not change
    /// are left out.
    pub(crate) fn outcome(&self, sample: &Sample) -> Vec<(PathBuf, Option<Vec<u8>>)> {
        let bytes = |file: usize| sample.files[file].1.clone();
        let path = |file: usize| sample.files[file].0.clone();
        let beside = |file: usize, to: &FileName| path(file).with_file_name(to.to_string());
        let all = match self {
            Damage::Flip { file, at, how } => {
                let mut bytes = bytes(*file);
                bytes[*at] = match how {
                    Flip::OneBit => bytes[*at] ^ 1 << (at % 8),
                    Flip::Zero => 0,
                    Flip::Ones => 0xff,
                };
                vec![(path(*file), Some(bytes))]
            }
            Damage::Cut { file, at } => vec![(path(*file), Some(bytes(*file)[..*at].to_vec()))],
            Damage::Extended { file, by, with } => {
                let own = bytes(*file);
                let mut longer = own.clone();
                longer.resize(own.len() + by, 0);
                filled(&mut longer[own.len()..], *with, &own);
                vec![(path(*file), Some(longer))]
            }
            Damage::Overwritten { file, range, with } => {
                let own = bytes(*file);
                let mut bytes = own.clone();
                filled(&mut bytes[range.clone()], *with, &own);
                vec![(path(*file), Some(bytes))]
            }
            Damage::SwappedInside { file, first, second } => {
                let swapped = nori_testkit::swapped(&bytes(*file), first.clone(), second.clone());
                vec![(path(*file), Some(swapped))]
            }
            Damage::SwappedBetween { file, first, other, second } => {
                let (mut a, mut b) = (bytes(*file), bytes(*other));
                let piece = b[second.clone()].to_vec();
                b.splice(second.clone(), a[first.clone()].to_vec());
                a.splice(first.clone(), piece);
                vec![(path(*file), Some(a)), (path(*other), Some(b))]
            }
            Damage::Removed { file } => vec![(path(*file), None)],
            Damage::Replaced { file, by } => vec![(path(*file), Some(bytes(*by)))],
            Damage::SwappedFiles { file, other } => {
                vec![(path(*file), Some(bytes(*other))), (path(*other), Some(bytes(*file)))]
            }
            Damage::Renamed { file, to } => {
                vec![(path(*file), None), (beside(*file, to), Some(bytes(*file)))]
            }
            Damage::Doubled { file, to } => vec![(beside(*file, to), Some(bytes(*file)))],
        };
        let before = |path: &Path| sample.files.iter().find(|(p, _)| p == path).map(|(_, b)| b);
        all.into_iter().filter(|(path, after)| before(path) != after.as_ref()).collect()
    }
}

/// The sample's disk after some of its files have changed.
pub(crate) fn image(sample: &Sample, changed: &[(PathBuf, Option<Vec<u8>>)]) -> Arc<MemFs> {
    let disk = sample.disk.image();
    for (path, bytes) in changed {
        match bytes {
            Some(bytes) => overwrite(&disk, path, bytes),
            None => assert!(disk.remove_file(path)),
        }
    }
    Arc::new(disk)
}
