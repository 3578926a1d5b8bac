//! nori-memtable by itself: a counter of words with history. Four threads write, one walks.

use nori_env::sync::atomic::{AtomicU64, Ordering};
use nori_env::sync::{Arc, thread};
use nori_memtable::Memtable;
use nori_types::{InternalIterator, Lookup, SeqNo, ValueKind};

const TEXT: &str = "the fig the plum the old fig tree and the young plum tree";

fn main() {
    // ANCHOR: write
    let table = Arc::new(Memtable::new());
    let sequence = Arc::new(AtomicU64::new(0));
    let writers: Vec<_> = (0..4)
        .map(|part| {
            let (table, sequence) = (Arc::clone(&table), Arc::clone(&sequence));
            thread::spawn(move || {
                let Some(group) = table.enter() else { return };
                // The group keeps the memtable from being sealed until it is dropped.
                for (place, word) in TEXT.split(' ').enumerate().skip(part).step_by(4) {
                    let seq = SeqNo::new(sequence.fetch_add(1, Ordering::Relaxed) + 1);
                    let value = format!("stands at {place}");
                    group.insert(word.as_bytes(), value.as_bytes(), seq, ValueKind::Value);
                }
            })
        })
        .collect();
    for writer in writers {
        if writer.join().is_err() {
            eprintln!("a writer died");
        }
    }

    table.seal();
    table.wait_quiescent();
    // ANCHOR_END: write
    assert_eq!(table.len(), TEXT.split(' ').count());
    println!("{} versions, {} bytes, all there: {table:?}", table.len(), table.bytes());
    // ANCHOR: read
    let mut iter = table.iter();
    let Ok(()) = iter.seek_first();
    while iter.is_valid() {
        println!("{:?}  {}", iter.key(), iter.value().escape_ascii());
        let Ok(()) = iter.next();
    }
    if let Lookup::Found(value, seq) = table.get(b"fig", SeqNo::MAX) {
        println!("the newest fig {} (as of {seq})", value.escape_ascii());
    }
    // ANCHOR_END: read
    assert!(matches!(table.get(b"olive", SeqNo::MAX), Lookup::Absent));
}
