//! New regions. A file is complete, header and reserved pages, before it gets its name; no process ever sees a
//! half-made one, and of racing creators one wins.

use super::fd::Fd;
use super::memory::keep_errno;
use super::name::Name;
use super::open::ProcPath;
use super::retry;
use crate::error::{Error, Result};
use rustix::fd::{AsFd, BorrowedFd};
use rustix::fs::{self, AtFlags, CWD, FallocateFlags, MemfdFlags, Mode, OFlags, SealFlags};
use rustix::io::Errno;
use std::fmt::Display;
use std::io::Write;
use std::mem::MaybeUninit;

/// The longest name of a memfd, in bytes (memfd_create(2)).
const MEMFD_NAME_MAX: usize = 249;

/// What a new region is made of.
pub(crate) struct Plan<'a> {
    pub size: u64,
    /// Permission bits, applied exactly: the process's umask has no say.
    pub mode: u32,
    /// Whether all pages are reserved now, so that a full file system shows now and not as SIGBUS later.
    pub reserve: bool,
    /// The first bytes of the file.
    pub header: &'a [u8],
}

/// A new file that is complete, but has not got the name it is meant for.
pub(crate) struct Draft {
    fd: Fd,
    /// The name it has meanwhile, where the file system knows no nameless files. A creator that is killed leaves that
    /// behind, which is why this is only the second choice.
    own_name: Option<Name>,
}

impl Draft {
    pub fn new(path: &Name, plan: &Plan) -> Result<Self> {
        let draft = match Self::nameless(path)? {
            Some(draft) => draft,
            None => Self::named(path)?,
        };
        fill(&draft.fd, path, plan)?;
        Ok(draft)
    }

    fn nameless(path: &Name) -> Result<Option<Self>> {
        let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
        match fs::open(path.directory()?.as_c_str(), flags, Mode::RUSR | Mode::WUSR).and_then(Fd::new) {
            Ok(fd) => Ok(Some(Self { fd, own_name: None })),
            Err(Errno::OPNOTSUPP | Errno::ISDIR | Errno::INVAL) => Ok(None),
            Err(errno) => Err(cannot_create(path, errno)),
        }
    }

    fn named(path: &Name) -> Result<Self> {
        let mut random = [0u8; 8];
        rustix::rand::getrandom(&mut random, rustix::rand::GetRandomFlags::empty())
            .map_err(|errno| Error::system("getrandom", errno))?;
        let mut name = *b".shmrr-0000000000000000";
        // As many digits as there is room for.
        let _ = write!(&mut name[7..], "{:016x}", u64::from_ne_bytes(random));
        let own = path.directory()?.join(&name)?;
        let flags = OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::RDWR | OFlags::CLOEXEC;
        let fd = fs::open(own.as_c_str(), flags, Mode::RUSR | Mode::WUSR)
            .and_then(Fd::new)
            .map_err(|errno| cannot_create(path, errno))?;
        Ok(Self { fd, own_name: Some(own) })
    }

    /// A descriptor of the file.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    /// Gives the file its name. False if somebody else has made one of that name.
    pub fn publish(self, path: &Name) -> Result<bool> {
        let linked = match &self.own_name {
            None => {
                let own = ProcPath::new(&self.fd);
                fs::linkat(CWD, own.as_c_str(), CWD, path.as_c_str(), AtFlags::SYMLINK_FOLLOW)
            }
            // A file system that knows no second names says EPERM.
            Some(own) => fs::link(own.as_c_str(), path.as_c_str()).map_err(|errno| match errno {
                Errno::PERM => Errno::OPNOTSUPP,
                other => other,
            }),
        };
        match linked {
            Ok(()) => Ok(true),
            Err(Errno::EXIST) => Ok(false),
            Err(errno) => Err(cannot_create(path, errno)),
        }
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if let Some(own) = &self.own_name {
            let _ = fs::unlink(own.as_c_str());
        }
    }
}

/// Makes a region without a path, which others reach by inheriting or being passed its descriptor. Sealed, so that
/// nobody can cut it off under those who have it mapped.
pub(crate) fn memfd(name: &str, subject: &str, plan: &Plan) -> Result<Fd> {
    if name.len() > MEMFD_NAME_MAX || name.contains('\0') {
        return Err(Error::bad_argument(
            "name",
            format_args!("{name:?}"),
            format_args!("{MEMFD_NAME_MAX} bytes at most, none of them NUL"),
        ));
    }
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    // Linux before 6.3 does not know that a memfd may be made not executable.
    let fd = fs::memfd_create(name, flags | MemfdFlags::NOEXEC_SEAL)
        .or_else(|_| fs::memfd_create(name, flags))
        .and_then(Fd::new)
        .map_err(|errno| Error::system(format_args!("{subject}: cannot create a memfd"), errno))?;
    // A memfd that can't be executed takes no execute bits either.
    fill(&fd, &subject, &Plan { mode: plan.mode & 0o666, ..*plan })?;
    fs::fcntl_add_seals(&fd, SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL)
        .map_err(|errno| Error::system(format_args!("{subject}: cannot seal"), errno))?;
    Ok(fd)
}

fn fill(fd: &Fd, subject: &impl Display, plan: &Plan) -> Result<()> {
    let failed = |what: &str, errno: Errno| {
        let size = plan.size;
        Error::system(format_args!("{subject}: cannot {what} {size} bytes"), errno)
    };
    // Growing a file past this limit would not fail but kill the process by SIGXFSZ.
    if file_size_limit().is_some_and(|limit| limit < plan.size) {
        return Err(failed("make a file of", Errno::FBIG));
    }
    fs::ftruncate(fd, plan.size).map_err(|errno| failed("make a file of", errno))?;
    if plan.reserve {
        // Before anything is taken from others for nothing.
        check_space(fd, plan.size).map_err(|errno| failed("reserve", errno))?;
        let reserve = |start, length| fs::fallocate(fd, FallocateFlags::empty(), start, length);
        retry::piece_by_piece(plan.size, reserve).map_err(|errno| failed("reserve", errno))?;
    }
    let written = retry::begin_again(|| rustix::io::pwrite(fd, plan.header, 0))
        .map_err(|errno| failed("write the header of", errno))?;
    if written != plan.header.len() {
        return Err(failed("write the header of", Errno::NOSPC));
    }
    fs::fchmod(fd, Mode::from_raw_mode(plan.mode)).map_err(|errno| failed("set the mode of", errno))
}

/// The longest file that this process may make; `None` if the system does not say.
fn file_size_limit() -> Option<u64> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the limit is writable.
    let got = keep_errno(|| unsafe { libc::getrlimit(libc::RLIMIT_FSIZE, &raw mut limit) });
    (got == 0).then_some(limit.rlim_cur)
}

/// That the file system, or where that has no limit the machine's memory, can hold so many bytes at all. One call for all
/// of them would say so at once, but is begun anew with each signal; piece by piece it shows when all is used up.
fn check_space(fd: &Fd, size: u64) -> Result<(), Errno> {
    // Where it can't be told, the pieces tell.
    let Ok(system) = fs::fstatfs(fd) else { return Ok(()) };
    if system.f_blocks != 0 {
        let free = system.f_bfree.saturating_mul(system.f_bsize as u64);
        return if free < size { Err(Errno::NOSPC) } else { Ok(()) };
    }
    match memory_of_machine() {
        Some(memory) if memory < size => Err(Errno::NOMEM),
        _ => Ok(()),
    }
}

/// In bytes, swap included.
fn memory_of_machine() -> Option<u64> {
    let mut machine = MaybeUninit::<libc::sysinfo>::zeroed();
    // SAFETY: the place is writable.
    if keep_errno(|| unsafe { libc::sysinfo(machine.as_mut_ptr()) }) != 0 {
        return None;
    }
    // SAFETY: zeros are valid, and the call filled it.
    let machine = unsafe { machine.assume_init() };
    Some((machine.totalram + machine.totalswap).saturating_mul(machine.mem_unit.into()))
}

fn cannot_create(path: &Name, errno: Errno) -> Error {
    match (errno, path.directory()) {
        (Errno::NOENT, Ok(directory)) => {
            Error::system(format_args!("{path}: cannot create: directory {directory}"), errno)
        }
        _ => Error::system(format_args!("{path}: cannot create"), errno),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::region::name::resolve;
    use std::os::unix::fs::MetadataExt;

    const PLAN: Plan = Plan { size: 8192, mode: 0o660, reserve: true, header: b"head" };

    /// Nothing is taken from others for what there can't be room for.
    #[test]
    fn what_exceeds_the_file_system_or_the_machine_is_refused_before_a_page_is_reserved() {
        let fd = Fd::new(fs::memfd_create("enormous", MemfdFlags::CLOEXEC).unwrap()).unwrap();
        assert_eq!(check_space(&fd, 1 << 50), Err(Errno::NOMEM));
        assert_eq!(check_space(&fd, 1 << 20), Ok(()));
        let file = Fd::new(tempfile::tempfile().unwrap().into()).unwrap();
        assert_eq!(check_space(&file, 1 << 60), Err(Errno::NOSPC));
    }

    /// Both ways of making a file: same result, an existing name wins, nothing else is left in the directory.
    #[test]
    fn a_file_appears_complete_once_and_alone() {
        let nameless = |path: &Name| Draft::nameless(path).map(|draft| draft.expect("O_TMPFILE works here"));
        for make in [nameless, Draft::named] {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("region");
            let name = resolve(&path).unwrap();
            let draft = || {
                let draft = make(&name).unwrap();
                fill(&draft.fd, &name, &PLAN).unwrap();
                draft
            };
            let (first, second) = (draft(), draft());
            assert!(!path.exists());
            assert!(first.publish(&name).unwrap());
            let meta = std::fs::metadata(&path).unwrap();
            assert_eq!((meta.len(), meta.mode() & 0o7777), (8192, 0o660));
            assert!(meta.blocks() * 512 >= 8192, "pages are reserved");
            assert!(std::fs::read(&path).unwrap().starts_with(b"head"));
            assert!(!second.publish(&name).unwrap());
            assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
        }
    }
}
