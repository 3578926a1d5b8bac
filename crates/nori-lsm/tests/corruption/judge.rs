//! What a damaged store may do: give right answers, or a typed error that names the file.
//!
//! Right answers are those of the state the store was left in. Elements at its end may be missing
//! only if nothing that is left intact promises them: their records are damaged, or stand behind
//! a damaged one, and every record header behind that one is damaged too. Of the manifest only the
//! last edit can be lost like that.

use crate::damage::{Damage, image};
use crate::sample::{KEYS, ROOT, Sample, State, kind_of, name};
use nori_env::sync::Arc;
use nori_env::{FileSystem, MemFs};
use nori_lsm::{Error, ErrorKind, Keyspace, Lsm};
use nori_types::FileName;
use nori_wal::RECORD_HEADER_BYTES;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

type Changed = [(PathBuf, Option<Vec<u8>>)];

/// How a damaged store is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Door {
    Write,
    Read,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Whole,
    /// So many elements at the end are missing, with no error.
    Shorter(usize),
    /// A typed error, from opening or from some of the reads; all other answers were right.
    Detected,
}

/// Counts of outcomes, by kind of file.
#[derive(Debug, Default)]
pub(crate) struct Tally(BTreeMap<&'static str, [u64; 3]>);

impl Tally {
    pub(crate) fn print(&self, what: &str) {
        for (kind, [whole, detected, shorter]) in &self.0 {
            println!(
                "{what}: {kind}: {whole} right, {detected} typed errors, {shorter} a shorter \
                 prefix, 0 wrong"
            );
        }
    }

    pub(crate) fn total(&self) -> u64 {
        self.0.values().flatten().sum()
    }

    fn add(&mut self, path: &Path, outcome: Outcome) {
        self.0.entry(kind_of(path)).or_default()[match outcome {
            Outcome::Whole => 0,
            Outcome::Detected => 1,
            Outcome::Shorter(_) => 2,
        }] += 1;
    }
}

/// Does the damage to a copy of the sample, opens it and reads everything.
pub(crate) fn judge(
    sample: &Sample,
    damage: &Damage,
    door: Door,
    tally: &mut Tally,
) -> Result<Option<Outcome>, String> {
    let changed = damage.outcome(sample);
    let Some((first, _)) = changed.first() else { return Ok(None) };
    let disk = image(sample, &changed);
    let outcome = Case { sample, changed: &changed, door }.run(&disk)?;
    tally.add(first, outcome);
    Ok(Some(outcome))
}

/// The same without any damage.
pub(crate) fn undamaged(sample: &Sample, door: Door) -> Result<Outcome, String> {
    let disk = Arc::new(sample.disk.image());
    Case { sample, changed: &[], door }.run(&disk)
}

struct Case<'a> {
    sample: &'a Sample,
    changed: &'a Changed,
    door: Door,
}

impl Case<'_> {
    fn run(&self, disk: &Arc<MemFs>) -> Result<Outcome, String> {
        let before = disk.operations();
        let fs: Arc<dyn FileSystem> = Arc::<MemFs>::clone(disk);
        let config = self.sample.config(fs);
        let opened = match self.door {
            Door::Write => Lsm::open_with(ROOT, config),
            Door::Read => Lsm::open_read_only_with(ROOT, config),
        };
        let outcome = match opened {
            Err(e) => self.typed(&e).map(|()| Outcome::Detected)?,
            Ok(store) => self.opened(&store, disk)?,
        };
        if self.door == Door::Read && disk.operations() != before {
            return Err("opening to read changed the disk".to_string());
        }
        Ok(outcome)
    }

    fn opened(&self, store: &Lsm, disk: &MemFs) -> Result<Outcome, String> {
        let last = store.metrics().last_sequence;
        let (state, missing) =
            self.sample.state_at(last).ok_or_else(|| format!("the store ends at {last}"))?;
        let detected = self.read(store, state)?;
        if missing > 0 && !detected {
            self.may_miss(last, missing)?;
        }
        let mut tables = self.changed.iter().filter(|(path, bytes)| {
            let live = bytes.is_some() && disk.read_file(path) == *bytes;
            kind_of(path) == "table" && live && self.names(store, path)
        });
        let damaged = tables.next().map(|(path, _)| path);
        if detected || damaged.is_some() {
            let verified = store.verify().map_err(|e| format!("verify: {e}"))?;
            if verified.is_ok() {
                return Err(format!("verify found nothing, an error {detected}, {damaged:?}"));
            }
        }
        Ok(match missing {
            _ if detected => Outcome::Detected,
            0 => Outcome::Whole,
            missing => Outcome::Shorter(missing),
        })
    }

    /// Whether an open store may still read a file of its own: after an open that writes every
    /// other one has been swept.
    fn names(&self, store: &Lsm, path: &Path) -> bool {
        let known = self.sample.files.iter().any(|(own, _)| own == path);
        let writes = self.door == Door::Write;
        known && (writes || store.metrics().tables == self.tables())
    }

    fn tables(&self) -> u64 {
        self.sample.files.iter().filter(|(path, _)| kind_of(path) == "table").count() as u64
    }

    /// An error of the right kind that names one of the damaged files.
    fn typed(&self, error: &Error) -> Result<(), String> {
        let said = error.to_string();
        if !matches!(error.kind(), ErrorKind::Corruption | ErrorKind::FormatTooNew) {
            return Err(format!("an error of the wrong kind: {said}"));
        }
        let names = |path: &Path| said.contains(&*path.to_string_lossy());
        let named = self.changed.iter().any(|(path, _)| names(path));
        // The log is one thing in several files: damage in one shows at the end of another.
        let log = |path: &Path| path.parent().is_some_and(|dir| dir.ends_with("wal"));
        let logs = self.changed.iter().any(|(path, _)| log(path)) && said.contains("/wal/");
        // What the manifest does not say any more is missed elsewhere.
        let lists = self
            .changed
            .iter()
            .any(|(path, _)| matches!(name(path), Some(FileName::Manifest(_) | FileName::Current)));
        if named || logs || lists {
            return Ok(());
        }
        Err(format!("an error that names another file: {said}"))
    }

    /// Whether the log, as it is now, promises none of the elements above `last`.
    fn may_miss(&self, last: u64, missing: usize) -> Result<(), String> {
        let kinds: Vec<_> = self.changed.iter().map(|(path, _)| kind_of(path)).collect();
        let manifest = kinds.iter().any(|kind| matches!(*kind, "manifest" | "CURRENT"));
        if manifest && missing <= 1 {
            return Ok(());
        }
        let lost: Vec<_> = self.sample.records.iter().filter(|r| r.last > last).collect();
        if lost.len() != missing {
            return Err(format!("{missing} elements are missing, {} in the log", lost.len()));
        }
        let intact = |file: usize, start: usize, end: usize| {
            let (path, bytes) = &self.sample.files[file];
            match self.changed.iter().find(|(changed, _)| changed == path) {
                None => true,
                Some((_, now)) => {
                    let now = now.as_ref().and_then(|now| now.get(start..end));
                    now == bytes.get(start..end)
                }
            }
        };
        let header = RECORD_HEADER_BYTES as usize;
        let first = lost.first().ok_or("nothing in the log is missing")?;
        if intact(first.file, first.start, first.end) && intact(first.file, 0, 64) {
            return Err(format!("{missing} elements are missing, their first record is whole"));
        }
        for later in &lost[1..] {
            let promises = intact(later.file, later.start, later.start + header);
            if promises && intact(later.file, 0, 64) {
                return Err(format!("{missing} elements are missing that {later:?} promises"));
            }
        }
        Ok(())
    }

    /// Reads everything and compares it with one state. True if some of it was an error.
    fn read(&self, store: &Lsm, expected: &State) -> Result<bool, String> {
        let mut detected = false;
        let shown = store.keyspaces();
        if shown.iter().ne(expected.keys()) {
            return Err(format!("keyspaces {shown:?}"));
        }
        for (at, (name, keys)) in expected.iter().enumerate() {
            let space = match store.keyspace(name) {
                Ok(space) => space,
                Err(e) => return self.typed(&e).map(|()| true),
            };
            for n in 0..KEYS {
                let key = format!("key-{n:03}").into_bytes();
                match space.get(&key) {
                    Ok(value) if value.as_deref() == keys.get(&key).map(|v| &v[..]) => {}
                    Ok(value) => return Err(format!("get {name} {n}: {value:?}")),
                    Err(e) => {
                        self.typed(&e)?;
                        detected = true;
                    }
                }
            }
            // One of the keyspaces is read backwards.
            detected |= self.scan(&space, keys, at % 2 == 1)?;
        }
        Ok(detected)
    }

    fn scan(
        &self,
        space: &Keyspace,
        keys: &BTreeMap<Vec<u8>, Vec<u8>>,
        reverse: bool,
    ) -> Result<bool, String> {
        let mut expected: Box<dyn Iterator<Item = _>> =
            if reverse { Box::new(keys.iter().rev()) } else { Box::new(keys.iter()) };
        let mut iter = space.iter();
        let mut next = || if reverse { iter.next_back() } else { iter.next() };
        loop {
            match (next(), expected.next()) {
                (Some(Err(e)), _) => {
                    self.typed(&e)?;
                    return match next() {
                        None => Ok(true),
                        Some(_) => Err("an iterator went on behind its error".to_string()),
                    };
                }
                (Some(Ok((k, v))), Some((key, value))) if k == key[..] && v == value[..] => {}
                (None, None) => return Ok(false),
                (got, wanted) => return Err(format!("scan: {got:?} instead of {wanted:?}")),
            }
        }
    }
}
