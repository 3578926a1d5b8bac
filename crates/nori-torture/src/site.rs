//! A store that goes on through many runs of children, each with its own end.
//!
//! After each end the parent looks at the store. It opens it as any process would, which
//! recovers it and leaves it closed, or it only reads, so that the next child meets the store as
//! the last one left it.

use crate::book::{Book, Span};
use crate::disk::Disk;
use crate::files;
use crate::found::{Found, PARENT};
use crate::message::Counts;
use crate::options::parent_config;
use crate::plan::{Lie, Mode, Plan};
use crate::run::{Heard, Run, Shot};
use nori_env::Rng;
use nori_lsm::{Background, Lsm};
use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How a run ends.
#[derive(Debug)]
pub enum End<'a> {
    /// The process is killed.
    Kill,
    /// The disk's power is cut.
    Cut(&'a mut Disk),
}

/// What happened so far.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tally {
    /// Runs of children that wrote.
    pub runs: u64,
    /// Ends of children, those inside an open alone included.
    pub ends: u64,
    /// Of these: while the store was being opened.
    pub in_open: u64,
    /// While it was being closed.
    pub in_close: u64,
    /// Children that were done before their end.
    pub unhurt: u64,
    /// Writes that were acknowledged.
    pub acked: u64,
    /// Acknowledged writes that a power cut took, as it may.
    pub lost: u64,
    /// Copies of the store that were opened.
    pub copies: u64,
}

impl std::ops::Add for Tally {
    type Output = Tally;

    fn add(self, other: Tally) -> Tally {
        Tally {
            runs: self.runs + other.runs,
            ends: self.ends + other.ends,
            in_open: self.in_open + other.in_open,
            in_close: self.in_close + other.in_close,
            unhurt: self.unhurt + other.unhurt,
            acked: self.acked + other.acked,
            lost: self.lost + other.lost,
            copies: self.copies + other.copies,
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Tally { runs, ends, in_open, in_close, unhurt, acked, lost, copies } = self;
        write!(
            f,
            "{runs} runs with {acked} acknowledged writes, {ends} ends ({in_open} in an open, \
             {in_close} in a close, {unhurt} too late), {lost} writes lost as they may be, \
             {copies} copies opened"
        )
    }
}

/// A store and what it must hold.
#[derive(Debug)]
pub struct Site {
    exe: &'static str,
    dir: PathBuf,
    book: Book,
    rng: Rng,
    visits: u64,
    /// Keyspaces that children made and nobody dropped yet.
    lingering: BTreeSet<String>,
    tally: Tally,
}

impl Site {
    /// A store in `dir`, which is not there yet, written by children of the program `exe`.
    pub fn new(exe: &'static str, dir: PathBuf, seed: u64) -> Site {
        Site {
            exe,
            dir,
            book: Book::default(),
            rng: Rng::new(seed),
            visits: 0,
            lingering: BTreeSet::new(),
            tally: Tally::default(),
        }
    }

    /// What happened so far.
    pub fn tally(&self) -> Tally {
        self.tally
    }

    /// One run of a child with its end, and a look at what it left.
    ///
    /// # Errors
    /// What must not be so, and the run that led to it.
    pub fn cycle(&mut self, end: End<'_>, lie: Lie) -> Result<(), String> {
        let mut plan = Plan { lie, ..Plan::random(&mut self.rng, self.book.at()) };
        if lie == Lie::DurableWhenBuffered {
            plan.mode = Mode::Buffered;
        }
        let shot = Shot::random(&mut self.rng, &plan);
        let told = |said: String| format!("{said}\n  run {plan:?}\n  end {shot:?}");
        match end {
            End::Kill => self.killed(&plan, shot),
            End::Cut(disk) => self.cut(&plan, shot, disk),
        }
        .map_err(told)
    }

    fn killed(&mut self, plan: &Plan, shot: Shot) -> Result<(), String> {
        let run = Run::start(self.exe, "write", &self.dir, plan)?;
        let heard = run.until(shot, Duration::ZERO, false, || Ok(()), || ())?;
        self.count(&heard);
        while self.rng.chance(30) {
            let run = Run::start(self.exe, "open", &self.dir, plan)?;
            let shot = Shot::in_open(&mut self.rng);
            let opened = run.until(shot, Duration::ZERO, false, || Ok(()), || ())?;
            self.count_end(&opened);
        }
        self.look(plan, &heard, heard.floor_after_kill())
    }

    fn cut(&mut self, plan: &Plan, shot: Shot, disk: &mut Disk) -> Result<(), String> {
        let mut rng = self.rng.fork();
        let dir = self.dir.clone();
        let writes_back = rng.chance(50);
        // One end in five is a kill, and the power goes while the next process opens the store.
        let is_kill = rng.chance(20);
        let grace = Duration::from_micros(if is_kill { 0 } else { rng.below(3000) });
        let run = Run::start(self.exe, "write", &self.dir, plan)?;
        let idle = || {
            if writes_back {
                files::scribble_sync(&mut rng, &dir);
            }
        };
        let shoot = || if is_kill { Ok(()) } else { disk.cut() };
        let heard = run.until(shot, grace, !is_kill, shoot, idle)?;
        self.count(&heard);
        let mut floor = heard.floor_after_cut(plan);
        if !is_kill {
            self.cut_if_unhurt(&heard, disk)?;
            disk.remount()?;
        }
        let mut is_cut = !is_kill;
        while !is_cut || self.rng.chance(25) {
            let shot = Shot::in_open(&mut self.rng);
            let grace = Duration::from_micros(self.rng.below(500));
            let run = Run::start(self.exe, "open", &self.dir, plan)?;
            let opened = run.until(shot, grace, true, || disk.cut(), || ())?;
            self.count_end(&opened);
            self.cut_if_unhurt(&opened, disk)?;
            disk.remount()?;
            is_cut = true;
            // What an open has shown is durable.
            let shown = opened.opened.unwrap_or_default();
            floor = std::array::from_fn(|writer| floor[writer].max(shown[writer]));
        }
        self.look(plan, &heard, floor)
    }

    /// A child that was done before its end: the power goes now.
    fn cut_if_unhurt(&self, heard: &Heard, disk: &Disk) -> Result<(), String> {
        if heard.was_shot { Ok(()) } else { disk.cut() }
    }

    fn count(&mut self, heard: &Heard) {
        self.tally.runs += 1;
        let before = self.book.at();
        self.tally.acked += sum(heard.acked) - sum(before);
        self.count_end(heard);
    }

    fn count_end(&mut self, heard: &Heard) {
        self.tally.ends += 1;
        self.tally.unhurt += u64::from(!heard.was_shot);
        let is_hurt = heard.was_shot && !heard.is_closed;
        self.tally.in_open += u64::from(is_hurt && heard.was_opening && heard.opened.is_none());
        self.tally.in_close += u64::from(is_hurt && heard.was_closing);
    }

    /// Looks at what a run left.
    fn look(&mut self, plan: &Plan, heard: &Heard, floor: Counts) -> Result<(), String> {
        let span = Span { seed: plan.seed, floor, ceiling: heard.ceiling(plan) };
        self.look_at_copies(heard, &span)?;
        let config = parent_config(&mut self.rng);
        // A store that is not there yet cannot be read.
        let reads_only = self.rng.chance(40) && (heard.opened.is_some() || self.visits > 0);
        let store = if reads_only {
            Lsm::open_read_only_with(&self.dir, config)
        } else {
            Lsm::open_with(&self.dir, config)
        };
        let store = store.map_err(|e| format!("open: {e}"))?;
        let found = Found::read(&store)?;
        let counts = self.book.judge(&found, &span)?;
        heard.judge_keyspaces(&found.keyspaces, &self.lingering, plan)?;
        self.tally.lost += sum(heard.acked).saturating_sub(sum(counts));
        self.book.advance(&found, plan.seed, counts);
        if reads_only {
            let passing = |name: &&String| name.starts_with("tmp-");
            self.lingering = found.keyspaces.iter().filter(passing).cloned().collect();
            return Ok(());
        }
        self.leave(store, &found)
    }

    /// Writes something, looks for files that nobody needs, and closes.
    fn leave(&mut self, store: Lsm, found: &Found) -> Result<(), String> {
        let said = |what: &'static str| move |e: nori_lsm::Error| format!("{what}: {e}");
        for name in found.keyspaces.iter().filter(|name| name.starts_with("tmp-")) {
            store.drop_keyspace(name).map_err(said("drop a keyspace"))?;
        }
        self.lingering.clear();
        self.visits += 1;
        let value = format!("visit {}", self.visits).into_bytes();
        store.put(PARENT, &value).map_err(said("put"))?;
        // The write is above everything that was recovered, or it would not be seen.
        let seen = store.get(PARENT).map_err(said("get"))?;
        if seen.as_deref() != Some(&value[..]) {
            return Err("the parent's write is not seen".to_owned());
        }
        self.book.note_parent(value);
        if self.rng.chance(10) {
            let report = store.verify().map_err(said("verify"))?;
            if !report.is_ok() {
                return Err(format!("verify: {:?}", report.problems));
            }
        }
        if !store.health().is_ok() {
            return Err(format!("{:?}", store.health()));
        }
        store.close().map_err(said("close"))?;
        if self.rng.chance(20) { self.look_for_orphans() } else { Ok(()) }
    }

    /// A second open leaves no file that the store does not use.
    fn look_for_orphans(&mut self) -> Result<(), String> {
        let config = parent_config(&mut self.rng).background(Background::Manual);
        let store = Lsm::open_with(&self.dir, config).map_err(|e| format!("open again: {e}"))?;
        let (files, used) = files::orphans(&self.dir, &store)?;
        store.close().map_err(|e| format!("close again: {e}"))?;
        if files == used { Ok(()) } else { Err(format!("{files} table files, {used} are used")) }
    }

    /// Complete copies hold what they must; of the others, those that open are whole.
    fn look_at_copies(&mut self, heard: &Heard, span: &Span) -> Result<(), String> {
        for (number, dir) in Heard::copies(&self.dir).filter(|(_, dir)| dir.is_dir()) {
            let complete = heard.checkpoints.iter().find(|(complete, _)| *complete == number);
            let config = parent_config(&mut self.rng);
            match (Lsm::open_read_only_with(&dir, config), complete) {
                (Ok(store), complete) => {
                    let floor = complete.map_or(self.book.at(), |(_, counts)| *counts);
                    let span = Span { floor, ..span.clone() };
                    self.book.judge(&Found::read(&store)?, &span).map_err(|e| in_copy(&dir, &e))?;
                    self.tally.copies += 1;
                }
                (Err(e), Some(_)) => return Err(in_copy(&dir, &e.to_string())),
                (Err(_), None) => {}
            }
            remove_durably(&dir).map_err(|e| format!("{}: {e}", dir.display()))?;
        }
        Ok(())
    }
}

/// Without the sync the next power cut may bring a copy back, which is then an old one.
fn remove_durably(dir: &Path) -> std::io::Result<()> {
    std::fs::remove_dir_all(dir)?;
    std::fs::File::open(dir.parent().unwrap_or(dir))?.sync_all()
}

fn in_copy(dir: &Path, said: &str) -> String {
    format!("copy {}: {said}", dir.display())
}

fn sum(counts: Counts) -> u64 {
    counts.iter().sum()
}
