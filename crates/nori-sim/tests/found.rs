//! Programs that once failed, made short. Each is a file in `found/` that says what was wrong.

use nori_sim::{Program, Seen, run, run_twice};

const FOUND: &[(&str, &str)] = &[
    ("copied-table", include_str!("found/copied-table.nori")),
    ("copied-log", include_str!("found/copied-log.nori")),
];

#[test]
fn what_was_found_stays_mended() {
    for (name, text) in FOUND {
        let program: Program = text.parse().unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!(run(&program, &mut Seen::default()), Ok(()), "{name}");
        assert_eq!(run_twice(&program, &mut Seen::default()), Ok(()), "{name}");
    }
}
