//! Streams come back as they were written; what is cut or damaged is an error; what is random is
//! refused without a panic.

use super::frames::{Encoder, FrameDecoder};
use super::lines::{LineDecoder, LineEncoder};
use super::*;
use nori_env::Rng;
use nori_testkit::{flips, golden, truncations};

fn sample() -> Vec<Item> {
    let all: Vec<u8> = (0..=255).collect();
    vec![
        Item::Keyspace("default".into()),
        Item::Entry(b"plum".to_vec(), b"purple".to_vec()),
        Item::Entry(b"quoted \"\\\n".to_vec(), Vec::new()),
        Item::Entry(all.clone(), all),
        Item::Keyspace("empty".into()),
        Item::Keyspace("ключи".into()),
        Item::Entry(Vec::new(), b"a value without a key".to_vec()),
        Item::End(StreamTally { keyspaces: 3, entries: 4, bytes: 553 }),
    ]
}

fn frames(items: &[Item]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut encoder = Encoder::new(0x0123_4567_89ab_cdef, &mut out);
    for item in items {
        match item {
            Item::Keyspace(name) => encoder.keyspace(name, &mut out),
            Item::Entry(key, value) => encoder.entry(key, value, &mut out),
            Item::End(tally) => encoder.end(tally, &mut out),
        }
    }
    out
}

fn lines(items: &[Item]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut encoder = LineEncoder::new(&mut out);
    for item in items {
        match item {
            Item::Keyspace(name) => encoder.keyspace(name, &mut out),
            Item::Entry(key, value) => encoder.entry(key, value, &mut out),
            Item::End(tally) => encoder.end(tally, &mut out),
        }
    }
    out
}

fn drain(decoder: &mut dyn Decoder) -> Result<Vec<Item>> {
    let mut items = Vec::new();
    while decoder.next(&mut items)? {}
    Ok(items)
}

fn from_frames(mut bytes: &[u8]) -> Result<Vec<Item>> {
    drain(&mut FrameDecoder::new(&mut bytes, Path::new("in"))?)
}

fn from_lines(mut bytes: &[u8]) -> Result<Vec<Item>> {
    drain(&mut LineDecoder::new(&mut bytes, Path::new("in")))
}

#[test]
fn streams_come_back() {
    assert_eq!(from_frames(&frames(&sample())).unwrap(), sample());
    assert_eq!(from_lines(&lines(&sample())).unwrap(), sample());
}

/// The bytes of both forms are a promise: a change of them needs another version.
#[test]
fn the_golden_streams_stay() {
    let place = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/");
    golden(format!("{place}export-v1.nori"), &frames(&sample()));
    golden(format!("{place}export-v1.jsonl"), &lines(&sample()));
}

/// Every flip of a frame is found; so is every cut of either form, at whatever byte.
#[test]
fn flips_and_cuts_are_found() {
    let good = frames(&sample());
    for (at, bad) in flips(&good) {
        assert!(from_frames(&bad).is_err(), "byte {at}");
    }
    for cut in truncations(&good) {
        let error = from_frames(cut).expect_err("a cut stream");
        assert!(error.is_corruption(), "{error}");
    }
    let whole = lines(&sample());
    // The last line feed may be missing: JSON says that the line is whole.
    for cut in truncations(&whole).filter(|cut| cut.len() + 1 < whole.len() && !cut.is_empty()) {
        assert!(from_lines(cut).is_err(), "{}", cut.escape_ascii());
    }
    assert!(from_frames(&[&good[..], b"x"].concat()).is_err(), "bytes behind the end");
    assert!(from_lines(&[&whole[..], b"{}\n"].concat()).is_err(), "a line behind the end");
}

/// Swapped, repeated and missing frames: each checks by itself, and not in its place.
#[test]
fn frames_in_the_wrong_place_are_found() {
    let good = frames(&sample());
    let mut starts = vec![32];
    while let Some(head) = good.get(starts[starts.len() - 1]..) {
        let [a, b, c, d, ..] = head else { break };
        let length = u32::from_le_bytes([*a, *b, *c, *d]) as usize;
        starts.push(starts[starts.len() - 1] + 9 + length);
    }
    assert_eq!((starts.len(), starts.last()), (7, Some(&good.len())));
    let part = |n: usize| &good[starts[n]..starts[n + 1]];
    for order in [vec![0, 1, 2, 4, 3, 5], vec![0, 1, 3, 4, 5], vec![0, 1, 1, 2, 3, 4, 5]] {
        let parts = order.into_iter().flat_map(part).copied();
        let bad: Vec<u8> = good[..32].iter().copied().chain(parts).collect();
        assert!(from_frames(&bad).is_err_and(|error| error.is_corruption()));
    }
}

#[test]
fn lines_of_other_programs_are_read() {
    let text = concat!(
        "{\"key\":\"a\",\"value\":\"1\"}\n\r\n",
        "{\"value_hex\":\"fF00\",\"key_hex\":\"62\",\"keyspace\":\"other\"}\n",
        "  {\"keyspace\":\"third\"}",
    );
    let items = [
        Item::Keyspace("default".into()),
        Item::Entry(b"a".to_vec(), b"1".to_vec()),
        Item::Keyspace("other".into()),
        Item::Entry(b"b".to_vec(), b"\xff\0".to_vec()),
        Item::Keyspace("third".into()),
    ];
    assert_eq!(from_lines(text.as_bytes()).unwrap(), items);
    for bad in [
        "{\"key\":\"a\"}",
        "{\"key\":\"a\",\"key_hex\":\"61\",\"value\":\"1\"}",
        "{\"key_hex\":\"6\",\"value\":\"1\"}",
        "{\"key_hex\":\"zz\",\"value\":\"1\"}",
        "{\"key\":1,\"value\":\"1\"}",
        "{\"key\":\"a\",\"valeu\":\"1\"}",
        "[]",
        "{\"key\":\"a\",\"value\":\"1\"}\n{\"nori_export\":1}",
    ] {
        let error = from_lines(bad.as_bytes()).expect_err(bad);
        assert!(error.is_corruption() && error.to_string().contains("line "), "{error}");
    }
    let future = from_lines(b"{\"nori_export\":2}\n");
    assert!(matches!(future, Err(Error::FormatTooNew { found: 2, .. })));
}

/// A length of gigabytes before a few bytes: an error, and no memory for it.
#[test]
fn lengths_that_lie_take_no_memory() {
    let mut stream = frames(&[])[..32].to_vec();
    stream.extend_from_slice(&(1_u32 << 30).to_le_bytes());
    stream.extend_from_slice(&[2, 0, 0, 0, 0, 7, 7]);
    let mut decoder_input = &stream[..];
    let mut decoder = FrameDecoder::new(&mut decoder_input, Path::new("in")).unwrap();
    assert!(decoder.next(&mut Vec::new()).is_err_and(|error| error.is_corruption()));
    assert!(decoder.memory() < 1 << 16, "{}", decoder.memory());
    stream.truncate(32);
    stream.extend_from_slice(&[0xff; 9]);
    assert!(from_frames(&stream).is_err_and(|e| e.to_string().contains("at most")));
}

#[test]
fn random_bytes_are_refused_without_a_panic() {
    let mut rng = Rng::new(11);
    let (good, text) = (frames(&sample()), lines(&sample()));
    for _ in 0..3000 {
        let mut noise = vec![0; rng.index(200)];
        rng.fill(&mut noise);
        assert!(from_frames(&noise).is_err());
        let _ = from_lines(&noise);
        for (source, is_frames) in [(&good, true), (&text, false)] {
            let mut bad = source.clone();
            for _ in 0..1 + rng.below(6) {
                let at = rng.index(bad.len());
                match rng.below(3) {
                    0 => bad[at] = rng.below(256) as u8,
                    1 => drop(bad.drain(at..(at + rng.index(9)).min(bad.len()))),
                    _ => drop(bad.splice(at..at, noise.iter().copied().take(5))),
                }
                if bad.is_empty() {
                    break;
                }
            }
            let decoded = if is_frames { from_frames(&bad) } else { from_lines(&bad) };
            assert!(!is_frames || bad == *source || decoded.is_err());
        }
    }
}

/// A frame full of empty entries would take many times its length in memory.
#[test]
fn entries_that_begin_late_in_a_frame_are_refused() {
    let mut out = Vec::new();
    let mut encoder = Encoder::new(1, &mut out);
    encoder.keyspace("k", &mut out);
    let first = out.len();
    // One entry fills the frame; another behind it is what no encoder writes.
    encoder.entry(b"a", &[0; 70_000], &mut out);
    assert!(from_frames(&out).is_err_and(|e| e.to_string().contains("end frame")), "only cut");
    let mut payload = out[first + 9..].to_vec();
    payload.extend([0, 0]);
    out.truncate(first);
    encoder.raw(1, &payload, &mut out);
    let error = from_frames(&out).expect_err("too many");
    assert!(error.to_string().contains("begins so late"), "{error}");
}
