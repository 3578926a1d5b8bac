//! Recordings there and back, and bytes that are no recording.

use super::*;
use crate::history::Limits;
use nori_lsm::VizEvent;

fn slot(id: u64, heat: f64) -> Arc<Slot> {
    let lo = format!("key \\x00 \"{id}\"");
    Arc::new(Slot { id, heat, lo, keyspace: "default".into(), k: 3, ..Slot::default() })
}

/// Slots that change, come and go, and everything else that a frame can have.
fn frames() -> Vec<Arc<Frame>> {
    let (a, b) = (slot(1, 0.5), slot(2, 0.25));
    let event = VizEvent::SlotSplit { slot: 1, guards: 1 };
    let known = Event { t: 420, what: What::Known(event) };
    let other: serde_json::Value = serde_json::from_str(r#"{"Later":{"x":[1,null]}}"#).unwrap();
    let unknown = Event { t: 421, what: What::Other(other) };
    let choice =
        Choice { n: 0, slot: 1, why: "as \u{1f600}".into(), ratio: Some(1.5), ..Choice::default() };
    let all = [
        Frame { slots: vec![a.clone(), b.clone()], ..Frame::default() },
        Frame { slots: vec![a.clone(), b.clone()], dropped: 3, ..Frame::default() },
        Frame {
            slots: vec![slot(1, 0.75), slot(9, 0.1), b.clone()],
            rates: Some(Rates { writes: 1.5, ..Rates::default() }),
            merges: vec![Merge { slot: 9, done: 0.5, ..Merge::default() }],
            events: vec![known, unknown],
            choices: vec![choice],
            unwell: vec!["damaged".into()],
            ..Frame::default()
        },
        Frame { slots: vec![b], counted: 7, ..Frame::default() },
        Frame::default(),
    ];
    let numbered = all.into_iter().enumerate();
    numbered.map(|(n, f)| Arc::new(Frame { n: n as u64, t: n as u64 * 500, ..f })).collect()
}

use crate::frame::What;

fn recording() -> String {
    let mut encoder = Encoder::new();
    let mut text = Header::new("/data/s".into(), "process", 1_795_851_234_567, 500).line();
    frames().iter().for_each(|frame| text += &encoder.line(frame));
    text
}

fn decoded(bytes: &[u8]) -> Result<Vec<Arc<Frame>>> {
    let mut decoder = Decoder::new(bytes)?;
    let mut frames = Vec::new();
    while let Some(frame) = decoder.next_frame()? {
        frames.push(frame);
    }
    Ok(frames)
}

#[test]
fn what_is_written_is_read() {
    let text = recording();
    assert_eq!(decoded(text.as_bytes()).unwrap(), frames());
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[0].starts_with(r#"{"format":"nori-viz","version":1,"#), "{}", lines[0]);
    // Only what changes is told.
    assert!(lines[1].contains(r#""slots":[{"id":1,"#), "{}", lines[1]);
    assert!(!lines[2].contains("slots\":[") && !lines[2].contains("changed"), "{}", lines[2]);
    assert!(lines[3].contains(r#""order":[1,9,2]"#), "{}", lines[3]);
    assert_eq!(lines[3].matches(r#""k":3"#).count(), 2, "{}", lines[3]);
    assert!(frames()[2].events[0].known().is_some() && frames()[2].events[1].known().is_none());
}

#[test]
fn an_answer_goes_on_from_a_frame_that_is_known() {
    let frames = frames();
    let mut encoder = Encoder::after(Arc::clone(&frames[1]));
    let text = Header::new("s".into(), "process", 1, 500).line() + &encoder.line(&frames[2]);
    let decoder = Decoder::new(text.as_bytes()).unwrap();
    let mut decoder = decoder.going_on(Some(Arc::clone(&frames[1])));
    assert_eq!(decoder.next_frame().unwrap().as_ref(), Some(&frames[2]));
    let told = decoded(text.as_bytes()).unwrap_err().to_string();
    assert!(told.starts_with("line 2 of the recording: the first frame"), "{told}");
}

#[test]
fn what_a_later_version_adds_is_passed_over_and_a_later_version_is_refused() {
    let text = recording().replace("\"totals\":{", "\"later\":[{}],\"totals\":{\"later\":1.5,");
    assert_eq!(decoded(text.as_bytes()).unwrap(), frames());
    let text = recording().replace("\"version\":1", "\"version\":2");
    let told = decoded(text.as_bytes()).unwrap_err().to_string();
    assert!(told.contains("has version 2, and this nori reads up to version 1"), "{told}");
}

#[test]
fn what_is_wrong_is_told_with_its_line() {
    let text = recording();
    let refused = |text: &str, part: &str| {
        let told = decoded(text.as_bytes()).unwrap_err().to_string();
        assert!(told.contains(part), "{part}: {told}");
    };
    refused("", "line 1 is not the first line of a nori-viz recording: nothing");
    refused("\n\n", "nothing");
    refused("{}", "format \"\"");
    refused("[1]", "line 1");
    refused("{\"format\":\"nori-viz\"}", "no version");
    refused(&text.replace("\"version\":1", "\"version\":-1"), "line 1");
    refused(&text.replace("\"t\":1000", "\"t\":null"), "line 4 of the recording");
    refused(&text.replace("[1,9,2]", "[1,9,2,77]"), "line 4 of the recording: slot 77 was never");
    refused(&text[..text.len() - 20], "line 6 of the recording");
    let with_empty_lines = text.replace('\n', "\n\n");
    assert_eq!(decoded(with_empty_lines.as_bytes()).unwrap(), frames());
    // What was read before the damage is given.
    let mut decoder = Decoder::new(&text.as_bytes()[..text.len() - 20]).unwrap();
    let mut good = 0;
    while let Ok(Some(_)) = decoder.next_frame() {
        good += 1;
    }
    assert_eq!(good, 4);
}

/// Every byte changed, every length, and lines in a wrong order: errors at most.
#[test]
fn garbage_is_refused_and_never_panics() {
    let text = recording();
    let bytes = text.as_bytes();
    let mut refused = 0;
    for at in 0..bytes.len() {
        for change in [1, 0x80, 0xff, bytes[at] ^ b'9', bytes[at] ^ b'{'] {
            let mut damaged = bytes.to_vec();
            damaged[at] ^= change;
            refused += u64::from(decoded(&damaged).is_err());
        }
        refused += u64::from(decoded(&bytes[..at]).is_err());
    }
    assert!(refused > bytes.len() as u64, "{refused}");
    let mut lines: Vec<&str> = text.lines().collect();
    for _ in 0..lines.len() {
        lines.rotate_left(1);
        let _ = decoded(lines.join("\n").as_bytes());
    }
    let deep =
        format!("{}{}", text.lines().next().unwrap(), "\n[".repeat(3) + &"[".repeat(1 << 16));
    assert!(decoded(deep.as_bytes()).is_err());
    // A huge number is an error, or a float, not a panic.
    let _ = decoded(text.replace("\"t\":500", "\"t\":1e999").as_bytes());
    let _ = decoded(text.replace("\"heat\":0.5", "\"heat\":1e308").as_bytes());
    assert!(Limits::default().frames > 1);
}
