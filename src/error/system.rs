//! What the operating system says, and the code that a call returns for it.
//!
//! A code has one meaning in all calls, and the system uses some of them for several things. So its errors are mapped to
//! those codes that mean the same, and to `EIO` if there is none; the sentence of the error keeps the system's words.
//! These stand here: `strerror` may load translations, and so allocate, lock and be cancelled.

use rustix::io::Errno;
use std::fmt::{self, Display};

/// The code for an errno value of the system.
pub(super) fn code(errno: Errno) -> i32 {
    match errno {
        // What they say of the system call holds for the call of the library, too.
        Errno::INTR
        | Errno::NOENT
        | Errno::NOTDIR
        | Errno::ISDIR
        | Errno::LOOP
        | Errno::NAMETOOLONG
        | Errno::ACCESS
        | Errno::PERM
        | Errno::ROFS
        | Errno::OPNOTSUPP
        | Errno::NOSPC
        | Errno::FBIG
        | Errno::NOMEM
        | Errno::MFILE
        | Errno::NFILE
        | Errno::NOLCK
        | Errno::BADF => errno.raw_os_error(),
        Errno::DQUOT => libc::ENOSPC,
        Errno::OVERFLOW => libc::EFBIG,
        // A filter on system calls.
        Errno::NOSYS => libc::EPERM,
        // A file that can't be mapped, not at this size (huge pages), or not be given its name.
        Errno::NODEV | Errno::INVAL | Errno::XDEV => libc::EOPNOTSUPP,
        _ => libc::EIO,
    }
}

/// The system's words for an errno value.
pub(super) struct Words(pub Errno);

impl Display for Words {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = self.0.raw_os_error();
        match WORDS.iter().find(|(known, _)| *known == number) {
            Some((_, words)) => f.write_str(words),
            None => write!(f, "Unknown error {number}"),
        }
    }
}

const WORDS: &[(i32, &str)] = &[
    (libc::EPERM, "Operation not permitted"),
    (libc::ENOENT, "No such file or directory"),
    (libc::EINTR, "Interrupted system call"),
    (libc::EIO, "Input/output error"),
    (libc::ENXIO, "No such device or address"),
    (libc::E2BIG, "Argument list too long"),
    (libc::EBADF, "Bad file descriptor"),
    (libc::EAGAIN, "Resource temporarily unavailable"),
    (libc::ENOMEM, "Cannot allocate memory"),
    (libc::EACCES, "Permission denied"),
    (libc::EFAULT, "Bad address"),
    (libc::EBUSY, "Device or resource busy"),
    (libc::EEXIST, "File exists"),
    (libc::EXDEV, "Invalid cross-device link"),
    (libc::ENODEV, "No such device"),
    (libc::ENOTDIR, "Not a directory"),
    (libc::EISDIR, "Is a directory"),
    (libc::EINVAL, "Invalid argument"),
    (libc::ENFILE, "Too many open files in system"),
    (libc::EMFILE, "Too many open files"),
    (libc::ENOTTY, "Inappropriate ioctl for device"),
    (libc::ETXTBSY, "Text file busy"),
    (libc::EFBIG, "File too large"),
    (libc::ENOSPC, "No space left on device"),
    (libc::ESPIPE, "Illegal seek"),
    (libc::EROFS, "Read-only file system"),
    (libc::EMLINK, "Too many links"),
    (libc::EPIPE, "Broken pipe"),
    (libc::EDEADLK, "Resource deadlock avoided"),
    (libc::ENAMETOOLONG, "File name too long"),
    (libc::ENOLCK, "No locks available"),
    (libc::ENOSYS, "Function not implemented"),
    (libc::ELOOP, "Too many levels of symbolic links"),
    (libc::EOVERFLOW, "Value too large for defined data type"),
    (libc::EUCLEAN, "Structure needs cleaning"),
    (libc::EUSERS, "Too many users"),
    (libc::EOPNOTSUPP, "Operation not supported"),
    (libc::ENOBUFS, "No buffer space available"),
    (libc::ETIMEDOUT, "Connection timed out"),
    (libc::EHOSTDOWN, "Host is down"),
    (libc::EHOSTUNREACH, "No route to host"),
    (libc::ESTALE, "Stale file handle"),
    (libc::EREMOTEIO, "Remote I/O error"),
    (libc::EDQUOT, "Disk quota exceeded"),
    (libc::ENOKEY, "Required key not available"),
    (libc::EKEYREJECTED, "Key was rejected by service"),
    (libc::ENOTCONN, "Transport endpoint is not connected"),
    (libc::ECONNREFUSED, "Connection refused"),
    (libc::ENOLINK, "Link has been severed"),
];
