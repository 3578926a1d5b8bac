//! `nori dump`: what stands in one file, be it damaged or alone.
//!
//! 1. Bytes that cannot be read are told with their place, and what stands behind them is shown.
//! 2. Exit code 1 if there were such bytes.

use crate::args::{DumpArgs, DumpKind};
use crate::failure::Failure;
use crate::out::Out;
use crate::{text, units};
use nori_env::sync::Arc;
use nori_env::{FileSystem, OpenMode, OsFs};
use nori_manifest::{Manifest, split_prefix};
use nori_sstable::{BlockCache, Losses, LostBlock, Table};
use nori_types::{FileName, FileNumber, InternalIterator, Reader, TableMeta, ValueKind};
use nori_wal::Position;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// `nori dump`
pub(crate) fn dump(args: &DumpArgs, out: &mut Out) -> Result<(), Failure> {
    match args.kind {
        DumpKind::Wal => wal(args, out),
        DumpKind::Manifest => manifest(args, out),
        DumpKind::Sst => sst(args, out),
    }
}

/// Directory and number of a file whose name says what it is.
fn numbered(
    file: &Path,
    wanted: &str,
    number: fn(&FileName) -> Option<FileNumber>,
) -> Result<(PathBuf, u64), Failure> {
    let name = file.file_name().map(|name| name.to_string_lossy().into_owned());
    let found = name.and_then(|name| FileName::parse(&name)).and_then(|name| number(&name));
    let number = found.ok_or_else(|| {
        Failure::usage(format!("{}: name the file as the store does: {wanted}", file.display()))
    })?;
    let dir = file.parent().filter(|dir| !dir.as_os_str().is_empty());
    Ok((dir.unwrap_or(Path::new(".")).to_path_buf(), number.0))
}

/// A stored key as "keyspace id/key".
fn key(stored: &[u8], hex: bool) -> String {
    match split_prefix(stored) {
        Some((id, key)) => format!("{id}/{}", text::show(key, hex)),
        None => text::show(stored, hex),
    }
}

/// Prints a document or lines, then what could not be read.
fn close(out: &mut Out, mut document: Value, problems: &[String]) -> Result<(), Failure> {
    if out.json() {
        document["problems"] = json!(problems);
        out.document(&document)?;
    } else {
        problems.iter().try_for_each(|problem| out.line(format!("cannot be read: {problem}")))?;
    }
    if problems.is_empty() { Ok(()) } else { Err(Failure::Found) }
}

fn wal(args: &DumpArgs, out: &mut Out) -> Result<(), Failure> {
    let (dir, number) = numbered(&args.file, "000042.wal", |name| match name {
        FileName::Segment(number) => Some(*number),
        _ => None,
    })?;
    let (mut shown, mut records) = (0, Vec::new());
    let found = nori_wal::salvage_segment(&OsFs, &dir, number, &mut |at: Position, payload| {
        shown += 1;
        if shown > args.limit {
            return Ok(());
        }
        let record = Record::decode(payload, args);
        if out.json() {
            records.push(record.json(at.offset, payload.len()));
            return Ok::<(), Failure>(());
        }
        out.line(format!("at {}: {}", at.offset, record.in_words(payload.len())))?;
        record.operations.iter().try_for_each(|(kind, key, bytes)| {
            out.line(format!("  {kind} {key} ({})", units::bytes(*bytes)))
        })
    })?;
    // What lies behind the last record is no damage where a crash may have left it.
    let problems: Vec<String> = found
        .lost
        .iter()
        .map(|lost| {
            let to = lost.to.map_or_else(|| "the end".to_string(), |to| to.to_string());
            format!("{}: bytes {} to {to}: {}", lost.path.display(), lost.from, lost.what)
        })
        .collect();
    if !out.json() {
        out.line(format!(
            "{} up to byte {} of {}",
            units::plural(found.records, "record", "records"),
            found.end,
            found.bytes
        ))?;
    }
    let document = json!({
        "records": records, "count": found.records, "end": found.end, "bytes": found.bytes,
    });
    close(out, document, &problems)
}

/// A batch as the log has it.
struct Record {
    sequence: u64,
    count: u32,
    /// Kind, key, bytes of the value; only where keys were asked for.
    operations: Vec<(&'static str, String, u64)>,
    is_whole: bool,
}

impl Record {
    fn decode(payload: &[u8], args: &DumpArgs) -> Record {
        let mut reader = Reader::new(payload);
        let (sequence, count) = (reader.u64().unwrap_or(0), reader.u32().unwrap_or(0));
        let mut operations = Vec::new();
        let (mut left, mut is_whole) = (count, true);
        while left > 0 && is_whole {
            match operation(&mut reader) {
                Some((kind, stored, bytes)) => {
                    left -= 1;
                    if args.keys {
                        operations.push((kind, key(stored, args.form.hex), bytes));
                    }
                }
                None => is_whole = false,
            }
        }
        Record { sequence, count, operations, is_whole: is_whole && reader.is_empty() }
    }

    fn in_words(&self, bytes: usize) -> String {
        let odd = if self.is_whole { "" } else { "; not a batch as this build writes them" };
        format!(
            "sequence {}, {}, {}{odd}",
            self.sequence,
            units::plural(self.count.into(), "operation", "operations"),
            units::bytes(bytes as u64)
        )
    }

    fn json(&self, offset: u64, bytes: usize) -> Value {
        let operations = self
            .operations
            .iter()
            .map(|(kind, key, bytes)| json!({ "kind": kind, "key": key, "value_bytes": bytes }));
        json!({
            "offset": offset, "bytes": bytes, "sequence": self.sequence, "count": self.count,
            "whole": self.is_whole, "operations": operations.collect::<Vec<_>>(),
        })
    }
}

/// Kind, stored key and bytes of the value.
fn operation<'a>(reader: &mut Reader<'a>) -> Option<(&'static str, &'a [u8], u64)> {
    let kind = match ValueKind::from_u8(reader.u8().ok()?)? {
        ValueKind::Value => "put",
        ValueKind::Tombstone => "delete",
    };
    let length = |n: u64| usize::try_from(n).ok();
    let key_bytes = length(reader.varint().ok()?)?;
    let value_bytes = length(reader.varint().ok()?)?;
    let key = reader.bytes(key_bytes).ok()?;
    reader.bytes(value_bytes).ok()?;
    Some((kind, key, value_bytes as u64))
}

fn manifest(args: &DumpArgs, out: &mut Out) -> Result<(), Failure> {
    let (dir, number) = numbered(&args.file, "MANIFEST-000007", |name| match name {
        FileName::Manifest(number) => Some(*number),
        _ => None,
    })?;
    let found = Manifest::salvage(&OsFs, &dir, number)?;
    let limit = usize::try_from(args.limit).unwrap_or(usize::MAX);
    let records = if args.records { records_of(&dir, number, limit)? } else { Vec::new() };
    let keyspaces: Vec<Value> = found
        .keyspaces
        .values()
        .map(|k| json!({ "id": k.id, "name": k.name, "dropped": k.dropped.is_some() }))
        .collect();
    let tables: Vec<Value> =
        found.tables.values().take(limit).map(|meta| table_json(meta, args.form.hex)).collect();
    let slots = found.version.as_ref().map(|version| version.slot_count());
    let problems: Vec<String> = found.problems.iter().map(ToString::to_string).collect();
    if !out.json() {
        let state = match slots {
            Some(slots) => units::plural(slots as u64, "slot", "slots"),
            None => "no whole state".to_string(),
        };
        for (offset, words) in &records {
            out.line(format!("at {offset}: {}", words.replace('\n', "\n  ")))?;
        }
        out.line(format!("last sequence {}, {state}", found.last_seq))?;
        for keyspace in found.keyspaces.values() {
            let dropped = if keyspace.dropped.is_some() { ", dropped" } else { "" };
            out.line(format!("keyspace {}: {:?}{dropped}", keyspace.id, keyspace.name))?;
        }
        for meta in found.tables.values().take(limit) {
            let gone = if found.gone.contains(&meta.number) { ", let go" } else { "" };
            out.line(format!("{}{gone}", table_in_words(meta, args.form.hex)))?;
        }
    }
    let records: Vec<Value> =
        records.iter().map(|(offset, words)| json!({ "offset": offset, "says": words })).collect();
    let document = json!({
        "number": found.number, "records": records, "last_sequence": found.last_seq.get(),
        "slots": slots,
        "keyspaces": keyspaces, "tables": tables, "cut": found.is_cut, "whole": found.is_whole,
    });
    close(out, document, &problems)
}

/// The first records of a manifest: place and words.
fn records_of(dir: &Path, number: u64, limit: usize) -> Result<Vec<(u64, String)>, Failure> {
    let mut records = Vec::new();
    Manifest::records(&OsFs, dir, number, &mut |offset, words| {
        if records.len() < limit {
            records.push((offset, words));
        }
    })?;
    Ok(records)
}

fn table_in_words(meta: &TableMeta, hex: bool) -> String {
    format!(
        "{}  id {:016x}  {}, {}, {}, sequences {} to {}, keys {} to {}",
        FileName::Table(meta.number),
        meta.id,
        units::bytes(meta.bytes),
        units::plural(meta.entries, "entry", "entries"),
        units::plural(meta.tombstones, "tombstone", "tombstones"),
        meta.seq_min,
        meta.seq_max,
        key(&meta.smallest, hex),
        key(&meta.largest, hex)
    )
}

fn table_json(meta: &TableMeta, hex: bool) -> Value {
    json!({
        "number": meta.number.0, "id": format!("{:016x}", meta.id), "bytes": meta.bytes,
        "entries": meta.entries, "tombstones": meta.tombstones,
        "sequences": [meta.seq_min.get(), meta.seq_max.get()],
        "smallest": key(&meta.smallest, hex), "largest": key(&meta.largest, hex),
    })
}

fn sst(args: &DumpArgs, out: &mut Out) -> Result<(), Failure> {
    // A table says itself what it is, so it may have any name.
    let name = args.file.file_name().map(|name| name.to_string_lossy().into_owned());
    let number = match name.and_then(|name| FileName::parse(&name)) {
        Some(FileName::Table(number)) => number,
        _ => FileNumber(0),
    };
    let file = OsFs.open(&args.file, OpenMode::Read).map_err(nori_lsm::Error::from)?;
    let losses = Losses::new();
    let entries = Table::verify_file(Arc::clone(&file), number, None, &losses, &mut |_| ());
    let problems: Vec<String> = losses.take().iter().map(lost).collect();
    let again = Arc::new(Losses::new());
    let cache = BlockCache::new(0);
    let table = match Table::salvage(file, number, cache, None, &again) {
        Ok(table) => table,
        // What is wrong stands among the problems.
        Err(_) if !problems.is_empty() => return close(out, json!({}), &problems),
        Err(error) => return Err(error.into()),
    };
    let layout = table.layout();
    let blocks = layout.blocks.len() as u64;
    let keys = if args.keys { keys_of(&table, &again, args)? } else { Vec::new() };
    if !out.json() {
        out.line(table_in_words(table.meta(), args.form.hex))?;
        out.line(format!(
            "{}, {} read; filter {}, index {}",
            units::plural(blocks, "block", "blocks"),
            units::plural(entries, "entry", "entries"),
            units::bytes(layout.filter.map_or(0, |filter| filter.bytes)),
            units::bytes(layout.index.bytes)
        ))?;
        for (kind, key, sequence, bytes) in &keys {
            out.line(format!("  {kind} {key} at {sequence} ({})", units::bytes(*bytes)))?;
        }
    }
    let keys = keys.iter().map(|(kind, key, sequence, bytes)| {
        json!({ "kind": kind, "key": key, "sequence": sequence, "value_bytes": bytes })
    });
    let document = json!({
        "table": table_json(table.meta(), args.form.hex), "blocks": blocks, "entries": entries,
        "keys": keys.collect::<Vec<_>>(),
    });
    close(out, document, &problems)
}

fn lost(lost: &LostBlock) -> String {
    let (from, to) = (lost.section.offset, lost.section.offset + lost.section.bytes);
    format!("{}: bytes {from} to {to}: {}", lost.path.display(), lost.what)
}

/// The first entries that can be read: kind, key, sequence number, bytes of the value.
fn keys_of(
    table: &Arc<Table>,
    losses: &Arc<Losses>,
    args: &DumpArgs,
) -> Result<Vec<(&'static str, String, u64, u64)>, Failure> {
    let mut iter = table.salvage_iter(losses);
    let mut keys = Vec::new();
    iter.seek_first()?;
    while iter.is_valid() && (keys.len() as u64) < args.limit {
        let at = iter.key();
        let kind = if at.kind == ValueKind::Tombstone { "delete" } else { "put" };
        let bytes = iter.value().len() as u64;
        keys.push((kind, key(at.user_key, args.form.hex), at.seq.get(), bytes));
        iter.next()?;
    }
    Ok(keys)
}
