//! The oracle: which states a store may come back with.
//!
//! A run writes numbers `start + 1 ..` for each writer. What comes back must be, for each writer,
//! its first numbers up to some point, exactly:
//!
//! 1. not before the floor: what was acknowledged, or made durable, is there;
//! 2. not behind the ceiling: nothing that was never written;
//! 3. the content is that of these writes applied in order: no hole, no half batch, no deleted key
//!    that came back, no byte of another run;
//! 4. over all writers it is a prefix too: what a batch saw acknowledged when it began is there
//!    when the batch is, and the key that all batches set tells a batch that no other one began
//!    after.

use crate::found::{Found, Stamp, State};
use crate::message::{Counts, WRITERS};
use crate::plan::{Edit, Write, is_batch, write_of};

/// What a run may have left.
#[derive(Clone, Debug)]
pub struct Span {
    /// The run's seed.
    pub seed: u64,
    /// The least number of each writer that must be there.
    pub floor: Counts,
    /// The last number of each writer that may be there.
    pub ceiling: Counts,
}

/// What a store holds between runs.
#[derive(Clone, Debug, Default)]
pub struct Book {
    state: State,
    at: Counts,
    stamps: [Option<Stamp>; WRITERS],
    last: Option<Stamp>,
    parent: Option<Vec<u8>>,
}

impl Book {
    /// The last number of each writer.
    pub fn at(&self) -> Counts {
        self.at
    }

    /// The parent has written this durably.
    pub fn note_parent(&mut self, value: Vec<u8>) {
        self.parent = Some(value);
    }

    /// Checks what was found after a run and says up to where each writer's writes are there.
    ///
    /// # Errors
    /// What must not be so.
    pub fn judge(&self, found: &Found, span: &Span) -> Result<Counts, String> {
        if found.parent != self.parent {
            return Err("what the parent wrote before the run is not there".to_owned());
        }
        if let Some((_, key)) = found.state.keys().find(|(_, key)| writer_of(key).is_none()) {
            return Err(format!("{} was never written", key.escape_ascii()));
        }
        let mut counts = [0; WRITERS];
        for (writer, count) in counts.iter_mut().enumerate() {
            *count = self.judge_writer(writer, found, span)?;
        }
        self.check_order(found, span, counts)?;
        Ok(counts)
    }

    /// The run is over and this is what it left.
    pub fn advance(&mut self, found: &Found, seed: u64, to: Counts) {
        for (writer, (at, to)) in self.at.into_iter().zip(to).enumerate() {
            for number in at + 1..=to {
                apply(&mut self.state, write_of(seed, writer, number));
            }
        }
        self.at = to;
        self.stamps = found.stamps.clone();
        self.last = found.last.clone();
    }

    fn judge_writer(&self, writer: usize, found: &Found, span: &Span) -> Result<u64, String> {
        let mut said = Vec::new();
        // The higher one first: a single delete of a key that is not there changes nothing, and
        // both numbers fit.
        for number in self.candidates(writer, found, span)?.into_iter().rev() {
            let expected = self.state_at(writer, span.seed, number);
            match difference(&expected, &state_of(writer, &found.state)) {
                None => return Ok(number),
                Some(differs) => said.push(format!("if it is at {number}: {differs}")),
            }
        }
        Err(format!("writer {writer}: {}", said.join("; ")))
    }

    /// Where a writer may stand, by its counter.
    fn candidates(&self, writer: usize, found: &Found, span: &Span) -> Result<Vec<u64>, String> {
        let (old, new) = (&self.stamps[writer], &found.stamps[writer]);
        let at = self.at[writer];
        let counter = match new {
            same if same == old => at,
            Some(stamp) if stamp.number > at && stamp.seed == span.seed => stamp.number,
            other => {
                return Err(format!("writer {writer}: its counter went from {old:?} to {other:?}"));
            }
        };
        let mut numbers = vec![counter];
        if !is_batch(span.seed, writer, counter + 1) {
            numbers.push(counter + 1);
        }
        let (floor, ceiling) = (span.floor[writer].max(at), span.ceiling[writer]);
        numbers.retain(|number| (floor..=ceiling).contains(number));
        if numbers.is_empty() {
            return Err(format!(
                "writer {writer}: its counter is at {counter}, and must be in {floor}..={ceiling}"
            ));
        }
        Ok(numbers)
    }

    /// What a writer's keys hold when its writes up to `number` are there.
    fn state_at(&self, writer: usize, seed: u64, number: u64) -> State {
        let mut state = state_of(writer, &self.state);
        for number in self.at[writer] + 1..=number {
            apply(&mut state, write_of(seed, writer, number));
        }
        state
    }

    /// Invariant 4.
    fn check_order(&self, found: &Found, span: &Span, counts: Counts) -> Result<(), String> {
        let is_new = |stamp: &&Stamp| stamp.number > self.at[stamp.writer];
        let new: Vec<&Stamp> = found.stamps.iter().flatten().filter(is_new).collect();
        for stamp in &new {
            if let Some(other) = (0..WRITERS).find(|&other| stamp.before[other] > counts[other]) {
                return Err(format!(
                    "{stamp:?} is there, and writer {other} only up to {}, which is less than \
                     what was acknowledged to it before",
                    counts[other]
                ));
            }
        }
        let Some(last) = found.last.as_ref().filter(is_new) else {
            if new.is_empty() && found.last == self.last {
                return Ok(());
            }
            return Err(format!("{:?} is not the last of {new:?}", found.last));
        };
        if last.seed != span.seed || found.stamps[last.writer].as_ref() != Some(last) {
            return Err(format!("{last:?} is the last, and not the last of its writer"));
        }
        match new.iter().find(|stamp| stamp.before[last.writer] >= last.number && **stamp != last) {
            Some(later) => Err(format!("{last:?} is the last, and {later:?} began behind it")),
            None => Ok(()),
        }
    }
}

/// The writer whose key it is.
fn writer_of(key: &[u8]) -> Option<usize> {
    (0..WRITERS).find(|writer| key.starts_with(format!("w{writer}/").as_bytes()))
}

fn state_of(writer: usize, state: &State) -> State {
    let own = state.iter().filter(|((_, key), _)| writer_of(key) == Some(writer));
    own.map(|(key, value)| (key.clone(), value.clone())).collect()
}

fn apply(state: &mut State, write: Write) {
    let edits = match write {
        Write::Batch(edits) => edits,
        Write::Single(edit) => vec![edit],
    };
    for Edit { is_other, key, value } in edits {
        match value {
            Some(value) => drop(state.insert((is_other, key), value)),
            None => drop(state.remove(&(is_other, key))),
        }
    }
}

/// The first key at which two states differ, in words.
fn difference(expected: &State, found: &State) -> Option<String> {
    let short = |value: Option<&Vec<u8>>| match value {
        Some(value) => {
            format!("{} ({} bytes)", value[..value.len().min(40)].escape_ascii(), value.len())
        }
        None => "nothing".to_owned(),
    };
    let keys = expected.keys().chain(found.keys());
    let mut differ = keys.filter(|key| expected.get(*key) != found.get(*key));
    let key = differ.next()?;
    Some(format!(
        "{} of {} is {}, should be {}",
        key.1.escape_ascii(),
        if key.0 { "other" } else { "default" },
        short(found.get(key)),
        short(expected.get(key)),
    ))
}

#[cfg(test)]
mod tests;
