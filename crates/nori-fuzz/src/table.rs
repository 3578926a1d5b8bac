//! Tables: any bytes as a file, and a real table with one byte changed.

use nori_env::sync::Arc;
use std::collections::BTreeMap;
use std::path::Path;

use nori_bloom::hash;
use nori_env::{FileSystem, MemFs, OpenMode};
use nori_sstable::{BlockCache, Compression, Losses, Table, TableBuilder, TableOptions};
use nori_types::{FileNumber, InternalIterator, InternalKey, Lookup, SeqNo, TableMeta, ValueKind};

use crate::input::Input;

const NUMBER: FileNumber = FileNumber(1);
pub(crate) const PATH: &str = "000001.sst";
const SEQ: SeqNo = SeqNo::new(9);

type Entries = Vec<(Vec<u8>, Vec<u8>)>;

pub(crate) fn run(data: &[u8]) {
    any_file(data);
    one_byte_changed(data);
}

fn any_file(data: &[u8]) {
    let fs = MemFs::new(1);
    assert!(fs.write_file(PATH, data));
    let Some(table) = open(&fs) else { return };
    let forward = entries(&table, true);
    let backward = entries(&table, false);
    if let (Ok(forward), Ok(mut backward)) = (forward, backward) {
        backward.reverse();
        assert_eq!(forward, backward, "both directions tell the same");
        let _ = (table.verify(&mut |_| {}), table.layout());
    }
    for key in [&b""[..], b"k", &[0xff; 9]] {
        let _ = table.get(key, hash(key), SeqNo::MAX);
        let _ = table.approximate_offset(key);
    }
}

/// A table of the input's entries, one byte of its file changed: reads give what was written or
/// an error, and a whole walk gives all of it or an error.
fn one_byte_changed(data: &[u8]) {
    let mut input = Input::new(data);
    let (place, xor, shape) = (input.u16(), input.u8(), input.u8());
    let mut written = BTreeMap::new();
    while !input.is_empty() && written.len() < 64 {
        written.insert(input.piece(), input.piece());
    }
    if written.is_empty() {
        return;
    }
    let fs = MemFs::new(2);
    let length = build(&fs, &written, shape);
    let meta = open(&fs).expect("a good table opens").meta().clone();
    fs.corrupt(PATH, u64::from(place) % length, xor);
    let wrong = verify_file(&fs, Some(&meta));
    assert_eq!(wrong > 0, xor != 0, "a changed byte is a problem");
    let Some(table) = open(&fs) else {
        assert!(xor != 0, "a good table opens");
        return;
    };
    for forward in [true, false] {
        match entries(&table, forward) {
            Ok(mut found) => {
                if !forward {
                    found.reverse();
                }
                let all: Entries =
                    written.iter().map(|(key, value)| (key.to_vec(), value.to_vec())).collect();
                assert_eq!(found, all, "a walk without an error gives everything");
            }
            Err(error) => assert!(xor != 0, "a good table is read: {error}"),
        }
    }
    for (key, value) in &written {
        match table.get(key, hash(key), SeqNo::MAX) {
            Ok(Lookup::Found(found, seq)) => assert_eq!((&found[..], seq), (*value, SEQ)),
            Ok(other) => panic!("{key:02x?} was written and the table says {other:?}"),
            Err(error) => assert!(xor != 0, "a good table is read: {error}"),
        }
    }
    assert_eq!(table.verify(&mut |_| {}).is_ok(), xor == 0, "verify sees every byte");
}

/// Reads the whole file: how much is wrong with it.
pub(crate) fn verify_file(fs: &MemFs, known: Option<&TableMeta>) -> usize {
    let file = fs.open(Path::new(PATH), OpenMode::Read).expect("is there");
    let losses = Losses::new();
    Table::verify_file(file, NUMBER, known, &losses, &mut |_| {});
    losses.take().len()
}

/// Writes the table and gives the length of its file.
pub(crate) fn build(fs: &MemFs, entries: &BTreeMap<&[u8], &[u8]>, shape: u8) -> u64 {
    let file = fs.open(Path::new(PATH), OpenMode::CreateNew).expect("an empty disk");
    let options = TableOptions {
        block_bytes: 64 << (shape & 3),
        compression: if shape & 4 == 0 { Compression::None } else { Compression::Lz4 },
        bloom_bits_per_key: if shape & 8 == 0 { 10.0 } else { 0.0 },
        restart_interval: usize::from(shape >> 4).max(1),
    };
    let mut builder = TableBuilder::new(Arc::clone(&file), NUMBER, 0x7ab1e, options);
    for (key, value) in entries {
        let key = InternalKey::new(key, SEQ, ValueKind::Value);
        builder.add(key, value).expect("keys ascend");
    }
    builder.finish().expect("a disk in memory has room");
    file.len().expect("a disk in memory answers")
}

pub(crate) fn open(fs: &MemFs) -> Option<Arc<Table>> {
    let file = fs.open(Path::new(PATH), OpenMode::Read).expect("the file was written");
    Table::open(file, NUMBER, BlockCache::new(0)).ok()
}

/// Everything in the table, in the order of the walk.
fn entries(table: &Arc<Table>, forward: bool) -> Result<Entries, nori_sstable::Error> {
    let mut found = Vec::new();
    let mut iter = table.scan();
    if forward {
        iter.seek_first()?
    } else {
        iter.seek_last()?
    }
    while iter.is_valid() {
        found.push((iter.key().user_key.to_vec(), iter.value().to_vec()));
        if forward { iter.next()? } else { iter.prev()? }
    }
    Ok(found)
}

pub(crate) fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let keys: Vec<String> = (0..20).map(|i| format!("key-{i:04}")).collect();
    let pairs: BTreeMap<&[u8], &[u8]> =
        keys.iter().map(|key| (key.as_bytes(), &b"a value that repeats repeats"[..])).collect();
    let file = |shape: u8| {
        let fs = MemFs::new(3);
        build(&fs, &pairs, shape);
        fs.read_file(PATH).unwrap_or_default()
    };
    let mut program = Vec::new();
    for (key, value) in pairs.iter().take(6) {
        for piece in [key, value] {
            program.push(piece.len() as u8);
            program.extend_from_slice(piece);
        }
    }
    vec![
        ("plain", file(0x20)),
        ("lz4", file(0x24)),
        ("no_filter", file(0x18)),
        ("program", [&[0x00, 0x00, 0x00, 0x20], &program[..]].concat()),
        ("program_with_damage", [&[0x30, 0x00, 0x01, 0x24], &program[..]].concat()),
    ]
}
