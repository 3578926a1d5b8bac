//! The whole store: programs of its verbs with crashes between them, against a map; and a store
//! whose log ends in a record of any bytes.

use std::collections::BTreeMap;
use std::path::PathBuf;

use nori_env::sync::Arc;
use nori_env::{Cut, MemFs};
use nori_lsm::{Background, Config, Lsm, WriteBatch};
use nori_wal::{LogFormat, LogHeader, Position, frame, scan};

use crate::input::Input;

/// The framing that the log's own files say they use.
const WAL: LogFormat =
    LogFormat { magic: *b"nWAL", version: 1, incompatible: 0, what: "WAL segment" };

/// Steps of one program.
const STEPS_MAX: usize = 48;

type Map = BTreeMap<Vec<u8>, Vec<u8>>;

/// A program; the store keeps every acknowledged write through every crash.
pub(crate) fn run_program(data: &[u8]) {
    let mut input = Input::new(data);
    let mut fs = MemFs::new(1);
    let mut model = Map::new();
    let mut store = open(&fs).expect("an empty disk");
    for step in 0..STEPS_MAX {
        if input.is_empty() {
            break;
        }
        match input.u8() % 12 {
            0..=3 => {
                let (key, value) = (input.piece(), input.piece());
                store.put(key, value).expect("a disk in memory has room");
                model.insert(key.to_vec(), value.to_vec());
            }
            4 => {
                let key = input.piece();
                store.delete(key).expect("a disk in memory has room");
                model.remove(key);
            }
            5 => batch(&store, &mut model, &mut input),
            6 => {
                let key = input.piece();
                let found = store.get(key).expect("a disk in memory reads");
                assert_eq!(found.as_deref(), model.get(key).map(Vec::as_slice));
            }
            7 => store.flush().expect("a disk in memory has room"),
            8 => store.compact().expect("a disk in memory has room"),
            9 => store.split_at(&[input.piece()]).expect("any short key is a guard"),
            10 => {
                store.close().expect("a disk in memory closes");
                store = open(&fs).expect("a closed store opens");
            }
            _ => {
                let cut = Cut::ALL[usize::from(input.u8()) % Cut::ALL.len()];
                fs = fs.crash(cut, step as u64);
                store = open(&fs).expect("a crash is no damage");
            }
        }
    }
    check(&store, &model);
    assert!(store.verify().expect("the store is open").is_ok());
}

fn batch(store: &Lsm, model: &mut Map, input: &mut Input<'_>) {
    let mut batch = WriteBatch::new();
    for _ in 0..input.u8() % 6 {
        let key = input.piece();
        if input.u8().is_multiple_of(3) {
            batch.delete(key);
            model.remove(key);
        } else {
            let value = input.piece();
            batch.put(key, value);
            model.insert(key.to_vec(), value.to_vec());
        }
    }
    store.write(batch).expect("a disk in memory has room");
}

/// Both directions of a scan show exactly the model.
fn check(store: &Lsm, model: &Map) {
    let forward: Vec<_> =
        store.iter().collect::<nori_lsm::Result<_>>().expect("a disk in memory reads");
    assert!(forward.iter().map(|(k, v)| (&k[..], &v[..])).eq(pairs(model)), "forward");
    let mut back: Vec<_> =
        store.iter().rev().collect::<nori_lsm::Result<_>>().expect("a disk in memory reads");
    back.reverse();
    assert_eq!(forward, back, "both directions tell the same");
}

fn pairs(model: &Map) -> impl Iterator<Item = (&[u8], &[u8])> {
    model.iter().map(|(key, value)| (&key[..], &value[..]))
}

/// A store that was killed with one write in its log, and behind that write records with right
/// checksums and any contents: it opens and reads, or says what is wrong.
pub(crate) fn run_log_record(data: &[u8]) {
    let fs = MemFs::new(2);
    let store = open(&fs).expect("an empty disk");
    store.put("kept", "value").expect("a disk in memory has room");
    let fs = fs.crash(Cut::Kill, 1);
    drop(store);
    let (path, bytes) = last_segment(&fs);
    let number = path.file_stem().and_then(|stem| stem.to_str()?.parse().ok()).unwrap_or(0);
    let header = LogHeader::decode(&bytes, &WAL, number, &path).expect("a segment is a log file");
    let end = scan(&bytes, &header).end;
    let mut bytes = bytes.get(..end as usize).unwrap_or_default().to_vec();
    let mut input = Input::new(data);
    while !input.is_empty() {
        let at = bytes.len() as u64;
        frame(&mut bytes, &header, at, input.long_piece(), Position::default());
    }
    assert!(fs.write_file(&path, &bytes));

    let Ok(store) = open(&fs) else { return };
    let _ = store.get("kept").expect("what opened is read");
    let entries = store.iter().collect::<nori_lsm::Result<Vec<_>>>().expect("what opened is read");
    let bytes: usize = entries.iter().map(|(key, value)| key.len() + value.len()).sum();
    assert!(bytes <= data.len() + 16, "no more comes out than went in");
    store.close().expect("a disk in memory closes");
    assert!(open(&fs).is_ok(), "what opened once opens again");
}

/// The newest segment of the log and its bytes.
fn last_segment(fs: &MemFs) -> (PathBuf, Vec<u8>) {
    let mut segments: Vec<PathBuf> = fs.files().into_iter().map(|(path, _)| path).collect();
    segments.retain(|path| path.extension().is_some_and(|ext| ext == "wal"));
    segments.sort();
    let path = segments.pop().expect("a store has a log");
    let bytes = fs.read_file(&path).unwrap_or_default();
    (path, bytes)
}

fn open(fs: &MemFs) -> nori_lsm::Result<Lsm> {
    let config = Config::default()
        .file_system(Arc::new(fs.clone()))
        .background(Background::Manual)
        .memtable_bytes(4096)
        .block_bytes(256)
        .block_cache_bytes(16 << 10)
        .k_global(2);
    Lsm::open_with("store", config)
}

pub(crate) fn program_seeds() -> Vec<(&'static str, Vec<u8>)> {
    let put = |key: &str, value: &str| {
        let mut step = vec![0, key.len() as u8];
        step.extend_from_slice(key.as_bytes());
        step.push(value.len() as u8);
        step.extend_from_slice(value.as_bytes());
        step
    };
    let steps = |steps: &[&[u8]]| steps.concat();
    let (a, b, a2) = (put("apple", "green"), put("beet", "red"), put("apple", "yellow"));
    vec![
        ("puts_and_a_kill", steps(&[&a, &b, &[11, 0], &a2, &[11, 2], b"\x06\x05apple"])),
        ("flush_and_merge", steps(&[&a, &[7], &b, &[7], &a2, &[7], &[8], &[10]])),
        ("delete_and_split", steps(&[&a, &b, b"\x09\x01b", &[7], b"\x04\x05apple", &[7, 8]])),
        ("batch", steps(&[b"\x05\x02\x01a\x01\x01v\x01b\x00", &[11, 6], &a, &[11, 8]])),
    ]
}

pub(crate) fn log_record_seeds() -> Vec<(&'static str, Vec<u8>)> {
    // A sequence number, a count, and operations: kind, lengths, key with its keyspace, value.
    let batch = |seq: u64, count: u32, operations: &[u8]| {
        let mut payload = seq.to_le_bytes().to_vec();
        payload.extend_from_slice(&count.to_le_bytes());
        payload.extend_from_slice(operations);
        let mut piece = (payload.len() as u16).to_le_bytes().to_vec();
        piece.extend_from_slice(&payload);
        piece
    };
    let put = b"\x01\x02\x03\x00avvv";
    let delete = b"\x00\x05\x00\x00kept";
    vec![
        ("next_write", batch(2, 1, put)),
        ("two_operations", batch(2, 2, &[&put[..], &delete[..]].concat())),
        ("two_batches", [batch(2, 1, put), batch(3, 1, delete)].concat()),
        ("count_too_high", batch(2, 9, put)),
        ("unknown_kind", batch(2, 1, b"\x05\x02\x03\x00avvv")),
        ("a_gap", batch(900, 1, put)),
    ]
}
