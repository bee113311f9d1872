//! From options to a channel: find or make its file, check it, map it, join.

use super::Channel;
use super::membership::{Membership, Role};
use super::notify::Notifier;
use super::options::Options;
use super::poll::Tending;
use super::rouse::Asleep;
use super::servers::Servers;
use super::stats::Counter;
use crate::error::{Error, Result, Text};
use crate::layout::geometry::Geometry;
use crate::layout::{Mapping, header};
use crate::protocol::Memory;
use crate::protocol::ring::Known;
use crate::region::create::{self, Draft, Plan};
use crate::region::fd::Fd;
use crate::region::name::{self, Name};
use crate::region::{Region, open};
use crate::wait::{Interrupts, Spinners, Wait, deadline};
use rustix::fd::{AsRawFd, BorrowedFd};
use rustix::io::Errno;
use rustix::thread::{NanosleepRelativeResult, nanosleep};
use std::path::Path;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicPtr, AtomicU32};

/// Times that a creator and somebody who removes the name may chase each other.
const RACES_MAX: u32 = 100;

/// Longest time between two looks for a channel that is not there yet, in nanoseconds.
const LOOK_FOR_CHANNEL: i64 = 10_000_000;
/// The same if the wait can be cancelled.
const LOOK_FOR_CANCEL: i64 = 2_000_000;

/// `finish` makes the handle: before a new channel has its name, so that what can fail leaves nothing behind.
pub(crate) fn create_or_open<H>(
    given: &Path,
    options: &Options,
    finish: impl Fn(Channel) -> Result<H>,
) -> Result<H> {
    let path = name::resolve(given)?;
    let geometry = options.geometry()?;
    let header = header::encode(&geometry);
    let plan = plan(&geometry, &header, options)?;
    for _ in 0..RACES_MAX {
        if options.exclusive {
            // Before anything is reserved for nothing; whether the name is free still shows in the end.
            if open::is_there(&path) {
                return Err(exists(&path));
            }
        } else if let Some(fd) = open::path(&path)? {
            return finish(existing(fd, path, Role::Server, options)?);
        }
        // Mapped and joined before it has its name: what can fail leaves nothing behind.
        let draft = Draft::new(&path, &plan)?;
        let subject = Text::of(&path);
        let own = open::descriptor(draft.fd(), &subject)?;
        let handle = finish(map(own, geometry, Some(path.copy()?), subject, Role::Server, options)?)?;
        if draft.publish(&path)? {
            return Ok(handle);
        }
        if options.exclusive {
            return Err(exists(&path));
        }
    }
    Err(Error::system(format_args!("{path}: is created and removed all the time"), Errno::NOENT))
}

fn exists(path: &Name) -> Error {
    Error::system_as(format_args!("{path}: cannot create"), Errno::EXIST, libc::EEXIST)
}

fn plan<'a>(geometry: &Geometry, header: &'a [u8], options: &Options) -> Result<Plan<'a>> {
    let mode = options.permissions()?;
    Ok(Plan { size: geometry.total_size, mode, reserve: !options.sparse, header })
}

pub(crate) fn memfd(name: Option<&str>, options: &Options) -> Result<Channel> {
    let geometry = options.geometry()?;
    let header = header::encode(&geometry);
    let subject = match name {
        Some(name) => Text::of(format_args!("memfd {name}")),
        None => Text::fixed("anonymous channel"),
    };
    let plan = plan(&geometry, &header, options)?;
    let fd = create::memfd(name.unwrap_or("shmrr"), &subject, &plan)?;
    map(fd, geometry, None, subject, Role::Server, options)
}

pub(crate) fn open_when_there(given: &Path, options: &Options, wait: &Wait<'_>) -> Result<Channel> {
    let path = name::resolve(given)?;
    let interrupts = Interrupts::new(options.restart);
    let deadline = interrupts.begin(wait);
    let mut pause = LOOK_FOR_CHANNEL / 10;
    loop {
        if deadline.is_canceled() {
            return Err(Error::Canceled);
        }
        if let Some(fd) = open::path(&path)? {
            return existing(fd, path, Role::Client, options);
        }
        let now = deadline::now();
        if deadline.has_passed(now) {
            return Err(Error::system(format_args!("{path}: cannot open"), Errno::NOENT));
        }
        let left = deadline.at(now) - now;
        let slept = nanosleep(&deadline::timespec(pause.min(left)));
        if matches!(slept, NanosleepRelativeResult::Interrupted(_)) && !interrupts.restarts(&deadline) {
            return Err(Error::Interrupted);
        }
        // Nobody can wake it: there is no handle yet.
        let longest = if deadline.has_cancel() { LOOK_FOR_CANCEL } else { LOOK_FOR_CHANNEL };
        pause = (pause * 2).min(longest);
    }
}

pub(crate) fn descriptor(fd: BorrowedFd<'_>, role: Role, options: &Options) -> Result<Channel> {
    let subject = Text::of(format_args!("descriptor {}", fd.as_raw_fd()));
    let own = open::descriptor(fd, &subject)?;
    check_and_map(own, None, subject, role, options)
}

/// One more handle of this process on a channel that it has open.
pub(crate) fn beside(channel: &Channel, role: Role, options: &Options) -> Result<Channel> {
    let own = open::descriptor(channel.fd()?, &channel.subject)?;
    let path = channel.region.path().map(Name::copy).transpose()?;
    check_and_map(own, path, channel.subject.clone(), role, options)
}

fn existing(fd: Fd, path: Name, role: Role, options: &Options) -> Result<Channel> {
    let subject = Text::of(&path);
    check_and_map(fd, Some(path), subject, role, options)
}

fn check_and_map(
    fd: Fd,
    path: Option<Name>,
    subject: Text,
    role: Role,
    options: &Options,
) -> Result<Channel> {
    let size = open::size(&fd, &subject)?;
    if size < header::SIZE as u64 {
        let least = header::SIZE;
        return Err(Error::mismatch(&subject, "file size in bytes", size, format_args!("at least {least}")));
    }
    let geometry = header::decode(&open::first_bytes(&fd, &subject)?, &subject, size)?;
    header::expect_kind(&geometry, options.kind, &subject)?;
    map(fd, geometry, path, subject, role, options)
}

/// Maps a file that is known to be a channel of this geometry, joins it and recovers from the dead.
fn map(
    fd: Fd,
    geometry: Geometry,
    path: Option<Name>,
    subject: Text,
    role: Role,
    options: &Options,
) -> Result<Channel> {
    let region = Region::map(fd, geometry.total_size, path, &subject)?;
    // SAFETY: page-aligned, of that size, and kept by the channel next to the mapping.
    let mapping = unsafe { Mapping::new(region.base(), geometry) };
    let known = Known::at_attach(&mapping);
    let membership = Membership::new(role, &region);
    let total_slots = mapping.total_slots();
    let channel = Channel {
        mapping,
        region,
        subject,
        membership,
        known,
        spinners: Spinners::new(options.spin),
        interrupts: Interrupts::new(options.restart),
        asleep: Asleep::new(if role == Role::Client { total_slots } else { 0 })?,
        looks: AtomicU32::new(0),
        looks_for_slot_from: AtomicI64::new(0),
        notifier: Notifier::new(role, options.notify),
        servers: Servers::new(options.need_server),
        tending: Tending::default(),
        polls: AtomicPtr::new(ptr::null_mut()),
        is_looped: AtomicBool::new(false),
        #[cfg(test)]
        asked: AtomicU32::new(0),
    };
    // Before joining, for the dead may hold every entry; counted when there is a line to count in.
    let recovered = channel.recover_dead();
    channel.join_first()?;
    channel.region.make_reserve(&channel.subject)?;
    channel.count(Counter::Recoveries, recovered.into());
    Ok(channel)
}
