//! The life of a simulated machine: stores are opened, run a program's steps, end and come back.
//!
//! 1. A store is opened by the first step that needs it. So faults and crashes that stand before
//!    that step meet the opening.
//! 2. Before each call that changes the disk the image and the marks of that moment are known; a
//!    crash goes on from one of them, and all that happened behind it never was.
//! 3. What a store shows when it is opened, and when it ends, is what the history says.
//! 4. Between two steps either no store is open or no crash has been met that is still to come.

use crate::held::Held;
use crate::history::{History, State};
use crate::image::{Checked, Moment, ROOT, check, check_checkpoint, matched, state};
use crate::op::{Blow, Op, Program, Rule, SPACES, Wrong, space_name};
use crate::seen::Seen;
use crate::setup::{config, durability};
use crate::trace::Trace;
use crate::watch::Watch;
use nori_env::sync::{Arc, Mutex};
use nori_env::{Cut, FaultFs, ManualClock, MemFs, Rng};
use nori_lsm::{Durability, Error, ErrorKind, Keyspace, Lsm};
use std::collections::{BTreeMap, VecDeque};

/// A machine in the middle of a program.
pub(crate) struct Sim<'a> {
    pub(crate) seen: &'a mut Seen,
    pub(crate) trace: Trace,
    pub(crate) history: Arc<Mutex<History>>,
    pub(crate) clock: ManualClock,
    pub(crate) disk: MemFs,
    /// Of the next opening, which adds one.
    options: u64,
    /// Of the store that is open.
    pub(crate) durability: Durability,
    pub(crate) steps: u64,
    pub(crate) spaces: BTreeMap<&'static str, Keyspace>,
    pub(crate) dropped: Vec<Keyspace>,
    pub(crate) held: Held,
    /// Directories of copies, and what each holds.
    pub(crate) checkpoints: Vec<(String, State)>,
    /// Whether the store that is open has met a disk with faults.
    pub(crate) faulty: bool,
    program: &'a Program,
    store: Option<Lsm>,
    watch: Watch,
    faults: FaultFs,
    rules: Vec<Rule>,
    has_room: bool,
    blows: VecDeque<Blow>,
    rng: Rng,
}

impl<'a> Sim<'a> {
    pub(crate) fn new(program: &'a Program, seen: &'a mut Seen, trace: Trace) -> Sim<'a> {
        let disk = MemFs::new(program.seed);
        disk.set_sectors(&[32, 512]);
        let watch = Watch::default();
        watch.lock().keeps_all = program.images > 0;
        Sim {
            seen,
            trace,
            history: Arc::default(),
            clock: ManualClock::default(),
            faults: FaultFs::new(Arc::new(disk.clone())),
            disk,
            options: program.seed,
            durability: Durability::Synced,
            steps: 0,
            spaces: BTreeMap::new(),
            dropped: Vec::new(),
            held: Held::default(),
            checkpoints: Vec::new(),
            faulty: false,
            program,
            store: None,
            watch,
            rules: Vec::new(),
            has_room: true,
            blows: VecDeque::new(),
            rng: Rng::new(program.seed ^ 0x1a9e),
        }
    }

    /// Runs one step.
    pub(crate) fn step(&mut self, op: &Op) -> Checked<()> {
        (self.steps, self.seen.steps) = (self.steps + 1, self.seen.steps + 1);
        match op {
            Op::Options(number) => self.options = u64::from(*number) << 16,
            Op::Fault(rule) if rule.wrong == Wrong::Flip && self.store.is_none() => {}
            Op::Fault(rule) => {
                self.rules.push(*rule);
                self.faults.inject(rule.armed());
                self.faulty = true;
                self.watch.lock().failed_sync |= rule.wrong != Wrong::Flip;
            }
            Op::Room(bytes) => {
                self.disk.set_capacity(Some(self.disk.total_bytes() + u64::from(*bytes)));
                (self.has_room, self.faulty) = (false, true);
            }
            Op::Mend => self.mend(),
            Op::Wait(seconds) => {
                self.clock.advance(std::time::Duration::from_secs(u64::from(*seconds)));
            }
            Op::Crash(blows) => {
                self.crash_now()?;
                self.blows = blows.iter().copied().collect();
                self.arm();
            }
            Op::Reopen(closed) => {
                let store = self.opened()?;
                self.reopen(store, *closed)?;
            }
            op => {
                let store = self.opened()?;
                let answer = self.act(&store, op)?;
                self.trace.answer(&(op, answer));
                drop(store);
                self.struck()?;
            }
        }
        Ok(())
    }

    /// Ends the program: what is still to come comes now, and the last store is opened once more.
    pub(crate) fn end(mut self) -> Checked<u64> {
        self.crash_now()?;
        self.mend();
        let store = self.opened()?;
        self.reopen(store, true)?;
        Ok(self.trace.hash())
    }

    /// The number of the options of the next opening.
    pub(crate) fn next_options(&self) -> u64 {
        self.options
    }

    /// Keeps the moments of all calls from now on.
    pub(crate) fn keep_moments(&mut self) {
        self.watch.lock().keeps_all = true;
    }

    /// The moments that were kept and the one of now; at least that one.
    pub(crate) fn moments(self) -> (Vec<Moment>, History) {
        let mut moments = std::mem::take(&mut self.watch.lock().moments);
        moments.push(self.now());
        self.disk.on_operation(None);
        let history = self.history.lock().clone();
        (moments, history)
    }

    /// The store, opened if it is not.
    pub(crate) fn opened(&mut self) -> Checked<Lsm> {
        loop {
            if let Some(store) = &self.store {
                return Ok(store.clone());
            }
            self.open()?;
            self.seen.crashes_opening += u64::from(self.watch.lock().hit.is_some());
            self.struck()?;
        }
    }

    fn has_faults(&self) -> bool {
        !self.rules.is_empty() || !self.has_room
    }

    fn mend(&mut self) {
        self.rules.clear();
        self.faults.clear();
        self.has_room = true;
        self.disk.set_capacity(None);
    }

    /// Begins to watch the disk; leaves no store if the disk's faults are in the way.
    fn open(&mut self) -> Checked<()> {
        self.watch.look_at(&self.disk, &self.history);
        self.faults = FaultFs::new(Arc::new(self.disk.clone()));
        self.rules.iter().for_each(|rule| self.faults.inject(rule.armed()));
        self.faulty = self.has_faults();
        let options = self.options;
        self.options += 1;
        self.durability = durability(options);
        let fs = self.trace.watch(Arc::new(self.faults.clone()));
        let store = match Lsm::open_with(ROOT, config(fs, Arc::new(self.clock.clone()), options)) {
            Ok(store) => store,
            Err(e) if self.has_faults() && e.kind() != ErrorKind::Corruption => {
                self.seen.failed_opens += 1;
                self.trace.answer(&e.kind());
                self.count_faults();
                self.trace.end(false)?;
                self.mend();
                return Ok(());
            }
            Err(e) => return Err(format!("open: {e}")),
        };
        self.trace.listen(&store);
        let mut p = matched(&store, &self.history.lock());
        if p.is_err() && self.has_faults() {
            // A fault strikes once, or from now on: a read that it struck is repeated.
            self.mend();
            p = matched(&store, &self.history.lock());
        }
        let p = p?;
        let mut history = self.history.lock();
        if p < history.mark.kill {
            return Err(format!("opened with {p} elements of {}", history.mark.kill));
        }
        // What an open store shows is durable.
        history.restart(p, p);
        drop(history);
        self.trace.answer(&p);
        self.spaces.clear();
        for space in 0..SPACES {
            let name = space_name(space);
            if store.keyspaces().iter().any(|known| known == name) {
                let handle = store.keyspace(name).map_err(|e| format!("{name}: {e}"))?;
                self.spaces.insert(name, handle);
            }
        }
        self.store = Some(store);
        Ok(())
    }

    /// The next crash is due so many calls from now.
    fn arm(&mut self) {
        let next = self.blows.pop_front();
        let now = self.disk.operations();
        self.watch.lock().armed = next.map(|blow| (now + u64::from(blow.at), blow));
        self.watch.look_at(&self.disk, &self.history);
    }

    fn now(&self) -> Moment {
        self.watch.now(&self.disk, &self.history)
    }

    /// A crash that was not met is met now.
    fn crash_now(&mut self) -> Checked<()> {
        let armed = self.watch.lock().armed.take();
        match armed {
            Some((_, blow)) => self.crash(self.now(), blow),
            None => Ok(()),
        }
    }

    /// Goes on behind a crash that the last step met.
    fn struck(&mut self) -> Checked<()> {
        let hit = self.watch.lock().hit.take();
        match hit {
            Some((moment, blow)) => self.crash(moment, blow),
            None => Ok(()),
        }
    }

    /// The machine or the process has ended at a moment; the next one finds what is left.
    fn crash(&mut self, moment: Moment, blow: Blow) -> Checked<()> {
        self.seen.crashes += 1;
        self.verify()?;
        let last = self.now();
        self.disk.on_operation(None);
        self.let_go();
        self.settle(last)?;
        let disk = moment.image.crash(blow.cut, u64::from(blow.seed));
        let mut history = self.history.lock();
        let p = check(&disk.image(), &moment, blow.cut, &history, self.options, self.seen)
            .map_err(|e| format!("{:?} before call {}: {e}", blow.cut, moment.op))?;
        let power = if blow.cut.is_kill() { moment.mark.power.min(p) } else { p };
        history.restart(p, power);
        drop(history);
        self.trace.answer(&(blow.cut, p, power));
        // A machine that starts anew has nothing in memory only; rules wait for it all the same.
        self.watch.lock().failed_sync =
            moment.failed_sync && blow.cut.is_kill() || !self.rules.is_empty();
        self.disk = disk;
        // A full disk stays full; one that was mended behind the moment is.
        let full = (!self.has_room).then(|| self.disk.total_bytes());
        self.disk.set_capacity(full);
        self.arm();
        Ok(())
    }

    /// Closes the store, or only lets go of it; a crash may fall into that.
    fn reopen(&mut self, store: Lsm, closed: bool) -> Checked<()> {
        self.verify()?;
        self.let_go();
        self.rules.iter().for_each(|rule| self.faults.inject(rule.armed()));
        if closed {
            match store.close() {
                Ok(()) => self.history.lock().durable(),
                Err(e) => drop(self.allow(e)?),
            }
        } else {
            drop(store);
        }
        let hit = self.watch.lock().hit.take();
        if let Some((moment, blow)) = hit {
            return self.crash(moment, blow);
        }
        let last = self.now();
        self.disk.on_operation(None);
        self.settle(last)
    }

    /// An error that the disk's faults explain is none. Once the disk works, the store does too,
    /// unless it has said that it must be opened again.
    pub(crate) fn allow(&self, e: Error) -> Checked<ErrorKind> {
        let flips = self.rules.iter().any(|rule| rule.wrong == Wrong::Flip);
        let is_poisoned = |store: &Lsm| store.health().poisoned.is_some();
        if !self.has_faults() && self.store.as_ref().is_some_and(|store| !is_poisoned(store)) {
            return Err(format!("the disk works again: {e}"));
        }
        if self.faulty && (flips || e.kind() != ErrorKind::Corruption) {
            return Ok(e.kind());
        }
        Err(e.to_string())
    }

    /// As `allow`, for reads: once the disk works, they do.
    pub(crate) fn allow_read(&self, e: Error) -> Checked<ErrorKind> {
        if self.has_faults() { self.allow(e) } else { Err(format!("reading: {e}")) }
    }

    /// The running store shows everything that was acknowledged and nothing else.
    fn verify(&mut self) -> Checked<()> {
        self.count_faults();
        self.faults.clear();
        let Some(store) = &self.store else { return Ok(()) };
        let shown = state(store).map_err(|e| format!("reading at the end: {e}"))?;
        let history = self.history.lock();
        if shown != *history.shown() {
            let expected = history.shown();
            return Err(format!("the running store shows {shown:?}, not {expected:?}"));
        }
        self.seen.note(store)
    }

    fn count_faults(&mut self) {
        self.seen.faults += self.faults.hits().len() as u64;
    }

    /// Drops everything that keeps the store open.
    fn let_go(&mut self) {
        self.rules.retain(|rule| rule.wrong != Wrong::Flip);
        self.held = Held::default();
        self.spaces.clear();
        self.dropped.clear();
        self.store = None;
    }

    /// Looks at what a life has left: copies, and the images of its moments.
    fn settle(&mut self, last: Moment) -> Checked<()> {
        self.trace.end(!self.faulty)?;
        for (dir, expected) in std::mem::take(&mut self.checkpoints) {
            let (cut, seed) = (*self.rng.pick(&Cut::ALL), self.rng.next_u64());
            self.seen.checkpoints += 1;
            check_checkpoint(&last.image, &dir, &expected, cut, seed)?;
        }
        let mut moments = std::mem::take(&mut self.watch.lock().moments);
        if self.program.images == 0 {
            return Ok(());
        }
        moments.push(last);
        let history = self.history.lock().clone();
        for at in moments {
            for _ in 0..self.program.images {
                let any = *self.rng.pick(&Cut::ALL);
                let cut = self.program.cut.unwrap_or(any);
                let left = at.image.crash(cut, self.rng.next_u64());
                check(&left, &at, cut, &history, self.rng.next_u64(), self.seen)
                    .map_err(|e| format!("{cut:?} before call {}: {e}", at.op))?;
            }
        }
        Ok(())
    }
}
