//! Frames of a store that works.

use super::*;
use nori_env::MemFs;
use nori_lsm::{Background, Config, Lsm};

fn decision(slot: u64) -> Decision {
    let mut d = Decision::default();
    d.slot = slot;
    d
}

#[test]
fn each_decision_is_told_once() {
    let mut taker = Taker::default();
    let slots = |choices: Vec<Choice>| choices.iter().map(|c| c.slot).collect::<Vec<_>>();
    let all: Vec<Decision> = (0..10).map(decision).collect();
    assert_eq!(slots(taker.choices(&all[0..3])), [0, 1, 2]);
    assert!(taker.choices(&all[0..3]).is_empty());
    // The oldest is forgotten while new ones come.
    assert_eq!(slots(taker.choices(&all[1..5])), [3, 4]);
    let last = taker.choices(&all[8..10]);
    assert_eq!((last[0].n, slots(last)), (5, vec![8, 9]));
    // Decisions that are equal are two decisions.
    let twice = [decision(8), decision(9), decision(9)];
    assert_eq!(slots(taker.choices(&twice)), [9]);
    assert!(taker.choices(&twice).is_empty());
}

#[test]
fn keys_are_shown_as_text_that_can_be_typed() {
    assert_eq!(shown(b"user:1\\\n\xff"), "user:1\\\\\\x0a\\xff");
    assert_eq!(shown(&[b'a'; 48]).len(), 48);
    assert_eq!(shown(&[b'a'; 49]), "a".repeat(48) + "…");
    // A letter that is cut in two is shown as bytes.
    assert_eq!(shown("aé".repeat(20).as_bytes()), "aé".repeat(16) + "…");
}

#[test]
fn events_are_kept_counted_or_dropped() {
    let mut taker = Taker::default();
    for n in 0..600 {
        taker.event(n, VizEvent::SlotsMerged { left: n, right: n });
        taker.event(n, VizEvent::SnapshotCreated { sequence: n });
    }
    assert_eq!((taker.events.len(), taker.too_many, taker.counted), (512, 88, 600));
}

/// A store with merges by hand: what a frame says is what the store says.
#[test]
fn frames_follow_a_store() {
    let config = Config::default().memtable_bytes(64 << 10).background(Background::Manual);
    let store = Lsm::open_with("/s", config.file_system(Arc::new(MemFs::new(1)))).unwrap();
    let (mut taker, mut events) = (Taker::default(), store.events());
    let seen = store.downgrade();
    let mut take = |t: u64| {
        while let Some(event) = events.try_next() {
            taker.event(t, event);
        }
        taker.frame(t, &seen.facts(DECISIONS).unwrap(), events.dropped(), true)
    };
    let first = take(0);
    assert_eq!((first.n, first.slots.len(), first.choices.len()), (0, 1, 0));
    for n in 0..20_000u64 {
        store.put((n * 7919 % 20_000).to_be_bytes(), [7; 64]).unwrap();
    }
    store.compact().unwrap();
    let second = take(2_000);
    assert_eq!(second.totals.operations, 20_000);
    assert_eq!(second.rates.map(|r| r.writes), Some(10_000.0));
    assert_eq!(second.slots.len(), store.slots().iter().filter(|s| !s.keyspace.is_empty()).count());
    assert!(second.amplification.wa > 0.0 && second.amplification.sa >= 1.0, "{second:?}");
    assert_eq!(second.choices.len() as u64, second.totals.compactions.min(256));
    let asked = second.choices.last().unwrap();
    assert!(asked.how == "forced" && asked.why.contains("asked for"), "{asked:?}");
    let merges = |e: &Event| matches!(e.known(), Some(VizEvent::Compaction { .. }));
    assert!(second.events.iter().filter(|e| merges(e)).count() >= 1);
    assert!(second.counted > 0 && second.dropped == 0 && second.unwell.is_empty());
    let third = take(4_000);
    assert!(third.choices.is_empty() && third.events.is_empty());
    assert!(third.slots.iter().zip(&second.slots).all(|(new, old)| Arc::ptr_eq(new, old)));
    assert_eq!(third.rates.map(|r| r.writes), Some(0.0));
}
