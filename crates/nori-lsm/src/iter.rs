//! Iterators over keys and values, from both ends.

use crate::error::{Error, Result};
use crate::store::Handle;
use crate::walk::Walk;
use bytes::Bytes;
use nori_env::sync::Arc;
use std::fmt;
use std::iter::FusedIterator;

/// The keys and values of a range at one point in time, in order, from both ends.
///
/// Owned and `Send`: it keeps its store open and shows the moment it was made, whatever is
/// written meanwhile. After an error it ends.
pub struct Iter {
    front: Option<Walk>,
    back: Option<Walk>,
    spare: Option<Walk>,
    /// The first item, when the iterator could not be made.
    failed: Option<Error>,
    prefix_len: usize,
    /// Last, so that the store outlives the walks.
    handle: Arc<Handle>,
}

impl Iter {
    pub(crate) fn new(handle: Arc<Handle>, walks: Result<[Walk; 2]>, prefix_len: usize) -> Iter {
        let (spare, back, failed) = match walks {
            Ok([front, back]) => (Some(front), Some(back), None),
            Err(e) => (None, None, Some(e)),
        };
        Iter { front: None, back, spare, failed, prefix_len, handle }
    }

    fn step(&mut self, forward: bool) -> Result<Option<(Bytes, Bytes)>> {
        if let Some(e) = self.failed.take() {
            return Err(e);
        }
        if self.back.is_none() {
            return Ok(None);
        }
        self.handle.check_open()?;
        if forward {
            match &mut self.front {
                Some(front) => front.next()?,
                None => {
                    self.front = self.spare.take();
                    if let Some(front) = &mut self.front {
                        front.first()?;
                    }
                }
            }
        } else if let Some(back) = &mut self.back {
            if back.is_valid() { back.prev()? } else { back.last()? }
        }
        Ok(self.shown(forward))
    }

    /// What stands at the end that moved, unless the ends have met.
    fn shown(&self, forward: bool) -> Option<(Bytes, Bytes)> {
        let (front, back) = (self.front.as_ref(), self.back.as_ref());
        let (moved, other) = if forward { (front?, back) } else { (back?, front) };
        if !moved.is_valid() {
            return None;
        }
        let met = other.is_some_and(|other| {
            let crossed =
                if forward { moved.key() >= other.key() } else { moved.key() <= other.key() };
            other.is_valid() && crossed
        });
        let key = || Bytes::copy_from_slice(moved.key().get(self.prefix_len..).unwrap_or_default());
        (!met).then(|| (key(), moved.value_bytes()))
    }

    fn end(&mut self) {
        (self.front, self.back, self.spare) = (None, None, None);
    }

    fn advance(&mut self, forward: bool) -> Option<Result<(Bytes, Bytes)>> {
        let item = self.step(forward).map_err(|error| self.handle.why(error)).transpose();
        if !matches!(item, Some(Ok(_))) {
            self.end();
        }
        item
    }
}

impl Iterator for Iter {
    type Item = Result<(Bytes, Bytes)>;

    fn next(&mut self) -> Option<Self::Item> {
        self.advance(true)
    }
}

impl DoubleEndedIterator for Iter {
    fn next_back(&mut self) -> Option<Self::Item> {
        self.advance(false)
    }
}

impl FusedIterator for Iter {}

impl fmt::Debug for Iter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Iter").field("ended", &self.back.is_none()).finish_non_exhaustive()
    }
}
