//! `nori verify-dir`: is the store what the directory is?
//!
//! Files and keys are walked side by side, both in ascending order, so every file meets its key
//! and neither side has to fit into memory.

use crate::args::DirArgs;
use crate::commands::load_dir::check_dir;
use crate::failure::Failure;
use crate::out::Out;
use crate::progress::Progress;
use crate::tree::{self, Item, Size, Tree};
use crate::{stores, text, units};
use serde_json::json;
use std::cmp::Ordering;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::time::Instant;

/// Problems listed; the rest is counted.
const PROBLEMS_MAX: usize = 100_000;

/// What was compared, and what is not as it should be.
#[derive(Default)]
struct Compared {
    equal: Size,
    missing: u64,
    extra: u64,
    differing: u64,
    unreadable: u64,
    special: u64,
    /// Kind, key or path, and what is wrong.
    problems: Vec<(&'static str, String, String)>,
}

impl Compared {
    fn note(&mut self, kind: &'static str, name: String, what: String) {
        match kind {
            "missing" => self.missing += 1,
            "extra" => self.extra += 1,
            "differs" => self.differing += 1,
            _ => self.unreadable += 1,
        }
        if self.problems.len() < PROBLEMS_MAX {
            self.problems.push((kind, name, what));
        }
    }

    fn count(&self) -> u64 {
        self.missing + self.extra + self.differing + self.unreadable
    }
}

/// `nori verify-dir`
pub(crate) fn verify_dir(args: &DirArgs, out: &mut Out) -> Result<(), Failure> {
    check_dir(args)?;
    let total = {
        let progress = Progress::spinner(out, "looking");
        tree::measure(&args.dir, |size| {
            progress.note(units::plural(size.files, "file", "files"));
        })
    };
    let started = Instant::now();
    let compared = stores::read(&args.store, |store| {
        let view = stores::view(store, &args.keyspace.keyspace)?;
        let progress = Progress::bytes(out, "comparing", total.bytes);
        compare(view.iter(), &args.dir, &progress)
    })?;
    report(&compared, started.elapsed().as_secs_f64(), out)?;
    if compared.count() == 0 { Ok(()) } else { Err(Failure::Found) }
}

fn compare(keys: nori_lsm::Iter, dir: &Path, progress: &Progress) -> Result<Compared, Failure> {
    let mut compared = Compared::default();
    let mut contents = Vec::new();
    let mut keys = keys.peekable();
    let mut files = Tree::walk(dir);
    loop {
        let (key, path) = match files.next() {
            Some(Item::File { key, path }) => (key, path),
            Some(Item::Special) => {
                compared.special += 1;
                continue;
            }
            Some(Item::Unreadable { path, error }) => {
                compared.note("unreadable", path.display().to_string(), error.to_string());
                continue;
            }
            None => break,
        };
        // Keys before this file's belong to no file.
        let met = loop {
            let Some(entry) = keys.next_if(|e| e.as_ref().map_or(true, |(k, _)| k[..] <= key[..]))
            else {
                break None;
            };
            let (found, value) = entry?;
            if found[..].cmp(&key[..]) == Ordering::Equal {
                break Some(value);
            }
            note_extra(&mut compared, &found);
        };
        let Some(value) = met else {
            compared.note("missing", text::show(&key, false), "not in the store".into());
            continue;
        };
        let bytes = value.len() as u64;
        match difference(&path, &value, &mut contents) {
            Ok(None) => {
                compared.equal.files += 1;
                compared.equal.bytes += bytes;
            }
            Ok(Some(what)) => compared.note("differs", text::show(&key, false), what),
            Err(e) => compared.note("unreadable", path.display().to_string(), e.to_string()),
        }
        progress.add(bytes);
        progress.note(units::plural(compared.equal.files, "file", "files"));
    }
    for entry in keys {
        note_extra(&mut compared, &entry?.0);
    }
    Ok(compared)
}

fn note_extra(compared: &mut Compared, key: &[u8]) {
    compared.note("extra", text::show(key, false), "a key without a file".into());
}

/// How a file differs from a value, if it does.
fn difference(
    path: &Path,
    value: &[u8],
    contents: &mut Vec<u8>,
) -> std::io::Result<Option<String>> {
    contents.clear();
    // One byte more than the value is enough to see that the file is longer.
    let wanted = value.len() as u64 + 1;
    contents.reserve(value.len() + 1);
    let mut file = File::open(path)?;
    file.by_ref().take(wanted).read_to_end(contents)?;
    if contents[..] == value[..] {
        return Ok(None);
    }
    let file_bytes = file.metadata()?.len();
    let sizes = format!("the file has {file_bytes} bytes, the value {}", value.len());
    let at = contents.iter().zip(value).position(|(a, b)| a != b);
    Ok(Some(match at {
        Some(at) => format!("differs at byte {at}; {sizes}"),
        None => sizes,
    }))
}

fn report(compared: &Compared, seconds: f64, out: &mut Out) -> Result<(), Failure> {
    let equal = compared.equal;
    let unlisted = compared.count().saturating_sub(compared.problems.len() as u64);
    if out.json() {
        let problems = compared.problems.iter();
        let problems =
            problems.map(|(k, name, what)| json!({ "kind": k, "name": name, "what": what }));
        let problems: Vec<_> = problems.collect();
        return out.document(&json!({
            "ok": compared.count() == 0,
            "equal": { "files": equal.files, "bytes": equal.bytes },
            "missing": compared.missing,
            "extra": compared.extra,
            "differing": compared.differing,
            "unreadable": compared.unreadable,
            "skipped": compared.special,
            "problems": problems,
            "problems_unlisted": unlisted,
            "seconds": seconds,
            "bytes_per_second": units::rate(equal.bytes, seconds),
        }));
    }
    for (kind, name, what) in &compared.problems {
        out.line(format!("{kind}: {name}: {what}"))?;
    }
    if unlisted > 0 {
        out.line(format!("... and {} more", units::count(unlisted)))?;
    }
    let verdict = match compared.count() {
        0 => "the store and the directory are equal".to_string(),
        n => format!(
            "{}: {} missing, {} extra, {} differing, {} unreadable",
            units::plural(n, "problem", "problems"),
            units::count(compared.missing),
            units::count(compared.extra),
            units::count(compared.differing),
            units::count(compared.unreadable)
        ),
    };
    out.line(format!(
        "{} equal ({}, {}): {verdict}",
        units::plural(equal.files, "file", "files"),
        units::bytes(equal.bytes),
        units::bytes_rate(equal.bytes, seconds)
    ))
}
