//! One key: put, get, delete.

use crate::args::{GetArgs, KeyArgs, PutArgs};
use crate::failure::Failure;
use crate::out::Out;
use crate::{stores, text, units};
use serde_json::json;
use std::fs;
use std::io::{self, Read};
use std::path::Path;

fn key_of(args: &KeyArgs) -> Result<Vec<u8>, Failure> {
    text::parse(&args.key, args.form.hex)
}

/// `nori put`
pub(crate) fn put(args: &PutArgs, out: &mut Out) -> Result<(), Failure> {
    let (at, key) = (&args.at, key_of(&args.at)?);
    let value = match (&args.value, &args.file) {
        (Some(value), _) => text::parse(value, at.form.hex)?,
        (None, Some(path)) => read_value(path)?,
        (None, None) => return Err(Failure::usage("give a value, or --file PATH")),
    };
    let store = stores::open_or_make_small(&at.store)?;
    store.keyspace(&at.keyspace.keyspace)?.put(&key, &value)?;
    store.close()?;
    let shown = text::show(&key, at.form.hex);
    if out.json() {
        return out.document(&json!({ "key": shown, "value_bytes": value.len() }));
    }
    out.line(format!("{shown}: {} stored", units::bytes(value.len() as u64)))
}

fn read_value(path: &Path) -> Result<Vec<u8>, Failure> {
    if path == Path::new("-") {
        let mut value = Vec::new();
        let read = io::stdin().lock().read_to_end(&mut value);
        return read.map(|_| value).map_err(|e| Failure::Failed(format!("reading stdin: {e}")));
    }
    fs::read(path).map_err(|e| Failure::io("reading", path, &e))
}

/// `nori get`
pub(crate) fn get(args: &GetArgs, out: &mut Out) -> Result<(), Failure> {
    let (at, key) = (&args.at, key_of(&args.at)?);
    let value =
        stores::read(
            &at.store,
            |store| Ok(stores::view(store, &at.keyspace.keyspace)?.get(&key)?),
        )?;
    let shown = text::show(&key, at.form.hex);
    match value {
        Some(value) if out.json() => out.document(&json!({
            "key": shown,
            "found": true,
            "value": text::show(&value, at.form.hex),
            "value_bytes": value.len(),
        })),
        Some(value) if args.raw => out.raw(&value),
        Some(value) => out.line(text::show(&value, at.form.hex)),
        None if out.json() => {
            out.document(&json!({ "key": shown, "found": false, "value": null }))?;
            Err(Failure::Found)
        }
        None => Err(Failure::Failed(format!("there is no key {shown}"))),
    }
}

/// `nori delete`
pub(crate) fn delete(args: &KeyArgs, out: &mut Out) -> Result<(), Failure> {
    let key = key_of(args)?;
    let store = stores::open_existing(&args.store)?;
    let keyspace = stores::existing_keyspace(&store, &args.keyspace.keyspace)?;
    // No other process can write meanwhile: the store is locked.
    let existed = keyspace.contains_key(&key)?;
    if existed {
        keyspace.delete(&key)?;
    }
    store.close()?;
    let shown = text::show(&key, args.form.hex);
    if out.json() {
        return out.document(&json!({ "key": shown, "existed": existed }));
    }
    out.line(format!("{shown}: {}", if existed { "deleted" } else { "was not there" }))
}
