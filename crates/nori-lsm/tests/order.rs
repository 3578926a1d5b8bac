//! The order in which a store talks to its disk, written down and checked: nothing is named
//! before it is durable, nothing goes before what replaces it is.

use nori_env::sync::Arc;
use nori_env::{ManualClock, MemFs, OrderRule, Rng, TraceFs};
use nori_lsm::{Background, Config, Lsm};
use nori_testkit::run_seeds;
use std::time::Duration;

fn rules() -> Vec<OrderRule> {
    vec![
        OrderRule::durable_before_record("MANIFEST-*", "*.sst"),
        OrderRule::record_before_removal("*.wal", "MANIFEST-*").through("CURRENT"),
        OrderRule::durable_before_pointer("CURRENT", "MANIFEST-*"),
        OrderRule::no_removal_while_turning("CURRENT", "*"),
    ]
}

/// Runs a program over several opens; returns the trace.
fn run(seed: u64) -> TraceFs {
    let fs = TraceFs::new(Arc::new(MemFs::new(seed)), rules());
    let mut rng = Rng::new(seed);
    // Heat is measured in time, so time is a part of the program.
    let clock = ManualClock::default();
    for _ in 0..3 {
        let config = Config::default()
            .file_system(Arc::new(fs.clone()))
            .clock(Arc::new(clock.clone()))
            .background(Background::Manual)
            .memtable_bytes(4096)
            .table_bytes(2048)
            .block_bytes(256)
            .k_global(2)
            .disk_reserve_bytes(Some(0));
        let store = Lsm::open_with("/store", config).expect("opens");
        for n in 0..150u32 {
            let key = format!("key-{}", rng.below(60));
            clock.advance(Duration::from_millis(rng.below(2000)));
            match rng.below(20) {
                0 => store.flush().expect("flushes"),
                1 => store.compact().expect("merges"),
                2 => store.split_at(&[&key]).expect("splits"),
                3 => drop(store.keyspace(&format!("space-{}", n % 5)).expect("creates")),
                4 => store.drop_keyspace(&format!("space-{}", n % 5)).unwrap_or_default(),
                5 => drop(store.step().expect("steps")),
                _ => store.put(key, vec![7; 200]).expect("writes"),
            }
        }
        if rng.chance(50) {
            store.close().expect("closes");
        }
    }
    fs
}

#[test]
fn nothing_is_named_before_it_is_durable() {
    run_seeds("-p nori-lsm --test order", 20, |seed| {
        let fs = run(seed);
        assert!(fs.events().len() > 500, "the trace is too short to mean anything");
        assert_eq!(fs.violations(), Vec::<String>::new(), "seed {seed}");
    });
}

#[test]
fn one_seed_is_one_trace() {
    assert_eq!(run(5).hash(), run(5).hash());
    assert_ne!(run(5).hash(), run(6).hash());
}
