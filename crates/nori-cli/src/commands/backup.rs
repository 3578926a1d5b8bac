//! `nori checkpoint`, `nori backup` and `nori restore`: whole stores, copied.

use crate::args::{BackupArgs, CheckpointArgs, RestoreArgs};
use crate::failure::Failure;
use crate::out::Out;
use crate::progress::Progress;
use crate::table::Table;
use crate::{stores, units};
use nori_backup::{BackupOptions, BackupReport, Backups, GenerationInfo};
use serde_json::json;
use std::io;
use std::ops::ControlFlow;
use std::path::Path;
use std::time::Instant;

/// `nori checkpoint`
pub(crate) fn checkpoint(args: &CheckpointArgs, out: &mut Out) -> Result<(), Failure> {
    let started = Instant::now();
    let bar = Bar::new(out, "copying");
    let info = stores::copy(&args.store, |store| {
        let info = store.checkpoint_with(&args.dir, &mut |at| {
            bar.show(at.bytes_done, at.bytes, at.files_done, at.files)
        })?;
        Ok(info)
    })?;
    drop(bar);
    let seconds = started.elapsed().as_secs_f64();
    if out.json() {
        return out.document(&json!({ "checkpoint": info, "seconds": seconds }));
    }
    out.line(format!(
        "{} with {} and {} of log are a store in {}, as of write {}",
        units::plural(info.tables, "table", "tables"),
        units::bytes(info.bytes),
        units::bytes(info.log_bytes),
        args.dir.display(),
        info.sequence
    ))
}

/// `nori backup`, which makes one, and its options, which look at what there is.
pub(crate) fn backup(args: &BackupArgs, out: &mut Out) -> Result<(), Failure> {
    if let Some(target) = &args.list {
        return list(target, out);
    }
    if let Some(target) = &args.check {
        return check(target, out);
    }
    if let Some(target) = &args.prune {
        let removed = Backups::open(target)?.prune(args.keep)?;
        return tell_removed(&removed, out);
    }
    if let (Some(target), Some(generation)) = (&args.remove, args.generation) {
        Backups::open(target)?.remove(generation)?;
        return tell_removed(&[generation], out);
    }
    match (&args.store, &args.target) {
        (Some(store), Some(target)) => make(args, store, target, out),
        _ => Err(Failure::usage("name a store, and where its backups are kept")),
    }
}

fn make(args: &BackupArgs, store_dir: &Path, target: &Path, out: &mut Out) -> Result<(), Failure> {
    let started = Instant::now();
    let options = BackupOptions::default().keep(Some(args.keep)).verify(args.verify);
    let bar = Bar::new(out, "copying");
    let report = stores::copy(store_dir, |store| {
        // Made behind the store's opening: a slip in its name makes nothing.
        let backups = Backups::create(target)?;
        Ok(backups.backup_with(store, &options, &mut |at| bar.of(at))?)
    })?;
    drop(bar);
    let seconds = started.elapsed().as_secs_f64();
    if out.json() {
        return out.document(&json!({ "backup": report, "seconds": seconds }));
    }
    tell_made(&report, seconds, out)
}

fn tell_made(report: &BackupReport, seconds: f64, out: &mut Out) -> Result<(), Failure> {
    let generation = &report.generation;
    out.line(format!(
        "generation {}: {} with {}, as of write {}",
        generation.generation,
        units::plural(generation.tables, "table", "tables"),
        units::bytes(generation.table_bytes),
        generation.sequence
    ))?;
    out.line(format!(
        "  copied {} with {} ({}); the others were there",
        units::plural(report.tables_copied, "table", "tables"),
        units::bytes(report.table_bytes_copied),
        units::bytes_rate(report.table_bytes_copied, seconds)
    ))?;
    if report.tables_mended > 0 {
        let mended = units::plural(report.tables_mended, "table", "tables");
        out.line(format!("  {mended} of older generations had been damaged and were copied anew"))?;
    }
    if !report.removed.is_empty() {
        tell_removed(&report.removed, out)?;
    }
    match &report.not_removed {
        Some(why) => out.line(format!("  older generations were not removed: {why}")),
        None => Ok(()),
    }
}

fn tell_removed(removed: &[u64], out: &mut Out) -> Result<(), Failure> {
    if out.json() {
        return out.document(&json!({ "removed": removed }));
    }
    let numbers: Vec<String> = removed.iter().map(u64::to_string).collect();
    match numbers.len() {
        0 => out.line("removed no generation"),
        1 => out.line(format!("removed generation {}", numbers[0])),
        _ => out.line(format!("removed generations {}", numbers.join(", "))),
    }
}

/// Damaged lists are told where they stand, and the command fails.
fn list(target: &Path, out: &mut Out) -> Result<(), Failure> {
    let backups = Backups::open(target)?;
    let mut table =
        Table::new(&["generation", "made", "write", "tables", "bytes", "other files", "bytes"]);
    let mut damaged = Vec::new();
    let all = match backups.generations() {
        Ok(all) => all,
        Err(error) => {
            damaged.push(error.to_string());
            Vec::new()
        }
    };
    if out.json() {
        let numbers = backups.numbers()?;
        out.document(&json!({ "numbers": numbers, "generations": all, "problems": damaged }))?;
    } else if damaged.is_empty() {
        for generation in &all {
            table.row(row(generation));
        }
        table.lines().iter().try_for_each(|line| out.line(line))?;
    } else {
        let numbers: Vec<String> = backups.numbers()?.iter().map(u64::to_string).collect();
        out.line(format!("generations: {}", numbers.join(", ")))?;
        damaged.iter().try_for_each(|what| out.line(what))?;
        out.line("\"nori backup --check\" tells which generations are whole")?;
    }
    if damaged.is_empty() { Ok(()) } else { Err(Failure::Found) }
}

fn row(generation: &GenerationInfo) -> Vec<String> {
    vec![
        generation.generation.to_string(),
        date(generation.created_unix_ms),
        generation.sequence.to_string(),
        generation.tables.to_string(),
        units::bytes(generation.table_bytes),
        generation.files.to_string(),
        units::bytes(generation.file_bytes),
    ]
}

/// Exit code 1 if anything is wrong.
fn check(target: &Path, out: &mut Out) -> Result<(), Failure> {
    let started = Instant::now();
    let backups = Backups::open(target)?;
    let progress = Bar::new(out, "checking");
    let report = backups.check_with(&mut |at| progress.of(at))?;
    drop(progress);
    let seconds = started.elapsed().as_secs_f64();
    if out.json() {
        out.document(&json!({ "ok": report.is_ok(), "check": report, "seconds": seconds }))?;
    } else {
        for problem in &report.problems {
            let needs: Vec<String> = problem.generations.iter().map(u64::to_string).collect();
            out.line(format!("needed by {}: {}", needs.join(", "), problem.what))?;
        }
        if report.unused > 0 {
            let files = units::plural(report.unused, "file", "files");
            out.line(format!("note: {files} of no generation; the next backup removes them"))?;
        }
        let verdict = match report.problems.len() as u64 {
            0 => "every byte is as it was written".to_string(),
            n => units::plural(n, "problem", "problems"),
        };
        out.line(format!(
            "{}, {}, {} read: {verdict} ({})",
            units::plural(report.generations, "generation", "generations"),
            units::plural(report.files, "file", "files"),
            units::bytes(report.bytes),
            units::bytes_rate(report.bytes, seconds)
        ))?;
    }
    if report.is_ok() { Ok(()) } else { Err(Failure::Found) }
}

/// `nori restore`
pub(crate) fn restore(args: &RestoreArgs, out: &mut Out) -> Result<(), Failure> {
    let backups = Backups::open(&args.target)?;
    let newest = backups.numbers()?.last().copied();
    let generation = args.generation.or(newest).ok_or_else(|| {
        Failure::failed(format!("{}: there is no generation yet", args.target.display()))
    })?;
    let progress = Bar::new(out, "restoring");
    let info = backups.restore_with(generation, &args.dir, &mut |at| progress.of(at))?;
    drop(progress);
    if out.json() {
        return out.document(&json!({ "restored": info }));
    }
    out.line(format!(
        "generation {generation} of {}, as of write {}, is a store in {}: {} with {}, each byte \
         checked",
        date(info.created_unix_ms),
        info.sequence,
        args.dir.display(),
        units::plural(info.tables, "table", "tables"),
        units::bytes(info.table_bytes)
    ))
}

impl From<nori_backup::Error> for Failure {
    fn from(error: nori_backup::Error) -> Failure {
        match error {
            nori_backup::Error::Store(error) => Failure::Store(error),
            nori_backup::Error::Io { op: "write", source, .. }
                if source.kind() == io::ErrorKind::BrokenPipe =>
            {
                Failure::ClosedPipe
            }
            nori_backup::Error::Io { op, path, source } => {
                Failure::Store(nori_lsm::Error::Io { op, path, source })
            }
            other => Failure::failed(other),
        }
    }
}

/// A bar that learns how much there is to do as it goes.
struct Bar(Progress);

impl Bar {
    fn new(out: &Out, what: &str) -> Bar {
        Bar(Progress::bytes(out, what, 0))
    }

    fn of(&self, at: &nori_backup::Progress) -> ControlFlow<()> {
        self.show(at.bytes_done, at.bytes, at.files_done, at.files)
    }

    fn show(&self, done: u64, bytes: u64, files_done: u64, files: u64) -> ControlFlow<()> {
        self.0.set(done, bytes);
        self.0.note(format!("{files_done} of {}", units::plural(files, "file", "files")));
        ControlFlow::Continue(())
    }
}

/// A moment in UTC.
fn date(unix_ms: u64) -> String {
    let seconds = unix_ms / 1000;
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    // Days since the first of March of the year 0, in eras of 400 years.
    let shifted = days + 719_468;
    let (era, day) = (shifted / 146_097, shifted % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let of_year = day - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let (day, from_january) = (of_year - (153 * month + 2) / 5 + 1, month < 10);
    let (month, year) = if from_january { (month + 3, year) } else { (month - 9, year + 1) };
    let (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60);
    let year = year + era * 400;
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02} UTC")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_told_in_utc() {
        assert_eq!(date(0), "1970-01-01 00:00:00 UTC");
        assert_eq!(date(951_782_399_999), "2000-02-28 23:59:59 UTC");
        assert_eq!(date(951_868_800_000), "2000-03-01 00:00:00 UTC");
        assert_eq!(date(1_795_897_985_000), "2026-11-28 20:33:05 UTC");
    }
}
