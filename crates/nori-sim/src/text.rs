//! Programs as text: one step a line, to be kept, read and cut by hand.
//!
//! ```text
//! nori-sim 1 seed 7 images 2 cut any
//! options 12
//! crash 17:SyncedOnly:99 3:Kill:5
//! write synced 0:3=41*8 1:4-
//! flush
//! ```
//!
//! A write is `keyspace:key=number*bytes`, a deletion `keyspace:key-`. A crash is
//! `call:cut:dice`. Lines that start with `#` are remarks.
//!
//! 1. Reading what was written gives the same program.

use crate::op::{Blow, Mode, Op, PLACES, Program, Rule, Value, When, Write, Wrong};
use nori_env::Cut;
use std::fmt;
use std::str::FromStr;

const MODES: [(&str, Mode); 4] = [
    ("plain", Mode::Plain),
    ("synced", Mode::Synced),
    ("buffered", Mode::Buffered),
    ("try", Mode::Try),
];

const WRONGS: [(&str, Wrong); 4] =
    [("eio", Wrong::Eio), ("full", Wrong::Full), ("short", Wrong::Short), ("flip", Wrong::Flip)];

impl fmt::Display for Write {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.value {
            Some(value) => {
                write!(f, " {}:{}={}*{}", self.space, self.key, value.tag, value.len)
            }
            None => write!(f, " {}:{}-", self.space, self.key),
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let wrong = WRONGS.iter().find(|w| w.1 == self.wrong).map_or("eio", |w| w.0);
        let place = PLACES[usize::from(self.place) % PLACES.len()].0;
        match self.when {
            When::Once(n) => write!(f, "{wrong} {place} once {n}"),
            When::From(n) => write!(f, "{wrong} {place} from {n}"),
            When::OneIn(n) => write!(f, "{wrong} {place} one-in {n}"),
        }
    }
}

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Op::Write(writes, mode) => {
                f.write_str("write ")?;
                f.write_str(MODES.iter().find(|m| m.1 == *mode).map_or("plain", |m| m.0))?;
                writes.iter().try_for_each(|w| write!(f, "{w}"))
            }
            Op::MultiGet(space, keys) => {
                write!(f, "multi-get {space}")?;
                keys.iter().try_for_each(|key| write!(f, " {key}"))
            }
            Op::Crash(blows) => {
                f.write_str("crash")?;
                blows.iter().try_for_each(|b| write!(f, " {}:{:?}:{}", b.at, b.cut, b.seed))
            }
            Op::WriteDropped => f.write_str("write-dropped"),
            Op::Get(space, key) => write!(f, "get {space} {key}"),
            Op::Scan(space, lo, hi, bits) => write!(f, "scan {space} {lo} {hi} {bits}"),
            Op::Walk(space, key, bits) => write!(f, "walk {space} {key} {bits}"),
            Op::Heat(key, times) => write!(f, "heat {key} {times}"),
            Op::Hold(space) => write!(f, "hold {space}"),
            Op::Look(bits) => write!(f, "look {bits}"),
            Op::Release => f.write_str("release"),
            Op::Sync => f.write_str("sync"),
            Op::Flush => f.write_str("flush"),
            Op::Compact => f.write_str("compact"),
            Op::CompactRange(space, key) => write!(f, "compact-range {space} {key}"),
            Op::SplitAt(space, key) => write!(f, "split-at {space} {key}"),
            Op::Steps(n) => write!(f, "steps {n}"),
            Op::Create(space) => write!(f, "create {space}"),
            Op::Drop(space) => write!(f, "drop {space}"),
            Op::Checkpoint => f.write_str("checkpoint"),
            Op::Wait(seconds) => write!(f, "wait {seconds}"),
            Op::Tick => f.write_str("tick"),
            Op::Fault(rule) => write!(f, "fault {rule}"),
            Op::Room(bytes) => write!(f, "room {bytes}"),
            Op::Mend => f.write_str("mend"),
            Op::Reopen(true) => f.write_str("reopen closed"),
            Op::Reopen(false) => f.write_str("reopen dropped"),
            Op::Options(number) => write!(f, "options {number}"),
        }
    }
}

impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Program { seed, images, cut, ops } = self;
        let cut = cut.map_or("any".to_string(), |cut| format!("{cut:?}"));
        writeln!(f, "nori-sim 1 seed {seed} images {images} cut {cut}")?;
        ops.iter().try_for_each(|op| writeln!(f, "{op}"))
    }
}

/// The words of a line that are still to be read.
struct Words<'a>(std::str::SplitWhitespace<'a>);

type Read<T> = Option<T>;

impl<'a> Words<'a> {
    fn word(&mut self) -> Read<&'a str> {
        self.0.next()
    }

    fn number<T: FromStr>(&mut self) -> Read<T> {
        self.word()?.parse().ok()
    }

    fn of<T: Copy>(&mut self, table: &[(&str, T)]) -> Read<T> {
        let word = self.word()?;
        table.iter().find(|(name, _)| *name == word).map(|(_, value)| *value)
    }

    /// The rest of the line, word by word.
    fn all<T>(&mut self, read: impl Fn(&str) -> Read<T>) -> Read<Vec<T>> {
        self.0.by_ref().map(read).collect()
    }

    fn rule(&mut self) -> Read<Rule> {
        let wrong = self.of(&WRONGS)?;
        let word = self.word()?;
        let place = PLACES.iter().position(|(name, ..)| *name == word)?.try_into().ok()?;
        let when = match self.word()? {
            "once" => When::Once(self.number()?),
            "from" => When::From(self.number()?),
            "one-in" => When::OneIn(self.number()?),
            _ => return None,
        };
        Some(Rule { wrong, place, when })
    }

    fn op(&mut self) -> Read<Op> {
        Some(match self.word()? {
            "write" => Op::Write(Vec::new(), self.of(&MODES)?).with(self.all(read_write)?),
            "write-dropped" => Op::WriteDropped,
            "get" => Op::Get(self.number()?, self.number()?),
            "multi-get" => Op::MultiGet(self.number()?, self.all(|word| word.parse().ok())?),
            "scan" => Op::Scan(self.number()?, self.number()?, self.number()?, self.number()?),
            "walk" => Op::Walk(self.number()?, self.number()?, self.number()?),
            "heat" => Op::Heat(self.number()?, self.number()?),
            "hold" => Op::Hold(self.number()?),
            "look" => Op::Look(self.number()?),
            "release" => Op::Release,
            "sync" => Op::Sync,
            "flush" => Op::Flush,
            "compact" => Op::Compact,
            "compact-range" => Op::CompactRange(self.number()?, self.number()?),
            "split-at" => Op::SplitAt(self.number()?, self.number()?),
            "steps" => Op::Steps(self.number()?),
            "create" => Op::Create(self.number()?),
            "drop" => Op::Drop(self.number()?),
            "checkpoint" => Op::Checkpoint,
            "wait" => Op::Wait(self.number()?),
            "tick" => Op::Tick,
            "fault" => Op::Fault(self.rule()?),
            "room" => Op::Room(self.number()?),
            "mend" => Op::Mend,
            "crash" => Op::Crash(self.all(read_blow)?),
            "reopen" => Op::Reopen(self.of(&[("closed", true), ("dropped", false)])?),
            "options" => Op::Options(self.number()?),
            _ => return None,
        })
    }
}

impl Op {
    fn with(self, writes: Vec<Write>) -> Op {
        match self {
            Op::Write(_, mode) => Op::Write(writes, mode),
            other => other,
        }
    }
}

fn read_write(word: &str) -> Read<Write> {
    let (space, rest) = word.split_once(':')?;
    let space = space.parse().ok()?;
    if let Some(key) = rest.strip_suffix('-') {
        return Some(Write { space, key: key.parse().ok()?, value: None });
    }
    let (key, value) = rest.split_once('=')?;
    let (tag, len) = value.split_once('*')?;
    let value = Value { tag: tag.parse().ok()?, len: len.parse().ok()? };
    Some(Write { space, key: key.parse().ok()?, value: Some(value) })
}

fn read_cut(word: &str) -> Read<Cut> {
    Cut::ALL.into_iter().find(|cut| format!("{cut:?}") == word)
}

fn read_blow(word: &str) -> Read<Blow> {
    let mut parts = word.split(':');
    let (at, cut, seed) = (parts.next()?, parts.next()?, parts.next()?);
    Some(Blow { at: at.parse().ok()?, cut: read_cut(cut)?, seed: seed.parse().ok()? })
}

fn read_head(line: &str) -> Read<Program> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let ["nori-sim", "1", "seed", seed, "images", images, "cut", cut] = words[..] else {
        return None;
    };
    let cut = if cut == "any" { None } else { Some(read_cut(cut)?) };
    Some(Program { seed: seed.parse().ok()?, images: images.parse().ok()?, cut, ops: Vec::new() })
}

impl FromStr for Program {
    type Err = String;

    fn from_str(text: &str) -> Result<Program, String> {
        let lines = text.lines().enumerate();
        let mut lines = lines.filter(|(_, l)| !l.trim().is_empty() && !l.starts_with('#'));
        let head = lines.next().and_then(|(_, line)| read_head(line));
        let mut program = head.ok_or("the first line is not \"nori-sim 1 seed .. cut ..\"")?;
        for (n, line) in lines {
            let mut words = Words(line.split_whitespace());
            let op = words.op().filter(|_| words.word().is_none());
            program.ops.push(op.ok_or(format!("line {}: {line}: not a step", n + 1))?);
        }
        Ok(program)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::make::{Taste, program};

    #[test]
    fn a_program_that_was_written_is_read_again() {
        for seed in 0..40 {
            for taste in [Taste::Crashes, Taste::Mixed] {
                let program = program(seed, taste);
                let read = program.to_string().parse::<Program>();
                assert_eq!(read.as_ref(), Ok(&program), "seed {seed}");
            }
        }
    }

    #[test]
    fn a_line_that_is_no_step_is_named() {
        let text = "nori-sim 1 seed 1 images 0 cut any\n# a remark\n\nflush\nflush twice\n";
        let said = text.parse::<Program>().unwrap_err();
        assert_eq!(said, "line 5: flush twice: not a step");
        assert!("flush".parse::<Program>().is_err());
    }
}
