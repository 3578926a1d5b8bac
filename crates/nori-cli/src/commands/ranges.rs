//! Many keys: scan, count.

use crate::args::{CountArgs, RangeArgs, ScanArgs};
use crate::failure::Failure;
use crate::out::Out;
use crate::progress::Progress;
use crate::{stores, text};
use nori_lsm::KeyspaceView;
use serde_json::json;
use std::ffi::OsString;
use std::ops::Bound;

/// A value longer than this is cut when a person reads.
const VALUE_BYTES_SHOWN: usize = 100;
/// Keys between two looks of the progress.
const PROGRESS_EVERY: u64 = 8192;

struct Range {
    lo: Bound<Vec<u8>>,
    hi: Bound<Vec<u8>>,
}

impl Range {
    fn new(args: &RangeArgs) -> Result<Range, Failure> {
        let parse = |arg: &Option<OsString>| {
            arg.as_ref().map(|arg| text::parse(arg, args.form.hex)).transpose()
        };
        if let Some(prefix) = parse(&args.prefix)? {
            let hi = after_prefix(&prefix).map_or(Bound::Unbounded, Bound::Excluded);
            return Ok(Range { lo: Bound::Included(prefix), hi });
        }
        Ok(Range {
            lo: parse(&args.from)?.map_or(Bound::Unbounded, Bound::Included),
            hi: parse(&args.to)?.map_or(Bound::Unbounded, Bound::Excluded),
        })
    }
}

/// The first key behind all keys that start with `prefix`, if there is one.
fn after_prefix(prefix: &[u8]) -> Option<Vec<u8>> {
    let last = prefix.iter().rposition(|byte| *byte != 0xff)?;
    let mut after = prefix[..=last].to_vec();
    after[last] += 1;
    Some(after)
}

/// `nori scan`
pub(crate) fn scan(args: &ScanArgs, out: &mut Out) -> Result<(), Failure> {
    let range = Range::new(&args.range)?;
    let store = stores::open_read_only(&args.store)?;
    let view = stores::view(&store, &args.range.keyspace.keyspace)?;
    let entries = view.range::<Vec<u8>, _>((range.lo, range.hi));
    let limit = usize::try_from(args.limit.unwrap_or(u64::MAX)).unwrap_or(usize::MAX);
    if args.reverse {
        print(args, out, entries.rev().take(limit))
    } else {
        print(args, out, entries.take(limit))
    }
}

fn print<K: AsRef<[u8]>>(
    args: &ScanArgs,
    out: &mut Out,
    entries: impl Iterator<Item = nori_lsm::Result<(K, K)>>,
) -> Result<(), Failure> {
    let hex = args.range.form.hex;
    for entry in entries {
        let (key, value) = entry?;
        let (key, value) = (text::show(key.as_ref(), hex), value.as_ref());
        match (out.json(), args.keys_only) {
            (true, true) => out.json_line(&json!({ "key": key }))?,
            (true, false) => {
                out.json_line(&json!({ "key": key, "value": text::show(value, hex) }))?;
            }
            (false, true) => out.line(key)?,
            (false, false) if args.full => {
                out.line(format!("{key}\t{}", text::show(value, hex)))?;
            }
            (false, false) => {
                out.line(format!("{key}\t{}", text::show_short(value, hex, VALUE_BYTES_SHOWN)))?;
            }
        }
    }
    Ok(())
}

/// `nori count`
pub(crate) fn count(args: &CountArgs, out: &mut Out) -> Result<(), Failure> {
    let range = Range::new(&args.range)?;
    let progress = Progress::spinner(out, "counting");
    let counted = stores::read(&args.store, |store| {
        let view = stores::view(store, &args.range.keyspace.keyspace)?;
        count_keys(&view, &range, &progress)
    })?;
    drop(progress);
    if out.json() {
        return out.document(&json!({ "count": counted }));
    }
    out.line(counted)
}

/// Counts with a cursor, which copies nothing.
fn count_keys(view: &KeyspaceView, range: &Range, progress: &Progress) -> Result<u64, Failure> {
    let mut cursor = view.cursor();
    let mut on_key = match &range.lo {
        Bound::Included(lo) | Bound::Excluded(lo) => cursor.seek(lo)?,
        Bound::Unbounded => cursor.first()?,
    };
    let inside = |key: Option<&[u8]>| match (&range.hi, key) {
        (Bound::Included(hi) | Bound::Excluded(hi), Some(key)) => key < &hi[..],
        (Bound::Unbounded, Some(_)) => true,
        (_, None) => false,
    };
    let mut counted = 0u64;
    while on_key && inside(cursor.key()) {
        counted += 1;
        if counted.is_multiple_of(PROGRESS_EVERY) {
            progress.note(format!("{} keys", crate::units::count(counted)));
        }
        on_key = cursor.next()?;
    }
    Ok(counted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_prefix() {
        assert_eq!(after_prefix(b"ab"), Some(b"ac".to_vec()));
        assert_eq!(after_prefix(b"a\xff\xff"), Some(b"b".to_vec()));
        assert_eq!(after_prefix(b"\xff"), None);
        assert_eq!(after_prefix(b""), None);
    }
}
