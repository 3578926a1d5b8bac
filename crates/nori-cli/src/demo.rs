//! `nori demo`: what nori does, shown and explained.
//!
//! Records are written, read back and counted, each checked against what it must be; then a
//! child process writes, is killed in the middle, and the store is opened again to see that
//! nothing acknowledged is missing. Only a store that an earlier demo made is ever replaced.

use crate::args::DemoArgs;
use crate::failure::Failure;
use crate::out::Out;
use crate::{machine, stores, units};
use nori_lsm::{Durability, Lsm};
use serde::Serialize;
use std::path::Path;

mod records;
mod recovery;
pub(crate) mod writer;

/// Tells a demo's store from a store with something in it.
const MARK_KEY: &str = "about";
const MARK: &str = "Made by \"nori demo\"; running it again replaces this store.";

/// All that the demo found, as JSON.
#[derive(Serialize)]
struct Report {
    store: String,
    records: records::Report,
    disk_bytes: u64,
    memory_peak_bytes: Option<u64>,
    recovery: recovery::Report,
    ok: bool,
    removed: bool,
}

/// `nori demo`
pub(crate) fn demo(args: &DemoArgs, out: &mut Out) -> Result<(), Failure> {
    make_room(&args.dir, out)?;
    let records = write_and_read(args, out)?;
    let (disk_bytes, memory) = (machine::disk_bytes(&args.dir), machine::memory_peak());
    out.say(format!(
        "  On disk the store takes {}; this process used at most {} of memory.\n",
        units::bytes(disk_bytes),
        memory.map_or("an unknown amount".into(), units::bytes)
    ))?;
    let recovery = recovery::prove(&args.dir, out)?;
    let ok = records.ok() && recovery.ok();
    if args.clean {
        stores::destroy(&args.dir)?;
        out.say(format!("Removed {}.", args.dir.display()))?;
    } else {
        let dir = args.dir.display();
        out.say(format!(
            "The store is left in {dir}. Look at it:\n  \
             nori stats {dir}\n  \
             nori scan {dir} --prefix user: --limit 5\n  \
             nori scan {dir} --keyspace {} --reverse --limit 3\n  \
             nori verify {dir}\n  \
             nori destroy {dir}",
            recovery::KEYSPACE
        ))?;
    }
    if out.json() {
        let store = args.dir.display().to_string();
        let removed = args.clean;
        let memory_peak_bytes = memory;
        let report =
            Report { store, records, disk_bytes, memory_peak_bytes, recovery, ok, removed };
        out.document(&report)?;
    }
    if ok { Ok(()) } else { Err(Failure::Found) }
}

/// Removes what an earlier demo left; refuses to touch anything else.
fn make_room(dir: &Path, out: &mut Out) -> Result<(), Failure> {
    let occupied = dir.exists() && dir.read_dir().map_or(true, |mut d| d.next().is_some());
    if !occupied {
        return Ok(());
    }
    if !was_made_by_demo(dir) {
        return Err(Failure::Usage(format!(
            "{} exists and was not made by a demo; choose another place with --dir",
            dir.display()
        )));
    }
    out.say(format!("Removing the store that an earlier demo left in {}.\n", dir.display()))?;
    stores::destroy(dir)
}

fn was_made_by_demo(dir: &Path) -> bool {
    let mark = stores::read(dir, |store| Ok(store.get(MARK_KEY)?));
    matches!(mark, Ok(Some(mark)) if mark[..] == *MARK.as_bytes())
}

fn write_and_read(args: &DemoArgs, out: &mut Out) -> Result<records::Report, Failure> {
    let n = args.keys;
    out.say(format!(
        "1. {} in a store of its own\n\n  \
         Opening a store in {}. There is no server: the store is a directory, and the\n  \
         engine runs inside this process.\n",
        units::plural(n, "record", "records"),
        args.dir.display()
    ))?;
    let config = stores::config().durability(Durability::Buffered);
    let store = Lsm::open_with(&args.dir, config)?;
    store.put(MARK_KEY, MARK)?;
    store.sync()?;
    let report = records::run(&store, n, out)?;
    store.close()?;
    Ok(report)
}
