//! One entry as it lies in the arena, and the order of entries.
//!
//! ```text
//! trailer    8   sequence number << 8 | kind
//! key_len    4
//! value_len  4
//! key        key_len
//! value      value_len; or, from LARGE_BYTES on, 8: where the value lies
//! ```
//!
//! 1. Entries are ordered as [`InternalKey`]: keys bytewise, then sequence numbers from high to
//!    low, then kinds from high to low.
//! 2. An entry is written before it is published, and never again.

#![allow(unsafe_code)] // Lengths and bytes behind a pointer.

use crate::arena::Arena;
use bytes::Bytes;
use nori_env::sync::cell::UnsafeCell;
use nori_types::{InternalKey, SeqNo, ValueKind};
use std::alloc::Layout;
use std::cmp::Ordering;
use std::fmt;
use std::marker::PhantomData;
use std::ptr::{self, NonNull};

/// Values from this length on, in bytes, have memory of their own, which readers share.
pub(crate) const LARGE_BYTES: usize = 32 << 10;

/// The front of an entry. The cell is for loom, which sees a read that does not happen after the
/// write.
pub(crate) struct Head(UnsafeCell<Fields>);

#[derive(Clone, Copy)]
struct Fields {
    trailer: u64,
    key_len: u32,
    value_len: u32,
}

/// A value with memory of its own.
#[derive(Debug)]
pub(crate) struct Large {
    pub(crate) value: Bytes,
    pub(crate) older: *mut Large,
}

/// A version of a key, with its value, in an arena that lives for `'a`.
#[derive(Clone, Copy)]
pub(crate) struct Entry<'a> {
    at: NonNull<Head>,
    arena: PhantomData<&'a Arena>,
}

impl<'a> Entry<'a> {
    /// Writes an entry; a large value lies at `large`, which lives as long as the arena.
    ///
    /// Panics if the key or the value has 4 GiB or more.
    pub(crate) fn new(
        arena: &'a Arena,
        target: &Target<'_>,
        value: &[u8],
        large: Option<NonNull<Large>>,
    ) -> Entry<'a> {
        let key = target.key;
        let lens = (u32::try_from(key.len()), u32::try_from(value.len()));
        let (Ok(key_len), Ok(value_len)) = lens else {
            panic!("an entry of {} + {} bytes is too long", key.len(), value.len());
        };
        let behind = if large.is_some() { size_of::<NonNull<Large>>() } else { value.len() };
        let size = size_of::<Head>() + key.len() + behind;
        let piece = Layout::from_size_align(size, align_of::<Head>())
            .expect("two lengths below 4 GiB make a size");
        let at = arena.allocate(piece).cast::<Head>();
        // SAFETY: the piece holds the front, the key, and the value or the pointer, and is ours.
        unsafe {
            at.write(Head(UnsafeCell::new(Fields { trailer: target.trailer, key_len, value_len })));
            let bytes = at.add(1).cast::<u8>().as_ptr();
            ptr::copy_nonoverlapping(key.as_ptr(), bytes, key.len());
            match large {
                Some(large) => bytes.add(key.len()).cast::<NonNull<Large>>().write_unaligned(large),
                None => ptr::copy_nonoverlapping(value.as_ptr(), bytes.add(key.len()), value.len()),
            }
        }
        Entry { at, arena: PhantomData }
    }

    /// What the links of an arena that lives for `'a` hold.
    ///
    /// # Safety
    ///
    /// The pointer is null or comes from [`Entry::as_ptr`] of an entry of that arena.
    pub(crate) unsafe fn from_ptr(at: *mut Head) -> Option<Entry<'a>> {
        NonNull::new(at).map(|at| Entry { at, arena: PhantomData })
    }

    pub(crate) fn as_ptr(self) -> *mut Head {
        self.at.as_ptr()
    }

    #[inline]
    fn fields(self) -> Fields {
        // SAFETY: not written any more (invariant 2).
        unsafe { self.at.as_ref() }.0.with(|fields| unsafe { *fields })
    }

    fn bytes(self) -> *const u8 {
        // SAFETY: key and value lie behind the front, in the same piece.
        unsafe { self.at.add(1) }.cast::<u8>().as_ptr()
    }

    #[inline]
    pub(crate) fn user_key(self) -> &'a [u8] {
        let len = self.fields().key_len as usize;
        // SAFETY: written when the entry was made, kept as long as the arena.
        unsafe { std::slice::from_raw_parts(self.bytes(), len) }
    }

    #[inline]
    pub(crate) fn trailer(self) -> u64 {
        self.fields().trailer
    }

    pub(crate) fn seq(self) -> SeqNo {
        SeqNo::new(self.trailer() >> 8)
    }

    pub(crate) fn kind(self) -> ValueKind {
        match self.trailer() & 0xff {
            0 => ValueKind::Tombstone,
            _ => ValueKind::Value,
        }
    }

    pub(crate) fn key(self) -> InternalKey<'a> {
        InternalKey::new(self.user_key(), self.seq(), self.kind())
    }

    #[inline]
    pub(crate) fn value(self) -> &'a [u8] {
        if let Some(large) = self.large() {
            return &large.value;
        }
        let Fields { key_len, value_len, .. } = self.fields();
        // SAFETY: the value lies behind the key.
        unsafe {
            std::slice::from_raw_parts(self.bytes().add(key_len as usize), value_len as usize)
        }
    }

    /// The value: a large one shared, another one copied.
    pub(crate) fn value_bytes(self) -> Bytes {
        match self.large() {
            Some(large) => large.value.clone(),
            None => Bytes::copy_from_slice(self.value()),
        }
    }

    fn large(self) -> Option<&'a Large> {
        let Fields { key_len, value_len, .. } = self.fields();
        if (value_len as usize) < LARGE_BYTES {
            return None;
        }
        // SAFETY: behind the key lies a pointer to what lives as long as the arena.
        unsafe {
            let at = self.bytes().add(key_len as usize).cast::<NonNull<Large>>();
            Some(at.read_unaligned().as_ref())
        }
    }

    #[inline]
    pub(crate) fn cmp(self, other: Entry<'_>) -> Ordering {
        let keys = self.user_key().cmp(other.user_key());
        keys.then_with(|| other.trailer().cmp(&self.trailer()))
    }
}

// SAFETY: an entry is a shared reference to bytes that nobody writes.
unsafe impl Send for Entry<'_> {}
// SAFETY: as above.
unsafe impl Sync for Entry<'_> {}

impl fmt::Debug for Entry<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.key().fmt(f)
    }
}

/// How much of a key is compared as words.
pub(crate) const FRONT_WORDS: usize = 4;

/// What is searched for, or inserted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Target<'a> {
    pub(crate) key: &'a [u8],
    pub(crate) trailer: u64,
    /// The front of the key, as [`front`] gives it.
    pub(crate) front: [u64; FRONT_WORDS],
}

impl<'a> Target<'a> {
    pub(crate) fn new(at: InternalKey<'a>) -> Target<'a> {
        let trailer = at.seq.get() << 8 | at.kind as u64;
        Target { key: at.user_key, trailer, front: front(at.user_key) }
    }

    /// How an entry compares to this.
    #[inline]
    pub(crate) fn order_of(&self, entry: Entry<'_>) -> Ordering {
        let keys = entry.user_key().cmp(self.key);
        keys.then_with(|| self.trailer.cmp(&entry.trailer()))
    }
}

/// The first 32 bytes of a key as big-endian words, filled up with zeros.
///
/// Zeros behind a short key keep the order: where two fronts differ, the keys differ in the same
/// direction, or the shorter one ended and is smaller. Equal fronts decide nothing.
pub(crate) fn front(key: &[u8]) -> [u64; FRONT_WORDS] {
    let mut padded = [0; FRONT_WORDS * 8];
    let len = key.len().min(padded.len());
    padded[..len].copy_from_slice(&key[..len]);
    let mut words = [0; FRONT_WORDS];
    for (word, bytes) in words.iter_mut().zip(padded.as_chunks().0) {
        *word = u64::from_be_bytes(*bytes);
    }
    words
}

/// Eight bytes of a key from `at` on, as [`front`] makes words of them.
#[inline]
pub(crate) fn word(key: &[u8], at: usize) -> u64 {
    let rest = key.get(at..).unwrap_or_default();
    if let Some(bytes) = rest.first_chunk() {
        return u64::from_be_bytes(*bytes);
    }
    let mut padded = [0; 8];
    padded[..rest.len()].copy_from_slice(rest);
    u64::from_be_bytes(padded)
}

#[cfg(all(test, not(nori_loom)))]
mod tests;
