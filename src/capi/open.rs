//! Opening and freeing handles.

use super::convert::{borrow, null, opening, options, options_to_connect, path as as_path, string};
use super::types::{rr_client, rr_error, rr_options, rr_server};
use crate::error::Error;
use std::ffi::{c_char, c_int};

/// Creates a channel and a server handle on it, or attaches to the channel of that name.
///
/// path names the channel's file; a name without a slash is one in /dev/shm. NULL makes a channel without a name, which
/// this process and those that it forks share. opts may be NULL for all defaults. The handle is stored in srv and must
/// be freed with rr_server_free; on failure srv is set to NULL. err may be NULL, else it is filled.
///
/// The file appears complete, at once. If several processes create the same channel, one does, and the others attach.
///
/// Return value: 0, or [open]; -EEXIST: RR_OPT_EXCLUSIVE was given and the channel exists; -ENOSPC: the channel's pages
/// can't be reserved; -EFBIG: the process may not make a file of that size; -ENOMEM: also, a limit (RLIMIT_AS, or
/// RLIMIT_MEMLOCK after mlockall) does not allow the mapping; -ENOENT: also, others create and remove the channel all
/// the time. RR_OPT_SPARSE helps against -EOPNOTSUPP if the file system just can't reserve pages.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C-unwind" fn rr_server_new(
    path: *const c_char,
    opts: *const rr_options,
    srv: *mut *mut rr_server,
    err: *mut rr_error,
) -> c_int {
    let open = || {
        // SAFETY: the caller's pointers are null or valid.
        let options = unsafe { options(opts) }?;
        if path.is_null() {
            return options.anonymous().map(rr_server);
        }
        // SAFETY: as above.
        let name = unsafe { string("path", path) }?;
        options.server(as_path(name)).map(rr_server)
    };
    // SAFETY: as above.
    unsafe { opening(srv, err, open) }
}

/// Creates a channel in a sealed memfd, and a server handle on it. Others attach to its descriptor (rr_channel_fd),
/// which they inherit or are passed. name is for people to read, in /proc/PID/fd: up to 249 bytes of UTF-8. The other
/// arguments are those of rr_server_new.
///
/// Return value: 0, or [open]; -ENOSPC, -EFBIG: as rr_server_new.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C-unwind" fn rr_server_new_memfd(
    name: *const c_char,
    opts: *const rr_options,
    srv: *mut *mut rr_server,
    err: *mut rr_error,
) -> c_int {
    let open = || {
        // SAFETY: the caller's pointers are null or valid.
        let name = unsafe { string("name", name) }?;
        let utf8 = name.to_str().map_err(|_| Error::bad_argument("name", "other bytes", "UTF-8"))?;
        // SAFETY: as above.
        unsafe { options(opts) }?.memfd(utf8).map(rr_server)
    };
    // SAFETY: as above.
    unsafe { opening(srv, err, open) }
}

/// Attaches a server handle to a channel by a descriptor that this process inherited or was passed. The descriptor is
/// duplicated, and the caller keeps its own. The process must be allowed to open the file behind it for writing. The
/// other arguments are those of rr_server_new.
///
/// Return value: 0, or [open]; -EBADF: fd is not an open descriptor.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C-unwind" fn rr_server_from_fd(
    fd: c_int,
    opts: *const rr_options,
    srv: *mut *mut rr_server,
    err: *mut rr_error,
) -> c_int {
    let open = || {
        // SAFETY: the caller's pointer is null or valid.
        let options = unsafe { options(opts) }?;
        options.server_from_fd(borrow(fd)?).map(rr_server)
    };
    // SAFETY: as above.
    unsafe { opening(srv, err, open) }
}

/// Attaches a client handle to an existing channel; never creates one.
///
/// path names the channel's file; a name without a slash is one in /dev/shm. If the channel is not there, opts->connect
/// says how to wait for it, or opts->connect_timeout_ns how long. The handle is stored in cli and must be freed with
/// rr_client_free; on failure cli is set to NULL. opts and err may be NULL.
///
/// Return value: 0, or [open]; -ENOENT: also, the channel did not appear in time; -EINTR: also, a signal handler ran
/// meanwhile; -ECANCELED: the cancel word of opts->connect is set, which is looked at every 2 ms.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C-unwind" fn rr_client_new(
    path: *const c_char,
    opts: *const rr_options,
    cli: *mut *mut rr_client,
    err: *mut rr_error,
) -> c_int {
    let open = || {
        // SAFETY: the caller's pointers are null or valid.
        let name = unsafe { string("path", path) }?;
        // SAFETY: as above.
        let (options, wait) = unsafe { options_to_connect(opts) }?;
        options.client_wait(as_path(name), wait).map(rr_client)
    };
    // SAFETY: as above.
    unsafe { opening(cli, err, open) }
}

/// Attaches a client handle to a channel by a descriptor, as rr_server_from_fd does. The other arguments are those of
/// rr_client_new.
///
/// Return value: as rr_server_from_fd.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C-unwind" fn rr_client_from_fd(
    fd: c_int,
    opts: *const rr_options,
    cli: *mut *mut rr_client,
    err: *mut rr_error,
) -> c_int {
    let open = || {
        // SAFETY: the caller's pointer is null or valid.
        let options = unsafe { options(opts) }?;
        options.client_from_fd(borrow(fd)?).map(rr_client)
    };
    // SAFETY: as above.
    unsafe { opening(cli, err, open) }
}

/// Attaches a client handle to the channel of a server handle of this process. The other arguments are those of
/// rr_client_new.
///
/// Return value: 0, or [open]; -EBADF: the server's descriptor is not open any more, or not the channel's file:
/// somebody else closed it.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C-unwind" fn rr_client_from_server(
    srv: *const rr_server,
    opts: *const rr_options,
    cli: *mut *mut rr_client,
    err: *mut rr_error,
) -> c_int {
    let open = || {
        // SAFETY: the caller's pointers are null or valid.
        let server = unsafe { srv.as_ref() }.ok_or_else(|| null("srv"))?;
        // SAFETY: as above.
        unsafe { options(opts) }?.client_from_server(&server.0).map(rr_client)
    };
    // SAFETY: as above.
    unsafe { opening(cli, err, open) }
}

/// Leaves the channel, unmaps its memory and frees the handle. Requests that the handle took and did not reply to fail
/// at once with -EOWNERDEAD, as if the process had died. The channel stays, and so does its file. NULL does nothing.
///
/// Every view and buffer of the handle ends, and so does its rr_channel: their memory is unmapped, and touching it is a
/// fault. No other thread may be in a call of the handle, nor begin one. To know that: call rr_server_stop, which ends
/// every wait, join the threads that use the handle, then free it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rr_server_free(srv: *mut rr_server) {
    // SAFETY: the caller's pointer is null, or from an opening call and not freed before.
    unsafe { free(srv) };
}

/// Leaves the channel, unmaps its memory and frees the handle. Requests that it has not collected are withdrawn, and
/// loans given back; messages that it posted are still delivered. Views, buffers and other threads: as rr_server_free,
/// with rr_client_stop. NULL does nothing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rr_client_free(cli: *mut rr_client) {
    // SAFETY: the caller's pointer is null, or from an opening call and not freed before.
    unsafe { free(cli) };
}

/// # Safety
/// The pointer must be null, or from `opening` and not freed before.
unsafe fn free<H>(handle: *mut H) {
    if !handle.is_null() {
        // SAFETY: the caller's.
        drop(unsafe { Box::from_raw(handle) });
    }
}
