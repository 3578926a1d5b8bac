//! How fast the log is on this machine: appends of 140 bytes with and without syncs, replay, and
//! the search behind the end of the data.
//!
//! `cargo run --release -p nori-wal --example wal_speed -- [directory]`

use nori_env::sync::Arc;
use nori_env::{Clock, FileSystem, OpenMode, OsFs, Rng, SystemClock};
use nori_wal::{
    Error, Features, LogHeader, Position, RecoveryMode, Wal, WalOptions, frame, replay, scan,
};
use std::path::PathBuf;
use std::time::Duration;

const RECORDS: u64 = 1_000_000;
const PAYLOAD: [u8; 140] = [0x5a; 140];

fn main() -> Result<(), Error> {
    let clock = SystemClock::default();
    let dir = std::env::args().nth(1).map_or_else(std::env::temp_dir, PathBuf::from);
    let fs: Arc<dyn FileSystem> = Arc::new(OsFs);
    let dir = dir.join(format!("nori-wal-throughput-{:x}", fs.random()));

    let wal = Wal::create(fs.clone(), &dir, 1, WalOptions::default())?;
    for group in [1, 8, 64] {
        let start = clock.now();
        for i in 0..RECORDS / group {
            wal.reserve(group * PAYLOAD.len() as u64, group as usize)?;
            wal.append((0..group).map(|_| &PAYLOAD[..]))?;
            if i % 100_000 == 99_999 {
                wal.next_segment()?;
            }
        }
        rate(&format!("append, groups of {group}"), RECORDS, clock.now() - start);
    }
    let raw = fs.open(&dir.join("raw"), OpenMode::CreateNew)?;
    let start = clock.now();
    for i in 0..RECORDS {
        raw.write_at(&[0x5a; 164], i * 164)?;
    }
    rate("for comparison, bare writes of 164 bytes", RECORDS, clock.now() - start);
    let (start, end) = (clock.now(), wal.sync()?);
    println!("sync of all that: {:?}, to {end}", clock.now() - start);

    let start = clock.now();
    for _ in 0..2_000 {
        let group = wal.append([&PAYLOAD[..]])?;
        wal.sync_to(group.end)?;
    }
    rate("append and sync, groups of 1", 2_000, clock.now() - start);

    let start = clock.now();
    let mut show = |_: Position, _: &[u8]| -> Result<(), Error> { Ok(()) };
    let found = replay(&*fs, &dir, 1, wal.durable(), RecoveryMode::CutTornTail, &mut show)?;
    let took = clock.now() - start;
    let megabytes = found.bytes as f64 / 1e6;
    println!("replay: {megabytes:.0} MB in {took:?}, {:.0} MB/s", megabytes / took.as_secs_f64());

    searches(&clock);
    for name in fs.list(&dir)? {
        fs.remove(&dir.join(name))?;
    }
    Ok(fs.remove_dir(&dir)?)
}

/// What lies behind the end is searched at every offset for records that outlived damage.
fn searches(clock: &SystemClock) {
    let log = LogHeader { features: Features::default(), number: 9, salt: 1, ..Default::default() };
    let mut garbage = vec![0; 64 << 20];
    Rng::new(1).fill(&mut garbage);
    let mut sparse = vec![0; 64 << 20];
    sparse.iter_mut().step_by(20).for_each(|b| *b = 1);
    let stale_log = LogHeader { salt: 2, number: 4, ..log };
    let mut stale = vec![0; 64];
    while stale.len() < 64 << 20 {
        let at = stale.len() as u64;
        frame(&mut stale, &stale_log, at, &PAYLOAD, Position::new(4, at));
    }
    let zeros = vec![0; 64 << 20];
    for (name, bytes) in
        [("zeros", zeros), ("garbage", garbage), ("sparse bytes", sparse), ("old records", stale)]
    {
        let start = clock.now();
        let found = scan(&bytes, &log);
        println!("search of 64 MiB of {name}: {:?}, {:?}", clock.now() - start, found.tail.header);
    }
}

fn rate(what: &str, count: u64, took: Duration) {
    let each = took.as_nanos() as f64 / count as f64;
    println!("{what}: {:.0} records/s, {each:.0} ns each", 1e9 / each);
}
