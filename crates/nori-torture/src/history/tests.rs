//! Histories that can be, and those that cannot.

use super::*;
use nori_env::Rng;

fn history(calls: &[(usize, u64, u64, Call)]) -> History {
    let mut history = History::default();
    for &(thread, begin, end, call) in calls {
        history.add(thread, begin, end, call);
    }
    history
}

use Call::{Delete, Get, Put};

#[test]
fn concurrent_calls_may_have_any_order() {
    for seen in [None, Some(1), Some(2)] {
        let calls = [(0, 0, 10, Put(1)), (1, 0, 10, Put(2)), (2, 5, 8, Get(seen))];
        assert_eq!(history(&calls).check(), Ok(()));
    }
    let later = [(0, 0, 10, Put(1)), (1, 0, 10, Put(2)), (2, 11, 12, Get(Some(1)))];
    assert_eq!(history(&later).check(), Ok(()));
    assert_eq!(history(&[]).check(), Ok(()));
}

#[track_caller]
fn refused(calls: &[(usize, u64, u64, Call)]) {
    assert!(history(calls).check().is_err(), "{calls:?}");
}

#[test]
fn a_stale_read_is_refused() {
    refused(&[(0, 0, 1, Put(1)), (0, 2, 3, Put(2)), (1, 4, 5, Get(Some(1)))]);
    refused(&[(0, 0, 1, Put(1)), (1, 2, 3, Get(None))]);
}

#[test]
fn a_lost_write_is_refused() {
    refused(&[(0, 0, 1, Put(1)), (0, 2, 3, Delete), (1, 4, 5, Get(Some(1)))]);
    refused(&[(0, 0, 1, Delete), (1, 2, 3, Get(Some(1)))]);
}

#[test]
fn a_value_that_was_never_written_is_refused() {
    refused(&[(0, 0, 9, Put(1)), (1, 2, 3, Get(Some(7)))]);
}

#[test]
fn readers_that_disagree_about_the_order_are_refused() {
    // Each get alone can be; the first reader saw 1 then 2, the second 2 then 1.
    let puts = [(0, 0, 100, Put(1)), (1, 0, 100, Put(2))];
    let first = [(2, 10, 11, Get(Some(1))), (2, 30, 31, Get(Some(2)))];
    let second = [(3, 12, 13, Get(Some(2))), (3, 32, 33, Get(Some(1)))];
    let [a, b] = first;
    assert!(history(&[puts[0], puts[1], a, b]).check().is_ok());
    refused(&[puts[0], puts[1], a, b, second[0], second[1]]);
}

#[test]
fn a_read_that_goes_back_in_time_is_refused() {
    // The put is under way all the time: seen once, it cannot be unseen.
    refused(&[(0, 0, 100, Put(1)), (1, 10, 11, Get(Some(1))), (1, 12, 13, Get(None))]);
}

/// A history that a real register could have made: each call gets its moment at random.
fn sound(rng: &mut Rng, calls: usize) -> Vec<(usize, u64, u64, Call)> {
    let mut made: Vec<(u64, (usize, u64, u64, Call))> = Vec::new();
    for thread in 0..4 {
        let mut now = rng.below(20);
        for n in 0..calls {
            let end = now + 2 + rng.below(40);
            let call = match rng.below(3) {
                0 => Put((thread * calls + n) as u64),
                1 => Delete,
                _ => Get(None),
            };
            made.push((now + 1 + rng.below(end - now - 1), (thread, now, end, call)));
            now = end + 1 + rng.below(5);
        }
    }
    made.sort_by_key(|(moment, _)| *moment);
    let mut value = None;
    for (_, (.., call)) in &mut made {
        match call {
            Put(new) => value = Some(*new),
            Delete => value = None,
            Get(seen) => *seen = value,
        }
    }
    made.into_iter().map(|(_, call)| call).collect()
}

#[test]
fn what_a_register_does_is_accepted_and_most_changed_results_are_not() {
    let mut rng = Rng::new(5);
    let (mut changed, mut caught) = (0, 0);
    for _ in 0..200 {
        let mut calls = sound(&mut rng, 30);
        assert_eq!(history(&calls).check(), Ok(()));
        let at = rng.index(calls.len());
        if let Get(seen) = calls[at].3 {
            let other = calls[rng.index(calls.len())].3;
            let wrong = if let Put(value) = other { Some(value) } else { None };
            if wrong != seen {
                calls[at].3 = Get(wrong);
                changed += 1;
                caught += u32::from(history(&calls).check().is_err());
            }
        }
    }
    assert!(changed > 30 && caught * 10 > changed * 5, "{caught} of {changed} caught");
}
