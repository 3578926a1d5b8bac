//! nori-sstable by itself: a word list becomes a table file, which is then looked up, walked
//! backward and verified.
//!
//! `cargo run -p nori-sstable --example table_alone`

use nori_env::{FileSystem, MemFs, OpenMode};
use nori_sstable::{BlockCache, Result, Table, TableBuilder, TableOptions};
use nori_types::{FileNumber, InternalIterator, InternalKey, Lookup, SeqNo, ValueKind};
use std::path::Path;

fn main() -> Result<()> {
    // Any `FileSystem` will do; `nori_env::OsFs` is the machine's.
    let fs = MemFs::new(7);
    // ANCHOR: write
    let file = fs.open(Path::new("words.sst"), OpenMode::CreateNew)?;
    let options = TableOptions { block_bytes: 1024, ..TableOptions::default() };
    let mut builder = TableBuilder::new(file.clone(), FileNumber(1), fs.random(), options);
    for i in 0..10_000u64 {
        let word = format!("word-{i:05}");
        let key = InternalKey::new(word.as_bytes(), SeqNo::new(i), ValueKind::Value);
        builder.add(key, format!("the meaning of word {i}").as_bytes())?;
    }
    let meta = builder.finish()?;
    // A table is durable once its file and its directory are synced.
    file.sync_all()?;
    fs.sync_dir(Path::new(""))?;
    // ANCHOR_END: write
    println!("{} entries of {} bytes in {} bytes", meta.entries, meta.raw_bytes, meta.bytes);

    // ANCHOR: read
    let table = Table::open(file, FileNumber(1), BlockCache::new(1 << 20))?;
    for word in ["word-04711", "word-99999"] {
        match table.get(word.as_bytes(), nori_bloom::hash(word.as_bytes()), SeqNo::MAX)? {
            Lookup::Found(value, _) => println!("{word}: {}", value.escape_ascii()),
            Lookup::Deleted(_) | Lookup::Absent => println!("{word}: unknown"),
        }
    }
    let mut iter = table.iter();
    iter.seek_last()?;
    println!("last: {:?}", iter.key());
    iter.prev()?;
    println!("before it: {:?}", iter.key());
    assert_eq!(iter.value(), b"the meaning of word 9998");
    table.verify(&mut |_| ())?; // Every block's checksum, the order, the filter.
    // ANCHOR_END: read
    println!("{} blocks verified", table.layout().blocks.len());
    Ok(())
}
