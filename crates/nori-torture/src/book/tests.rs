//! The oracle accepts what a run may leave, and nothing else.

use super::*;

const SEED: u64 = 11;

/// What a store shows when each writer's writes up to `to` are there, `last` the last of all.
fn left(book: &Book, to: Counts, last: usize) -> Found {
    let mut found = Found::default();
    for (writer, &number) in to.iter().enumerate() {
        found.state.extend(book.state_at(writer, SEED, number));
        let batch = (1..=number).rev().find(|&n| is_batch(SEED, writer, n));
        let mut before = to.map(|number| number.saturating_sub(5));
        before[writer] = batch.unwrap_or(1).saturating_sub(1);
        let stamp = |number| Stamp { seed: SEED, writer, number, before };
        found.stamps[writer] = batch.map(stamp);
    }
    found.last = found.stamps[last].clone();
    found
}

fn span(floor: Counts, ceiling: Counts) -> Span {
    Span { seed: SEED, floor, ceiling }
}

#[test]
fn every_prefix_between_floor_and_ceiling_is_accepted() {
    let mut book = Book::default();
    for number in 10..60 {
        let to = [number, number + 1, 7, 0];
        let found = left(&book, to, 1);
        assert_eq!(book.judge(&found, &span(to, to)), Ok(to));
        // A delete of nothing is there or not; nobody can tell.
        let any = book.judge(&found, &span([9, 9, 7, 0], to)).expect("below the ceiling");
        assert!(any.iter().zip(to).all(|(any, to)| *any + 1 >= to));
    }
    let to = [30, 30, 8, 0];
    book.advance(&left(&book, to, 0), SEED, to);
    assert_eq!(book.at(), to);
    let found = left(&book, to, 0);
    assert_eq!(book.judge(&found, &span([0; 4], to)), Ok(to), "nothing happened");
}

#[track_caller]
fn refused(found: &Found, span: &Span, expected: &str) {
    let said = Book::default().judge(found, span).expect_err(expected);
    assert!(said.contains(expected), "{said}");
}

#[test]
fn everything_else_is_refused() {
    let to = [40, 40, 40, 40];
    let good = left(&Book::default(), to, 2);
    let any = span([0; 4], to);
    assert_eq!(Book::default().judge(&good, &any), Ok(to));
    refused(&good, &span([0, 42, 0, 0], [50; 4]), "writer 1: its counter is at 40");
    refused(&good, &span([0; 4], [50, 50, 50, 39]), "writer 3: its counter is at 40");

    let mut lost = good.clone();
    lost.state.pop_first();
    refused(&lost, &any, "is nothing, should be");
    let mut back = good.clone();
    let gone = (0..40).map(|n| (false, format!("w1/k{n:02}").into_bytes()));
    let gone = gone.into_iter().find(|key| !good.state.contains_key(key)).expect("deleted keys");
    back.state.insert(gone, b"x".to_vec());
    refused(&back, &any, "should be nothing");
    let mut foreign = good.clone();
    foreign.state.insert((true, b"x".to_vec()), Vec::new());
    refused(&foreign, &any, "was never written");
    let mut other_run = good.clone();
    other_run.stamps[1].as_mut().expect("wrote").seed = 12;
    refused(&other_run, &any, "its counter went from");
    let parent = Found { parent: Some(Vec::new()), ..good.clone() };
    refused(&parent, &any, "what the parent wrote");
}

#[test]
fn a_hole_between_writers_is_refused() {
    let to = [40; 4];
    let mut hole = left(&Book::default(), to, 2);
    hole.stamps[0].as_mut().expect("wrote").before[3] = 41;
    refused(&hole, &span([0; 4], to), "and writer 3 only up to 40");
    let mut last = left(&Book::default(), to, 2);
    last.stamps[0].as_mut().expect("wrote").before[2] = 40;
    refused(&last, &span([0; 4], to), "began behind it");
    last.last.as_mut().expect("wrote").number = 38;
    refused(&last, &span([0; 4], to), "not the last of its writer");
    last.last = None;
    refused(&last, &span([0; 4], to), "is not the last of");
}
