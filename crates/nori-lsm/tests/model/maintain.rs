//! Steps that change how the store holds its keys, but not what it holds.

use crate::op::{Ends, Key, Leave, Op};
use crate::oracle::borrowed;
use crate::reader::Reader;
use crate::run::{ROOT, Run};
use crate::scan::{Check, agrees, same};
use nori_env::sync::Arc;
use nori_env::{Cut, MemFs};
use nori_lsm::{ErrorKind, Lsm, PinKind, VizEvent, WriteBatch};
use std::ops::Bound;

const COPY: &str = "/copies/copy";

impl Run<'_> {
    pub(crate) fn maintain(&mut self, op: &Op) -> Check {
        match op {
            Op::Flush => {
                agrees("flush", self.store.flush(), Ok(()))?;
                let metrics = self.store.metrics();
                same("bytes in memory after a flush", metrics.memtable_bytes, 0)
            }
            Op::Compact => {
                agrees("compact", self.store.compact(), Ok(()))?;
                let runs_max = self.store.metrics().runs_max;
                if runs_max > 1 { Err(format!("{runs_max} runs after a merge")) } else { Ok(()) }
            }
            Op::CompactRange(place, ends) => self.compact_range(*place, ends),
            Op::Steps(count) => self.steps(*count),
            Op::WaitIdle => {
                agrees("wait_idle", self.store.wait_idle(), Ok(()))?;
                same("sealed memtables when idle", self.store.metrics().memtables_sealed, 0)?;
                self.check_idle()
            }
            Op::Sync => agrees("sync", self.store.sync(), Ok(())),
            Op::SplitAt(place, keys) => self.split_at(*place, keys),
            Op::ApproximateBytes(place, ends) => self.approximate_bytes(*place, ends),
            Op::Look => self.look(),
            Op::Verify => self.verify(),
            Op::Checkpoint(change) => self.checkpoint(*change),
            Op::ReadOnly(change) => self.read_only(*change),
            Op::OpenAgain => self.open_again(),
            Op::Reopen(leave, change) => self.reopen(*leave, *change),
            _ => Ok(()),
        }
    }

    fn compact_range(&mut self, place: usize, ends: &Ends) -> Check {
        let (reader, sight) = self.held.handle(&self.store, &self.state, place);
        let done = match reader {
            Reader::Space(space) => space.compact_range::<&[u8], _>(borrowed(ends)),
            _ => self.store.compact_range::<&[u8], _>(borrowed(ends)),
        };
        agrees("compact_range", done, sight.map(|_| ()))
    }

    fn steps(&mut self, count: usize) -> Check {
        for _ in 0..count {
            let did = self.store.step().map_err(|e| format!("step: {e}"))?;
            if !did {
                break;
            }
        }
        Ok(())
    }

    fn split_at(&mut self, place: usize, keys: &[Key]) -> Check {
        let (reader, sight) = self.held.handle(&self.store, &self.state, place);
        let (name, _) = self.held.name(&self.state, place);
        let guards: Vec<&[u8]> = keys.iter().map(|key| &key.0[..]).collect();
        let done = match reader {
            Reader::Space(space) => space.split_at(&guards),
            _ => self.store.split_at(&guards),
        };
        if guards.iter().any(|guard| guard.len() > 65_535) {
            return agrees("split_at a long key", done, Err(ErrorKind::InvalidArgument));
        }
        agrees("split_at", done, sight.clone().map(|_| ()))?;
        if sight.is_ok() {
            self.state.keep_guards(name, keys.iter().map(|key| key.0.clone()));
        }
        self.check_slots()
    }

    fn approximate_bytes(&mut self, place: usize, ends: &Ends) -> Check {
        let (reader, sight) = self.held.handle(&self.store, &self.state, place);
        let bytes = |ends: &Ends| match &reader {
            Reader::Space(space) => space.approximate_bytes::<&[u8], _>(borrowed(ends)),
            _ => self.store.approximate_bytes::<&[u8], _>(borrowed(ends)),
        };
        if let Err(kind) = sight {
            return agrees("approximate_bytes", bytes(ends), Err(kind));
        }
        let part = bytes(ends).map_err(|e| e.to_string())?;
        let whole = bytes(&(Bound::Unbounded, Bound::Unbounded)).map_err(|e| e.to_string())?;
        let tables = self.store.metrics().table_bytes;
        if self.is_manual() && !(part <= whole && whole <= tables) {
            return Err(format!("{part} bytes of {whole} of {tables}"));
        }
        let inverted = (Bound::Included(Key(vec![9])), Bound::Excluded(Key(vec![3])));
        agrees("bytes of an inverted range", bytes(&inverted), Ok(0))
    }

    /// What the store says of itself.
    pub(crate) fn look(&mut self) -> Check {
        let health = self.store.health();
        same("healthy", health.is_ok(), true).map_err(|e| format!("{e}: {health:?}"))?;
        let (metrics, pressure) = (self.store.metrics(), self.store.pressure());
        same("the last sequence", metrics.last_sequence, self.state.sequence)?;
        // Far above 1 where the last opening allowed more runs than this one.
        if !(0.0..=20.0).contains(&pressure.pressure) {
            return Err(format!("{pressure:?}"));
        }
        let all = self.store.pins();
        let pins: Vec<_> = all.iter().filter(|pin| pin.kind == PinKind::Snapshot).collect();
        let holders: usize = pins.iter().map(|pin| pin.holders).sum();
        same("holders of old versions", holders, self.held.moments())?;
        same("pins in order", pins.is_sorted_by(|a, b| a.sequence < b.sequence), true)?;
        same("decisions", self.store.decisions(3).len() <= 3, true)?;
        let flushed = self.hear();
        let flushes = self.store.metrics().flushes;
        if flushed as u64 > flushes {
            return Err(format!("{flushed} flushes were told, {flushes} were done"));
        }
        self.check_slots()
    }

    /// Slots cover each keyspace without gaps, and cuts stay.
    fn check_slots(&self) -> Check {
        for (name, space) in &self.state.spaces {
            let handle = self.store.keyspace(name).map_err(|e| e.to_string())?;
            let slots = handle.slots();
            same("a slot's keyspace", slots.iter().all(|slot| slot.keyspace == *name), true)?;
            let mut next = Some(Vec::new());
            for slot in &slots {
                same("where a slot begins", Some(&slot.lo), next.as_ref())?;
                next = slot.hi.clone();
            }
            same("where the last slot ends", next, None)?;
            let missing = space.guards.iter().find(|g| !slots.iter().any(|s| s.lo == **g));
            same("a cut that is gone", missing.map(|g| Key(g.clone())), None)?;
        }
        Ok(())
    }

    fn verify(&mut self) -> Check {
        let mut read = 0;
        let report = self.store.verify_with(&mut |bytes| read += bytes);
        let report = report.map_err(|e| format!("verify: {e}"))?;
        same("problems", &report.problems, &Vec::new())?;
        same("is_ok", report.is_ok(), true)?;
        same("bytes told and read", read, report.bytes)
    }

    fn checkpoint(&mut self, change: u64) -> Check {
        self.counts.checkpoints += 1;
        let info = self.store.checkpoint(COPY).map_err(|e| format!("checkpoint: {e}"))?;
        same("the checkpoint's sequence", info.sequence, self.state.sequence)?;
        let again = self.store.checkpoint(COPY).map(|_| ());
        agrees("a checkpoint over another", again, Err(ErrorKind::InvalidArgument))?;
        let config = self.kind.config(&self.fs, &self.clock, change);
        let copy = Lsm::open_with(COPY, config.clone()).map_err(|e| format!("the copy: {e}"))?;
        same("the copy's sequence", copy.recovery().last_sequence, self.state.sequence)?;
        self.check_all(&copy, "a checkpoint")?;
        same("the copy's problems", copy.verify().map(|r| r.problems).ok(), Some(Vec::new()))?;
        agrees("a write to the copy", copy.put("only", "here"), Ok(()))?;
        agrees("a merge of the copy", copy.compact(), Ok(()))?;
        agrees("closing the copy", copy.close(), Ok(()))?;
        agrees("destroying the copy", Lsm::destroy_with(COPY, &config), Ok(()))
    }

    /// A reader beside the open store. With threads at work, files may go while it opens.
    fn read_only(&mut self, change: u64) -> Check {
        if !self.is_manual() {
            return Ok(());
        }
        let before = self.fs.digest();
        let config = self.kind.config(&self.fs, &self.clock, change);
        let reader = Lsm::open_read_only_with(ROOT, config).map_err(|e| format!("reader: {e}"))?;
        same("the reader's sequence", reader.metrics().last_sequence, self.state.sequence)?;
        self.check_all(&reader, "a reader")?;
        let refused = Err(ErrorKind::ReadOnly);
        agrees("put", reader.put("k", "v"), refused)?;
        agrees("write", reader.write(WriteBatch::new()), refused)?;
        agrees("flush", reader.flush(), refused)?;
        agrees("compact", reader.compact(), refused)?;
        agrees("sync", reader.sync(), refused)?;
        agrees("split_at", reader.split_at(&["k"]), refused)?;
        agrees("a new keyspace", reader.keyspace("new").map(|_| ()), refused)?;
        agrees("drop_keyspace", reader.drop_keyspace("a"), refused)?;
        agrees("step", reader.step(), Ok(false))?;
        agrees("wait_idle", reader.wait_idle(), Ok(()))?;
        same("the reader's problems", reader.verify().map(|r| r.problems).ok(), Some(Vec::new()))?;
        same("the bytes on disk after a reader", self.fs.digest(), before)?;
        // A copy costs as much as hundreds of steps.
        if change.is_multiple_of(8) { self.copy_by(&reader, change) } else { Ok(()) }
    }

    /// A reader's checkpoint holds what the reader shows, what the log held included.
    fn copy_by(&self, reader: &Lsm, change: u64) -> Check {
        let info = reader.checkpoint(COPY).map_err(|e| format!("a reader's checkpoint: {e}"))?;
        same("the reader's checkpoint's sequence", info.sequence, self.state.sequence)?;
        let config = self.kind.config(&self.fs, &self.clock, change);
        let copy = Lsm::open_with(COPY, config.clone()).map_err(|e| format!("its copy: {e}"))?;
        self.check_all(&copy, "a reader's checkpoint")?;
        same("its copy's problems", copy.verify().map(|r| r.problems).ok(), Some(Vec::new()))?;
        agrees("closing a reader's copy", copy.close(), Ok(()))?;
        agrees("destroying a reader's copy", Lsm::destroy_with(COPY, &config), Ok(()))
    }

    /// What is open cannot be opened, made anew or destroyed, and does not notice.
    fn open_again(&mut self) -> Check {
        let config = self.kind.config(&self.fs, &self.clock, 0);
        let open = |path: &str, config| Lsm::open_with(path, config).map(|_| ());
        let locked = open(ROOT, config.clone());
        agrees("opening what is open", locked, Err(ErrorKind::Locked))?;
        let new = open(ROOT, config.clone().error_if_exists(true));
        agrees("making what is there", new, Err(ErrorKind::InvalidArgument))?;
        let none = open("/none", config.clone().create_if_missing(false));
        agrees("opening what is not there", none, Err(ErrorKind::InvalidArgument))?;
        let none = Lsm::open_read_only_with("/none", config.clone()).map(|_| ());
        agrees("reading what is not there", none, Err(ErrorKind::InvalidArgument))?;
        let none = Lsm::destroy_with("/none", &config);
        agrees("destroying what is not there", none, Err(ErrorKind::InvalidArgument))?;
        agrees("destroying", Lsm::destroy_with(ROOT, &config), Err(ErrorKind::Locked))
    }

    fn reopen(&mut self, leave: Leave, change: u64) -> Check {
        self.counts.reopened += 1;
        self.count_work();
        let killed = leave == Leave::Kill;
        match leave {
            Leave::Close => {
                agrees("close", self.store.clone().close(), Ok(()))?;
                agrees("close again", self.store.clone().close(), Ok(()))?;
                self.held.closed()?;
                agrees("a closed store", self.store.get("k"), Err(ErrorKind::Closed))?;
                agrees("a closed store's verify", self.store.verify(), Err(ErrorKind::Closed))?;
                let snapshot = self.store.snapshot();
                agrees("a snapshot of it", snapshot.get("k"), Err(ErrorKind::Closed))?;
            }
            Leave::Drop => {}
            // A process that dies leaves a lock that is free; the old store goes on elsewhere.
            Leave::Kill => self.fs = Arc::new(self.fs.crash(Cut::Kill, self.seed)),
        }
        // Frees the lock when nothing else did. A held iterator alone keeps a store open.
        self.held = crate::held::Held::default();
        let other = Arc::new(MemFs::new(self.seed));
        let aside = self.kind.config(&other, &self.clock, 0);
        self.store = Lsm::open_with(ROOT, aside).map_err(|e| format!("aside: {e}"))?;
        self.change = change;
        let config = self.kind.config(&self.fs, &self.clock, change);
        self.store = Lsm::open_with(ROOT, config).map_err(|e| format!("opening again: {e}"))?;
        self.events = self.store.events();
        let report = self.store.recovery();
        self.counts.replayed += report.records;
        same("made anew", report.created, false)?;
        same("the sequence after opening", report.last_sequence, self.state.sequence)?;
        same("a torn tail", &report.torn_tail, &None)?;
        if !killed {
            same("replayed after a clean end", report.records, 0)?;
        }
        self.check_all(&self.store, "opened again")
    }

    pub(crate) fn count_work(&mut self) {
        self.hear();
        let metrics = self.store.metrics();
        self.counts.flushes += metrics.flushes;
        self.counts.merges += metrics.compactions;
        self.counts.slots.metrics(&metrics);
    }

    /// Listens to what happened since the last time; returns how many flushes.
    fn hear(&mut self) -> usize {
        let told: Vec<VizEvent> = std::iter::from_fn(|| self.events.try_next()).collect();
        told.iter().for_each(|event| self.counts.slots.event(event));
        told.iter().filter(|event| matches!(event, VizEvent::Flush { .. })).count()
    }
}
