//! Damage at rest: a small store with files of every kind, each byte of each file flipped, each
//! file cut at each length, files removed, swapped and doubled.
//!
//! Expected of every one of them: the right answers, or a typed error. Only bytes that nothing
//! promised to be durable may be taken for what a power cut leaves. Of a flipped byte at most the
//! last element of the history is missing then; a log that is cut short or gone took its promises
//! with it, and what is left must be a prefix.

use nori_env::sync::Arc;
use nori_env::{Cut, FileSystem, MemFs, OpenMode, Rng};
use nori_lsm::{Background, Compression, Config, Error, ErrorKind, Lsm, WriteBatch};
use nori_testkit::env_usize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

const ROOT: &str = "/store";
type State = BTreeMap<String, BTreeMap<Vec<u8>, Vec<u8>>>;

fn config(fs: Arc<dyn FileSystem>, compression: Compression) -> Config {
    Config::default()
        .file_system(fs)
        .background(Background::Manual)
        .memtable_bytes(4096)
        .block_bytes(256)
        .table_bytes(4096)
        .k_global(16)
        .compression(compression)
        .disk_reserve_bytes(Some(0))
}

/// A store left by a killed process, and its contents after each element with the sequence
/// number they are visible at.
struct Sample {
    disk: MemFs,
    compression: Compression,
    states: Vec<(u64, State)>,
}

fn sample(compression: Compression) -> Sample {
    let disk = MemFs::new(7);
    let store = Lsm::open_with(ROOT, config(Arc::new(disk.clone()), compression)).expect("opens");
    let names = ["default", "users", "dropped"];
    let spaces: Vec<_> = names.iter().map(|n| store.keyspace(n).expect("creates")).collect();
    store.split_at(&["key-020"]).expect("splits");
    let mut rng = Rng::new(11);
    let mut whole: State = names.iter().map(|n| (n.to_string(), BTreeMap::new())).collect();
    let mut states = vec![(store.metrics().last_sequence, whole.clone())];
    for n in 0..150u32 {
        if n % 40 == 39 {
            store.flush().expect("flushes");
        }
        if n == 100 {
            store.compact().expect("merges");
            store.drop_keyspace("dropped").expect("drops");
            whole.remove("dropped");
            states.push((store.metrics().last_sequence, whole.clone()));
        }
        let live = if n < 100 { 3 } else { 2 };
        let mut batch = WriteBatch::new();
        for _ in 0..1 + rng.below(2) {
            let at = rng.below(live) as usize;
            let key = format!("key-{:03}", rng.below(40)).into_bytes();
            let keys = whole.get_mut(names[at]).expect("lives");
            if rng.chance(20) {
                batch.delete_in(&spaces[at], &key);
                keys.remove(&key);
                continue;
            }
            let value = format!("value {n} {}", "x".repeat(rng.below(60) as usize)).into_bytes();
            batch.put_in(&spaces[at], &key, &value);
            keys.insert(key, value);
        }
        store.write(batch).expect("writes");
        states.push((store.metrics().last_sequence, whole.clone()));
    }
    // Killed: what is in the log only stays there.
    let disk = disk.crash(Cut::Kill, 3);
    drop((spaces, store));
    Sample { disk, compression, states }
}

/// What a damaged store may do.
#[derive(Debug, PartialEq)]
enum Outcome {
    Whole,
    /// So many elements at the end are missing, with no error.
    Shorter(usize),
    /// A typed error, from opening or from some of the reads; all other answers were right.
    Detected,
}

fn typed(error: &Error) -> Result<(), String> {
    match error.kind() {
        ErrorKind::Corruption | ErrorKind::FormatTooNew => Ok(()),
        _ => Err(format!("an error of the wrong kind: {error}")),
    }
}

/// Reads everything in every way and compares it with one state.
fn read(store: &Lsm, expected: &State) -> Result<bool, String> {
    let mut detected = false;
    let names: Vec<&String> = expected.keys().collect();
    let shown = store.keyspaces();
    if shown.iter().ne(names.iter().copied()) {
        return Err(format!("keyspaces {shown:?}"));
    }
    for (name, keys) in expected {
        let space = match store.keyspace(name) {
            Ok(space) => space,
            Err(e) => return typed(&e).map(|()| true),
        };
        for n in 0..40 {
            let key = format!("key-{n:03}").into_bytes();
            match space.get(&key) {
                Ok(value) if value.as_deref() == keys.get(&key).map(|v| &v[..]) => {}
                Ok(value) => return Err(format!("get {name} {n}: {value:?}")),
                Err(e) => {
                    typed(&e)?;
                    detected = true;
                }
            }
        }
        for reverse in [false, true] {
            detected |= scan(&space, keys, reverse)?;
        }
    }
    Ok(detected)
}

fn scan(
    space: &nori_lsm::Keyspace,
    keys: &BTreeMap<Vec<u8>, Vec<u8>>,
    reverse: bool,
) -> Result<bool, String> {
    let mut expected: Box<dyn Iterator<Item = _>> =
        if reverse { Box::new(keys.iter().rev()) } else { Box::new(keys.iter()) };
    let mut iter = space.iter();
    loop {
        let item = if reverse { iter.next_back() } else { iter.next() };
        match (item, expected.next()) {
            (Some(Err(e)), _) => {
                typed(&e)?;
                return match if reverse { iter.next_back() } else { iter.next() } {
                    None => Ok(true),
                    Some(_) => Err("an iterator went on behind its error".to_string()),
                };
            }
            (Some(Ok((k, v))), Some((key, value))) if k == key[..] && v == value[..] => {}
            (None, None) => return Ok(false),
            (got, wanted) => return Err(format!("scan: {got:?} instead of {wanted:?}")),
        }
    }
}

fn outcome(sample: &Sample, damaged: MemFs) -> Result<Outcome, String> {
    let fs: Arc<dyn FileSystem> = Arc::new(damaged);
    let store = match Lsm::open_with(ROOT, config(fs, sample.compression)) {
        Ok(store) => store,
        Err(e) => return typed(&e).map(|()| Outcome::Detected),
    };
    let last = store.metrics().last_sequence;
    let at = sample.states.iter().rposition(|(seq, _)| *seq <= last);
    let at = at.ok_or_else(|| format!("the store ends at {last}"))?;
    let missing = sample.states.len() - 1 - at;
    match (read(&store, &sample.states[at].1)?, missing) {
        (true, _) => Ok(Outcome::Detected),
        (false, 0) => Ok(Outcome::Whole),
        (false, missing) => Ok(Outcome::Shorter(missing)),
    }
}

/// Counts of outcomes, by kind of file.
#[derive(Default)]
struct Tally(BTreeMap<&'static str, [u64; 3]>);

impl Tally {
    fn add(&mut self, path: &Path, outcome: &Outcome) {
        let name = path.to_string_lossy();
        let kinds = ["wal", "sst", "MANIFEST", "CURRENT"];
        let kind = kinds.into_iter().find(|kind| name.contains(kind)).unwrap_or("other");
        self.0.entry(kind).or_default()[match outcome {
            Outcome::Whole => 0,
            Outcome::Detected => 1,
            Outcome::Shorter(_) => 2,
        }] += 1;
    }

    fn print(&self, what: &str) {
        for (kind, [whole, detected, shorter]) in &self.0 {
            println!(
                "{what}: {kind}: {whole} right, {detected} typed errors, {shorter} a shorter \
                 prefix, 0 wrong"
            );
        }
    }

    fn total(&self) -> u64 {
        self.0.values().flatten().sum()
    }
}

fn samples() -> Vec<Sample> {
    [Compression::Lz4, Compression::None].into_iter().map(sample).collect()
}

fn files(sample: &Sample) -> Vec<(PathBuf, u64)> {
    sample.disk.files().into_iter().filter(|(path, _)| !path.ends_with("LOCK")).collect()
}

/// `flipped`: the file kept its length and all but one byte.
fn judge(
    (sample, damaged): (&Sample, MemFs),
    path: &Path,
    flipped: bool,
    what: &str,
    tally: &mut Tally,
) {
    let name = path.to_string_lossy();
    let outcome = outcome(sample, damaged).unwrap_or_else(|e| panic!("{name} {what}: {e}"));
    if let Outcome::Shorter(missing) = outcome {
        let is_log = name.contains("wal/");
        let may = is_log || (name.contains("MANIFEST") && missing <= 1);
        assert!(may && (missing <= 1 || !flipped), "{name} {what}: {missing} elements missing");
    }
    tally.add(path, &outcome);
}

#[test]
fn an_undamaged_sample_is_whole() {
    for sample in samples() {
        assert!(sample.states.windows(2).all(|pair| pair[0].0 < pair[1].0));
        assert_eq!(outcome(&sample, sample.disk.image()), Ok(Outcome::Whole));
        let kinds = files(&sample);
        let some = |part: &str| kinds.iter().any(|(p, _)| p.to_string_lossy().contains(part));
        assert!(["wal/", "sst/", "MANIFEST", "CURRENT"].into_iter().all(some), "{kinds:?}");
    }
}

/// `NORI_STRIDE=1` flips every byte, with every bit's turn coming round; the default takes every
/// third byte of each file.
#[test]
fn flipped_bytes_are_never_believed() {
    let stride = env_usize("NORI_STRIDE", 3).max(1);
    let mut tally = Tally::default();
    for sample in samples() {
        for (path, len) in files(&sample) {
            for at in (0..len).step_by(stride) {
                let damaged = sample.disk.image();
                assert!(damaged.corrupt(&path, at, 1 << (at % 8)));
                let what = format!("byte {at}");
                judge((&sample, damaged), &path, true, &what, &mut tally);
            }
        }
    }
    tally.print("flipped");
    println!("{} flips, 0 wrong answers, 0 panics", tally.total());
    assert!(tally.total() > 1_000);
}

#[test]
fn cut_files_are_never_believed() {
    let stride = env_usize("NORI_STRIDE", 3).max(1) * 4;
    let mut tally = Tally::default();
    for sample in samples() {
        for (path, len) in files(&sample) {
            for at in (0..len).step_by(stride) {
                let damaged = sample.disk.image();
                let file = damaged.open(&path, OpenMode::Write).expect("exists");
                file.truncate(at).expect("cuts");
                file.sync_all().expect("syncs");
                drop(file);
                let what = format!("cut at {at}");
                judge((&sample, damaged), &path, false, &what, &mut tally);
            }
        }
    }
    tally.print("cut");
}

#[test]
fn removed_swapped_and_doubled_files_are_never_believed() {
    let mut tally = Tally::default();
    for sample in samples() {
        let all = files(&sample);
        for (path, _) in &all {
            let damaged = sample.disk.image();
            assert!(damaged.remove_file(path));
            judge((&sample, damaged), path, false, "removed", &mut tally);
            for (other, _) in all.iter().filter(|(other, _)| other != path) {
                let content = sample.disk.read_file(other).expect("exists");
                let damaged = sample.disk.image();
                damaged.write_file(path, &content);
                let what = format!("replaced by {}", other.display());
                judge((&sample, damaged), path, false, &what, &mut tally);
            }
        }
    }
    tally.print("replaced");
}
