//! Pictures of frames, in terminals of many sizes.

use super::*;
use nori_viz::{Decoder, Limits};
use std::fmt::Write;

/// A recording of two frames: ten slots, of which one is hot and merges.
fn recording(slots: u64) -> String {
    let slot = |id: u64, heat: f64| {
        format!(
            r#"{{"id":{id},"keyspace":"default","lo":"key{id:03}","hi":null,"runs":{},"k":4,
               "bytes":{},"heat":{heat},"busy":{}}}"#,
            id % 7,
            id << 20,
            id == 3
        )
        .replace('\n', "")
    };
    let all = |heat: f64| (0..slots).map(|id| slot(id, heat)).collect::<Vec<_>>().join(",");
    let mut text = String::from(
        r#"{"format":"nori-viz","version":1,"store":"/data/shop","source":"process","began":1}"#,
    );
    let rest = r#""totals":{"runs_max":6},"amplification":{"wa":2.5},"pressure":{"pressure":0.6,
        "zone":"yellow","debt":0.6,"pace":1048576}"#
        .replace('\n', "");
    write!(text, "\n{{\"n\":0,\"t\":0,{rest},\"slots\":[{}]}}", all(0.1)).unwrap();
    let more = r#""rates":{"writes":12345.0},"dropped":7,"merges":[{"slot":3,"runs":2,"bytes":2048,
        "done":0.5,"ms":1500}],"choices":[{"slot":3,"how":"drawn","reason":"too many runs",
        "why":"Slot 3: too many runs. It was drawn to learn.","runs":2,"runs_before":5}]"#
        .replace('\n', "");
    write!(text, "\n{{\"n\":1,\"t\":1000,{rest},{more},\"slots\":[{}]}}\n", all(1.0)).unwrap();
    text
}

fn picture(slots: u64) -> Picture {
    let text = recording(slots);
    assert!(Decoder::new(text.as_bytes()).is_ok());
    let (feed, error) = Feed::of_recording(text.as_bytes(), Limits::default()).unwrap();
    assert!(error.is_none(), "{error:?}");
    Picture::new(&feed)
}

fn text(picture: &Picture, width: u16, height: u16) -> String {
    as_text(picture, width, height).join("\n")
}

#[test]
fn a_picture_shows_slots_pressure_merges_and_decisions() {
    let shown = text(&picture(10), 110, 40);
    for part in [
        "nori",
        "ended",
        "yellow 0.60",
        "/data/shop",
        "writes/s 12,345",
        "pace 1.0 MiB/s",
        "WA 2.50",
        "most runs 6",
        "events lost 7",
        "10 slots, by key",
        "heat over 1 s",
        "3* 1.00 ###.|",
        "key003",
        "owed      ████████······ 0.60",
        "writers held to 1.0 MiB/s",
        "slot 3: 2 runs of 2.0 KiB",
        "50 %  1.5 s",
        "slot 3 drawn too many runs: 2 of 5 runs",
        "It was drawn to learn.",
        "q quit",
    ] {
        assert!(shown.contains(part), "{part}\n{shown}");
    }
    // Cold before, hot now.
    assert!(shown.contains("·█"), "{shown}");
    assert!(shown.lines().all(|line| line.chars().count() <= 110));
}

/// No size panics, and what has room is shown.
#[test]
fn every_size_is_drawn_into() {
    for slots in [0, 1, 10, 200] {
        let mut picture = picture(slots);
        for selected in [None, Some(3), Some(999)] {
            picture.select(selected);
            for width in [1, 2, 5, 20, 39, 40, 66, 67, 69, 70, 80, 200] {
                for height in [1, 2, 3, 5, 8, 9, 13, 14, 20, 25, 26, 60] {
                    let lines = as_text(&picture, width, height);
                    assert_eq!(lines.len(), usize::from(height));
                    assert!(width < 6 || lines[0].contains("nori"), "{width}x{height} {lines:?}");
                }
            }
        }
    }
    let empty = Picture { frames: Vec::new(), ..picture(1) };
    assert!(text(&empty, 30, 3).contains("no frame yet"));
}

#[test]
fn arrows_select_a_slot_and_show_its_details() {
    let key = |code| Event::Key(event::KeyEvent::new(code, KeyModifiers::NONE));
    let mut picture = picture(200);
    let mut press = |code| {
        assert!(hear(&key(code), &mut picture));
        picture.selected
    };
    assert_eq!(press(KeyCode::Up), Some(0));
    assert_eq!(press(KeyCode::Down), Some(1));
    assert_eq!(press(KeyCode::PageDown), Some(11));
    assert_eq!(press(KeyCode::End), Some(199));
    assert_eq!(press(KeyCode::Down), Some(199));
    assert_eq!(press(KeyCode::Home), Some(0));
    for _ in 0..3 {
        press(KeyCode::Down);
    }
    let shown = text(&picture, 110, 40);
    for part in
        ["slot 3 and its decisions", "default: key003 to the end", "3 of at most 4", "drawn"]
    {
        assert!(shown.contains(part), "{part}\n{shown}");
    }
    picture.select(Some(150));
    let shown = text(&picture, 110, 40);
    assert!(shown.contains("key150") && !shown.contains("key003"), "it is in sight\n{shown}");
    assert!(!shown.contains("slot 3 drawn"), "only decisions of the slot\n{shown}");
    assert!(hear(&key(KeyCode::Esc), &mut picture) && picture.selected.is_none());
    assert!(!hear(&key(KeyCode::Char('q')), &mut picture));
    let interrupt = event::KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
    assert!(!hear(&Event::Key(interrupt), &mut picture));
    assert!(hear(&Event::Resize(1, 1), &mut picture));
}

#[test]
fn a_process_that_is_gone_and_a_directory_are_said_to_be_so() {
    let mut picture = picture(2);
    picture.lost = Some("127.0.0.1:1: connection refused".into());
    picture.header.source = "directory".into();
    let shown = text(&picture, 100, 20);
    assert!(shown.contains("gone") && shown.contains("connection refused"), "{shown}");
    assert!(shown.contains("need the process's own endpoint"), "{shown}");
}
