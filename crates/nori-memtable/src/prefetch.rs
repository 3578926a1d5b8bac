//! Asking for memory before it is needed.
//!
//! A search goes from node to leaf to entry, and waits for each in turn. What it will read for
//! certain is asked for at once.

#![allow(unsafe_code)] // An instruction that takes an address.

/// Asks for a value's memory, one cache line of 64 bytes after the other. Changes nothing else.
#[cfg(all(target_arch = "x86_64", not(nori_loom), not(miri)))]
#[inline]
pub(crate) fn prefetch<T>(value: &T) {
    use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
    let at = std::ptr::from_ref(value).cast::<i8>();
    for line in (0..size_of::<T>()).step_by(64) {
        // SAFETY: nothing is read, and the address is inside the value.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(at.add(line)) };
    }
}

/// Elsewhere nothing is asked for.
#[cfg(not(all(target_arch = "x86_64", not(nori_loom), not(miri))))]
#[inline]
pub(crate) fn prefetch<T>(_: &T) {}
