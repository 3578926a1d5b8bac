//! The parent's side of a child: start it, hear what it tells, end it at some moment.

use crate::message::{Counts, MESSAGE_BYTES, Message, WRITERS, now};
use crate::plan::Plan;
use crate::{child, files};
use nori_env::Rng;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::collections::BTreeSet;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

/// A child that says nothing for so long hangs.
const SILENCE_MAX: Duration = Duration::from_secs(60);

/// What the end of a child waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trigger {
    /// The process.
    Start,
    /// Its open begins.
    Opening,
    /// Its store is open.
    Opened,
    /// So many writes were acknowledged.
    Acked(u64),
    /// Its first checkpoint, flush or sync is done.
    Durable,
    /// Its close begins.
    Closing,
}

/// The moment of the end: a time behind a trigger.
#[derive(Clone, Copy, Debug)]
pub struct Shot {
    /// What is waited for.
    pub trigger: Trigger,
    /// How long behind it.
    pub delay: Duration,
}

impl Shot {
    /// A random moment of a run that writes.
    pub fn random(rng: &mut Rng, plan: &Plan) -> Shot {
        let trigger = match rng.below(20) {
            0 => Trigger::Start,
            1 | 2 => Trigger::Opening,
            3 => Trigger::Opened,
            4 | 5 => Trigger::Durable,
            6 | 7 => Trigger::Closing,
            _ => Trigger::Acked(rng.below(plan.limit)),
        };
        Shot { trigger, delay: Shot::delay(rng) }
    }

    /// A random moment of a run that only opens.
    pub fn in_open(rng: &mut Rng) -> Shot {
        let trigger = if rng.chance(10) { Trigger::Opened } else { Trigger::Opening };
        Shot { trigger, delay: Shot::delay(rng) }
    }

    fn delay(rng: &mut Rng) -> Duration {
        let micros = *rng.pick(&[1, 100, 1000, 3000, 12_000]);
        Duration::from_micros(rng.below(micros))
    }
}

/// What a child told before it ended.
#[derive(Clone, Debug, Default)]
pub struct Heard {
    /// What the store showed when it was open.
    pub opened: Option<Counts>,
    /// The last number acknowledged to each writer.
    pub acked: Counts,
    /// The same without what was told after the power cut had begun. Then the process was only
    /// alive because the power did not go with it, and what its system calls said counts for
    /// nothing: a sync that the cut overtakes may return as if it had been done.
    pub acked_in_time: Counts,
    /// What the store said is durable.
    pub durable: Counts,
    /// Complete copies, and what each holds at least.
    pub checkpoints: Vec<(u64, Counts)>,
    created: BTreeSet<u64>,
    dropping: BTreeSet<u64>,
    dropped: BTreeSet<u64>,
    /// The open had begun.
    pub was_opening: bool,
    /// The close had begun.
    pub was_closing: bool,
    /// The store was closed.
    pub is_closed: bool,
    /// Whether the child was shot, or ended by itself before.
    pub was_shot: bool,
}

/// A child that runs.
#[derive(Debug)]
pub struct Run {
    plan: Plan,
    child: Child,
    out: ChildStdout,
    heard: Heard,
    acks: u64,
    /// When the power cut began.
    cut_at: Option<u64>,
}

impl Run {
    /// Starts the program `exe` in a role, `write` or `open`.
    ///
    /// # Errors
    /// What the system said.
    pub fn start(exe: &str, role: &str, dir: &Path, plan: &Plan) -> Result<Run, String> {
        let mut command = Command::new(exe);
        command.arg(role).arg(dir).arg(plan.to_arg());
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|e| format!("{exe}: {e}"))?;
        let out = child.stdout.take().ok_or("the child has no output")?;
        let start = plan.start;
        let (acked, acked_in_time, durable) = (start, start, start);
        let heard = Heard { acked, acked_in_time, durable, ..Heard::default() };
        Ok(Run { plan: plan.clone(), child, out, heard, acks: 0, cut_at: None })
    }

    /// Listens, does `shoot` at the moment and `idle` now and then before it, and kills the child
    /// `grace` later. What the child tells after a `shoot` that cuts the power has begun is not
    /// held against the store.
    ///
    /// # Errors
    /// If the child failed before the shot, hangs, or says what it cannot.
    pub fn until(
        mut self,
        shot: Shot,
        grace: Duration,
        cuts_power: bool,
        mut shoot: impl FnMut() -> Result<(), String>,
        mut idle: impl FnMut(),
    ) -> Result<Heard, String> {
        let mut due = (shot.trigger == Trigger::Start).then(|| Instant::now() + shot.delay);
        let mut spoke = Instant::now();
        loop {
            let instant = Instant::now();
            if due.is_some_and(|due| due <= instant) {
                if self.heard.was_shot {
                    break;
                }
                self.cut_at = cuts_power.then(now);
                shoot()?;
                self.heard.was_shot = true;
                due = Some(Instant::now() + grace);
                continue;
            }
            let wait = due.map_or(Duration::from_millis(2), |due| due - instant);
            if !self.is_ready(wait.min(Duration::from_millis(2)))? {
                if instant.duration_since(spoke) > SILENCE_MAX {
                    self.child.kill().ok();
                    return Err(format!("the child hangs: {:?}", self.plan));
                }
                idle();
                continue;
            }
            spoke = instant;
            match self.next()? {
                None => return self.ended(),
                Some((message, at)) => {
                    self.hear(message, at)?;
                    if due.is_none() && self.is_time(shot.trigger, message) {
                        due = Some(Instant::now() + shot.delay);
                    }
                }
            }
        }
        self.child.kill().map_err(|e| format!("kill: {e}"))?;
        while let Some((message, at)) = self.next()? {
            self.hear(message, at)?;
        }
        self.child.wait().map_err(|e| format!("wait: {e}"))?;
        Ok(std::mem::take(&mut self.heard))
    }

    fn is_time(&self, trigger: Trigger, message: Message) -> bool {
        match trigger {
            Trigger::Start => true,
            Trigger::Opening => message == Message::Opening,
            Trigger::Opened => matches!(message, Message::Opened(_)),
            Trigger::Acked(acks) => self.acks > acks,
            Trigger::Durable => {
                matches!(message, Message::Durable(_) | Message::Checkpointed(..))
            }
            Trigger::Closing => message == Message::Closing,
        }
    }

    /// The child closed its output by itself.
    fn ended(mut self) -> Result<Heard, String> {
        let status = self.child.wait().map_err(|e| format!("wait: {e}"))?;
        match status.success() {
            true => Ok(std::mem::take(&mut self.heard)),
            false => Err(format!("the child ended: {status}")),
        }
    }

    fn is_ready(&self, wait: Duration) -> Result<bool, String> {
        let wait = Timespec { tv_sec: 0, tv_nsec: i64::from(wait.subsec_nanos()) };
        let mut fds = [PollFd::new(&self.out, PollFlags::IN)];
        match poll(&mut fds, Some(&wait)) {
            Ok(ready) => Ok(ready > 0),
            Err(rustix::io::Errno::INTR) => Ok(false),
            Err(e) => Err(format!("poll: {e}")),
        }
    }

    fn next(&mut self) -> Result<Option<(Message, u64)>, String> {
        let mut bytes = [0; MESSAGE_BYTES];
        match self.out.read_exact(&mut bytes) {
            Ok(()) => Ok(Some(Message::decode(&bytes).ok_or("this is no message")?)),
            Err(e) if e.kind() == std::io::ErrorKind::UnexpectedEof => Ok(None),
            Err(e) => Err(format!("the child's output: {e}")),
        }
    }

    fn hear(&mut self, message: Message, at: u64) -> Result<(), String> {
        let in_time = self.cut_at.is_none_or(|cut_at| at < cut_at);
        let heard = &mut self.heard;
        match message {
            // What is told too late may be so, and need not.
            Message::Opened(_)
            | Message::Durable(_)
            | Message::Checkpointed(..)
            | Message::Created(_)
            | Message::Dropped(_)
            | Message::Closed
                if !in_time => {}
            Message::Opening => heard.was_opening = true,
            Message::Opened(counts) => heard.opened = Some(counts),
            Message::Acked(writer, number) => {
                let acked = &mut heard.acked[writer as usize];
                *acked = number.max(*acked);
                if in_time {
                    heard.acked_in_time[writer as usize] = *acked;
                }
                self.acks += 1;
            }
            Message::Durable(counts) => raise(&mut heard.durable, counts),
            Message::Checkpointed(number, counts) => {
                raise(&mut heard.durable, counts);
                heard.checkpoints.push((number, counts));
            }
            Message::Created(number) => drop(heard.created.insert(number)),
            Message::Dropping(number) => drop(heard.dropping.insert(number)),
            Message::Dropped(number) => drop(heard.dropped.insert(number)),
            Message::Failed if !heard.was_shot => {
                return Err("the child's disk failed before its end".to_owned());
            }
            Message::Failed => {}
            Message::Closing => heard.was_closing = true,
            Message::Closed => {
                heard.is_closed = true;
                heard.durable = heard.acked;
            }
        }
        Ok(())
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        // It may have ended; then there is nothing to kill.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

impl Heard {
    /// What must be there after a process crash.
    pub fn floor_after_kill(&self) -> Counts {
        self.acked
    }

    /// What must be there after a power cut.
    pub fn floor_after_cut(&self, plan: &Plan) -> Counts {
        if child::is_durable_at_once(plan.mode) { self.acked_in_time } else { self.durable }
    }

    /// What may be there: each writer's next write may have been under way.
    pub fn ceiling(&self, plan: &Plan) -> Counts {
        let under_way = |writer: usize| u64::from(writer < plan.writers);
        std::array::from_fn(|writer| self.acked[writer] + under_way(writer))
    }

    /// Checks the keyspaces that came and went, both of which are durable when they return.
    /// `earlier` are those that were there before the run.
    ///
    /// # Errors
    /// Which one is there, or is not.
    pub fn judge_keyspaces(
        &self,
        found: &BTreeSet<String>,
        earlier: &BTreeSet<String>,
        plan: &Plan,
    ) -> Result<(), String> {
        let name = |number: &u64| files::keyspace_name(plan.seed, *number);
        let made = self.created.difference(&self.dropping).map(name);
        if let Some(lost) = made.chain(earlier.iter().cloned()).find(|name| !found.contains(name)) {
            return Err(format!("keyspace {lost} was made and is not there"));
        }
        if let Some(back) = self.dropped.iter().map(name).find(|name| found.contains(name)) {
            return Err(format!("keyspace {back} was dropped and is there"));
        }
        let own = format!("tmp-{}-", plan.seed);
        let mut names = found.difference(earlier);
        let known = |name: &str| name == "default" || name == "other" || name.starts_with(&own);
        match names.find(|name| !known(name)) {
            Some(name) => Err(format!("keyspace {name} was dropped long ago")),
            None => Ok(()),
        }
    }

    /// Directories that copies of the store in `dir` are in.
    pub fn copies(dir: &Path) -> impl Iterator<Item = (u64, PathBuf)> {
        (1..=2).map(|number| (number, files::checkpoint_dir(dir, number)))
    }
}

fn raise(counts: &mut Counts, to: Counts) {
    for writer in 0..WRITERS {
        counts[writer] = counts[writer].max(to[writer]);
    }
}
