//! The last frames of a watch, within bounds.
//!
//! 1. No more frames than [`Limits::frames`], and no more memory than about [`Limits::bytes`],
//!    whatever happens in the store; the newest frame is always kept.
//! 2. Frames that were let go are counted.

use crate::frame::{Choice, Event, Frame, Slot};
use std::collections::VecDeque;
use std::sync::Arc;

/// How much is remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Frames, at least 1. Default 1,200: ten minutes of two a second.
    pub frames: usize,
    /// About how many bytes of memory. Default 32 MiB.
    pub bytes: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { frames: 1_200, bytes: 32 << 20 }
    }
}

/// The last frames, oldest first.
#[derive(Debug, Default)]
pub struct History {
    limits: Limits,
    frames: VecDeque<(Arc<Frame>, usize)>,
    bytes: usize,
    forgotten: u64,
}

impl History {
    /// Nothing yet.
    pub fn new(limits: Limits) -> History {
        History { limits, ..History::default() }
    }

    /// Takes the next frame, and lets go of the oldest where there are too many.
    pub fn push(&mut self, frame: Arc<Frame>) {
        let before = self.frames.back().map(|(frame, _)| &**frame);
        let bytes = weight(&frame, before);
        self.bytes += bytes;
        self.frames.push_back((frame, bytes));
        let over =
            |h: &History| h.frames.len() > h.limits.frames.max(1) || h.bytes > h.limits.bytes;
        while over(self) && self.frames.len() > 1 {
            if let Some((_, bytes)) = self.frames.pop_front() {
                self.bytes -= bytes;
                self.forgotten += 1;
            }
        }
    }

    /// The frames, oldest first.
    pub fn frames(&self) -> impl DoubleEndedIterator<Item = &Arc<Frame>> + ExactSizeIterator {
        self.frames.iter().map(|(frame, _)| frame)
    }

    /// The newest frame.
    pub fn last(&self) -> Option<&Arc<Frame>> {
        self.frames.back().map(|(frame, _)| frame)
    }

    /// How many frames were let go.
    pub fn forgotten(&self) -> u64 {
        self.forgotten
    }

    /// About how many bytes the frames take.
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

/// About what a frame takes; slots that it shares with the one before were counted there.
fn weight(frame: &Frame, before: Option<&Frame>) -> usize {
    let shared = |at: usize, slot: &Arc<Slot>| {
        before.and_then(|b| b.slots.get(at)).is_some_and(|old| Arc::ptr_eq(old, slot))
    };
    let fresh = frame.slots.iter().enumerate().filter(|(at, slot)| !shared(*at, slot));
    let slots: usize = fresh.map(|(_, s)| size_of::<Slot>() + 2 * (s.lo.len() + 32)).sum();
    let why: usize = frame.choices.iter().map(|c| c.why.len() + c.reason.len()).sum();
    size_of::<Frame>()
        + size_of::<Arc<Slot>>() * frame.slots.len()
        + slots
        + why
        + size_of::<Choice>() * frame.choices.len()
        // Their lists of tables and their reasons are short.
        + (size_of::<Event>() + 96) * frame.events.len()
        + frame.unwell.iter().map(String::len).sum::<usize>()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(n: u64, slots: Vec<Arc<Slot>>) -> Arc<Frame> {
        Arc::new(Frame { n, slots, ..Frame::default() })
    }

    #[test]
    fn the_oldest_frames_go_first() {
        let mut history = History::new(Limits { frames: 3, ..Limits::default() });
        assert!(history.last().is_none());
        (0..10).for_each(|n| history.push(frame(n, Vec::new())));
        assert_eq!(history.frames().map(|f| f.n).collect::<Vec<_>>(), [7, 8, 9]);
        assert_eq!((history.forgotten(), history.last().map(|f| f.n)), (7, Some(9)));
    }

    #[test]
    fn memory_is_bounded_whatever_a_frame_holds() {
        let mut history = History::new(Limits { frames: 1_000_000, bytes: 1 << 20 });
        for n in 0..2_000 {
            let slots = (0..20).map(|id| Arc::new(Slot { id, ..Slot::default() })).collect();
            history.push(frame(n, slots));
            assert!(history.bytes() <= 1 << 20);
        }
        assert!(history.frames().len() > 20 && history.forgotten() > 1_000);
        // A frame that is too large by itself is kept, alone.
        let many = (0..20_000).map(|id| Arc::new(Slot { id, ..Slot::default() })).collect();
        history.push(frame(2_000, many));
        assert_eq!((history.frames().len(), history.last().map(|f| f.n)), (1, Some(2_000)));
        history.push(frame(2_001, Vec::new()));
        assert_eq!(history.frames().len(), 1);
        assert!(history.bytes() < 2 * size_of::<Frame>());
    }

    #[test]
    fn slots_that_did_not_change_cost_little() {
        let slots: Vec<_> = (0..1_000).map(|id| Arc::new(Slot { id, ..Slot::default() })).collect();
        let mut history = History::new(Limits::default());
        history.push(frame(0, slots.clone()));
        let first = history.bytes();
        history.push(frame(1, slots));
        assert!((history.bytes() - first) * 10 < first);
    }
}
