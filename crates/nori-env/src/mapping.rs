//! A file's bytes as memory.
//!
//! 1. The pages are mapped read-only and shared, at their full length, until the mapping is
//!    dropped; closing or removing the file changes nothing about that.
//! 2. Nobody may shorten the file or write to it meanwhile. The system answers a touch of a page
//!    that the file no longer has, or that the disk cannot give, with a signal that ends the
//!    process: reads through a mapping cannot fail, they can only kill.

#![allow(unsafe_code)] // The system's map is a pointer and a length.

use std::ffi::c_void;
use std::fs;
use std::io;
use std::ops::Deref;
use std::ptr::NonNull;

/// The bytes of a file, mapped into memory. `Send + Sync`.
///
/// Only for files that nobody changes: see [`File::map`](crate::File::map).
#[derive(Debug)]
pub struct Mapping {
    /// Dangling where `len` is 0: nothing is mapped then.
    start: NonNull<u8>,
    len: usize,
}

// SAFETY: the pages are read-only, and nothing of the mapping belongs to a thread.
unsafe impl Send for Mapping {}
// SAFETY: as above; shared reads of memory that nobody writes.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// Maps all of a file as it is now.
    pub(crate) fn of(file: &fs::File) -> io::Result<Mapping> {
        use rustix::mm::{MapFlags, ProtFlags, mmap};
        let len = usize::try_from(file.metadata()?.len())
            .map_err(|_| io::Error::from(io::ErrorKind::OutOfMemory))?;
        if len == 0 {
            return Ok(Mapping { start: NonNull::dangling(), len });
        }
        // SAFETY: the system chooses the place, so no other memory is touched. That the bytes
        // stay as they are is the promise of who called `File::map`.
        let start =
            unsafe { mmap(std::ptr::null_mut(), len, ProtFlags::READ, MapFlags::SHARED, file, 0)? };
        let start = NonNull::new(start.cast()).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Mapping { start, len })
    }
}

impl Deref for Mapping {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: `len` bytes from `start` on are mapped for reading as long as `self` lives, or
        // `len` is 0 and any aligned pointer will do.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.len) }
    }
}

impl AsRef<[u8]> for Mapping {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        if self.len > 0 {
            let start: *mut c_void = self.start.as_ptr().cast();
            // SAFETY: mapped by `of`, once, and nobody borrows it any more. A failure would leave
            // it mapped, which harms nobody.
            let _ = unsafe { rustix::mm::munmap(start, self.len) };
        }
    }
}
