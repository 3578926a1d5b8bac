//! The order in which a store talks to its disk, written down and checked: nothing is named
//! before it is durable, nothing goes before what replaces it is.

use nori_env::sync::Arc;
use nori_env::{ManualClock, MemFs, OrderRule, Rng, TraceFs};
use nori_lsm::{Background, CompactionMode, Compression, Config, Lsm};
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

/// Runs a program over several opens, with slots so small that they are cut and joined, heated and
/// cooled; returns the trace, and how often slots changed.
fn run(seed: u64) -> (TraceFs, u64) {
    let modes = [CompactionMode::Atll, CompactionMode::Leveled, CompactionMode::Tiered];
    let mut changes = 0;
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
            .k_global(3)
            .compression(Compression::None)
            .compaction(modes[seed as usize % 3])
            .slot_target_bytes(Some(1024))
            .half_life(Some(Duration::from_secs(20)))
            .bandit_epsilon(0.3)
            .disk_reserve_bytes(Some(0));
        let store = Lsm::open_with("/store", config).expect("opens");
        for n in 0..150u32 {
            let key = format!("key-{}", rng.below(60));
            clock.advance(Duration::from_millis(rng.below(2000)));
            match rng.below(24) {
                0 => store.flush().expect("flushes"),
                1 => store.compact().expect("merges"),
                2 => store.split_at(&[&key]).expect("splits"),
                3 => drop(store.keyspace(&format!("space-{}", n % 5)).expect("creates")),
                4 => store.drop_keyspace(&format!("space-{}", n % 5)).unwrap_or_default(),
                5 => while store.step().expect("steps") {},
                6..=8 => (0..100).for_each(|_| drop(store.get(&key).expect("reads"))),
                9 => store.delete(key).expect("writes"),
                _ => store.put(key, vec![7; 200]).expect("writes"),
            }
        }
        let metrics = store.metrics();
        changes += metrics.slot_splits + metrics.slot_joins + metrics.trivial_moves;
        if rng.chance(50) {
            store.close().expect("closes");
        }
    }
    (fs, changes)
}

#[test]
fn nothing_is_named_before_it_is_durable() {
    run_seeds("-p nori-lsm --test order", 20, |seed| {
        let (fs, changes) = run(seed);
        assert!(changes > 10, "seed {seed}: {changes} changes of slots");
        assert!(fs.events().len() > 500, "the trace is too short to mean anything");
        assert_eq!(fs.violations(), Vec::<String>::new(), "seed {seed}");
    });
}

#[test]
fn one_seed_is_one_trace() {
    for seed in 5..=10 {
        assert_eq!(run(seed).0.hash(), run(seed).0.hash(), "seed {seed}");
    }
    assert_ne!(run(5).0.hash(), run(6).0.hash());
}
