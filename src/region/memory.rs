//! Pages of the library's own, and what the kernel does with them at a fork.

use crate::error::{Error, Result};
use rustix::fd::BorrowedFd;
use rustix::io::Errno;
use rustix::mm::{Advice, MapFlags, ProtFlags, madvise, mmap, mmap_anonymous, munmap};
use std::ffi::c_void;
use std::ptr::{self, NonNull};
use std::sync::atomic::AtomicU8;
use std::sync::atomic::Ordering::Relaxed;

/// Advice that no kernel knows.
const UNKNOWN: i32 = 0x5eed;

/// Whether advice that is taken is heeded: 0 nobody asked, 1 yes, 2 no.
static HEEDED: AtomicU8 = AtomicU8::new(0);

/// Emulators and sandboxes accept any advice and forget it; a kernel refuses what it doesn't know.
fn is_advice_heeded(page: *mut c_void, size: usize) -> bool {
    if HEEDED.load(Relaxed) == 0 {
        // SAFETY: the caller's pages, and advice of no effect.
        let refused = keep_errno(|| unsafe { libc::madvise(page, size, UNKNOWN) } != 0);
        HEEDED.store(if refused { 1 } else { 2 }, Relaxed);
    }
    HEEDED.load(Relaxed) == 1
}

/// Calls what sets `errno`, which is the program's.
pub(super) fn keep_errno<T>(call: impl FnOnce() -> T) -> T {
    // SAFETY: always valid for the calling thread.
    let place = unsafe { libc::__errno_location() };
    // SAFETY: as above.
    let before = unsafe { place.read() };
    let result = call();
    // SAFETY: as above.
    unsafe { place.write(before) };
    result
}

/// Asks the kernel to empty private pages in forked children; says whether it will.
pub(super) fn is_emptied_in_children(page: *mut c_void, size: usize) -> bool {
    // SAFETY: the caller's pages; they hold nothing that a child may not find empty.
    is_advice_heeded(page, size) && unsafe { madvise(page, size, Advice::LinuxWipeOnFork) }.is_ok()
}

fn page_size() -> usize {
    // SAFETY: has no preconditions.
    usize::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).unwrap_or(4096)
}

/// A page of zeros of this process, which forked children find empty where the kernel knows how.
pub(super) fn page(subject: &str) -> Result<NonNull<u8>> {
    let size = page_size();
    let access = ProtFlags::READ | ProtFlags::WRITE;
    // SAFETY: a new mapping, at no address in particular.
    let page = unsafe { mmap_anonymous(ptr::null_mut(), size, access, MapFlags::PRIVATE) }
        .map_err(|errno| Error::system(format_args!("{subject}: cannot map a page of memory"), errno))?;
    is_emptied_in_children(page, size);
    Ok(NonNull::new(page.cast()).expect("a mapping is never at address 0"))
}

/// A page of a file that this process maps and its children don't. It can't be accessed: it only keeps the open file
/// description, and with that its locks, until it is unmapped or the process ends or calls exec.
pub(super) fn hold_description(fd: BorrowedFd<'_>) -> Result<usize, Errno> {
    let size = page_size();
    // SAFETY: a new mapping, at no address in particular.
    let page = unsafe { mmap(ptr::null_mut(), size, ProtFlags::empty(), MapFlags::SHARED, fd, 0) }?;
    // SAFETY: the page was mapped above.
    if is_advice_heeded(page, size) && unsafe { madvise(page, size, Advice::LinuxDontFork) }.is_ok() {
        return Ok(page as usize);
    }
    unmap(page as usize);
    Err(Errno::NOSYS)
}

/// Unmaps what one of the two above mapped.
pub(super) fn unmap(page: usize) {
    // SAFETY: the caller's page, which nobody uses any more.
    let _ = unsafe { munmap(page as *mut c_void, page_size()) };
}
