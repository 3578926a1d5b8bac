//! Every workload, small: on nori, and on a map in memory that answers by definition. Both must
//! have done as much, found as much, and read the same.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, clippy::disallowed_types)]

use nori_bench::{
    BatchWrite, Bench, Data, Engine, EngineKind, Error, Facts, Live, NORI, Observer, Options, Plan,
    Quiet, Result, Row, Workload, plot,
};
use std::collections::BTreeMap;
use std::ops::Bound;
use std::path::{Path, PathBuf};
use std::sync::RwLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// A directory of its own, removed at the end.
struct Dir(PathBuf);

impl Dir {
    fn new(name: &str) -> Dir {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let (process, n) = (std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        Dir(std::env::temp_dir().join(format!("nori-bench-test-{name}-{process}-{n}")))
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Sorted entries in memory; a close writes them to one file.
struct Model {
    map: RwLock<BTreeMap<Vec<u8>, Vec<u8>>>,
    dir: PathBuf,
}

const MODEL: EngineKind = EngineKind { name: "model", open: open_model };

fn open_model(dir: &Path, _: &Options) -> Result<Box<dyn Engine>> {
    std::fs::create_dir_all(dir).map_err(Error::new)?;
    let mut map = BTreeMap::new();
    for line in std::fs::read_to_string(dir.join("all")).unwrap_or_default().lines() {
        let (key, value) = line.split_once(' ').unwrap();
        map.insert(unhex(key), unhex(value));
    }
    Ok(Box::new(Model { map: RwLock::new(map), dir: dir.to_path_buf() }))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Vec<u8> {
    let pairs = text.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap());
    pairs.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect()
}

impl Engine for Model {
    fn put(&self, key: &[u8], value: &[u8]) -> Result<()> {
        self.map.write().unwrap().insert(key.to_vec(), value.to_vec());
        Ok(())
    }

    fn delete(&self, key: &[u8]) -> Result<()> {
        self.map.write().unwrap().remove(key);
        Ok(())
    }

    fn write(&self, batch: &[BatchWrite<'_>]) -> Result<()> {
        batch.iter().try_for_each(|write| match write {
            BatchWrite::Put(key, value) => self.put(key, value),
            BatchWrite::Delete(key) => self.delete(key),
        })
    }

    fn get(&self, key: &[u8], value: &mut dyn FnMut(&[u8])) -> Result<bool> {
        let map = self.map.read().unwrap();
        Ok(map.get(key).map(|found| value(found)).is_some())
    }

    fn scan(
        &self,
        from: Option<&[u8]>,
        reverse: bool,
        entries: u64,
        entry: &mut dyn FnMut(&[u8], &[u8]),
    ) -> Result<u64> {
        let map = self.map.read().unwrap();
        let range = match (from, reverse) {
            (None, _) => map.range::<[u8], _>(..),
            (Some(key), false) => map.range::<[u8], _>((Bound::Included(key), Bound::Unbounded)),
            (Some(key), true) => map.range::<[u8], _>((Bound::Unbounded, Bound::Included(key))),
        };
        let mut met = 0;
        let mut meet = |(key, value): (&Vec<u8>, &Vec<u8>)| {
            entry(key, value);
            met += 1;
        };
        let entries = usize::try_from(entries).unwrap();
        match reverse {
            false => range.take(entries).for_each(&mut meet),
            true => range.rev().take(entries).for_each(&mut meet),
        }
        Ok(met)
    }

    /// Here: writes the file that a process killed now would leave.
    fn wait_idle(&self) -> Result<()> {
        let map = self.map.read().unwrap();
        let lines: Vec<String> =
            map.iter().map(|(k, v)| format!("{} {}", hex(k), hex(v))).collect();
        std::fs::write(self.dir.join("all"), lines.join("\n")).map_err(Error::new)
    }

    fn sync(&self) -> Result<()> {
        Ok(())
    }

    fn compact(&self) -> Result<()> {
        Ok(())
    }

    fn facts(&self) -> Facts {
        Facts::default()
    }

    fn close(self: Box<Self>) -> Result<()> {
        self.wait_idle()
    }
}

fn plan(dir: &Dir, threads: u64) -> Plan {
    let options = Options { cache_bytes: 1 << 20, buffer_bytes: 1 << 19, ..Options::default() };
    let durable_time = Duration::from_millis(30);
    Plan { keys: 1500, threads, durable_time, options, ..Plan::new(&dir.0) }
}

/// Runs these on both engines and compares what can be.
fn check(threads: u64, workloads: &[Workload]) -> Vec<Row> {
    let (ours, theirs) = (Dir::new("nori"), Dir::new("model"));
    let (ours, theirs) = (plan(&ours, threads), plan(&theirs, threads));
    let mut nori = Bench::new(NORI, &ours).unwrap();
    let mut model = Bench::new(MODEL, &theirs).unwrap();
    let mut all = Vec::new();
    for workload in workloads {
        let (mine, other) =
            (nori.run(*workload, &Quiet).unwrap(), model.run(*workload, &Quiet).unwrap());
        assert_eq!(mine.len(), other.len(), "{workload}");
        for (mine, other) in mine.iter().zip(&other) {
            let name = mine.name();
            assert_eq!(
                (&mine.part, mine.threads, mine.checksum),
                (&other.part, other.threads, other.checksum),
                "{name}"
            );
            // How much is done depends on time here.
            if !matches!(workload, Workload::Durable | Workload::ReadWhileWriting) {
                assert_eq!((mine.ops, mine.user_bytes), (other.ops, other.user_bytes), "{name}");
            }
            if mine.checksum.is_some() {
                assert_eq!(mine.found, other.found, "{name}");
            }
            assert!(mine.ops > 0 && mine.seconds > 0.0, "{name}");
            assert!(mine.seconds >= mine.seconds_until_acknowledged, "{name}");
            assert!(!mine.samples.is_empty(), "{name}");
            let sampled = |row: &Row| {
                let mut before = 0.0;
                row.samples
                    .iter()
                    .map(|s| {
                        s.ops_per_second
                            * (s.at_seconds - std::mem::replace(&mut before, s.at_seconds))
                    })
                    .sum::<f64>()
            };
            assert!((sampled(mine) - mine.ops as f64).abs() < 1.0, "{name}: {:?}", mine.samples);
        }
        all.extend(mine);
    }
    nori.remove().unwrap();
    model.remove().unwrap();
    assert!(!ours.dir.exists());
    all
}

#[test]
fn every_workload_answers_as_the_model_does() {
    let rows = check(1, &Workload::ALL);
    let row = |name: &str| rows.iter().find(|row| row.name() == name).unwrap();
    for name in ["readrandom", "readzipf", "readwhilewriting readers", "ycsb-c", "largevalues read"]
    {
        assert_eq!(row(name).found, Some(row(name).ops), "{name}");
    }
    assert_eq!(row("readmissing").found, Some(0));
    assert_eq!((row("scan").found, row("scan-reverse").found), (Some(1500), Some(1500)));
    assert_eq!(row("scan").checksum, row("scan-reverse").checksum);
    assert_eq!(row("delete-scan scan at once").found, Some(300));
    assert_eq!(row("delete-scan deletes").ops, 1200);
    assert_eq!(row("timeseries tails").found, Some(150 * 10));
    assert_eq!(row("ycsb-a").ops, 1500);
    assert!(row("readwhilewriting writer").ops > 0);
    assert_eq!(
        (row("reopen after a close").found, row("reopen after a kill").found),
        (Some(1), Some(1))
    );
    let durable = rows.iter().filter(|row| row.workload == "durable").map(|row| row.threads);
    assert!(durable.eq([1, 4, 16]));
    let fill = row("fillseq");
    assert_eq!(fill.user_bytes, 1500 * 116);
    assert!(fill.write_amplification.unwrap() >= 1.0);
    assert!(fill.disk_bytes > 0 && fill.space_amplification.is_some());
    assert!(row("readrandom").runs_probed_per_read.is_some());
    // All of it can be drawn and told as JSON.
    let svg = plot("small", "test", &rows);
    assert!(svg.contains("mixed-hotcold, 1 thread") && svg.contains("durable, 16 threads"));
    let json = serde_json::to_value(&rows).unwrap();
    let checksum = row("scan").checksum.unwrap();
    let told = json.as_array().unwrap().iter().find(|row| row["workload"] == "scan").unwrap();
    assert_eq!(told["checksum"], format!("{checksum:016x}"));
}

/// What keys hold does not depend on how threads interleave, or on when it is read.
#[test]
fn threads_leave_what_the_model_says() {
    use Workload as W;
    let workloads = [
        W::FillRandom,
        W::Overwrite,
        W::OverwriteZipf,
        W::Scan,
        W::MixedHotCold,
        W::ReadRandom,
        W::Seek10,
        W::Compact,
        W::ReadZipf,
        W::YcsbA,
        W::YcsbF,
        W::YcsbC,
        W::DeleteScan,
        W::TimeSeries,
    ];
    check(3, &workloads);
}

/// The same seed gives the same answers, another one gives others.
#[test]
fn a_seed_explains_the_answers() {
    let run = |seed| {
        let dir = Dir::new("seed");
        let plan = Plan { seed, ..plan(&dir, 1) };
        let mut bench = Bench::new(NORI, &plan).unwrap();
        let mut sums = Vec::new();
        for workload in [Workload::ReadZipf, Workload::YcsbE, Workload::Overwrite, Workload::Scan] {
            sums.push(bench.run(workload, &Quiet).unwrap()[0].checksum);
        }
        bench.remove().unwrap();
        sums
    };
    assert_eq!(run(1), run(1));
    let (one, two) = (run(1), run(2));
    assert!(one[0] != two[0] && one[1] != two[1] && one[3] != two[3]);
}

#[test]
fn an_engine_that_loses_a_write_is_found_out() {
    struct Forgets(Box<dyn Engine>);
    impl Engine for Forgets {
        fn put(&self, key: &[u8], value: &[u8]) -> Result<()> {
            // One key in a hundred keeps what it has.
            if key.ends_with(b"77") { Ok(()) } else { self.0.put(key, value) }
        }
        fn delete(&self, key: &[u8]) -> Result<()> {
            if key.ends_with(b"77") { Ok(()) } else { self.0.delete(key) }
        }
        fn write(&self, batch: &[BatchWrite<'_>]) -> Result<()> {
            self.0.write(batch)
        }
        fn get(&self, key: &[u8], value: &mut dyn FnMut(&[u8])) -> Result<bool> {
            self.0.get(key, value)
        }
        fn scan(
            &self,
            from: Option<&[u8]>,
            reverse: bool,
            entries: u64,
            entry: &mut dyn FnMut(&[u8], &[u8]),
        ) -> Result<u64> {
            self.0.scan(from, reverse, entries, entry)
        }
        fn sync(&self) -> Result<()> {
            self.0.sync()
        }
        fn wait_idle(&self) -> Result<()> {
            self.0.wait_idle()
        }
        fn compact(&self) -> Result<()> {
            self.0.compact()
        }
        fn facts(&self) -> Facts {
            self.0.facts()
        }
        fn close(self: Box<Self>) -> Result<()> {
            self.0.close()
        }
    }
    let open = |dir: &Path, options: &Options| -> Result<Box<dyn Engine>> {
        Ok(Box::new(Forgets(open_model(dir, options)?)))
    };
    let dir = Dir::new("forgets");
    let plan = plan(&dir, 1);
    let mut bench = Bench::new(EngineKind { name: "forgets", open }, &plan).unwrap();
    bench.run(Workload::FillSeq, &Quiet).unwrap();
    assert_eq!(bench.run(Workload::Scan, &Quiet).unwrap()[0].found, Some(1485));
    // Full at first, since that fill is a batch; then deletes that are lost are an error.
    bench.close().unwrap();
    let error = bench.run(Workload::DeleteScan, &Quiet).unwrap_err();
    assert!(error.to_string().contains("a scan after deletes met"), "{error}");
    bench.remove().unwrap();
}

#[test]
fn whoever_watches_is_told_of_all_operations() {
    struct Counts(&'static AtomicU64, &'static AtomicU64);
    static DID: AtomicU64 = AtomicU64::new(0);
    static OWED: AtomicU64 = AtomicU64::new(0);
    impl Observer for Counts {
        fn begin(&self, what: &str, ops: Option<u64>) -> Box<dyn Live> {
            assert!(what.starts_with("fillseq") || what.starts_with("seek100"), "{what}");
            self.1.fetch_add(ops.unwrap_or(0), Ordering::Relaxed);
            Box::new(Counts(self.0, self.1))
        }
    }
    impl Live for Counts {
        fn did(&self, ops: u64) {
            self.0.fetch_add(ops, Ordering::Relaxed);
        }
        fn note(&self, what: &str) {
            assert!(!what.is_empty());
        }
    }
    let dir = Dir::new("watch");
    let plan = plan(&dir, 2);
    let mut bench = Bench::new(NORI, &plan).unwrap();
    for workload in [Workload::FillSeq, Workload::Seek100] {
        bench.run(workload, &Counts(&DID, &OWED)).unwrap();
    }
    bench.remove().unwrap();
    let (did, owed) = (DID.load(Ordering::Relaxed), OWED.load(Ordering::Relaxed));
    assert_eq!((did, owed), (1650, 1650));
}

#[test]
fn sizes_that_cannot_be_are_refused_and_names_are_told_apart() {
    let dir = Dir::new("refused");
    for bad in [
        Plan { key_bytes: 3, ..plan(&dir, 1) },
        Plan { keys: 0, ..plan(&dir, 1) },
        Plan { threads: 0, ..plan(&dir, 1) },
        Plan { value_bytes: 2 << 30, ..plan(&dir, 1) },
    ] {
        assert!(Bench::new(NORI, &bad).is_err(), "{bad:?}");
    }
    for workload in Workload::ALL {
        assert_eq!(workload.name().parse::<Workload>(), Ok(workload));
        assert!(!workload.about().is_empty());
    }
    assert!("fillsideways".parse::<Workload>().is_err());
    // A small key space is one too.
    let few = Plan { keys: 1, ..plan(&dir, 2) };
    let mut bench = Bench::new(NORI, &few).unwrap();
    for workload in Workload::ALL {
        bench.run(workload, &Quiet).unwrap_or_else(|e| panic!("{workload}: {e}"));
    }
    bench.remove().unwrap();
    assert_eq!(Data::new(1, 10, 5, 1).entry_bytes(), 15);
}
