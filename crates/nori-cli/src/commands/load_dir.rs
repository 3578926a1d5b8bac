//! `nori load-dir`: every file below a directory becomes an entry.
//!
//! One thread reads files and builds batches, another commits them; at most [`QUEUE`] batches wait
//! between the two, so memory is bounded by them and the store's own buffers.
//!
//! 1. Batches are committed in the order of the walk and need not be durable one by one: after a
//!    crash the store holds a prefix of the files. What is reported as stored is durable.
//! 2. A file that the store holds already, with equal bytes, is not written again. So running the
//!    command again completes it, and running it once more changes nothing.
//! 3. A file that cannot be read or stored is told, and the others are loaded all the same.

use crate::args::{DirArgs, LoadDirArgs};
use crate::failure::Failure;
use crate::out::Out;
use crate::progress::Progress;
use crate::table::facts;
use crate::tree::{self, Item, Size, Tree};
use crate::{machine, stores, units};
use nori_lsm::{Durability, Keyspace, KeyspaceView, Lsm, WriteBatch};
use serde_json::json;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, SyncSender};
use std::time::Instant;

/// Bytes at which a batch is committed; a larger file is a batch of its own.
const BATCH_BYTES: usize = 1 << 20;
/// Files at which a batch is committed.
const BATCH_FILES: u64 = 1024;
/// Batches that wait for their commit.
const QUEUE: usize = 4;
/// The longest key and value that a store takes.
const KEY_BYTES_MAX: usize = 65_535;
const VALUE_BYTES_MAX: u64 = 1 << 30;

/// Files on their way into the store.
#[derive(Default)]
struct Batch {
    writes: WriteBatch,
    stored: Size,
    unchanged: Size,
}

impl Batch {
    fn files(&self) -> u64 {
        self.stored.files + self.unchanged.files
    }
}

/// What became of the files.
#[derive(Default)]
struct Loaded {
    stored: Size,
    unchanged: Size,
    special: u64,
    problems: Vec<String>,
}

/// `nori load-dir`
pub(crate) fn load_dir(args: &LoadDirArgs, out: &mut Out) -> Result<(), Failure> {
    let buffer = usize::try_from(args.buffer_mb << 20).unwrap_or(usize::MAX);
    let args = &args.at;
    check_dir(args)?;
    let store = stores::open_or_make(&args.store, |config| config.memtable_bytes(buffer))?;
    let keyspace = store.keyspace(&args.keyspace.keyspace)?;
    let total = {
        let progress = Progress::spinner(out, "looking");
        tree::measure(&args.dir, |size| {
            progress.note(units::plural(size.files, "file", "files"));
        })
    };
    let started = Instant::now();
    let loaded = {
        let progress = Progress::bytes(out, "loading", total.bytes);
        load(&store, &keyspace, &args.dir, &progress)?
    };
    store.close()?;
    let seconds = started.elapsed().as_secs_f64();
    report(args, &loaded, seconds, out)?;
    if loaded.problems.is_empty() { Ok(()) } else { Err(Failure::Found) }
}

/// The directory must be one, and must not hold the store, which would be loaded into itself.
pub(crate) fn check_dir(args: &DirArgs) -> Result<(), Failure> {
    let (dir, store) = (&args.dir, &args.store);
    let meta = fs::metadata(dir).map_err(|e| Failure::io("looking at", dir, &e))?;
    if !meta.is_dir() {
        return Err(Failure::Failed(format!("{} is not a directory", dir.display())));
    }
    let real = fs::canonicalize(dir).map_err(|e| Failure::io("looking at", dir, &e))?;
    if where_it_will_be(store).is_some_and(|store| store.starts_with(real)) {
        return Err(Failure::Usage(format!(
            "the store {} lies inside {}; put it elsewhere",
            store.display(),
            dir.display()
        )));
    }
    Ok(())
}

/// The real path of something that need not be there yet: that of its nearest directory that is.
fn where_it_will_be(path: &Path) -> Option<PathBuf> {
    let absolute = std::path::absolute(path).ok()?;
    absolute.ancestors().find_map(|ancestor| fs::canonicalize(ancestor).ok())
}

fn load(
    store: &Lsm,
    keyspace: &Keyspace,
    dir: &Path,
    progress: &Progress,
) -> Result<Loaded, Failure> {
    // Every file is met once, so what was there at the start is all there is to compare with.
    let before = store.snapshot().keyspace(keyspace.name())?;
    let (sender, receiver) = mpsc::sync_channel(QUEUE);
    std::thread::scope(|scope| {
        let reader =
            std::thread::Builder::new().name("nori-read".into()).spawn_scoped(scope, || {
                let mut reader = Reader::new(keyspace, before, sender);
                reader.run(dir);
                reader.finish()
            });
        let reader = reader.map_err(|e| Failure::Failed(format!("starting a thread: {e}")))?;
        let (mut stored, mut unchanged) = (Size::default(), Size::default());
        let mut committed = Ok(());
        for batch in receiver {
            committed = store.write_with(batch.writes, Durability::Buffered);
            if committed.is_err() {
                // The receiver is dropped with the loop, which ends the reader.
                break;
            }
            stored = plus(stored, batch.stored);
            unchanged = plus(unchanged, batch.unchanged);
            progress.add(batch.stored.bytes + batch.unchanged.bytes);
            progress.note(units::plural(stored.files + unchanged.files, "file", "files"));
        }
        let told = reader.join().map_err(|_| Failure::failed("the reading thread panicked"))?;
        committed?;
        store.sync()?;
        Ok(Loaded { stored, unchanged, ..told? })
    })
}

fn plus(a: Size, b: Size) -> Size {
    Size { files: a.files + b.files, bytes: a.bytes + b.bytes }
}

/// The side that reads files.
struct Reader<'a> {
    keyspace: &'a Keyspace,
    before: KeyspaceView,
    sender: SyncSender<Batch>,
    batch: Batch,
    contents: Vec<u8>,
    told: Loaded,
    failed: Result<(), Failure>,
}

impl<'a> Reader<'a> {
    fn new(keyspace: &'a Keyspace, before: KeyspaceView, sender: SyncSender<Batch>) -> Reader<'a> {
        Reader {
            keyspace,
            before,
            sender,
            batch: Batch::default(),
            contents: Vec::new(),
            told: Loaded::default(),
            failed: Ok(()),
        }
    }

    /// Reads all files, until the other side hangs up or the store cannot be read.
    fn run(&mut self, dir: &Path) {
        for item in Tree::walk(dir) {
            let goes_on = match item {
                Item::File { key, path } => self.file(&key, &path),
                Item::Special => {
                    self.told.special += 1;
                    true
                }
                Item::Unreadable { path, error } => {
                    self.told.problems.push(format!("{}: {error}", path.display()));
                    true
                }
            };
            if !goes_on {
                return;
            }
        }
        self.send();
    }

    fn finish(self) -> Result<Loaded, Failure> {
        self.failed.map(|()| self.told)
    }

    fn file(&mut self, key: &[u8], path: &Path) -> bool {
        if let Err(problem) = self.read(key, path) {
            self.told.problems.push(format!("{}: {problem}", path.display()));
            return true;
        }
        let size = Size { files: 1, bytes: self.contents.len() as u64 };
        match self.before.get(key) {
            Ok(Some(value)) if value[..] == self.contents[..] => {
                self.batch.unchanged = plus(self.batch.unchanged, size);
            }
            Ok(_) => {
                let full = self.batch.writes.byte_len() + self.contents.len() > BATCH_BYTES;
                if full && !self.send() {
                    return false;
                }
                self.batch.writes.put_in(self.keyspace, key, &self.contents);
                self.batch.stored = plus(self.batch.stored, size);
            }
            Err(error) => {
                self.failed = Err(error.into());
                return false;
            }
        }
        self.batch.files() < BATCH_FILES || self.send()
    }

    fn read(&mut self, key: &[u8], path: &Path) -> Result<(), String> {
        self.contents.clear();
        if key.len() > KEY_BYTES_MAX {
            return Err(format!("its path is longer than {KEY_BYTES_MAX} bytes"));
        }
        let mut file = File::open(path).map_err(|e| e.to_string())?;
        let bytes = file.metadata().map_err(|e| e.to_string())?.len();
        if bytes <= VALUE_BYTES_MAX {
            // A hint: a large file is read in one piece, and one that grows is stopped below.
            self.contents.reserve(usize::try_from(bytes).unwrap_or(0) + 1);
            let limited = file.by_ref().take(VALUE_BYTES_MAX + 1).read_to_end(&mut self.contents);
            limited.map_err(|e| e.to_string())?;
        }
        if bytes > VALUE_BYTES_MAX || self.contents.len() as u64 > VALUE_BYTES_MAX {
            return Err(format!("is larger than {}", units::bytes(VALUE_BYTES_MAX)));
        }
        Ok(())
    }

    /// Hands over what was read; false when nobody takes it any more.
    fn send(&mut self) -> bool {
        if self.batch.files() == 0 {
            return true;
        }
        self.sender.send(std::mem::take(&mut self.batch)).is_ok()
    }
}

fn report(args: &DirArgs, loaded: &Loaded, seconds: f64, out: &mut Out) -> Result<(), Failure> {
    let all = plus(loaded.stored, loaded.unchanged);
    let disk_bytes = machine::disk_bytes(&args.store);
    if out.json() {
        return out.document(&json!({
            "files": all.files,
            "bytes": all.bytes,
            "stored": { "files": loaded.stored.files, "bytes": loaded.stored.bytes },
            "unchanged": { "files": loaded.unchanged.files, "bytes": loaded.unchanged.bytes },
            "skipped": loaded.special,
            "problems": loaded.problems,
            "seconds": seconds,
            "bytes_per_second": units::rate(all.bytes, seconds),
            "files_per_second": units::rate(all.files, seconds),
            "store_bytes": disk_bytes,
        }));
    }
    for problem in &loaded.problems {
        out.line(format!("problem: {problem}"))?;
    }
    let files = |size: Size| {
        format!("{} ({})", units::plural(size.files, "file", "files"), units::bytes(size.bytes))
    };
    out.line(format!(
        "loaded {} into {} in {}",
        args.dir.display(),
        args.store.display(),
        units::time(std::time::Duration::from_secs_f64(seconds))
    ))?;
    let mut lines = vec![
        ("all", files(all)),
        ("stored", files(loaded.stored)),
        ("unchanged", files(loaded.unchanged)),
        (
            "rate",
            format!(
                "{} files/s, {}",
                units::count(units::rate(all.files, seconds) as u64),
                units::bytes_rate(all.bytes, seconds)
            ),
        ),
        ("store", format!("{} on disk", units::bytes(disk_bytes))),
    ];
    if loaded.special > 0 {
        let links = units::plural(loaded.special, "link or special file", "links or special files");
        lines.push(("skipped", links));
    }
    if !loaded.problems.is_empty() {
        let problems = loaded.problems.len() as u64;
        lines.push(("not loaded", units::plural(problems, "file", "files")));
    }
    facts(&lines).into_iter().try_for_each(|line| out.line(line))
}
