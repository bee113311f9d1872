//! From options to a channel: find or make its file, check it, map it, join.

use super::Channel;
use super::membership::{Membership, Role};
use super::notify::Notifier;
use super::options::Options;
use super::servers::Servers;
use super::stats::Counter;
use crate::error::{Error, Result};
use crate::layout::geometry::Geometry;
use crate::layout::{View, header};
use crate::protocol::ring::Known;
use crate::region::create::{self, Draft, Plan};
use crate::region::{Region, name, open};
use crate::wait::{Deadline, Spinner, deadline};
use rustix::fd::{AsRawFd, BorrowedFd, OwnedFd};
use rustix::io::Errno;
use rustix::thread::{NanosleepRelativeResult, nanosleep};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU32};

/// Times that a creator and somebody who removes the name may chase each other.
const RACES_MAX: u32 = 1000;

/// Longest time between two looks for a channel that is not there yet, in nanoseconds.
const LOOK_FOR_CHANNEL: i64 = 10_000_000;

pub(crate) fn create_or_open(given: &Path, options: &Options) -> Result<Channel> {
    let path = name::resolve(given)?;
    let geometry = options.geometry()?;
    let header = header::encode(&geometry);
    let plan = plan(&geometry, &header, options)?;
    for _ in 0..RACES_MAX {
        if options.exclusive {
            // Before anything is reserved for nothing; whether the name is free still shows in the end.
            if path.symlink_metadata().is_ok() {
                return Err(exists(&path));
            }
        } else if let Some(fd) = open::path(&path)? {
            return existing(fd, path, Role::Server, options);
        }
        // Mapped and joined before it has its name: what can fail leaves nothing behind.
        let draft = Draft::new(&path, &plan)?;
        let subject = path.display().to_string();
        let own = open::descriptor(draft.fd(), &subject)?;
        let channel = map(own, geometry, Some(path.clone()), subject, Role::Server, options)?;
        if draft.publish(&path)? {
            return Ok(channel);
        }
        if options.exclusive {
            return Err(exists(&path));
        }
    }
    Err(Error::system(format!("{}: is created and removed all the time", path.display()), Errno::BUSY))
}

fn exists(path: &Path) -> Error {
    Error::system(format!("{}: cannot create", path.display()), Errno::EXIST)
}

fn plan<'a>(geometry: &Geometry, header: &'a [u8], options: &Options) -> Result<Plan<'a>> {
    let mode = options.permissions()?;
    Ok(Plan { size: geometry.total_size, mode, reserve: !options.sparse, header })
}

pub(crate) fn memfd(name: Option<&str>, options: &Options) -> Result<Channel> {
    let geometry = options.geometry()?;
    let header = header::encode(&geometry);
    let subject = name.map_or("anonymous channel".to_owned(), |name| format!("memfd {name}"));
    let plan = plan(&geometry, &header, options)?;
    let fd = create::memfd(name.unwrap_or("shmrr"), &subject, &plan)?;
    map(fd, geometry, None, subject, Role::Server, options)
}

pub(crate) fn open_when_there(given: &Path, options: &Options) -> Result<Channel> {
    let path = name::resolve(given)?;
    let deadline = Deadline::new(options.connect_timeout);
    let mut pause = LOOK_FOR_CHANNEL / 10;
    loop {
        if let Some(fd) = open::path(&path)? {
            return existing(fd, path, Role::Client, options);
        }
        let now = deadline::now();
        if deadline.has_passed(now) {
            return Err(Error::system(format!("{}: cannot open", path.display()), Errno::NOENT));
        }
        let left = deadline.at(now) - now;
        if let NanosleepRelativeResult::Interrupted(_) = nanosleep(&deadline::timespec(pause.min(left))) {
            return Err(Error::Interrupted);
        }
        pause = (pause * 2).min(LOOK_FOR_CHANNEL);
    }
}

pub(crate) fn descriptor(fd: BorrowedFd<'_>, role: Role, options: &Options) -> Result<Channel> {
    let subject = format!("descriptor {}", fd.as_raw_fd());
    let own = open::descriptor(fd, &subject)?;
    check_and_map(own, None, subject, role, options)
}

/// One more handle of this process on a channel that it has open.
pub(crate) fn beside(channel: &Channel, role: Role, options: &Options) -> Result<Channel> {
    let own = open::descriptor(channel.fd(), &channel.subject)?;
    check_and_map(own, channel.path.clone(), channel.subject.clone(), role, options)
}

fn existing(fd: OwnedFd, path: PathBuf, role: Role, options: &Options) -> Result<Channel> {
    let subject = path.display().to_string();
    check_and_map(fd, Some(path), subject, role, options)
}

fn check_and_map(
    fd: OwnedFd,
    path: Option<PathBuf>,
    subject: String,
    role: Role,
    options: &Options,
) -> Result<Channel> {
    let size = open::size(&fd, &subject)?;
    if size < header::SIZE as u64 {
        let expected = format!("at least {}", header::SIZE);
        return Err(Error::mismatch(&subject, "file size in bytes", size, expected));
    }
    let geometry = header::decode(&open::first_bytes(&fd, &subject)?, &subject, size)?;
    header::expect_kind(&geometry, options.kind, &subject)?;
    map(fd, geometry, path, subject, role, options)
}

/// Maps a file that is known to be a channel of this geometry, joins it and sweeps up after the dead.
fn map(
    fd: OwnedFd,
    geometry: Geometry,
    path: Option<PathBuf>,
    subject: String,
    role: Role,
    options: &Options,
) -> Result<Channel> {
    let region = Region::map(fd, geometry.total_size, &subject)?;
    // SAFETY: page-aligned, of that size, and kept by the channel next to the view.
    let view = unsafe { View::new(region.base(), geometry) };
    let known = Known::at_attach(&view);
    let channel = Channel {
        view,
        region,
        path,
        subject,
        membership: Membership::new(role),
        known,
        spinner: Spinner::new(options.spin_ns),
        stopped: AtomicBool::new(false),
        sleeps: AtomicU32::new(0),
        notifier: Notifier::new(role, options.notify),
        servers: Servers::new(options.need_server),
    };
    // Before joining, for the dead may hold every entry; counted when there is a line to count in.
    let recovered = channel.recover_dead();
    channel.me()?;
    channel.count(Counter::Recoveries, recovered.into());
    channel.spinner.set_alone(channel.membership.is_alone(&channel.view));
    Ok(channel)
}
