//! CURRENT and the manifest: which tables live, and where the log begins.
//!
//! What opening accepts is right. What it refuses is read again for what it still says, so that
//! all damage is listed and the tables and the log can be looked at all the same.

use super::report::{Finding, VerifyReport};
use crate::error::{Error, Result};
use crate::repair::counters;
use crate::store::{Paths, list};
use nori_env::{FileSystem, OpenMode};
use nori_manifest::{Manifest, Salvaged, Version};
use nori_types::{FileName, FileNumber, TableMeta};
use nori_wal::LOG_HEADER_BYTES;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What the manifest says.
#[derive(Default)]
pub(super) struct State {
    /// The newest state that can be read.
    pub(super) version: Option<Version>,
    /// It is the state that the store was left with.
    pub(super) is_whole: bool,
    /// What records say of tables, whether they live or not.
    pub(super) known: BTreeMap<FileNumber, TableMeta>,
    /// The manifest that was read.
    pub(super) manifest: Option<u64>,
}

/// Reads CURRENT and the manifest that it names; without one that can be read, the newest.
pub(super) fn verify_manifest(
    fs: &dyn FileSystem,
    paths: &Paths,
    report: &mut VerifyReport,
    progress: &mut dyn FnMut(u64),
) -> Result<State> {
    let mut all = list(fs, &paths.root)?.iter().filter_map(manifest_number).collect::<Vec<u64>>();
    all.sort_unstable();
    let named = verify_current(fs, paths, report, progress);
    if let Some(number) = named.filter(|number| !all.contains(number)) {
        report.problem(&path_of(paths, number), "the file that CURRENT names is missing");
    }
    if named.is_none() && all.is_empty() {
        report
            .problem(&paths.root, "there is no manifest, so what is part of the store is unknown");
    }
    let is_there = named.is_some_and(|number| all.contains(&number));
    let mut state = State { manifest: named.filter(|_| is_there), ..State::default() };
    let mut are_whole = named.is_none();
    if !is_there {
        state.manifest = newest(fs, paths, &all, &mut are_whole, report);
    }
    let Some(number) = state.manifest else { return Ok(state) };
    let path = path_of(paths, number);
    if let Some(bytes) = length(fs, &path) {
        report.manifests.add(bytes);
        report.bytes += bytes;
        progress(bytes);
    }
    if is_there {
        match Manifest::load(fs, &paths.root) {
            Ok(loaded) => {
                let Some(loaded) = loaded else { return Ok(state) };
                if loaded.cut {
                    note_cut(fs, paths, number, report);
                }
                if loaded.read_only {
                    report.note(&path, "a later nori wrote it: it opens to be read only");
                }
                (state.version, state.is_whole) = (Some(loaded.version), true);
                return Ok(state);
            }
            Err(error) => failed(report, &path, error),
        }
    }
    match Manifest::salvage(fs, &paths.root, number) {
        Ok(found) => {
            // Where CURRENT is lost the newest state is that which it would have named, if no
            // manifest may have told a newer one.
            state.is_whole = found.is_whole && are_whole;
            take(&mut state, found, &path, report);
        }
        // Told already.
        Err(_) if is_there => {}
        Err(error) => failed(report, &path, error),
    }
    Ok(state)
}

/// The manifest that tells the newest state, and whether all are whole. Numbers do not say which is
/// newer: one whose making failed has a higher number than the one that went on.
fn newest(
    fs: &dyn FileSystem,
    paths: &Paths,
    all: &[u64],
    are_whole: &mut bool,
    report: &mut VerifyReport,
) -> Option<u64> {
    let mut read: Vec<(Option<_>, u64)> = Vec::new();
    let mut damaged = Vec::new();
    for number in all.iter().copied() {
        let found = Manifest::salvage(fs, &paths.root, number).ok();
        if !found.as_ref().is_some_and(|found| found.is_whole) {
            damaged.push(number);
        }
        let version = found.and_then(|found| found.version);
        read.push((version.as_ref().map(counters), number));
    }
    *are_whole &= damaged.is_empty();
    let best = read.into_iter().max().map(|(_, number)| number);
    for number in damaged.into_iter().filter(|number| Some(*number) != best) {
        report.note(&path_of(paths, number), "cannot be read as a whole; another one was");
    }
    best
}

/// Reads CURRENT: the number that it names, if there is one.
fn verify_current(
    fs: &dyn FileSystem,
    paths: &Paths,
    report: &mut VerifyReport,
    progress: &mut dyn FnMut(u64),
) -> Option<u64> {
    let path = paths.current();
    if let Some(bytes) = length(fs, &path) {
        report.current.add(bytes);
        report.bytes += bytes;
        progress(bytes);
    }
    Manifest::current(fs, &paths.root).unwrap_or_else(|error| {
        report.failed(&path, error);
        None
    })
}

/// Takes what a damaged manifest still says.
fn take(state: &mut State, found: Salvaged, path: &Path, report: &mut VerifyReport) {
    let problems = if found.is_whole { Vec::new() } else { found.problems };
    for bad in problems {
        // What is wrong with a header is told in other words by those who look at it.
        let same = |offset: u64| offset == bad.offset || offset.max(bad.offset) < LOG_HEADER_BYTES;
        let mut told = report.problems.iter().filter(|told| told.path == path);
        if !told.any(|told| told.offset.is_some_and(same)) {
            failed(report, path, bad);
        }
    }
    (state.version, state.known) = (found.version, found.tables);
}

/// Notes what is wrong with a manifest. Of a damaged header, the place that the error tells is
/// that of its checksum.
fn failed(report: &mut VerifyReport, path: &Path, error: impl Into<Error>) {
    report.failed(path, error);
    if let Some(told) = report.problems.last_mut()
        && told.offset.is_some_and(|offset| offset < LOG_HEADER_BYTES)
    {
        (told.offset, told.bytes) = (Some(0), Some(LOG_HEADER_BYTES));
    }
}

/// The end of the manifest could not be read, and opening takes that for an edit that was being
/// written when power was cut.
fn note_cut(fs: &dyn FileSystem, paths: &Paths, number: u64, report: &mut VerifyReport) {
    let path = path_of(paths, number);
    let what = "its end is no record: an edit that was not finished, or is damaged; opening sets \
                tables that it may have named aside, in lost/";
    let found = Manifest::salvage(fs, &paths.root, number).ok();
    let offset = found.and_then(|found| found.problems.first().map(|bad| bad.offset));
    report.notes.push(Finding::new(&path, offset, what));
}

fn manifest_number(name: &FileName) -> Option<u64> {
    match name {
        FileName::Manifest(number) => Some(number.0),
        _ => None,
    }
}

fn path_of(paths: &Paths, number: u64) -> PathBuf {
    paths.root.join(FileName::Manifest(FileNumber(number)).to_string())
}

/// The length of a file, if there is one.
pub(super) fn length(fs: &dyn FileSystem, path: &Path) -> Option<u64> {
    fs.open(path, OpenMode::Read).and_then(|file| file.len()).ok()
}
