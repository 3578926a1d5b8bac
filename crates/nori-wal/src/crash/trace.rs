//! The oracle's memory: everything appended, in order, and what must survive from which operation
//! on.

use super::Checked;
use crate::Position;
use std::collections::BTreeSet;

/// What the store's manifest would say.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Manifest {
    pub(crate) floor: u64,
    pub(crate) durable: Position,
    /// How many elements tables hold; replay starts behind them.
    pub(crate) base: usize,
}

/// One record.
#[derive(Clone, Debug)]
pub(crate) struct Element {
    pub(crate) payload: Vec<u8>,
    /// Where it ends; the highest position while that is not known.
    pub(crate) end: Position,
    /// What it promised.
    pub(crate) durable: Position,
}

/// What holds from operation `op` on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mark {
    op: u64,
    pub(crate) manifest: Option<Manifest>,
    /// Elements that survive a kill, and a power cut.
    pub(crate) kill: usize,
    pub(crate) power: usize,
}

const NOWHERE: Position = Position::new(u64::MAX, u64::MAX);

#[derive(Clone, Debug)]
pub(crate) struct Trace {
    pub(crate) elements: Vec<Element>,
    /// Every payload that may have reached the disk, discarded ones included.
    pub(crate) ever: BTreeSet<Vec<u8>>,
    marks: Vec<Mark>,
}

impl Trace {
    pub(crate) fn new() -> Trace {
        let none = Mark { op: 0, manifest: None, kill: 0, power: 0 };
        Trace { elements: Vec::new(), ever: BTreeSet::new(), marks: vec![none] }
    }

    pub(crate) fn len(&self) -> usize {
        self.elements.len()
    }

    /// Elements are about to be appended.
    pub(crate) fn issue(&mut self, payloads: &[Vec<u8>], durable: Position) {
        let new = payloads.iter().map(|p| Element { payload: p.clone(), end: NOWHERE, durable });
        self.elements.extend(new);
        self.ever.extend(payloads.iter().cloned());
    }

    /// The last `count` elements were not written at all.
    pub(crate) fn withdraw(&mut self, count: usize) {
        self.elements.truncate(self.elements.len() - count);
    }

    /// The last `count` elements were appended and end here.
    pub(crate) fn placed(&mut self, count: usize, end: Position) {
        let mut offset = end.offset;
        for element in self.elements.iter_mut().rev().take(count) {
            element.end = Position::new(end.segment, offset);
            offset -= crate::RECORD_HEADER_BYTES + element.payload.len() as u64;
        }
    }

    /// Notes what holds now: everything placed survives a kill, everything before `durable` a
    /// power cut.
    pub(crate) fn mark(&mut self, op: u64, durable: Position, manifest: Manifest) {
        let old = *self.last();
        let count = |to: Position| self.elements.iter().take_while(|e| e.end <= to).count();
        let kill = old.kill.max(count(Position::new(u64::MAX, 0)));
        let power = old.power.max(count(durable)).max(manifest.base);
        self.marks.push(Mark { op, manifest: Some(manifest), kill, power });
    }

    /// The log was opened with `p` elements, which tables now hold.
    pub(crate) fn opened(&mut self, op: u64, p: usize, manifest: Manifest) {
        self.elements.truncate(p);
        // Where a record of a failed write ends was never told; tables hold it now.
        let unplaced = self.elements.iter_mut().filter(|e| e.end == NOWHERE);
        unplaced.for_each(|e| e.end = Position::default());
        self.marks.push(Mark { op, manifest: Some(manifest), kill: p, power: p });
    }

    /// A crash at `op` left `p` elements; the next process starts from there.
    pub(crate) fn crashed(&mut self, op: u64, killed: bool, p: usize) {
        let mark = self.at(op);
        self.elements.truncate(p);
        // What was only in the page cache of a killed process still is only there.
        let power = if killed { mark.power.min(p) } else { p };
        self.marks = vec![Mark { op, kill: p, power, ..mark }];
    }

    fn last(&self) -> &Mark {
        self.marks.last().expect("there is a first mark")
    }

    pub(crate) fn manifest(&self) -> Option<Manifest> {
        self.last().manifest
    }

    /// What held when operation `op` had not yet begun.
    pub(crate) fn at(&self, op: u64) -> Mark {
        *self.marks.iter().rev().find(|m| m.op <= op).unwrap_or(&self.marks[0])
    }

    /// How many elements there are if these records follow the ones that tables hold.
    pub(crate) fn prefix(&self, manifest: &Manifest, records: &[Vec<u8>]) -> Checked<usize> {
        let rest = self.elements.get(manifest.base..).unwrap_or_default();
        for (i, record) in records.iter().enumerate() {
            let expected = rest.get(i).map(|e| &e.payload);
            if expected != Some(record) {
                let shown = |r: &[u8]| r.get(..8).unwrap_or(r).to_vec();
                let (found, expected) = (shown(record), expected.map(|e| shown(e)));
                return Err(format!("record {i} is {found:?} and not {expected:?}"));
            }
        }
        Ok(manifest.base + records.len())
    }
}
