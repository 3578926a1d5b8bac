//! `nori layout` and `nori estimate`: what the manifest says of a store, without reading its data.

use crate::args::{EstimateArgs, LayoutArgs};
use crate::failure::Failure;
use crate::out::Out;
use crate::{text, units};
use nori_env::sync::Arc;
use nori_env::{FileSystem, OpenMode, OsFs};
use nori_manifest::{Manifest, Run, Slot, TableRef, Version, key_prefix, split_prefix};
use nori_sstable::{BlockCache, Table};
use nori_types::{FileName, KeyRange};
use serde_json::{Value, json};
use std::io;
use std::path::Path;

/// How often a look is begun again because a running process changed the store under it.
const TRIES_MAX: u32 = 5;

/// The state that the manifest tells of.
pub(crate) fn version(store: &Path) -> Result<Version, Failure> {
    let loaded = Manifest::load(&OsFs, store)?;
    loaded.map(|loaded| loaded.version).ok_or_else(|| {
        Failure::failed(format!("{} holds no store: there is no CURRENT", store.display()))
    })
}

/// Looks at a store beside a process that may remove a manifest or a table meanwhile.
fn look<T>(mut once: impl FnMut() -> Result<T, Failure>) -> Result<T, Failure> {
    for _ in 1..TRIES_MAX {
        match once() {
            Err(Failure::Store(nori_lsm::Error::Io { source, .. }))
                if source.kind() == io::ErrorKind::NotFound =>
            {
                std::thread::sleep(std::time::Duration::from_millis(20));
            }
            done => return done,
        }
    }
    once()
}

/// `nori layout`
pub(crate) fn layout(args: &LayoutArgs, out: &mut Out) -> Result<(), Failure> {
    let version = look(|| version(&args.store))?;
    let wanted = match &args.keyspace {
        Some(name) => Some(keyspace_id(&version, name)?),
        None => None,
    };
    let hex = args.form.hex;
    let slots = slots_of(&version, wanted);
    if out.json() {
        let slots: Vec<Value> = slots.iter().map(|slot| slot_json(slot, hex)).collect();
        return out.document(&json!({ "slots": slots }));
    }
    for Placed { keyspace, range, slot } in slots {
        out.line(format!(
            "slot {} of {}: {}, {}, {}",
            slot.id.0,
            keyspace,
            in_words(&range, hex),
            units::plural(slot.runs.len() as u64, "run", "runs"),
            units::bytes(slot.bytes())
        ))?;
        for run in &slot.runs {
            out.line(run_in_words(run))?;
            for table in &run.tables {
                out.line(table_in_words(table, hex))?;
            }
        }
    }
    Ok(())
}

/// A slot, and the part of a keyspace that it holds.
struct Placed {
    keyspace: String,
    range: KeyRange,
    slot: Arc<Slot>,
}

/// The slots of one keyspace, or of all.
fn slots_of(version: &Version, wanted: Option<u32>) -> Vec<Placed> {
    let mut slots = Vec::new();
    for keyspace in version.catalog.iter() {
        if keyspace.dropped.is_some() || wanted.is_some_and(|wanted| wanted != keyspace.id) {
            continue;
        }
        let whole = nori_manifest::keyspace_range(keyspace.id);
        slots.extend(version.slots_in(&whole).map(|(_, slot)| Placed {
            keyspace: keyspace.name.clone(),
            range: slot.range.intersection(&whole),
            slot: Arc::clone(slot),
        }));
    }
    slots
}

/// A stored key without its keyspace.
fn shown(key: &[u8], hex: bool) -> String {
    text::show(split_prefix(key).map_or(key, |(_, key)| key), hex)
}

/// Where a range ends; `None` where its keyspace does.
fn end(range: &KeyRange) -> Option<&[u8]> {
    let hi = range.hi.as_deref()?;
    let id = |key: &[u8]| split_prefix(key).map(|(id, _)| id);
    let is_whole = split_prefix(hi).is_some_and(|(_, key)| key.is_empty());
    (!(is_whole && id(hi) != id(&range.lo))).then_some(hi)
}

fn in_words(range: &KeyRange, hex: bool) -> String {
    let lo = shown(&range.lo, hex);
    let lo = if lo.is_empty() { "(first)".to_string() } else { lo };
    let hi = end(range).map_or_else(|| "(last)".to_string(), |hi| shown(hi, hex));
    format!("{lo} to {hi}")
}

fn run_in_words(run: &Run) -> String {
    let kind = if run.is_fragment() { "part of a flush" } else { "run" };
    format!(
        "  {kind}, level {}, flush {}: {}, {}, {}, {}",
        run.level,
        run.flush_seq,
        units::plural(run.tables.len() as u64, "table", "tables"),
        units::bytes(run.bytes),
        units::plural(run.entries, "entry", "entries"),
        units::plural(run.tombstones, "tombstone", "tombstones")
    )
}

fn table_in_words(table: &TableRef, hex: bool) -> String {
    let meta = &table.file.meta;
    let name = FileName::Table(meta.number);
    let keys = format!("{} to {}", shown(&meta.smallest, hex), shown(&meta.largest, hex));
    if table.is_whole() {
        return format!("    {name}  {}  {keys}", units::bytes(meta.bytes));
    }
    format!(
        "    {name}  {} of {}  {keys}, of it {}",
        units::bytes(table.bytes),
        units::bytes(meta.bytes),
        in_words(&table.range, hex)
    )
}

fn slot_json(placed: &Placed, hex: bool) -> Value {
    let Placed { keyspace, range, slot } = placed;
    let runs = slot.runs.iter().map(|run| {
        let tables = run.tables.iter().map(|table| {
            let meta = &table.file.meta;
            json!({
                "file": FileName::Table(meta.number).to_string(),
                "id": format!("{:016x}", meta.id),
                "bytes": table.bytes,
                "file_bytes": meta.bytes,
                "entries": meta.entries,
                "tombstones": meta.tombstones,
                "smallest": shown(&meta.smallest, hex),
                "largest": shown(&meta.largest, hex),
                "sequences": [meta.seq_min.get(), meta.seq_max.get()],
                "whole": table.is_whole(),
            })
        });
        json!({
            "level": run.level,
            "flush": run.flush_seq,
            "fragment": run.is_fragment(),
            "bytes": run.bytes,
            "entries": run.entries,
            "tombstones": run.tombstones,
            "tables": tables.collect::<Vec<_>>(),
        })
    });
    json!({
        "id": slot.id.0,
        "keyspace": keyspace,
        "from": shown(&range.lo, hex),
        "to": end(range).map(|hi| shown(hi, hex)),
        "bytes": slot.bytes(),
        "runs": runs.collect::<Vec<_>>(),
    })
}

fn keyspace_id(version: &Version, name: &str) -> Result<u32, Failure> {
    let known = version.catalog.by_name(name);
    known
        .map(|keyspace| keyspace.id)
        .ok_or_else(|| Failure::failed(format!("there is no keyspace {name:?}")))
}

/// What a range of keys takes.
#[derive(Default)]
struct Estimate {
    bytes: f64,
    entries: f64,
    tombstones: f64,
    tables: u64,
    opened: u64,
}

/// `nori estimate`
pub(crate) fn estimate(args: &EstimateArgs, out: &mut Out) -> Result<(), Failure> {
    let found = look(|| {
        let version = version(&args.store)?;
        let range = stored_range(&version, args)?;
        let mut found = Estimate::default();
        for (_, slot) in version.slots_in(&range) {
            for table in slot.tables().filter(|table| table.overlaps(&range)) {
                found.add(&args.store, table, &range)?;
            }
        }
        Ok(found)
    })?;
    let log: u64 = log_bytes(&args.store);
    if out.json() {
        return out.document(&json!({
            "estimate": true,
            "bytes": found.bytes.round(),
            "entries": found.entries.round(),
            "tombstones": found.tombstones.round(),
            "tables": found.tables,
            "tables_opened": found.opened,
            "log_bytes_not_counted": log,
        }));
    }
    out.line(format!(
        "about {} with {} in {}, of them {}",
        units::bytes(found.bytes as u64),
        units::plural(found.entries as u64, "entry", "entries"),
        units::plural(found.tables, "table", "tables"),
        units::plural(found.tombstones as u64, "tombstone", "tombstones")
    ))?;
    out.line(format!(
        "an estimate from the manifest and the indexes of {}: older versions of keys count, and \
         the log, {}, does not",
        units::plural(found.opened, "table", "tables"),
        units::bytes(log)
    ))
}

impl Estimate {
    /// Adds the part of a table that lies in a range. Only a part needs the table's index.
    fn add(&mut self, store: &Path, table: &TableRef, range: &KeyRange) -> Result<(), Failure> {
        let meta = &table.file.meta;
        let keys = KeyRange::new(meta.smallest.clone(), Some(meta.end()));
        let part = table.range.intersection(range).intersection(&keys);
        let bytes = if part == table.range.intersection(&keys) {
            table.bytes
        } else {
            self.opened += 1;
            let name = FileName::Table(meta.number).to_string();
            let file = OsFs.open(&store.join("sst").join(name), OpenMode::Read);
            let file = file.map_err(nori_lsm::Error::from)?;
            let opened = Table::open(Arc::clone(&file), meta.number, BlockCache::new(0))?;
            opened.approximate_bytes(&part).min(table.bytes)
        };
        let share = bytes as f64 / meta.bytes.max(1) as f64;
        self.tables += 1;
        self.bytes += bytes as f64;
        self.entries += meta.entries as f64 * share;
        self.tombstones += meta.tombstones as f64 * share;
        Ok(())
    }
}

/// The range that was asked for, as keys are stored.
fn stored_range(version: &Version, args: &EstimateArgs) -> Result<KeyRange, Failure> {
    let id = keyspace_id(version, &args.range.keyspace.keyspace)?;
    let hex = args.range.form.hex;
    let whole = nori_manifest::keyspace_range(id);
    let stored = |key: &[u8]| [&key_prefix(id)[..], key].concat();
    if let Some(prefix) = &args.range.prefix {
        let lo = stored(&text::parse(prefix, hex)?);
        let mut hi = lo.clone();
        while hi.last() == Some(&0xff) {
            hi.pop();
        }
        if let Some(last) = hi.last_mut() {
            *last += 1;
        }
        return Ok(KeyRange::new(lo, Some(hi.into())).intersection(&whole));
    }
    let lo = match &args.range.from {
        Some(from) => stored(&text::parse(from, hex)?),
        None => whole.lo.to_vec(),
    };
    let hi = match &args.range.to {
        Some(to) => Some(stored(&text::parse(to, hex)?).into()),
        None => whole.hi.clone(),
    };
    Ok(KeyRange::new(lo, hi))
}

/// Bytes of the log's segments. What cannot be looked at counts nothing.
fn log_bytes(store: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(store.join("wal")) else { return 0 };
    let segments = entries.flatten().filter(|e| e.file_name().to_string_lossy().ends_with(".wal"));
    segments.filter_map(|entry| entry.metadata().ok()).map(|meta| meta.len()).sum()
}
