//! One damaged segment: every record that is whole is shown, and nothing else.

#![allow(clippy::unwrap_used)]

use super::*;
use crate::log::{RECORD_HEADER_BYTES, frame};
use nori_env::{MemFs, Rng};

const NUMBER: u64 = 5;
const DIR: &str = "/wal";

/// A segment and its records: where each starts and ends, and what is in it.
struct Sample {
    bytes: Vec<u8>,
    records: Vec<(usize, usize, Vec<u8>)>,
}

impl Sample {
    fn new(seed: u64) -> Sample {
        let mut rng = Rng::new(seed);
        let log = LogHeader {
            number: NUMBER,
            salt: rng.next_u64(),
            previous_end: 777,
            ..LogHeader::default()
        };
        let (mut bytes, mut records) = (log.encode(&SEGMENT).to_vec(), Vec::new());
        for _ in 0..12 {
            let mut payload = vec![0; rng.index(90)];
            rng.fill(&mut payload);
            let start = bytes.len();
            frame(&mut bytes, &log, start as u64, &payload, Position::default());
            records.push((start, bytes.len(), payload));
        }
        Sample { bytes, records }
    }

    /// The records that `keep` tells to keep by their bytes.
    fn those(&self, keep: impl Fn(usize, usize) -> bool) -> Vec<Shown> {
        let kept = self.records.iter().filter(|(start, end, _)| keep(*start, *end));
        kept.map(|(start, _, payload)| (*start as u64, payload.clone())).collect()
    }
}

type Shown = (u64, Vec<u8>);

fn salvaged(bytes: &[u8]) -> Result<(Salvaged, Vec<Shown>)> {
    let fs = MemFs::new(1);
    fs.write_file(segment_path(Path::new(DIR), NUMBER), bytes);
    let mut shown = Vec::new();
    let mut on_record = |at: Position, payload: &[u8]| -> Result<()> {
        assert_eq!(at.segment, NUMBER);
        shown.push((at.offset, payload.to_vec()));
        Ok(())
    };
    let found = salvage_segment(&fs, Path::new(DIR), NUMBER, &mut on_record)?;
    assert_eq!((found.records, found.bytes), (shown.len() as u64, bytes.len() as u64));
    Ok((found, shown))
}

#[test]
fn a_whole_segment_is_shown_whole() {
    for seed in 1..=8 {
        let sample = Sample::new(seed);
        let (found, shown) = salvaged(&sample.bytes).unwrap();
        assert_eq!(shown, sample.those(|_, _| true));
        assert!(found.lost.is_empty(), "{:?}", found.lost);
        assert_eq!((found.previous_end, found.end), (Some(777), sample.bytes.len() as u64));
    }
}

/// Each record damaged in turn, at its start, in the middle, at its end.
#[test]
fn each_record_damaged_in_turn_costs_itself() {
    for seed in 1..=8 {
        let sample = Sample::new(seed);
        for (start, end, _) in &sample.records {
            for at in [*start, (start + end) / 2, end - 1] {
                let mut bytes = sample.bytes.clone();
                bytes[at] ^= 0x10;
                let (found, shown) = salvaged(&bytes).unwrap();
                let told = format!("seed {seed}, byte {at}");
                assert_eq!(shown, sample.those(|from, _| from != *start), "{told}");
                let is_last = *end == bytes.len();
                // Of a last record without a whole header nothing says that it was begun.
                if !is_last {
                    let lost: Vec<_> = found.lost.iter().map(|lost| (lost.from, lost.to)).collect();
                    assert_eq!(lost, [(*start as u64, Some(*end as u64))], "{told}");
                }
            }
        }
    }
}

/// Whatever byte of the header is damaged, the records are shown; without all of the salt they
/// are not.
#[test]
fn a_damaged_header_costs_the_records_only_with_the_salt() {
    for seed in 1..=8 {
        let sample = Sample::new(seed);
        let header = LOG_HEADER_BYTES as usize;
        for at in 0..header {
            let mut bytes = sample.bytes.clone();
            bytes[at] ^= 0x21;
            match salvaged(&bytes) {
                Ok((found, shown)) => {
                    assert_eq!(shown, sample.those(|_, _| true), "seed {seed}, byte {at}");
                    let lost: Vec<_> = found.lost.iter().map(|l| (l.from, l.to)).collect();
                    assert_eq!(lost, [(0, Some(LOG_HEADER_BYTES))], "seed {seed}, byte {at}");
                    assert_eq!(found.previous_end, None);
                }
                Err(Error::FormatTooNew(_)) => {}
                Err(error) => panic!("seed {seed}, byte {at}: {error}"),
            }
        }
        let mut bytes = sample.bytes.clone();
        Rng::new(seed ^ 9).fill(&mut bytes[..header]);
        let (found, shown) = salvaged(&bytes).unwrap();
        assert!(shown.is_empty());
        assert_eq!((found.lost[0].from, found.lost[0].to), (0, Some(bytes.len() as u64)));
    }
}

#[test]
fn a_segment_cut_at_every_length_shows_its_whole_records() {
    for seed in 1..=8 {
        let sample = Sample::new(seed);
        for len in 0..sample.bytes.len() {
            let (found, shown) = salvaged(&sample.bytes[..len]).unwrap();
            let told = format!("seed {seed}, cut at {len}");
            assert_eq!(shown, sample.those(|_, end| end <= len), "{told}");
            let begun = sample.records.iter().find(|(start, end, _)| *start < len && len < *end);
            // Of less than its header nothing says that it was begun.
            let told_of = begun.filter(|(start, ..)| len - start >= RECORD_HEADER_BYTES as usize);
            let lost: Vec<_> = found.lost.iter().map(|lost| lost.from).collect();
            if let Some((start, ..)) = told_of {
                assert_eq!(lost, [*start as u64], "{told}");
            }
        }
    }
}

/// Damage of all kinds: what is shown was written, in its order.
#[test]
fn nothing_is_shown_that_was_not_written() {
    let mut rng = Rng::new(3);
    for round in 0..2000 {
        let sample = Sample::new(1 + round % 8);
        let mut bytes = sample.bytes.clone();
        for _ in 0..1 + rng.index(5) {
            let (from, to) = (rng.index(bytes.len()), rng.index(bytes.len()));
            let len = rng.index(200).min(bytes.len() - from.max(to));
            match rng.below(3) {
                0 => rng.fill(&mut bytes[from..from + len]),
                1 => bytes.copy_within(from..from + len, to),
                _ => bytes.truncate(bytes.len() - len / 4),
            }
        }
        let Ok((_, shown)) = salvaged(&bytes) else { continue };
        let written = sample.those(|_, _| true);
        let mut rest = written.iter();
        for record in &shown {
            assert!(rest.any(|known| known == record), "round {round}: at {}", record.0);
        }
    }
}
