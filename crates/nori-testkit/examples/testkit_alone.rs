//! The kit by itself: a queue with a bug, found by a random program and shrunk to its core.

use nori_env::Rng;
use nori_testkit::shrink;

/// Forgets what it holds when it grows to four.
fn is_wrong(program: &[u8]) -> bool {
    let (mut buggy, mut right) = (Vec::new(), Vec::new());
    program.iter().any(|step| {
        if *step < 200 {
            buggy.push(*step);
            right.push(*step);
        } else {
            buggy.pop();
            right.pop();
        }
        if buggy.len() == 4 {
            buggy[0] = 0;
        }
        buggy != right
    })
}

fn main() {
    let rng = &mut Rng::new(7);
    let program: Vec<u8> = (0..500).map(|_| rng.below(256) as u8).collect();
    let short = shrink(&program, is_wrong);
    assert!(is_wrong(&short) && short.len() < 10);
    println!("{} steps fail, and so do {short:?}", program.len());
}
