//! `nori verify`: every byte of a store.

use crate::args::StoreArgs;
use crate::failure::Failure;
use crate::out::Out;
use crate::progress::Progress;
use crate::table::facts;
use crate::{stores, units};
use nori_lsm::{ErrorKind, FilesRead, VerifyReport};
use serde_json::{Map, Value, json};
use std::path::Path;
use std::time::Instant;

/// Exit code 1 if anything is wrong. Of a store that a running process has open, the tables are
/// read, which do not change.
pub(crate) fn verify(args: &StoreArgs, out: &mut Out) -> Result<(), Failure> {
    let started = Instant::now();
    let progress = Progress::bytes(out, "verifying", bytes_to_read(&args.store));
    let (report, is_open) = match stores::verify(&args.store, &mut |bytes| progress.add(bytes)) {
        Err(Failure::Store(error)) if error.kind() == ErrorKind::Locked => {
            (verify_open(args, out)?, true)
        }
        verified => (verified?, false),
    };
    drop(progress);
    let seconds = started.elapsed().as_secs_f64();
    if out.json() {
        out.document(&document(&report, is_open, seconds))?;
    } else {
        tell(args, &report, is_open, seconds, out)?;
    }
    if report.is_ok() { Ok(()) } else { Err(Failure::Found) }
}

/// Reads the tables of a store beside the process that has it open.
fn verify_open(args: &StoreArgs, out: &Out) -> Result<VerifyReport, Failure> {
    let once = || {
        stores::read(&args.store, |store| {
            let progress = Progress::bytes(out, "verifying", store.metrics().table_bytes);
            Ok(store.verify_with(&mut |bytes| progress.add(bytes))?)
        })
    };
    let report = once()?;
    // A table that the process removed meanwhile is no damage: look again at what is there.
    let is_missing = report.problems.iter().any(|problem| problem.what.contains("missing"));
    if is_missing { once() } else { Ok(report) }
}

fn document(report: &VerifyReport, is_open: bool, seconds: f64) -> Value {
    let mut document = Map::new();
    document.insert("ok".to_string(), json!(report.is_ok()));
    document.insert("open_elsewhere".to_string(), json!(is_open));
    document.insert("seconds".to_string(), json!(seconds));
    if let Value::Object(report) = json!(report) {
        document.extend(report);
    }
    Value::Object(document)
}

fn tell(
    args: &StoreArgs,
    report: &VerifyReport,
    is_open: bool,
    seconds: f64,
    out: &mut Out,
) -> Result<(), Failure> {
    let entries = units::plural(report.entries, "entry", "entries");
    let records = units::plural(report.log_records, "record", "records");
    let kinds = [
        ("CURRENT", report.current, String::new()),
        ("manifest", report.manifests, String::new()),
        ("tables", report.tables, format!(", {entries}")),
        ("log", report.log, format!(", {records}")),
        ("HEAT", report.heat, String::new()),
        ("not read", report.unused, ", no part of the store".to_string()),
    ];
    let there = kinds.into_iter().filter(|(_, read, _)| *read != FilesRead::default());
    let lines: Vec<_> = there.map(|(name, read, more)| (name, count(read) + &more)).collect();
    facts(&lines).into_iter().try_for_each(|line| out.line(line))?;
    for note in &report.notes {
        out.line(format!("note: {note}"))?;
    }
    for problem in &report.problems {
        out.line(problem)?;
    }
    if is_open {
        out.line(
            "note: the store is open in another process, so only its tables were read; close it \
             there to have every byte read",
        )?;
    }
    let verdict = match report.problems.len() as u64 {
        0 => "every byte is as it was written".to_string(),
        n => units::plural(n, "problem", "problems"),
    };
    let (read, rate) = (units::bytes(report.bytes), units::bytes_rate(report.bytes, seconds));
    out.line(format!("{read} read: {verdict} ({rate})"))?;
    if !report.is_ok() {
        let store = args.store.display();
        out.line(format!(
            "Restore the store from a backup, or save what can be read with \"nori repair \
             {store} INTO\"."
        ))?;
    }
    Ok(())
}

fn count(read: FilesRead) -> String {
    format!("{}, {}", units::plural(read.files, "file", "files"), units::bytes(read.bytes))
}

/// About how much there is to read. What cannot be looked at counts nothing.
fn bytes_to_read(store: &Path) -> u64 {
    let sum = |dir: &Path, is_read: fn(&str) -> bool| -> u64 {
        let Ok(entries) = std::fs::read_dir(dir) else { return 0 };
        let read = entries.flatten().filter(|e| is_read(&e.file_name().to_string_lossy()));
        read.filter_map(|e| e.metadata().ok()).filter(|m| m.is_file()).map(|m| m.len()).sum()
    };
    let frame = |name: &str| matches!(name, "CURRENT" | "HEAT") || name.starts_with("MANIFEST-");
    sum(store, frame)
        + sum(&store.join("sst"), |name| name.ends_with(".sst"))
        + sum(&store.join("wal"), |name| name.ends_with(".wal"))
}
