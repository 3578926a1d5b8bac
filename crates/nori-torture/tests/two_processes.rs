//! A store that another process has open: it cannot be opened to write, it can be read.

use nori_env::Rng;
use nori_lsm::{Config, ErrorKind, Lsm};
use nori_testkit::TempDir;
use nori_torture::{Book, Found, Plan, Run, Shot, Span, Trigger};
use std::time::Duration;

const EXE: &str = env!("CARGO_BIN_EXE_nori-torture");

#[test]
fn a_second_process_is_refused_and_may_read() {
    for seed in 1..=5 {
        let dir = TempDir::new("two");
        let store = dir.path().join("store");
        let plan = Plan { limit: u64::MAX / 2, ..Plan::random(&mut Rng::new(seed), [0; 4]) };
        let run = Run::start(EXE, "write", &store, &plan).expect("starts");
        let shot = Shot { trigger: Trigger::Acked(50), delay: Duration::ZERO };
        let look = || {
            let refused = Lsm::open(&store).err().map(|e| e.kind());
            assert_eq!(refused, Some(ErrorKind::Locked));
            let refused = Lsm::destroy(&store).err().map(|e| e.kind());
            assert_eq!(refused, Some(ErrorKind::Locked));
            // The writer's files turn over under the reader, who starts again then.
            let reader = Lsm::open_read_only_with(&store, Config::default());
            let reader = reader.map_err(|e| format!("read-only: {e}"))?;
            let (first, second) = (Found::read(&reader)?, Found::read(&reader)?);
            assert_eq!(first.counters(), second.counters(), "a reader sees one moment");
            Ok(())
        };
        let heard = run.until(shot, Duration::ZERO, false, look, || ()).expect("runs");
        // The lock went with its process.
        let mine = Lsm::open(&store).expect("opens");
        let found = Found::read(&mine).expect("reads");
        let (floor, ceiling) = (heard.floor_after_kill(), heard.ceiling(&plan));
        assert!(floor.iter().sum::<u64>() > 0);
        let span = Span { seed: plan.seed, floor, ceiling };
        Book::default().judge(&found, &span).expect("what was acknowledged is there");
    }
}
