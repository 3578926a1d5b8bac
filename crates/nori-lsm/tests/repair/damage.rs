//! What can happen to files.

use crate::sample::{ROOT, Sample, Stored, name};
use nori_env::{Cut, FileSystem, MemFs, OpenMode, Rng};
use nori_types::FileName;
use std::collections::BTreeSet;

/// A table's last bytes, with the number in them.
const FOOTER: usize = 128;

/// What happens to one file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Harm {
    Removed,
    Cut(usize),
    Flipped(usize),
    /// This many bytes from here on.
    Overwritten(usize, usize),
}

/// What happens to a store: file by file.
#[derive(Clone, Debug, Default)]
pub(crate) struct Damage(pub(crate) Vec<(usize, Harm)>);

impl Damage {
    pub(crate) fn tell(&self, sample: &Sample) -> String {
        let part =
            |(file, harm): &(usize, Harm)| format!("{} {harm:?}", sample.files[*file].0.display());
        self.0.iter().map(part).collect::<Vec<_>>().join(", ")
    }

    /// The disk afterwards.
    pub(crate) fn done_to(&self, sample: &Sample) -> MemFs {
        let disk = sample.disk.crash(Cut::Kill, 1);
        for (file, harm) in &self.0 {
            let (path, bytes) = &sample.files[*file];
            let mut bytes = bytes.clone();
            match *harm {
                Harm::Removed => {
                    disk.remove(path).expect("removes");
                    continue;
                }
                Harm::Cut(at) => bytes.truncate(at),
                Harm::Flipped(at) => bytes[at] ^= 0x40,
                Harm::Overwritten(at, len) => Rng::new(at as u64).fill(&mut bytes[at..at + len]),
            }
            let file = disk.open(path, OpenMode::Write).expect("opens");
            file.truncate(0).expect("cuts");
            file.write_at(&bytes, 0).expect("writes");
            file.sync_all().expect("syncs");
        }
        disk.sync_dir(ROOT.as_ref()).expect("syncs");
        disk
    }

    /// The keys that had a version in the damaged bytes.
    pub(crate) fn hurt(&self, sample: &Sample) -> BTreeSet<Stored> {
        let mut hurt = BTreeSet::new();
        for (file, harm) in &self.0 {
            let (path, bytes) = &sample.files[*file];
            let (mut from, mut to) = match *harm {
                Harm::Removed => (0, bytes.len()),
                Harm::Cut(at) => (at, bytes.len()),
                Harm::Flipped(at) => (at, at + 1),
                Harm::Overwritten(at, len) => (at, at + len),
            };
            let is_table = matches!(name(path), Some(FileName::Table(_)));
            // Blocks and records are bound to a number at one of the ends. One damaged byte of it
            // is made good; more cost all, unless another file knows it.
            let header = if is_table { to + FOOTER > bytes.len() } else { from < 64 };
            if header && to - from > 1 && (!is_table || !self.has_manifest(sample)) {
                (from, to) = (0, bytes.len());
            }
            let held = sample.held[*file].iter().filter(|h| h.from < to && from < h.to);
            hurt.extend(held.flat_map(|h| h.keys.iter().cloned()));
        }
        hurt
    }

    /// Whether the manifest and CURRENT are as they were.
    pub(crate) fn has_manifest(&self, sample: &Sample) -> bool {
        !self
            .0
            .iter()
            .any(|(file, _)| matches!(name(&sample.files[*file].0), Some(FileName::Manifest(_))))
    }
}

/// Damage of every kind to every file, and to some pairs of files.
pub(crate) fn choose(sample: &Sample, seed: u64) -> Vec<Damage> {
    let mut rng = Rng::new(seed ^ 0xda);
    let mut all = Vec::new();
    let hit: Vec<usize> = (0..sample.files.len())
        .filter(|at| {
            let kind = name(&sample.files[*at].0);
            !matches!(kind, None | Some(FileName::Lock | FileName::Spare(_)))
        })
        .collect();
    for file in &hit {
        let len = sample.files[*file].1.len();
        for kind in 0..8 {
            all.push(Damage(vec![(*file, one(kind, len, &mut rng))]));
        }
    }
    for _ in 0..30 {
        let harm = |rng: &mut Rng| {
            let file = *rng.pick(&hit);
            (file, one(rng.below(8), sample.files[file].1.len(), rng))
        };
        let (a, b) = (harm(&mut rng), harm(&mut rng));
        if a.0 != b.0 {
            all.push(Damage(vec![a, b]));
        }
    }
    all
}

fn one(kind: u64, len: usize, rng: &mut Rng) -> Harm {
    let at = rng.below(len.max(1) as u64) as usize;
    match kind {
        0 => Harm::Removed,
        1 => Harm::Cut(at),
        2 => Harm::Cut(0),
        3 => Harm::Overwritten(0, len),
        4 | 5 if len > 0 => Harm::Overwritten(at, (1 + rng.below(300) as usize).min(len - at)),
        _ if len > 0 => Harm::Flipped(at),
        _ => Harm::Removed,
    }
}
