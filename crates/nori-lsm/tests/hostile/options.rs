//! Every option at its ends: refused by name, or a store that works.

use crate::{ROOT, check, in_time, key, on};
use nori_env::sync::{Arc, thread};
use nori_env::{Clock, ManualClock, MemFs, SystemClock};
use nori_lsm::{
    Background, CompactionMode, Compression, Config, Durability, ErrorKind, Lsm, RecoveryMode,
};
use std::time::Duration;

/// Numbers that break arithmetic.
const FLOATS: [f64; 14] = [
    f64::NAN,
    f64::INFINITY,
    f64::NEG_INFINITY,
    f64::MAX,
    f64::MIN,
    f64::MIN_POSITIVE,
    f64::EPSILON,
    -0.0,
    0.0,
    -1.0,
    0.05,
    1.0,
    100.0,
    1e300,
];
const SIZES: [usize; 10] =
    [0, 1, 16, 64, 4096, 65_536, 1 << 20, u32::MAX as usize, usize::MAX / 2, usize::MAX];

fn times() -> [Duration; 6] {
    let nanos = Duration::from_nanos;
    [Duration::ZERO, nanos(1), nanos(1_000), Duration::from_secs(1), nanos(u64::MAX), Duration::MAX]
}

type Make = fn(Config, usize) -> Config;
type MakeFloat = fn(Config, f64) -> Config;

/// Each option with each of its values, by name.
fn all(base: impl Fn() -> Config) -> Vec<(String, Config)> {
    let mut all = Vec::new();
    let sizes: [(&str, Make); 13] = [
        ("memtable_bytes", |c, n| c.memtable_bytes(n)),
        ("max_sealed", |c, n| c.max_sealed(n)),
        ("block_bytes", |c, n| c.block_bytes(n)),
        ("table_bytes", |c, n| c.table_bytes(n as u64)),
        ("block_cache_bytes", |c, n| c.block_cache_bytes(n as u64)),
        ("max_open_files", |c, n| c.max_open_files(n)),
        ("k_global", |c, n| c.k_global(n)),
        ("slot_target_bytes", |c, n| c.slot_target_bytes(Some(n as u64))),
        ("l0_soft", |c, n| c.l0_soft(Some(n))),
        ("l0_hard", |c, n| c.l0_hard(Some(n))),
        ("l0_soft and l0_hard", |c, n| c.l0_soft(Some(n)).l0_hard(Some(n.saturating_add(1)))),
        ("seed", |c, n| c.seed(n as u64)),
        ("disk_reserve_bytes", |c, n| c.disk_reserve_bytes(Some(n as u64))),
    ];
    for (name, make) in sizes {
        all.extend(SIZES.map(|n| (format!("{name} {n}"), make(base(), n))));
    }
    let floats: [(&str, MakeFloat); 7] = [
        ("bloom_bits_per_key", |c, x| c.bloom_bits_per_key(x)),
        ("lambda", |c, x| c.lambda(x)),
        ("scan_weight", |c, x| c.scan_weight(x)),
        ("wa_max", |c, x| c.wa_max(x)),
        ("alpha", |c, x| c.alpha(x)),
        ("bandit_epsilon", |c, x| c.bandit_epsilon(x)),
        ("bandit_ucb_c", |c, x| c.bandit_ucb_c(x)),
    ];
    for (name, make) in floats {
        all.extend(FLOATS.map(|x| (format!("{name} {x}"), make(base(), x))));
    }
    for time in times() {
        all.push((format!("half_life {time:?}"), base().half_life(Some(time))));
        all.push((format!("stall_timeout {time:?}"), base().stall_timeout(time)));
        all.push((format!("interval {time:?}"), base().durability(Durability::Interval(time))));
    }
    let guards =
        [vec![vec![]], vec![vec![0xff; 65_535]], vec![vec![1; 65_536]], vec![vec![7]; 500]];
    for guards in guards {
        let name = format!("initial_guards {} of {}", guards.len(), guards[0].len());
        all.push((name, base().initial_guards(guards)));
    }
    let many = (0..2_000u32).map(|n| n.to_be_bytes().to_vec()).collect();
    all.push(("initial_guards 2000".to_string(), base().initial_guards(many)));
    all
}

/// Writes, merges, reads and opens again. What the options cause is `DiskFull` and `Stalled`.
fn works(name: &str, disk: &MemFs, config: Config) {
    let store = Lsm::open_with(ROOT, config.clone()).unwrap_or_else(|e| panic!("{name}: {e}"));
    let mut written = 0;
    for n in 0..120 {
        match store.put(key(n), format!("0-{n}")) {
            Ok(()) => written = n + 1,
            Err(e) => {
                let caused = matches!(e.kind(), ErrorKind::DiskFull | ErrorKind::Stalled);
                assert!(caused, "{name}: {e}");
                break;
            }
        }
        if n % 40 == 39 {
            store.flush().unwrap_or_else(|e| panic!("{name}: {e}"));
        }
    }
    check(&store, written, 0);
    store.wait_idle().unwrap_or_else(|e| panic!("{name}: {e}"));
    store.compact().unwrap_or_else(|e| panic!("{name}: {e}"));
    check(&store, written, 0);
    let _ = (store.slots(), store.metrics(), store.pressure(), store.decisions(usize::MAX));
    let pressure = store.pressure();
    assert!(pressure.pressure.is_finite(), "{name}: {pressure:?}");
    let bytes = store.approximate_bytes::<&str, _>(..);
    bytes.unwrap_or_else(|e| panic!("{name}: {e}"));
    assert!(store.verify().expect("reads").is_ok(), "{name}");
    store.close().unwrap_or_else(|e| panic!("{name}: {e}"));
    // With the defaults, and as it was.
    for config in [crate::config(on(disk)), config] {
        let store = Lsm::open_with(ROOT, config).unwrap_or_else(|e| panic!("{name}: {e}"));
        check(&store, written, 0);
    }
}

fn ends(background: Background) {
    let (mut refused, mut worked) = (0, 0);
    let base = |disk: &MemFs| crate::config(on(disk)).background(background);
    let count = all(|| base(&MemFs::new(1))).len();
    for n in 0..count {
        let disk = MemFs::new(n as u64);
        let (name, config) = all(|| base(&disk)).swap_remove(n);
        match config.validate() {
            Ok(()) => {
                let (at, disk) = (name.clone(), disk.clone());
                in_time(&name, move || works(&at, &disk, config));
                worked += 1;
            }
            Err(e) => {
                assert_eq!(e.kind(), ErrorKind::InvalidArgument, "{name}: {e}");
                let option = name.split(' ').next().unwrap_or_default();
                let said = e.to_string();
                assert!(said.contains(option) || said.contains("guard"), "{name}: {said}");
                assert!(Lsm::open_with(ROOT, config).is_err());
                assert!(disk.files().is_empty(), "{name}: something was made");
                refused += 1;
            }
        }
    }
    println!("{background:?}: {worked} worked, {refused} were refused");
    assert!(worked > 80 && refused > 50);
}

#[test]
fn every_option_at_its_ends_is_refused_or_works() {
    ends(Background::Manual);
}

#[test]
fn every_option_at_its_ends_is_refused_or_works_with_threads() {
    ends(Background::Threads(2));
}

/// All options, with a clock that stands still.
fn shown(config: Config) -> String {
    format!("{:?}", config.clock(Arc::new(ManualClock::default())))
}

/// What a config of this or another version holds, as text.
#[test]
fn options_travel_as_text_and_unknown_ones_are_passed_over() {
    let config = Config::default()
        .memtable_bytes(8192)
        .compression(Compression::None)
        .compaction(CompactionMode::Tiered)
        .durability(Durability::Interval(Duration::from_millis(1500)))
        .wal_recovery(RecoveryMode::Strict)
        .background(Background::Threads(3))
        .half_life(Some(Duration::MAX))
        .slot_target_bytes(Some(u64::MAX))
        .seed(u64::MAX)
        .initial_guards(vec![vec![], vec![0, 0xff]])
        .bloom_bits_per_key(f64::MIN_POSITIVE);
    let text = serde_json::to_string(&config).expect("serializes");
    let back: Config = serde_json::from_str(&text).expect("deserializes");
    assert_eq!(shown(back), shown(config));
    // A later version's options, and none at all.
    let read = |text: &str| serde_json::from_str::<Config>(text);
    let some = read(r#"{"k_global": 3, "a_later_option": {"with": ["anything"]}}"#).expect("reads");
    assert_eq!(shown(some), shown(Config::default().k_global(3)));
    let none = read("{}").expect("reads");
    assert_eq!(shown(none), shown(Config::default()));
    for bad in [
        r#"{"k_global": -1}"#,
        r#"{"k_global": "three"}"#,
        r#"{"k_global": 1e99}"#,
        r#"{"compression": "Zip"}"#,
        r#"{"stall_timeout": {"secs": -1, "nanos": 0}}"#,
        r#"{"lambda": null}"#,
        "[]x",
        "",
    ] {
        assert!(read(bad).is_err(), "{bad}");
    }
    // What is read is checked like everything else.
    let wrong = read(r#"{"lambda": -1.0, "block_bytes": 1}"#).expect("reads");
    assert_eq!(crate::kind(wrong.validate()), Err(ErrorKind::InvalidArgument));
}

/// A writer that may wait for ever, or not at all.
#[test]
fn the_longest_and_the_shortest_patience() {
    for patience in [Duration::ZERO, Duration::MAX] {
        in_time("a patient writer", move || {
            let disk = MemFs::new(9);
            let config = crate::config(on(&disk)).background(Background::Threads(1));
            let store = Lsm::open_with(ROOT, config.stall_timeout(patience)).expect("opens");
            let clock = SystemClock::default();
            for n in 0..500 {
                let done = crate::kind(store.put(key(n), vec![n as u8; 300]));
                let stalled = done == Err(ErrorKind::Stalled) && patience.is_zero();
                assert!(done == Ok(()) || stalled, "{done:?}");
                if stalled {
                    thread::sleep(Duration::from_millis(1));
                }
            }
            assert!(clock.now() < Duration::from_secs(50));
        });
    }
}
