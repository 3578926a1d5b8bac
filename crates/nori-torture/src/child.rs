//! The child: it opens a store, writes what its plan says from several threads while others flush,
//! merge, cut slots, copy the store and read it, and tells what it was told.
//!
//! 1. A message is sent behind what it tells: who reads it may hold the store to it.
//! 2. A number of a writer follows the one before, which was acknowledged; so at most one number
//!    of each writer is written and not acknowledged.
//! 3. What the store syncs or flushes by itself is told from its events. One that comes behind a
//!    moment may have begun before it, so as many are waited for as can be under way at once, and
//!    one more; that one began later.

use crate::files;
use crate::found::Stamp;
use crate::message::{Counts, Message, WRITERS, now};
use crate::options::{MAX_SEALED, child_config, threads};
use crate::plan::{LAST, Lie, Mode, Plan, Write, counter_key, is_synced_alone, write_of};
use nori_env::Rng;
use nori_env::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use nori_env::sync::{Arc, thread};
use nori_lsm::{Durability, Keyspace, Lsm, VizEvent, WriteBatch};
use std::fs::File;
use std::io::Write as _;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Runs the child with the arguments of its command.
///
/// # Errors
/// What went wrong, in words, that the end of a disk does not explain.
pub fn child_main(args: &[String]) -> Result<(), String> {
    let [role, dir, plan] = args else {
        return Err("usage: nori-torture write|open DIR PLAN".to_owned());
    };
    let plan = Plan::from_arg(plan).ok_or("this is no plan")?;
    match role.as_str() {
        "write" => write(Path::new(dir), plan),
        "open" => open(Path::new(dir), &plan, &Pipe::new()?).map(drop),
        _ => Err("the role is write or open".to_owned()),
    }
}

/// Where messages go.
struct Pipe(File);

impl Pipe {
    fn new() -> Result<Pipe, String> {
        let out = std::io::stdout().as_fd().try_clone_to_owned();
        out.map(|fd| Pipe(File::from(fd))).map_err(|e| format!("standard output: {e}"))
    }

    /// Who cannot be told is gone, and this process with it.
    fn tell(&self, message: Message) {
        if (&self.0).write_all(&message.encode(now())).is_err() {
            std::process::exit(0);
        }
    }
}

/// What the threads of the child share.
struct Child {
    plan: Plan,
    dir: PathBuf,
    store: Lsm,
    other: Keyspace,
    pipe: Pipe,
    /// The last number acknowledged to each writer.
    acked: [AtomicU64; WRITERS],
    /// Writes of all writers that are left.
    left: AtomicU64,
    /// The writers have ended.
    is_over: AtomicBool,
}

fn open(dir: &Path, plan: &Plan, pipe: &Pipe) -> Result<Option<(Lsm, Keyspace)>, String> {
    pipe.tell(Message::Opening);
    let store = match Lsm::open_with(dir, child_config(plan)) {
        Ok(store) => store,
        Err(e) if is_end_of_disk(&e) => {
            pipe.tell(Message::Failed);
            return Ok(None);
        }
        Err(e) => return Err(format!("open: {e}")),
    };
    let counts = (0..WRITERS).map(|writer| {
        let stamp = store.get(counter_key(writer)).ok().flatten();
        stamp.and_then(|bytes| Stamp::decode(&bytes)).map_or(0, |stamp| stamp.number)
    });
    let counts: Vec<u64> = counts.collect();
    pipe.tell(Message::Opened(counts.try_into().unwrap_or_default()));
    match store.keyspace("other") {
        Ok(other) => Ok(Some((store, other))),
        Err(_) => {
            pipe.tell(Message::Failed);
            Ok(None)
        }
    }
}

/// What a store may say of a disk that is gone.
fn is_end_of_disk(e: &nori_lsm::Error) -> bool {
    use nori_lsm::ErrorKind::{Io, Poisoned};
    matches!(e.kind(), Io | Poisoned)
}

fn write(dir: &Path, plan: Plan) -> Result<(), String> {
    let pipe = Pipe::new()?;
    let Some((store, other)) = open(dir, &plan, &pipe)? else { return Ok(()) };
    let acked = plan.start.map(AtomicU64::new);
    let (left, is_over) = (AtomicU64::new(plan.limit), AtomicBool::new(false));
    let dir = dir.to_path_buf();
    let child = Arc::new(Child { plan, dir, store, other, pipe, acked, left, is_over });
    let start = |run: fn(&Child) -> Result<(), String>| {
        let child = Arc::clone(&child);
        thread::spawn(move || run(&child))
    };
    let others = [start(Child::maintain), start(Child::watch), start(Child::read)];
    let writers: Vec<_> = (0..child.plan.writers)
        .map(|writer| {
            let child = Arc::clone(&child);
            thread::spawn(move || child.write(writer))
        })
        .collect();
    let join = |thread: thread::JoinHandle<Result<(), String>>| {
        thread.join().unwrap_or_else(|_| Err("a thread panicked".to_owned()))
    };
    let mut ends: Vec<_> = writers.into_iter().map(join).collect();
    child.is_over.store(true, Ordering::Release);
    ends.extend(others.into_iter().map(join));
    ends.into_iter().collect::<Result<(), String>>()?;
    child.pipe.tell(Message::Closing);
    match child.store.clone().close() {
        Ok(()) => child.pipe.tell(Message::Closed),
        Err(e) if is_end_of_disk(&e) => child.pipe.tell(Message::Failed),
        Err(e) => return Err(format!("close: {e}")),
    }
    Ok(())
}

impl Child {
    fn acked(&self) -> Counts {
        std::array::from_fn(|writer| self.acked[writer].load(Ordering::Acquire))
    }

    fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Acquire)
    }

    /// Takes one of the writes that are left.
    fn take_one(&self) -> bool {
        let less = |left: u64| left.checked_sub(1);
        self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less).is_ok()
    }

    fn write(&self, writer: usize) -> Result<(), String> {
        let mut number = self.plan.start[writer] + 1;
        while self.take_one() {
            let before = self.acked();
            let (first, second) = match self.plan.lie {
                Lie::Swap if number % 8 == 4 => (number + 1, Some(number)),
                _ => (number, None),
            };
            for number in [Some(first), second].into_iter().flatten() {
                if self.plan.lie == Lie::AckFirst {
                    self.pipe.tell(Message::Acked(writer as u64, number));
                }
                match self.write_one(writer, number, before) {
                    Ok(()) => {}
                    Err(e) if is_end_of_disk(&e) => {
                        self.pipe.tell(Message::Failed);
                        return Ok(());
                    }
                    Err(e) => return Err(format!("write {number} of writer {writer}: {e}")),
                }
            }
            number = number.max(first);
            self.acked[writer].store(number, Ordering::Release);
            self.pipe.tell(Message::Acked(writer as u64, number));
            if is_synced_alone(self.plan.seed, writer, number) {
                let mut durable = before;
                durable[writer] = number;
                self.pipe.tell(Message::Durable(durable));
            } else if self.plan.lie == Lie::DurableWhenBuffered {
                self.pipe.tell(Message::Durable(self.acked()));
            }
            number += 1;
        }
        Ok(())
    }

    fn write_one(&self, writer: usize, number: u64, before: Counts) -> nori_lsm::Result<()> {
        let seed = self.plan.seed;
        let edits = match write_of(seed, writer, number) {
            Write::Single(edit) => {
                return match edit.value {
                    Some(value) => self.store.put(edit.key, value),
                    None if self.plan.lie == Lie::SkipDelete => Ok(()),
                    None => self.store.delete(edit.key),
                };
            }
            Write::Batch(edits) => edits,
        };
        let stamp = Stamp { seed, writer, number, before }.encode();
        let mut batch = WriteBatch::new();
        batch.put(counter_key(writer), &stamp).put(LAST, &stamp);
        if self.plan.lie == Lie::SplitBatch {
            self.store.write(std::mem::take(&mut batch))?;
        }
        for edit in edits {
            match (edit.is_other, edit.value) {
                (false, Some(value)) => batch.put(edit.key, value),
                (false, None) => batch.delete(edit.key),
                (true, Some(value)) => batch.put_in(&self.other, edit.key, value),
                (true, None) => batch.delete_in(&self.other, edit.key),
            };
        }
        if is_synced_alone(seed, writer, number) {
            return self.store.write_with(batch, Durability::Synced);
        }
        self.store.write(batch)
    }

    /// Flushes, merges, cuts, copies, until the writers end. What fails is told by the writers.
    fn maintain(&self) -> Result<(), String> {
        let mut rng = Rng::new(self.plan.seed ^ 0x3a1f);
        let mut copies = 0;
        for step in 0u64.. {
            if self.is_over() {
                break;
            }
            let acked = self.acked();
            let done = match rng.below(16) {
                0 | 1 => self.store.flush().map(|()| Some(Message::Durable(acked))),
                2 => self.store.sync().map(|()| Some(Message::Durable(acked))),
                3 => self.store.compact().map(|()| None),
                4 => self.other.compact_range(b"w1".to_vec()..b"w3".to_vec()).map(|()| None),
                5 => {
                    let guard = format!("w{}/k{:02}", rng.index(4), rng.index(40));
                    self.store.split_at(&[guard]).map(|()| None)
                }
                6 if copies < 2 => {
                    copies += 1;
                    let dir = files::checkpoint_dir(&self.dir, copies);
                    let done = self.store.checkpoint(dir);
                    done.map(|_| Some(Message::Checkpointed(copies, acked)))
                }
                7 => self.come_and_go(step, rng.chance(50)).map(|()| None),
                _ => {
                    thread::sleep(Duration::from_micros(rng.below(1500)));
                    Ok(None)
                }
            };
            match done {
                Ok(message) => message.into_iter().for_each(|message| self.pipe.tell(message)),
                Err(e) if is_end_of_disk(&e) => break,
                Err(e) => return Err(format!("upkeep: {e}")),
            }
        }
        Ok(())
    }

    /// Makes a keyspace, writes to it and drops it.
    fn come_and_go(&self, number: u64, is_dropped: bool) -> nori_lsm::Result<()> {
        let name = files::keyspace_name(self.plan.seed, number);
        let keyspace = self.store.keyspace(&name)?;
        self.pipe.tell(Message::Created(number));
        for key in 0u64..5 {
            keyspace.put(key.to_be_bytes(), key.to_be_bytes())?;
        }
        if is_dropped {
            self.pipe.tell(Message::Dropping(number));
            self.store.drop_keyspace(&name)?;
            self.pipe.tell(Message::Dropped(number));
        }
        Ok(())
    }

    /// Tells of what the store makes durable by itself (invariant 3).
    fn watch(&self) -> Result<(), String> {
        // Syncs of its threads, of the writers' single synced writes and of the upkeep.
        let syncs_at_once = threads(&self.plan) + 1 + WRITERS + 1;
        // One that ends, those that wait, and the one that is written to.
        let flushes_at_once = 1 + MAX_SEALED + 1;
        let mut events = self.store.events();
        while !self.is_over() {
            let acked = self.acked();
            while events.try_next().is_some() {}
            let (mut syncs, mut flushes) = (0, 0);
            while syncs <= syncs_at_once && flushes <= flushes_at_once {
                match events.try_next() {
                    Some(VizEvent::WalSynced { .. }) => syncs += 1,
                    Some(VizEvent::Flush { .. }) => flushes += 1,
                    Some(_) => {}
                    None if self.is_over() => return Ok(()),
                    None => thread::sleep(Duration::from_micros(200)),
                }
            }
            self.pipe.tell(Message::Durable(acked));
        }
        Ok(())
    }

    /// Reads while all that goes on: each batch is whole.
    fn read(&self) -> Result<(), String> {
        let mut rng = Rng::new(self.plan.seed ^ 0x4ead);
        while !self.is_over() {
            let floor = self.acked();
            let snapshot = self.store.snapshot();
            for writer in 0..WRITERS {
                let stamp = match snapshot.get(counter_key(writer)) {
                    Ok(bytes) => bytes.and_then(|bytes| Stamp::decode(&bytes)),
                    Err(e) if is_end_of_disk(&e) => return Ok(()),
                    Err(e) => return Err(format!("read: {e}")),
                };
                let number = stamp.map_or(0, |stamp| stamp.number);
                // The last write may be a single one, which the counter does not tell.
                if number + 1 < floor[writer] && self.plan.lie == Lie::Honest {
                    return Err(format!("writer {writer}: {number} is read after {floor:?}"));
                }
            }
            if rng.chance(20)
                && snapshot.iter().any(|item| item.is_err_and(|e| !is_end_of_disk(&e)))
            {
                return Err("a scan failed".to_owned());
            }
            thread::sleep(Duration::from_micros(rng.below(1000)));
        }
        Ok(())
    }
}

/// Whether a mode makes each write durable.
pub(crate) fn is_durable_at_once(mode: Mode) -> bool {
    mode == Mode::Synced
}
