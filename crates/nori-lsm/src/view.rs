//! Reading a keyspace at one point in time.

use crate::cursor::Cursor;
use crate::error::Result;
use crate::iter::Iter;
use crate::keyspace::KeyspaceState;
use crate::plant::{Plant, Point, meanwhile, planted};
use crate::store::Handle;
use crate::super_version::{Pinned, SuperVersion};
use crate::walk::Walk;
use bytes::Bytes;
use nori_env::sync::Arc;
use nori_types::{KEY_BYTES_MAX, KeyRange, SeqNo, successor};
use std::ops::{Bound, RangeBounds};

/// Keys up to this length, prefix included, are looked up without an allocation.
const KEY_ON_STACK: usize = 128;

/// A keyspace as a reader sees it: now, or at a snapshot's sequence number.
pub(crate) struct View<'a> {
    handle: &'a Arc<Handle>,
    state: &'a Arc<KeyspaceState>,
    at: Option<SeqNo>,
}

impl<'a> View<'a> {
    pub(crate) fn latest(handle: &'a Arc<Handle>, state: &'a Arc<KeyspaceState>) -> View<'a> {
        View { handle, state, at: None }
    }

    pub(crate) fn at(
        handle: &'a Arc<Handle>,
        state: &'a Arc<KeyspaceState>,
        at: SeqNo,
    ) -> View<'a> {
        View { handle, state, at: Some(at) }
    }

    /// The number to read at. Call it with the super-version in hand: the other order loses keys
    /// whose visible version a merge has just dropped as shadowed.
    fn seq(&self) -> Result<SeqNo> {
        let seq = self.at.unwrap_or_else(|| self.handle.visible.load());
        self.state.check_alive(seq)?;
        Ok(seq)
    }

    pub(crate) fn get(&self, key: &[u8]) -> Result<Option<Bytes>> {
        if let Some(weight) = self.handle.timers.times_get() {
            return self.get_timed(key, weight);
        }
        self.get_now(key).map_err(|error| self.handle.why(error))
    }

    /// A get that stands for `weight` gets.
    #[cold]
    #[inline(never)]
    fn get_timed(&self, key: &[u8], weight: u32) -> Result<Option<Bytes>> {
        let clock = &*self.handle.config.clock;
        let found = self.handle.timers.get.time(clock, weight, || self.get_now(key));
        found.map_err(|error| self.handle.why(error))
    }

    // Into both of the above: a call and a result moved on are some percent of a get from memory.
    #[inline(always)]
    fn get_now(&self, key: &[u8]) -> Result<Option<Bytes>> {
        self.handle.check_open()?;
        if planted(Plant::SeqBeforeSuperVersion) || planted(Plant::DropCheckedFirst) {
            return self.get_in_wrong_order(key);
        }
        let view = self.handle.published.load();
        meanwhile(Point::Reading);
        let seq = self.seq()?;
        self.get_in(&view, seq, key)
    }

    /// For two planted faults.
    fn get_in_wrong_order(&self, key: &[u8]) -> Result<Option<Bytes>> {
        let early = self.seq()?;
        meanwhile(Point::Reading);
        let view = self.handle.published.load();
        let late = self.at.unwrap_or_else(|| self.handle.visible.load());
        let seq = if planted(Plant::SeqBeforeSuperVersion) { early } else { late };
        self.get_in(&view, seq, key)
    }

    fn get_in(&self, view: &SuperVersion, seq: SeqNo, key: &[u8]) -> Result<Option<Bytes>> {
        if key.len() > KEY_BYTES_MAX {
            return Ok(None);
        }
        let prefix = self.state.prefix();
        let len = prefix.len() + key.len();
        let mut stack = [0u8; KEY_ON_STACK];
        if len <= KEY_ON_STACK {
            stack[..prefix.len()].copy_from_slice(prefix);
            stack[prefix.len()..len].copy_from_slice(key);
            return view.get(&stack[..len], seq);
        }
        view.get(&[prefix, key].concat(), seq)
    }

    pub(crate) fn multi_get<K: AsRef<[u8]>>(&self, keys: &[K]) -> Result<Vec<Option<Bytes>>> {
        self.handle.check_open()?;
        let view = self.handle.published.load_full();
        let seq = self.seq()?;
        let get = |key: &K| self.get_in(&view, seq, key.as_ref());
        keys.iter().map(get).collect::<Result<_>>().map_err(|error| self.handle.why(error))
    }

    fn pinned(&self) -> Result<(Pinned, SeqNo)> {
        self.handle.check_open()?;
        let pinned = self.handle.pin();
        Ok((pinned, self.seq()?))
    }

    fn iter_over(&self, range: KeyRange) -> Iter {
        let walks = self.pinned().map(|(pinned, seq)| {
            let back = Walk::new(Arc::clone(&pinned), seq, range.clone());
            [Walk::new(pinned, seq, range), back]
        });
        Iter::new(Arc::clone(self.handle), walks, self.state.prefix().len())
    }

    pub(crate) fn range<K: AsRef<[u8]>, R: RangeBounds<K>>(&self, range: R) -> Iter {
        self.iter_over(self.stored_range(range))
    }

    pub(crate) fn prefix(&self, prefix: &[u8]) -> Iter {
        let lo = self.state.stored(prefix);
        let hi = end_of_prefix(&lo);
        let all = self.state.range();
        self.iter_over(KeyRange { lo, hi }.intersection(&all))
    }

    pub(crate) fn cursor(&self) -> Cursor {
        let walk = self.pinned().map(|(pinned, seq)| Walk::new(pinned, seq, self.state.range()));
        Cursor::new(Arc::clone(self.handle), walk, self.state.prefix())
    }

    /// A range of user keys as one of stored keys.
    pub(crate) fn stored_range<K: AsRef<[u8]>, R: RangeBounds<K>>(&self, range: R) -> KeyRange {
        let all = self.state.range();
        let lo = match range.start_bound() {
            Bound::Unbounded => all.lo.clone(),
            Bound::Included(key) => self.state.stored(key.as_ref()),
            Bound::Excluded(key) => successor(&self.state.stored(key.as_ref())),
        };
        let hi = match range.end_bound() {
            Bound::Unbounded => all.hi.clone(),
            Bound::Included(key) => Some(successor(&self.state.stored(key.as_ref()))),
            Bound::Excluded(key) => Some(self.state.stored(key.as_ref())),
        };
        KeyRange { lo, hi }
    }

    pub(crate) fn approximate_bytes<K: AsRef<[u8]>, R: RangeBounds<K>>(
        &self,
        range: R,
    ) -> Result<u64> {
        self.handle.check_open()?;
        let range = self.stored_range(range);
        let view = self.handle.pin();
        self.seq()?;
        view.approximate_bytes(&range).map_err(|error| self.handle.why(error))
    }
}

/// The smallest key above all keys that start with `prefix`; `None` if there is none.
fn end_of_prefix(prefix: &[u8]) -> Option<Bytes> {
    let last = prefix.iter().rposition(|byte| *byte != 0xff)?;
    let mut end = prefix[..=last].to_vec();
    end[last] += 1;
    Some(Bytes::from(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_ends_before_the_next_one() {
        let end = |p: &[u8]| end_of_prefix(p).map(|b| b.to_vec());
        assert_eq!(end(b"ab"), Some(b"ac".to_vec()));
        assert_eq!(end(b"a\xff\xff"), Some(b"b".to_vec()));
        assert_eq!(end(b"\xff\xff"), None);
        assert_eq!(end(b""), None);
    }
}
