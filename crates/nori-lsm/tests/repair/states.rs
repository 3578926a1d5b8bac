//! Which state a repair believes, and what it reads beside it.

use crate::counted::Counted;
use crate::sample::{INTO, ROOT, config, name};
use nori_env::sync::Arc;
use nori_env::{Clock, Cut, Fault, FaultFs, FaultRule, FileSystem, FsOp, MemFs, SystemClock};
use nori_lsm::{Background, Lsm, RepairReport};
use nori_manifest::{Manifest, ManifestOptions};
use nori_types::FileName;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

type Contents = BTreeMap<String, String>;

/// A store on a disk of its own, which is damaged when it is closed.
struct Bench {
    disk: MemFs,
    store: Option<Lsm>,
}

impl Bench {
    fn new() -> Bench {
        let disk = MemFs::new(7);
        let store = Lsm::open_with(ROOT, config(Arc::new(disk.clone()))).expect("opens");
        Bench { disk, store: Some(store) }
    }

    fn store(&self) -> &Lsm {
        self.store.as_ref().expect("is open")
    }

    fn put(&self, key: &str, value: &str) -> &Bench {
        self.store().put(key, value).expect("writes");
        self
    }

    fn flush(&self) -> &Bench {
        self.store().flush().expect("flushes");
        self
    }

    fn files(&self, wanted: impl Fn(&FileName) -> bool) -> Vec<(PathBuf, Vec<u8>)> {
        let files = self.disk.files().into_iter().map(|(path, _)| path);
        files
            .filter(|path| path.starts_with(ROOT) && name(path).is_some_and(|name| wanted(&name)))
            .map(|path| (path.clone(), self.disk.read_file(&path).expect("is there")))
            .collect()
    }

    fn tables(&self) -> Vec<(PathBuf, Vec<u8>)> {
        self.files(|name| matches!(name, FileName::Table(_)))
    }

    /// The process ends here, with the files as they are.
    fn kill(&mut self) {
        self.disk = self.disk.crash(Cut::Kill, 1);
        self.store = None;
    }

    fn restore(&self, files: &[(PathBuf, Vec<u8>)]) {
        for (path, bytes) in files {
            assert!(self.disk.write_file(path, bytes));
        }
    }

    fn remove(&self, wanted: impl Fn(&FileName) -> bool) {
        for (path, _) in self.files(wanted) {
            self.disk.remove(&path).expect("removes");
        }
    }

    fn lose_manifests(&self) {
        self.remove(|name| matches!(name, FileName::Manifest(_) | FileName::Current));
    }

    fn repair(&self) -> (RepairReport, Contents) {
        repair_on(Arc::new(self.disk.clone()))
    }
}

fn repair_on(fs: Arc<dyn FileSystem>) -> (RepairReport, Contents) {
    let report = Lsm::repair_with(ROOT, INTO, config(Arc::clone(&fs))).expect("repairs");
    let store = Lsm::open_with(INTO, config(fs)).expect("opens");
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("text");
    let items = store.iter().map(|item| item.expect("reads"));
    let found = items.map(|(key, value)| (text(&key), text(&value))).collect();
    (report, found)
}

fn contents<const N: usize>(items: [(&str, &str); N]) -> Contents {
    items.map(|(key, value)| (key.to_string(), value.to_string())).into()
}

/// A merge of everything leaves no sequence numbers. What was written behind it is newer.
#[test]
fn the_newest_value_wins_without_a_manifest() {
    let mut bench = Bench::new();
    bench.put("a", "old").flush().put("a", "merged").put("b", "merged").flush();
    bench.store().compact().expect("merges");
    bench.put("a", "new").flush().put("b", "newest");
    bench.kill();
    bench.lose_manifests();
    let (report, found) = bench.repair();
    assert_eq!(found, contents([("a", "new"), ("b", "newest")]));
    assert_eq!(report.warnings.len(), 2, "{report:?}");
}

/// A table that was merged is left over beside what was made of it, whose entries have no numbers.
/// What was merged last is named by the later table; of what went before nothing is known, and the
/// report says so.
#[test]
fn a_leftover_of_the_last_merge_is_old_and_one_of_others_is_told_of() {
    for merges in 1..=3 {
        let mut bench = Bench::new();
        bench.put("a", "old").put("b", "same").flush();
        let leftover = bench.tables();
        for n in 1..=merges {
            bench.put("a", &format!("merged {n}")).flush();
            bench.store().compact().expect("merges");
        }
        bench.kill();
        let output = bench.tables().pop().expect("the merged table");
        bench.remove(|name| matches!(name, FileName::Table(_)));
        bench.restore(&leftover);
        bench.restore(&[output]);
        bench.lose_manifests();
        let (report, found) = bench.repair();
        let wanted = if merges == 1 { "merged 1" } else { "old" };
        assert_eq!(found, contents([("a", wanted), ("b", "same")]), "{merges} merges");
        let doubt = report.warnings.iter().any(|warning| warning.contains("of 1 keys"));
        assert_eq!(doubt, merges > 1, "{report:?}");
    }
}

/// Leftovers of several ages: what is newer than the newest of them is newer than all.
#[test]
fn what_the_newest_leftover_went_into_is_newer_than_older_ones() {
    let mut bench = Bench::new();
    bench.put("a", "oldest").flush();
    let mut leftover = bench.tables();
    bench.put("a", "older").flush();
    bench.store().compact().expect("merges");
    bench.put("a", "old").flush();
    leftover.extend(bench.tables().pop());
    bench.put("a", "merged").flush();
    bench.store().compact().expect("merges");
    bench.kill();
    let output = bench.tables().pop().expect("the merged table");
    bench.remove(|name| matches!(name, FileName::Table(_)));
    bench.restore(&leftover);
    bench.restore(&[output]);
    bench.lose_manifests();
    let (report, found) = bench.repair();
    assert_eq!(found, contents([("a", "merged")]));
    assert!(!report.warnings.iter().any(|warning| warning.contains("of 1 keys")), "{report:?}");
}

/// With all tables of a chain of merges there, the last one rules.
#[test]
fn the_last_of_a_chain_of_merges_rules() {
    let mut bench = Bench::new();
    bench.put("a", "old").put("b", "same").flush();
    let mut all = bench.tables();
    for n in 1..=3 {
        bench.put("a", &format!("merged {n}")).flush();
        all.extend(bench.tables());
        bench.store().compact().expect("merges");
        all.extend(bench.tables());
    }
    bench.kill();
    bench.restore(&all);
    bench.lose_manifests();
    let (report, found) = bench.repair();
    assert_eq!(found, contents([("a", "merged 3"), ("b", "same")]));
    assert!(!report.warnings.iter().any(|warning| warning.contains("of 1 keys")), "{report:?}");
}

/// The making of a manifest failed, so the one before it went on; the failed one has the higher
/// number and an older state.
#[test]
fn the_newest_state_is_not_that_of_the_highest_number() {
    let mut bench = Bench::new();
    bench.put("a", "1").put("b", "1").flush();
    let (failed, bytes) = {
        let disk = bench.disk.crash(Cut::Kill, 1);
        let fs: Arc<dyn FileSystem> = Arc::new(disk.clone());
        let version = Manifest::load(&disk, ROOT.as_ref()).expect("loads").expect("is there");
        let version = version.version;
        Manifest::create(fs, ROOT.as_ref(), &version, ManifestOptions::default()).expect("makes");
        let path = Path::new(ROOT).join(format!("MANIFEST-{:06}", version.next_file));
        (path.clone(), disk.read_file(&path).expect("is there"))
    };
    bench.put("a", "2").flush();
    bench.store().delete("b").expect("deletes");
    bench.flush();
    bench.store().compact().expect("merges");
    bench.kill();
    let ruling = bench.files(|name| matches!(name, FileName::Manifest(_)));
    assert!(ruling.len() == 1 && ruling[0].0 < failed);
    bench.restore(&[(failed, bytes)]);
    bench.remove(|name| *name == FileName::Current);
    let (report, found) = bench.repair();
    assert_eq!(report.manifest.as_ref(), Some(&ruling[0].0));
    assert_eq!(found, contents([("a", "2")]));
    assert!(report.warnings.is_empty() && report.lost.len() == 1, "{report:?}");
}

/// A table is lost, but those that it was merged from are still there.
#[test]
fn tables_that_were_merged_stand_in_for_a_lost_one() {
    let mut bench = Bench::new();
    bench.put("a", "1").put("b", "1").put("c", "1").flush();
    bench.put("a", "2").put("z", "1").flush();
    let inputs = bench.tables();
    bench.store().compact().expect("merges");
    let made = bench.tables();
    bench.put("b", "3").flush();
    bench.kill();
    bench.restore(&inputs);
    for (path, _) in made.iter().filter(|made| !inputs.contains(made)) {
        bench.disk.remove(path).expect("removes");
    }
    let (report, found) = bench.repair();
    assert_eq!(found, contents([("a", "2"), ("b", "3"), ("c", "1"), ("z", "1")]));
    assert_eq!((report.lost.len(), report.warnings.len()), (1, 1), "{report:?}");
    assert!(report.warnings[0].starts_with("2 tables that were merged already"), "{report:?}");
}

/// The manifest ends before a flush. One of the segments that were flushed is there again, the
/// next is not; what it held is in the flush's table.
#[test]
fn tables_of_later_states_make_up_for_gaps_in_the_log() {
    let mut bench = Bench::new();
    let big = "x".repeat(5000);
    bench.put("a", &big).put("b", "1");
    let segments = bench.files(|name| matches!(name, FileName::Segment(_)));
    let manifest = bench.files(|name| matches!(name, FileName::Manifest(_)));
    assert!(segments.len() == 2, "{}", segments.len());
    bench.flush();
    bench.kill();
    bench.remove(|name| matches!(name, FileName::Spare(_)));
    for (path, _) in &segments {
        assert!(!bench.disk.exists(path).expect("looks"), "{}", path.display());
    }
    bench.restore(&segments[..1]);
    let file = bench.disk.open(&manifest[0].0, nori_env::OpenMode::Write).expect("opens");
    file.truncate(manifest[0].1.len() as u64).expect("cuts");
    let (report, found) = bench.repair();
    assert_eq!(found, contents([("a", &big), ("b", "1")]));
    let missing = report.lost.iter().any(|lost| lost.path == segments[1].0);
    assert!(missing, "{report:?}");
}

/// A store of many tables is not opened whole, whether its manifest is there or not.
#[test]
fn few_tables_are_open_at_once() {
    let mut bench = Bench::new();
    for n in 0..900 {
        bench.put(&format!("key-{n:04}"), &format!("value {n} {}", "x".repeat(200)));
    }
    bench.flush();
    bench.store().compact().expect("merges");
    assert!(bench.tables().len() > 30, "{}", bench.tables().len());
    bench.kill();
    for with_manifest in [true, false] {
        let disk = bench.disk.crash(Cut::Kill, 1);
        if !with_manifest {
            Bench { disk: disk.clone(), store: None }.lose_manifests();
        }
        let counted = Counted::new(disk, "/store/sst");
        let (report, found) = repair_on(Arc::new(counted.clone()));
        assert_eq!((found.len(), report.keys), (900, 900));
        assert!(report.tables > 30, "{report:?}");
        assert!(counted.most() <= 20, "{} open at once", counted.most());
    }
}

/// Writers of the new store are held up by its background work: a repair has time.
#[test]
fn a_repair_waits_for_the_new_store() {
    let mut bench = Bench::new();
    for n in 0..600 {
        bench.put(&format!("key-{n:04}"), &format!("value {n} {}", "x".repeat(2000)));
    }
    bench.kill();
    let slow = FaultFs::new(Arc::new(bench.disk.clone()));
    let late = Fault::Latency(Duration::from_millis(50));
    slow.inject(FaultRule::new(late).on(FsOp::Sync).path("/new/sst"));
    let hasty = config(Arc::new(slow))
        .background(Background::Threads(1))
        .max_sealed(1)
        .table_bytes(1 << 20)
        .stall_timeout(Duration::from_millis(1));
    let report = Lsm::repair_with(ROOT, INTO, hasty).expect("repairs");
    assert_eq!(report.keys, 600);
}

/// Nor does it wait for a disk that stays full or broken.
#[test]
fn a_repair_does_not_wait_for_a_disk_that_fails() {
    let mut bench = Bench::new();
    for n in 0..600 {
        bench.put(&format!("key-{n:04}"), &format!("value {n} {}", "x".repeat(2000)));
    }
    bench.kill();
    for fault in [Fault::Enospc, Fault::Eio] {
        for first in [60, 200, 400] {
            let failing = FaultFs::new(Arc::new(bench.disk.crash(Cut::Kill, 1)));
            failing.inject(FaultRule::new(fault).changing().path("/new/sst").after(first));
            let since_start = SystemClock::default();
            let on = config(Arc::new(failing.clone())).background(Background::Threads(1));
            let on = on.max_sealed(1).stall_timeout(Duration::from_millis(100));
            let error = Lsm::repair_with(ROOT, INTO, on).expect_err("fails");
            assert!(!failing.hits().is_empty(), "{error}");
            let took = since_start.now();
            assert!(took < Duration::from_secs(60), "{took:?}: {error}");
        }
    }
}
