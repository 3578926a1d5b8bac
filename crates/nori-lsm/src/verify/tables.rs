//! Tables: each byte of a file, and what the manifest remembers of it.

use super::report::{Finding, VerifyReport};
use nori_env::{FileSystem, OpenMode};
use nori_sstable::{Losses, LostBlock, Table};
use nori_types::{FileNumber, TableMeta};
use std::path::Path;

/// Reads one table; `known` is what the manifest says of it.
pub(crate) fn verify_table(
    fs: &dyn FileSystem,
    path: &Path,
    number: FileNumber,
    known: Option<&TableMeta>,
    report: &mut VerifyReport,
    progress: &mut dyn FnMut(u64),
) {
    let file = match fs.open(path, OpenMode::Read) {
        Ok(file) => file,
        Err(error) if error.is_not_found() => {
            let missing = Finding::new(path, None, "the file is missing");
            report.problems.push(match known {
                Some(meta) => {
                    let missing = missing.with_bytes(Some(meta.bytes));
                    missing.with_keys(&meta.smallest, Some(&meta.largest))
                }
                None => missing,
            });
            return;
        }
        Err(error) => return report.failed(path, error),
    };
    // The table tells how far it has come, the caller is told how much that is more.
    let mut told = 0;
    let mut step = |at: u64| progress(at.saturating_sub(std::mem::replace(&mut told, at)));
    let losses = Losses::new();
    report.entries += Table::verify_file(file, number, known, &losses, &mut step);
    report.tables.add(told);
    report.bytes += told;
    report.problems.extend(losses.take().into_iter().map(finding));
}

fn finding(lost: LostBlock) -> Finding {
    let found = Finding::new(&lost.path, Some(lost.section.offset), lost.what);
    let found = found.with_bytes(Some(lost.section.bytes));
    match lost.keys {
        Some((first, last)) => found.with_keys(&first, last.as_deref()),
        None => found,
    }
}
