//! A map of the kernel in this process's memory.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr::{self, NonNull};
use std::slice;
use std::sync::atomic::AtomicU64;

use ringfence_core::limit::WAYS;

/// The elements of an array of buckets.
pub struct Mapping {
    first: NonNull<[AtomicU64; WAYS]>,
    count: usize,
}

impl Mapping {
    /// Maps an array that was made to be mapped (Linux 5.5), with so many buckets as its elements.
    ///
    /// # Errors
    /// What the kernel refuses: a map of another kind or fewer elements, or too little memory.
    pub fn of(map: BorrowedFd<'_>, count: usize) -> io::Result<Self> {
        let length = size_of::<[AtomicU64; WAYS]>()
            .checked_mul(count)
            .ok_or(io::ErrorKind::OutOfMemory)?;
        // SAFETY: a new mapping, of which the kernel says where it lies, and whose bounds it checks against the map's.
        let address = unsafe {
            libc::mmap(
                ptr::null_mut(),
                length,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED,
                map.as_raw_fd(),
                0,
            )
        };
        if address == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let first = NonNull::new(address.cast()).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Self { first, count })
    }

    /// The elements. The kernel reads each word by itself.
    pub fn buckets(&self) -> &[[AtomicU64; WAYS]] {
        // SAFETY: as many lie there, page-aligned, until this value is dropped, and all that is written there is written
        // as atomic words.
        unsafe { slice::from_raw_parts(self.first.as_ptr(), self.count) }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        let length = size_of::<[AtomicU64; WAYS]>() * self.count;
        // SAFETY: what `of` mapped, and nothing refers to it any more. It cannot fail for a whole mapping.
        unsafe { libc::munmap(self.first.as_ptr().cast(), length) };
    }
}

// SAFETY: it is memory of the whole process, and read and written as atomic words.
unsafe impl Send for Mapping {}
// SAFETY: as above.
unsafe impl Sync for Mapping {}
