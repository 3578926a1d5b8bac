//! The second part of the demo: a writer is killed, and nothing acknowledged is missing.
//!
//! 1. The child's pipe is read to its end after the kill, so that every acknowledgement counts,
//!    the last ones included; a line without its end does not.
//! 2. What is found must be batches 0..m, each whole, for an m not below the number of
//!    acknowledgements: a prefix of what was written.

use crate::demo::writer::{BATCH_WRITES, key, value};
use crate::failure::Failure;
use crate::out::Out;
use crate::progress::Progress;
use crate::{stores, units};
use nori_lsm::Lsm;
use serde::Serialize;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Where the child writes.
pub(crate) const KEYSPACE: &str = "recovery";
/// The child is killed after this many acknowledgements ...
const ACKNOWLEDGED_BEFORE_KILL: u64 = 1000;
/// ... or when this much time has passed, as long as there was one.
const TIME_BEFORE_KILL: Duration = Duration::from_secs(2);

/// What was acknowledged, and what was there after the kill.
#[derive(Serialize)]
pub(super) struct Report {
    acknowledged_batches: u64,
    found_batches: u64,
    entries_per_batch: u64,
    missing_batches: u64,
    torn_batches: u64,
    replayed_records: u64,
    open_seconds: f64,
}

impl Report {
    pub(super) fn ok(&self) -> bool {
        self.acknowledged_batches > 0 && self.missing_batches == 0 && self.torn_batches == 0
    }
}

/// Runs the child, kills it, and looks.
pub(super) fn prove(dir: &Path, out: &mut Out) -> Result<Report, Failure> {
    out.say(format!(
        "2. A crash\n\n  \
         Starting a second process. It writes batches of {BATCH_WRITES} entries into the same\n  \
         store and says of each when the store has acknowledged it as durable. It is then\n  \
         killed with SIGKILL in the middle of its work, with no chance to tidy up."
    ))?;
    let acknowledged = {
        let progress = Progress::things(out, "  writing", ACKNOWLEDGED_BEFORE_KILL);
        run_and_kill(dir, &progress)?
    };
    out.say(format!(
        "  Killed after {}.\n\n  Opening the store again and looking.",
        units::plural(acknowledged, "acknowledged batch", "acknowledged batches")
    ))?;
    let report = look(dir, acknowledged)?;
    tell(&report, out)?;
    Ok(report)
}

fn run_and_kill(dir: &Path, progress: &Progress) -> Result<u64, Failure> {
    let program = std::env::current_exe();
    let program = program.map_err(|e| Failure::Failed(format!("finding this program: {e}")))?;
    let child = Command::new(&program)
        .arg("demo-writer")
        .arg(dir)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn();
    let mut child = child.map_err(|e| Failure::io("starting", &program, &e))?;
    let counted = count_until_killed(&mut child, progress);
    // Whatever happened, no child is left behind. Killing one that has ended is no failure.
    let killed = child.kill();
    let ended = child.wait();
    killed.and(ended).map_err(|e| Failure::Failed(format!("killing the writing process: {e}")))?;
    match counted? {
        0 => Err(Failure::failed("the writing process ended before it acknowledged anything")),
        acknowledged => Ok(acknowledged),
    }
}

fn count_until_killed(child: &mut Child, progress: &Progress) -> Result<u64, Failure> {
    let pipe = child.stdout.take().ok_or_else(|| Failure::failed("the child has no stdout"))?;
    let mut lines = BufReader::new(pipe);
    let broken = |e| Failure::Failed(format!("reading from the writing process: {e}"));
    let (started, mut acknowledged) = (Instant::now(), 0u64);
    let mut line = String::new();
    while acknowledged < ACKNOWLEDGED_BEFORE_KILL && started.elapsed() < TIME_BEFORE_KILL {
        line.clear();
        if lines.read_line(&mut line).map_err(broken)? == 0 {
            return Ok(acknowledged);
        }
        acknowledged += u64::from(is_acknowledgement(&line, acknowledged));
        progress.add(1);
    }
    child.kill().map_err(|e| Failure::Failed(format!("killing the writing process: {e}")))?;
    let mut rest = String::new();
    lines.read_to_string(&mut rest).map_err(broken)?;
    for line in rest.split_inclusive('\n') {
        acknowledged += u64::from(is_acknowledgement(line, acknowledged));
    }
    Ok(acknowledged)
}

fn is_acknowledgement(line: &str, expected: u64) -> bool {
    line.strip_suffix('\n').and_then(|number| number.parse().ok()) == Some(expected)
}

fn look(dir: &Path, acknowledged: u64) -> Result<Report, Failure> {
    let started = Instant::now();
    let store = stores::open_existing(dir)?;
    let open_seconds = started.elapsed().as_secs_f64();
    let replayed_records = store.recovery().records;
    let (found_batches, torn_batches) = count_batches(&store)?;
    store.close()?;
    Ok(Report {
        acknowledged_batches: acknowledged,
        found_batches,
        entries_per_batch: BATCH_WRITES,
        missing_batches: acknowledged.saturating_sub(found_batches),
        torn_batches,
        replayed_records,
        open_seconds,
    })
}

/// How many whole batches stand at the start without a gap, and how many entries do not belong
/// to one of them.
fn count_batches(store: &Lsm) -> Result<(u64, u64), Failure> {
    let mut entries = stores::view(store, KEYSPACE)?.iter();
    let mut whole = 0;
    loop {
        for entry in 0..BATCH_WRITES {
            let right = match entries.next().transpose()? {
                Some((k, v)) => {
                    k[..] == *key(whole, entry).as_bytes()
                        && v[..] == *value(whole, entry).as_bytes()
                }
                None if entry == 0 => return Ok((whole, 0)),
                None => false,
            };
            if !right {
                return Ok((whole, 1));
            }
        }
        whole += 1;
    }
}

fn tell(report: &Report, out: &mut Out) -> Result<(), Failure> {
    let count = units::count;
    out.say(format!(
        "  Opened in {}, {} replayed from the log.",
        units::time(Duration::from_secs_f64(report.open_seconds)),
        units::plural(report.replayed_records, "record", "records")
    ))?;
    if !report.ok() {
        return out.say(format!(
            "  WRONG: {} batches were acknowledged, {} are there, {} torn. Please report this.\n",
            count(report.acknowledged_batches),
            count(report.found_batches),
            count(report.torn_batches)
        ));
    }
    let beyond = report.found_batches - report.acknowledged_batches;
    let rest = match beyond {
        0 => "Nothing else is".to_string(),
        1 => "One more is, whole: it was durable, but the kill came before its word".to_string(),
        n => format!("{n} more are, whole: they were durable, but the kill came before their word"),
    };
    out.say(format!(
        "  All {} acknowledged batches are there, each with all its {BATCH_WRITES} entries, in\n  \
         order and without a gap. {rest}.\n",
        count(report.acknowledged_batches)
    ))
}
