//! Every code that a call returns, with its one meaning: the table that `rr_strerror`, the header's section on codes and
//! the tests' lists are made of. Tests include this file by its path.

use std::ffi::CStr;

/// A code and its meaning.
pub struct Code {
    /// Its number, positive.
    pub number: i32,
    /// Its name in `errno.h`: for the header and the tests.
    #[allow(dead_code)]
    pub name: &'static str,
    /// What it means, in every call that returns it.
    pub sentence: &'static CStr,
}

macro_rules! codes {
    ($($name:ident $sentence:literal,)+) => {
        &[$(Code { number: libc::$name, name: stringify!($name), sentence: $sentence },)+]
    };
}

/// In the order of the header: what requests meet, then arguments, then opening.
pub const CODES: &[Code] = codes! {
    EAGAIN c"nothing is ready now, and the call does not wait",
    ETIMEDOUT c"the deadline passed",
    EINTR c"a signal handler ran, or the handle was interrupted, and the call was given up",
    ESTALE c"the id is no request of this handle any more: cancelled, cleared, collected, replied to or recycled",
    ECANCELED c"the wait was cancelled by its cancel word",
    ENOMSG c"the server dismissed the request: no reply will come",
    EALREADY c"the reply, or another outcome, is there already: collect it",
    EMLINK c"the request has been adopted as often as it can be",
    EMSGSIZE c"the payload is larger than the channel's limit: nothing was sent",
    EOVERFLOW c"the payload is longer than the buffer",
    ENOBUFS c"no slot is free, or those that are go to clients that have waited for long",
    EOWNERDEAD c"the server died with the request",
    EREMOTEIO c"the server replied with an error",
    ESHUTDOWN c"the handle was stopped",
    ECONNREFUSED c"no server is attached to the channel",
    EINVAL c"an argument is not one that the call accepts",
    E2BIG c"the structure has fields set that this version of the library does not know",
    ERANGE c"the buffer is too small for the text",
    ENXIO c"the handle has no such eventfd",
    EPROTO c"not a shmrr channel, or one of another layout version or kind, or a corrupt one",
    EEXIST c"the channel exists already",
    EUSERS c"every participant entry of the channel belongs to somebody alive",
    ENOTCONN c"this forked child can't join the channel anew",
    ENOENT c"there is no such channel, or no such directory",
    ENOTDIR c"a part of the path is not a directory",
    EISDIR c"the path is that of a directory",
    ELOOP c"the path is a symbolic link, or has too many of them",
    ENAMETOOLONG c"the path is too long",
    EACCES c"permission denied",
    EPERM c"the system does not let this process do it",
    EROFS c"the file system is read-only",
    EOPNOTSUPP c"the file system can't hold a channel",
    ENOSPC c"no space is left for the channel's pages",
    EFBIG c"the channel is larger than a file may be",
    ENOMEM c"no memory is left, or a limit on it is reached",
    EMFILE c"this process has too many open descriptors",
    ENFILE c"the system has too many open files",
    ENOLCK c"the system has no locks left to tell who lives",
    EBADF c"a descriptor is not open, or is no longer the file that it was",
    EIO c"the system failed otherwise; rr_error has its words",
};

/// The code of this number, whose sign does not matter.
pub fn find(number: i32) -> Option<&'static Code> {
    CODES.iter().find(|code| code.number == number.saturating_abs())
}
