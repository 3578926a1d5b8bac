//! `nori repair`: what can be saved of a damaged store.

use crate::args::RepairArgs;
use crate::failure::Failure;
use crate::out::Out;
use crate::progress::Progress;
use crate::{stores, text, units};
use nori_lsm::{LostKey, LostPart};

/// Exit code 1 if anything was lost or is in doubt: the new store is there all the same.
pub(crate) fn repair(args: &RepairArgs, out: &mut Out) -> Result<(), Failure> {
    let report = {
        let _progress = Progress::spinner(out, "repairing");
        stores::repair(&args.store, &args.into)?
    };
    if out.json() {
        out.document(&report)?;
    } else {
        for lost in &report.lost {
            out.line(format!("lost: {}", tell(lost)))?;
        }
        for warning in &report.warnings {
            out.line(format!("warning: {warning}"))?;
        }
        let verdict = match report.lost.len() as u64 {
            0 if report.is_whole() => "nothing was lost".to_string(),
            0 => "see the warnings".to_string(),
            n => format!("{} could not be read", units::plural(n, "part", "parts")),
        };
        out.line(format!(
            "{}, {} from {} and {} are in {}: {verdict} ({})",
            units::plural(report.keys, "key", "keys"),
            units::bytes(report.bytes),
            units::plural(report.tables, "table", "tables"),
            units::plural(report.log_records, "log record", "log records"),
            args.into.display(),
            units::time(report.elapsed)
        ))?;
    }
    if report.is_whole() { Ok(()) } else { Err(Failure::Found) }
}

fn tell(lost: &LostPart) -> String {
    let to = lost.to.map_or_else(|| "its end".to_string(), |to| to.to_string());
    let key = |key: &Option<LostKey>| key.as_ref().map(|k| text::show(&k.key, false));
    let keys = match (key(&lost.first_key), key(&lost.last_key)) {
        (Some(first), Some(last)) => format!(", keys from {first} to {last}"),
        _ => String::new(),
    };
    format!("{}: bytes {} to {to}{keys}: {}", lost.path.display(), lost.from, lost.reason)
}
