//! Keys in order: prefixes, ranges from both ends, pages, a cursor, and many keys at once.
//!
//! `cargo run -p nori-lsm --example scan`

use nori_lsm::{Lsm, Result, WriteBatch};
use std::ops::Bound;

fn main() -> Result<()> {
    let dir = std::env::temp_dir().join(format!("nori-scan-{}", std::process::id()));
    let store = Lsm::open(&dir)?;
    let mut batch = WriteBatch::new();
    for i in 0..1000_u32 {
        // ANCHOR: key
        // Fixed width: 9 sorts before 10. Bytes would do as well: `i.to_be_bytes()`.
        batch.put(format!("page:{i:04}"), format!("text of page {i}"));
        // ANCHOR_END: key
    }
    store.write(batch)?;

    // ANCHOR: range
    // Ranges are Rust's: the end of `..` is not in it.
    let ten: Result<Vec<_>> = store.range("page:0010".."page:0020").collect();
    assert_eq!(ten?.len(), 10);

    // The three last ones, newest first: an iterator runs from both ends.
    for entry in store.prefix("page:").rev().take(3) {
        let (key, value) = entry?;
        println!("{} = {}", key.escape_ascii(), value.escape_ascii());
    }
    // ANCHOR_END: range

    // ANCHOR: pages
    // Page by page: begin behind the last key of the page before. Nothing is held in between.
    let mut last: Vec<u8> = Vec::new();
    let mut pages = 0;
    loop {
        let page: Result<Vec<_>> = store
            .range::<&[u8], _>((Bound::Excluded(&last[..]), Bound::Unbounded))
            .take(100)
            .collect();
        let page = page?;
        let Some((key, _)) = page.last() else { break };
        last = key.to_vec();
        pages += 1;
    }
    // ANCHOR_END: pages
    println!("{pages} pages of 100");
    assert_eq!(pages, 10);

    // ANCHOR: cursor
    // A cursor seeks and steps in both directions, and lends keys and values without a copy.
    let mut cursor = store.cursor();
    cursor.seek("page:0500x")?; // The first key at or behind it.
    assert_eq!(cursor.key(), Some(&b"page:0501"[..]));
    cursor.prev()?;
    assert_eq!(cursor.key(), Some(&b"page:0500"[..]));
    // ANCHOR_END: cursor

    // ANCHOR: many
    let found = store.multi_get(&["page:0001", "page:9999"])?; // Of one moment.
    assert!(found[0].is_some() && found[1].is_none());
    // ANCHOR_END: many
    drop(cursor);
    store.close()?;
    Lsm::destroy(&dir)
}
