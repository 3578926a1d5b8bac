//! Walking the visible entries of a key range, slot by slot, in both directions.
//!
//! 1. A walk shows one point in time: it pins the super-version it was made with and reads at one
//!    sequence number, taken after the pin.
//! 2. Forward, the merge stands on the entry shown. Backward, the entry is held in `key` and
//!    `value`, and the merge stands before all versions of its key.
//! 3. Only one slot's runs are open at a time. Versions of a key never lie in two slots.
//! 4. After an error the walk stands nowhere. An error is never the end.

use crate::budget::{Charge, Use};
use crate::error::Result;
use crate::source::{SlotMerge, merge_slot};
use crate::super_version::Pinned;
use bytes::Bytes;
use nori_types::{InternalIterator, InternalKey, KeyRange, SeqNo, ValueKind};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Stands {
    Nowhere,
    Forward,
    Backward,
}

/// A position among the visible entries of a range of stored keys.
pub(crate) struct Walk {
    range: KeyRange,
    seq: SeqNo,
    stands: Stands,
    slot: usize,
    /// The slot's range cut to the walk's.
    limits: KeyRange,
    merge: Option<SlotMerge>,
    key: Vec<u8>,
    value: Held,
    /// For the blocks it stands in; only where memory is limited.
    charge: Option<Charge>,
    /// Last, so that it is dropped after the iterators that read from it.
    pinned: Pinned,
}

/// Whether a key lies below `lo`. A bound of one byte, where a keyspace begins, is compared without
/// memcmp, which took a fifth of a walk backward.
#[inline]
fn is_below(key: &[u8], lo: &[u8]) -> bool {
    match lo {
        [] => false,
        [only] => key.first().is_none_or(|byte| byte < only),
        _ => key < lo,
    }
}

/// The value of an entry that the merge has left.
#[derive(Default)]
struct Held {
    /// Small values are copied here, in memory that is used again.
    copied: Vec<u8>,
    /// A larger one, which its source may share.
    shared: Option<Bytes>,
}

impl Held {
    /// Longer values are asked for as bytes, and perhaps not copied.
    const COPIED_BYTES_MAX: usize = 1024;

    fn hold(&mut self, merge: &SlotMerge) {
        let value = merge.value();
        self.shared = (value.len() > Held::COPIED_BYTES_MAX).then(|| merge.value_bytes());
        self.copied.clear();
        if self.shared.is_none() {
            self.copied.extend_from_slice(value);
        }
    }

    fn get(&self) -> &[u8] {
        self.shared.as_deref().unwrap_or(&self.copied)
    }

    fn bytes(&self) -> Bytes {
        self.shared.clone().unwrap_or_else(|| Bytes::copy_from_slice(&self.copied))
    }
}

impl Walk {
    /// A walk over `range` as a reader at `seq` sees it; stands nowhere.
    pub(crate) fn new(pinned: Pinned, seq: SeqNo, range: KeyRange) -> Walk {
        let budget = pinned.budget();
        let charge = budget.is_limited().then(|| budget.charge(Use::Iterators, 0));
        Walk {
            charge,
            limits: range.clone(),
            range,
            seq,
            stands: Stands::Nowhere,
            slot: 0,
            merge: None,
            key: Vec::new(),
            value: Held::default(),
            pinned,
        }
    }

    pub(crate) fn is_valid(&self) -> bool {
        self.stands != Stands::Nowhere
    }

    /// The stored key shown. Only where valid.
    pub(crate) fn key(&self) -> &[u8] {
        match (self.stands, &self.merge) {
            (Stands::Forward, Some(merge)) => merge.key().user_key,
            _ => &self.key,
        }
    }

    /// The value shown. Only where valid.
    pub(crate) fn value(&self) -> &[u8] {
        match (self.stands, &self.merge) {
            (Stands::Forward, Some(merge)) => merge.value(),
            _ => self.value.get(),
        }
    }

    pub(crate) fn value_bytes(&self) -> Bytes {
        match (self.stands, &self.merge) {
            (Stands::Forward, Some(merge)) => merge.value_bytes(),
            _ => self.value.bytes(),
        }
    }

    pub(crate) fn first(&mut self) -> Result<()> {
        let lo = self.range.lo.clone();
        self.seek(&lo)
    }

    pub(crate) fn last(&mut self) -> Result<()> {
        self.stands = Stands::Nowhere;
        if self.range.is_empty() {
            return Ok(());
        }
        let slot = match &self.range.hi {
            Some(hi) => self.pinned.version.route(hi).0,
            None => self.pinned.version.slot_count() - 1,
        };
        self.open(slot);
        self.enter_from_behind()?;
        self.find_backward()
    }

    /// To the first visible key at or behind `target`.
    pub(crate) fn seek(&mut self, target: &[u8]) -> Result<()> {
        self.stands = Stands::Nowhere;
        if self.range.is_empty() || !self.range.is_below_end(target) {
            return Ok(());
        }
        let target = target.max(&self.range.lo).to_vec();
        self.open(self.pinned.version.route(&target).0);
        if let Some(merge) = &mut self.merge {
            merge.seek(InternalKey::seek(&target, self.seq))?;
        }
        self.find_forward(false)
    }

    /// To the last visible key at or before `target`.
    pub(crate) fn seek_for_prev(&mut self, target: &[u8]) -> Result<()> {
        self.stands = Stands::Nowhere;
        if self.range.is_empty() || target < &self.range.lo[..] {
            return Ok(());
        }
        if !self.range.is_below_end(target) {
            return self.last();
        }
        let target = target.to_vec();
        self.open(self.pinned.version.route(&target).0);
        if let Some(merge) = &mut self.merge {
            merge.seek_for_prev(InternalKey::behind(&target))?;
        }
        self.find_backward()
    }

    /// To the next visible key. Nothing happens where the walk stands nowhere.
    pub(crate) fn next(&mut self) -> Result<()> {
        match self.stands {
            Stands::Nowhere => return Ok(()),
            Stands::Forward => {
                let Some(merge) = &mut self.merge else { return Ok(()) };
                self.key.clear();
                self.key.extend_from_slice(merge.key().user_key);
                self.stands = Stands::Nowhere;
                merge.next()?;
            }
            Stands::Backward => {
                self.stands = Stands::Nowhere;
                self.open(self.pinned.version.route(&self.key).0);
                if let Some(merge) = &mut self.merge {
                    merge.seek(InternalKey::behind(&self.key))?;
                }
            }
        }
        self.find_forward(true)
    }

    /// To the previous visible key. Nothing happens where the walk stands nowhere.
    pub(crate) fn prev(&mut self) -> Result<()> {
        match self.stands {
            Stands::Nowhere => return Ok(()),
            Stands::Forward => {
                let Some(merge) = &mut self.merge else { return Ok(()) };
                self.key.clear();
                self.key.extend_from_slice(merge.key().user_key);
                self.stands = Stands::Nowhere;
                merge.seek_for_prev(InternalKey::seek(&self.key, SeqNo::MAX))?;
            }
            Stands::Backward => self.stands = Stands::Nowhere,
        }
        self.find_backward()
    }

    /// From where the merge stands, forward to a visible value. With `skip`, past `self.key`.
    fn find_forward(&mut self, mut skip: bool) -> Result<()> {
        loop {
            let Some(merge) = self.merge.as_mut() else { return Ok(()) };
            if !merge.is_valid() || !self.limits.is_below_end(merge.key().user_key) {
                if !self.enter_next_slot()? {
                    return Ok(());
                }
                continue;
            }
            let key = merge.key();
            let shadowed = skip && key.user_key == self.key;
            if key.seq <= self.seq && !shadowed {
                if key.kind == ValueKind::Value {
                    self.stands = Stands::Forward;
                    return Ok(());
                }
                self.key.clear();
                self.key.extend_from_slice(key.user_key);
                skip = true;
            }
            merge.next()?;
        }
    }

    /// From where the merge stands, backward to a visible value.
    fn find_backward(&mut self) -> Result<()> {
        let mut found = false;
        loop {
            let Some(merge) = self.merge.as_mut() else { return Ok(()) };
            if !merge.is_valid() || is_below(merge.key().user_key, &self.limits.lo) {
                if found {
                    break;
                }
                if !self.enter_previous_slot()? {
                    return Ok(());
                }
                continue;
            }
            let key = merge.key();
            if found && key.user_key != self.key {
                break;
            }
            // Versions come oldest first, so the last visible one of a key decides.
            if key.seq <= self.seq {
                found = key.kind == ValueKind::Value;
                if found {
                    self.key.clear();
                    self.key.extend_from_slice(key.user_key);
                    self.value.hold(merge);
                }
            }
            merge.prev()?;
        }
        self.stands = Stands::Backward;
        Ok(())
    }

    fn open(&mut self, slot: usize) {
        let view = &self.pinned;
        let reusable = self.merge.is_some() && self.slot == slot;
        if !reusable {
            let Some(found) = view.version.slot(slot) else { return };
            self.limits = found.range.intersection(&self.range);
            self.merge = Some(merge_slot(view, slot));
            view.note_scan(slot);
            if let Some(charge) = &self.charge {
                charge.set(view.walk_bytes(slot));
            }
            self.slot = slot;
        }
    }

    fn enter_next_slot(&mut self) -> Result<bool> {
        let next = self.slot + 1;
        let slot = self.pinned.version.slot(next);
        let inside = slot.is_some_and(|slot| self.range.is_below_end(&slot.range.lo));
        if !inside {
            self.merge = None;
            return Ok(false);
        }
        self.open(next);
        if let Some(merge) = &mut self.merge {
            merge.seek(InternalKey::seek(&self.limits.lo, SeqNo::MAX))?;
        }
        Ok(true)
    }

    fn enter_previous_slot(&mut self) -> Result<bool> {
        let slot = self.pinned.version.slot(self.slot);
        let inside = self.slot > 0 && slot.is_some_and(|slot| self.range.lo < slot.range.lo);
        if !inside {
            self.merge = None;
            return Ok(false);
        }
        self.open(self.slot - 1);
        self.enter_from_behind()?;
        Ok(true)
    }

    /// The merge to the last entry below the end of its limits.
    fn enter_from_behind(&mut self) -> Result<()> {
        let Some(merge) = &mut self.merge else { return Ok(()) };
        match &self.limits.hi {
            // Nothing sorts at this target, so the entry found lies before `hi`.
            Some(hi) => merge.seek_for_prev(InternalKey::seek(hi, SeqNo::MAX))?,
            None => merge.seek_last()?,
        }
        Ok(())
    }
}
