//! Replay of a whole WAL directory: any bytes as segments, and a real log with one byte changed.

use nori_env::sync::Arc;
use std::path::{Path, PathBuf};

use nori_env::MemFs;
use nori_wal::{Error, Position, RecoveryMode, Replayed, Wal, WalOptions, has_records, replay};

use crate::input::Input;

const MODES: [RecoveryMode; 3] =
    [RecoveryMode::CutTornTail, RecoveryMode::Strict, RecoveryMode::Salvage];

/// The first segment of every log here.
const FLOOR: u64 = 1;

type Records = Vec<Vec<u8>>;

pub(crate) fn run(data: &[u8]) {
    any_segments(data);
    one_byte_changed(data);
}

/// Cuts the bytes into up to three segments, each behind its length.
fn any_segments(data: &[u8]) {
    let fs = MemFs::new(1);
    let mut input = Input::new(data);
    for number in FLOOR..FLOOR + 3 {
        let bytes = input.long_piece();
        if !bytes.is_empty() {
            assert!(fs.write_file(segment(number), bytes));
        }
    }
    let before = fs.digest();
    for mode in MODES {
        let first = replayed(&fs, Position::default(), mode);
        let again = replayed(&fs, Position::default(), mode);
        assert_eq!(first.as_ref().ok(), again.as_ref().ok(), "replay is repeatable");
        if let Ok((records, told)) = first {
            assert_eq!(told.records, records.len() as u64);
            let bytes: usize = records.iter().map(Vec::len).sum();
            assert!(bytes <= data.len(), "no more comes out than went in");
        }
    }
    let _ = has_records(&fs, dir());
    assert_eq!(fs.digest(), before, "replay writes nothing");
}

/// Runs the bytes as a program on a real log, changes one byte of a segment, and replays it
/// against what was durable: all of that comes back, or the damage is told; never anything else.
fn one_byte_changed(data: &[u8]) {
    let mut input = Input::new(data);
    let (segment_choice, place, xor) = (input.u8(), input.u16(), input.u8());
    let fs = MemFs::new(2);
    let options = WalOptions { grow_bytes: 256, ..WalOptions::default() };
    let wal = Wal::create(Arc::new(fs.clone()), dir(), FLOOR, options).expect("an empty disk");
    let written = write(&wal, &mut input);
    let durable = wal.durable();
    let segments = wal.live_segments();
    drop(wal);

    let number = segments[usize::from(segment_choice) % segments.len()];
    let length = fs.read_file(segment(number)).map_or(0, |bytes| bytes.len() as u64);
    if length > 0 {
        fs.corrupt(segment(number), u64::from(place) % length, xor);
    }
    let changed = xor != 0 && length > 0;
    match replayed(&fs, durable, RecoveryMode::CutTornTail) {
        Ok((records, told)) => {
            let all: Records = written.iter().map(|(_, payload)| payload.clone()).collect();
            assert!(all.starts_with(&records), "a prefix of what was appended");
            assert!(told.end >= durable, "what was durable is there");
            assert!(changed || records.len() == all.len(), "nothing is lost without a reason");
        }
        Err(error) => assert!(changed, "a good log replays: {error}"),
    }
}

/// Appends, syncs and opens segments as the input says; gives what was appended.
fn write(wal: &Wal, input: &mut Input<'_>) -> Vec<(Position, Vec<u8>)> {
    let mut written = Vec::new();
    for _ in 0..24 {
        if input.is_empty() {
            break;
        }
        match input.u8() % 8 {
            0 => drop(wal.sync().expect("a disk in memory syncs")),
            1 => drop(wal.next_segment().expect("a disk in memory has room")),
            _ => {
                let payload = input.piece();
                let appended = wal.append([payload]).expect("a disk in memory has room");
                written.push((appended.end, payload.to_vec()));
            }
        }
    }
    written
}

fn replayed(
    fs: &MemFs,
    durable: Position,
    mode: RecoveryMode,
) -> Result<(Records, Replayed), Error> {
    let mut records = Vec::new();
    let told = replay(fs, dir(), FLOOR, durable, mode, &mut |_, payload: &[u8]| {
        records.push(payload.to_vec());
        Ok::<(), Error>(())
    })?;
    Ok((records, told))
}

fn dir() -> &'static Path {
    Path::new("store/wal")
}

fn segment(number: u64) -> PathBuf {
    dir().join(format!("{number:06}.wal"))
}

pub(crate) fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let program = b"\x02\x05first\x00\x02\x06second\x01\x02\x05third\x00\x03\x04last";
    let as_program = [&b"\x00\x50\x00\x00"[..], program].concat();
    let with_damage = [&b"\x01\x60\x00\x04"[..], program].concat();

    // The files that this program makes, as segments for the first half.
    let fs = MemFs::new(3);
    let options = WalOptions { grow_bytes: 256, ..WalOptions::default() };
    let wal = Wal::create(Arc::new(fs.clone()), dir(), FLOOR, options).expect("an empty disk");
    write(&wal, &mut Input::new(program));
    let mut files = Vec::new();
    for number in wal.live_segments() {
        let bytes = fs.read_file(segment(number)).unwrap_or_default();
        files.extend_from_slice(&(bytes.len() as u16).to_le_bytes());
        files.extend_from_slice(&bytes);
    }
    let cut = files.get(..files.len() * 2 / 3).unwrap_or_default().to_vec();
    vec![
        ("program", as_program),
        ("program_with_damage", with_damage),
        ("two_segments", files),
        ("two_segments_cut", cut),
    ]
}
