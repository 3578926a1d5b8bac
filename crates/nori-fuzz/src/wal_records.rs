//! The framing of log files: any bytes as a file, and a good file with one byte changed.

use std::path::Path;

use nori_wal::{
    Features, LOG_HEADER_BYTES, LogFormat, LogHeader, Position, RECORD_HEADER_BYTES, frame, scan,
};

use crate::input::Input;

const FORMAT: LogFormat =
    LogFormat { magic: *b"fuzz", version: 1, incompatible: 0, what: "fuzzed log" };
const NUMBER: u64 = 7;

pub(crate) fn run(data: &[u8]) {
    any_file(data);
    one_byte_changed(data);
}

/// The bytes as a whole file. A header that does not check is left, so that records are reached
/// without the fuzzer having to guess a checksum first.
fn any_file(data: &[u8]) {
    let path = Path::new("000007.wal");
    let log = match LogHeader::decode(data, &FORMAT, NUMBER, path) {
        Ok(log) => {
            let again = LogHeader::decode(&log.encode(&FORMAT), &FORMAT, NUMBER, path);
            assert_eq!(again.ok(), Some(log), "a header reads the same again");
            log
        }
        Err(_) => header(0),
    };
    let found = scan(data, &log);
    let mut at = LOG_HEADER_BYTES.min(data.len() as u64);
    for record in &found.records {
        assert_eq!(record.start, at, "records are contiguous");
        assert_eq!(record.end, at + RECORD_HEADER_BYTES + record.payload.len() as u64);
        assert!(record.durable <= Position::new(NUMBER, record.start), "no record vouches itself");
        at = record.end;
    }
    assert_eq!(found.end, at);
    assert!(found.end <= data.len() as u64);
}

/// A file of well-formed records, one byte of it changed: what comes back is a prefix of what was
/// written, and all of it that lies before the change.
fn one_byte_changed(data: &[u8]) {
    let mut input = Input::new(data);
    let (salt, place, xor) = (input.u64(), input.u16(), input.u8());
    let log = header(salt);
    let mut file = log.encode(&FORMAT).to_vec();
    let mut written = Vec::new();
    let mut durable = Position::default();
    while !input.is_empty() && written.len() < 32 {
        let promises = input.u8() % 2 == 1;
        let payload = input.piece();
        let start = file.len() as u64;
        if promises {
            durable = Position::new(NUMBER, start);
        }
        frame(&mut file, &log, start, payload, durable);
        written.push((file.len() as u64, payload));
    }
    let promised = durable;
    let body = file.len() as u64 - LOG_HEADER_BYTES;
    let changed = (xor != 0 && body > 0).then(|| LOG_HEADER_BYTES + u64::from(place) % body);
    if let Some(byte) = changed.and_then(|at| file.get_mut(at as usize)) {
        *byte ^= xor;
    }
    let found = scan(&file, &log);
    assert!(found.promise <= promised, "no promise is made up");
    assert!(found.records.len() <= written.len());
    for (record, (end, payload)) in found.records.iter().zip(&written) {
        assert_eq!((record.end, record.payload), (*end, *payload), "a true record");
    }
    let before = |end: &u64| changed.is_none_or(|at| *end <= at);
    let intact = written.iter().take_while(|(end, _)| before(end)).count();
    assert_eq!(found.records.len(), intact, "every record before the change and none behind it");
}

fn header(salt: u64) -> LogHeader {
    LogHeader {
        features: Features::default(),
        number: NUMBER,
        salt,
        previous_end: 0,
        durable: Position::default(),
    }
}

pub(crate) fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let log = header(0x5a17);
    let mut file = log.encode(&FORMAT).to_vec();
    let header_only = file.clone();
    for (i, payload) in [&b"first"[..], b"", &[0; 40], b"last"].iter().enumerate() {
        let at = file.len() as u64;
        let durable = if i < 2 { Position::default() } else { Position::new(NUMBER, 64) };
        frame(&mut file, &log, at, payload, durable);
    }
    let torn = file.get(..file.len() - 3).unwrap_or_default().to_vec();
    let then_zeros = [file.clone(), vec![0; 100]].concat();
    // Choices for the second half: salt, place, change, then (promise, length, payload) each.
    let choices = b"saltsalt\x30\x00\x01\x00\x05first\x01\x00\x01\x04last".to_vec();
    vec![
        ("header_only", header_only),
        ("four_records", file),
        ("torn", torn),
        ("then_zeros", then_zeros),
        ("choices", choices),
    ]
}
