//! Listeners that are slow or gone, and events as text.

use super::*;

fn released(sequence: u64) -> VizEvent {
    VizEvent::SnapshotReleased { sequence }
}

#[test]
fn a_slow_listener_loses_events_and_knows_how_many() {
    let events = Events::of(Path::new("/store"));
    events.emit(|| panic!("nobody listens"));
    let mut stream = events.listen();
    (0..WAITING_MAX as u64 + 5).for_each(|n| events.emit(|| released(n)));
    assert_eq!(stream.dropped(), 5);
    assert_eq!(stream.try_next(), Some(released(0)));
    events.end();
    assert_eq!(stream.count(), WAITING_MAX - 1);
}

#[test]
fn a_dropped_stream_is_forgotten() {
    let events = Events::of(Path::new("/store"));
    drop(events.listen());
    events.emit(|| released(1));
    events.emit(|| panic!("nobody listens any more"));
}

/// One of each kind, no two with a field in common that is left out by mistake.
fn one_of_each() -> Vec<VizEvent> {
    vec![
        VizEvent::WalSynced { segment: 7, offset: 7 },
        VizEvent::MemtableRotated { bytes: 7, entries: 7 },
        VizEvent::FlushStarted { bytes: 7, entries: 7 },
        VizEvent::Flush { tables: vec![1, 2], entries: 7, bytes_written: 7, elapsed_us: 7 },
        VizEvent::CompactionStarted {
            slot: 7,
            inputs: vec![1, 2],
            bytes_expected: 7,
            runs: 7,
            runs_before: 7,
        },
        VizEvent::Compaction {
            slot: 7,
            inputs: vec![1, 2],
            outputs: vec![1, 2],
            bytes_read: 7,
            bytes_written: 7,
            entries_dropped: 7,
            tombstones_dropped: 7,
            runs_before: 7,
            runs_after: 7,
            k_before: 7,
            k_after: 7,
            heat: 0.5,
            elapsed_us: 7,
            forced: true,
            explored: true,
        },
        VizEvent::SlotSplit { slot: 7, guards: 7 },
        VizEvent::SlotsMerged { left: 7, right: 7 },
        VizEvent::HeatChanged {
            slot: 7,
            heat: 0.5,
            k_before: 7,
            k_after: 7,
            reads_per_s: 0.5,
            writes_per_s: 0.5,
        },
        VizEvent::BanditSelection {
            slot: 7,
            explored: true,
            reason: "a \"b\"".into(),
            prior: 0.5,
            mean: 0.5,
            bonus: 0.5,
            score: 0.5,
        },
        VizEvent::BanditReward { slot: 7, reward: 0.5, ratio: 0.5, mean: 0.5 },
        VizEvent::PressureZone {
            before: PressureZone::Orange,
            after: PressureZone::Orange,
            pressure: 0.5,
        },
        VizEvent::StallBegan { pressure: 0.5 },
        VizEvent::StallEnded { waited_us: 7, admitted: true },
        VizEvent::KeyspaceCreated { name: "a \"b\"".into() },
        VizEvent::KeyspaceDropped { name: "a \"b\"".into() },
        VizEvent::CheckpointStarted { dir: "a \"b\"".into() },
        VizEvent::CheckpointEnded {
            dir: "a \"b\"".into(),
            sequence: 7,
            bytes: 7,
            elapsed_us: 7,
            error: Some("full".into()),
        },
        VizEvent::SnapshotCreated { sequence: 7 },
        VizEvent::SnapshotReleased { sequence: 7 },
        VizEvent::TableCreated { table: 7, bytes: 7 },
        VizEvent::TableDeleted { table: 7 },
        VizEvent::WalSegmentDeleted { segment: 7 },
        VizEvent::Corruption { error: "a \"b\"".into() },
        VizEvent::BackgroundError { error: "a \"b\"".into() },
    ]
}

#[test]
fn every_kind_survives_being_written_and_read() {
    let names: Vec<&str> = one_of_each().iter().map(VizEvent::name).collect();
    assert_eq!(names, VizEvent::NAMES, "one of each, in order");
    for event in one_of_each() {
        let text = serde_json::to_string(&event).expect("events can be written");
        assert!(text.starts_with(&format!("{{\"{}\":", event.name())), "{text}");
        assert_eq!(serde_json::from_str::<VizEvent>(&text).expect("and read"), event);
    }
}
