//! The list of all descriptors that the library keeps, or kept a moment ago.
//!
//! It serves three ends. Nothing is closed, locked, read or written by a number that has passed to somebody else's file
//! because the program closed it: each place knows the file, and it is looked at before. What a handle keeps is found
//! and closed when the handle goes. And a forked child finds the copies that it must not keep: a fork copies descriptors
//! before memory, so a number stays listed after its descriptor is closed, until no fork is in progress.
//!
//! Places are claimed and given up by compare-and-swap on one word, which holds number, use, phase, and the process
//! (counted from the first) that opened it. Nobody waits for anybody, so the list works in fork handlers, in signal
//! handlers and after a fork at any moment.
//!
//! | phase | meaning | next |
//! |---|---|---|
//! | FREE | nobody's | OPENING |
//! | OPENING | claimed, its file noted; the descriptor may exist already | HELD, FREE |
//! | HELD | open, by that number | RENEWING, LOST, RETIRED |
//! | RENEWING | a reserve that a fork hands to its child: a new one is being opened | HELD, ABANDONED |
//! | ABANDONED | its handle went meanwhile | RETIRED |
//! | LOST | closed by somebody else, and the number used again | HELD, RETIRED |
//! | RETIRED | closed; a child that is being forked may have a copy | OPENING when no fork is in progress |

use super::fd::{self, Fd, Identity};
use super::fork;
pub(crate) use super::purpose::Use;
use rustix::fd::{BorrowedFd, RawFd};
use rustix::fs::OFlags;
use rustix::io::Errno;
use rustix::mm::{MapFlags, ProtFlags, mmap_anonymous, munmap};
use std::ptr;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release, SeqCst};
use std::sync::atomic::{AtomicPtr, AtomicU64, AtomicUsize};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Phase {
    Free = 0,
    Opening = 1,
    Held = 2,
    Renewing = 3,
    Abandoned = 4,
    Lost = 5,
    Retired = 6,
}

impl Phase {
    fn from_word(word: u64) -> Self {
        match word as u8 {
            1 => Self::Opening,
            2 => Self::Held,
            3 => Self::Renewing,
            4 => Self::Abandoned,
            5 => Self::Lost,
            6 => Self::Retired,
            _ => Self::Free,
        }
    }
}

pub(super) fn pack(number: RawFd, what: Use, phase: Phase) -> u64 {
    (number as u64) << 32 | u64::from(fork::epoch()) << 16 | (what as u64) << 8 | phase as u64
}

/// What a place holds.
#[derive(Clone, Copy)]
pub(super) struct Content {
    word: u64,
    pub number: RawFd,
    /// As [`fork::epoch`], when it got here.
    pub epoch: u16,
    pub what: Use,
    pub phase: Phase,
}

/// One descriptor, or room for one. It stays there for as long as the library is loaded.
pub(crate) struct Place {
    word: AtomicU64,
    device: AtomicU64,
    inode: AtomicU64,
    /// Which handle it belongs to.
    owner: AtomicUsize,
}

impl Place {
    /// What an array of places begins as.
    #[allow(clippy::declare_interior_mutable_const)]
    const EMPTY: Self = Self {
        word: AtomicU64::new(0),
        device: AtomicU64::new(0),
        inode: AtomicU64::new(0),
        owner: AtomicUsize::new(0),
    };

    pub(super) fn content(&self) -> Option<Content> {
        let word = self.word.load(Acquire);
        let what = Use::from_word(word)?;
        let (number, epoch) = ((word >> 32) as RawFd, (word >> 16) as u16);
        Some(Content { word, number, epoch, what, phase: Phase::from_word(word) })
    }

    pub(super) fn identity(&self) -> Identity {
        Identity { device: self.device.load(Relaxed), inode: self.inode.load(Relaxed) }
    }

    pub(super) fn owner(&self) -> usize {
        self.owner.load(Relaxed)
    }

    /// Claims a place for a descriptor of that file, which is opened next.
    pub fn claim(owner: usize, what: Use, identity: Identity) -> Result<&'static Self, Errno> {
        loop {
            for place in all() {
                if place.claim_this(what) {
                    // A child that sees the place before these are written compares with what was there, and finds
                    // nothing to close: the descriptor is opened after them.
                    place.device.store(identity.device, Relaxed);
                    place.inode.store(identity.inode, Relaxed);
                    place.owner.store(owner, Release);
                    return Ok(place);
                }
            }
            grow()?;
        }
    }

    fn claim_this(&self, what: Use) -> bool {
        let word = self.word.load(Acquire);
        let is_free = match Phase::from_word(word) {
            Phase::Free => true,
            // The descriptor was closed before the place said so, and a fork that begins now copies neither.
            Phase::Retired => !fork::is_in_progress(),
            _ => false,
        };
        let opening = pack(0, what, Phase::Opening);
        is_free && self.word.compare_exchange(word, opening, AcqRel, Relaxed).is_ok()
    }

    /// Lists the descriptor for which this place was claimed or, if that was lost, replaced.
    pub fn hold(&self, fd: Fd) {
        let Some(content) = self.content() else { return };
        let number = fd.into_number();
        disown(number);
        self.word.store(pack(number, content.what, Phase::Held), Release);
    }

    /// Lists another descriptor of the same file in the stead of one that is not there any more.
    pub(super) fn replace(&self, fd: Fd) {
        let Some(content) = self.content() else { return };
        if matches!(content.phase, Phase::Held | Phase::Lost) && !self.is_own(fd::borrow(content.number)) {
            let number = fd.into_number();
            disown(number);
            // The number may be the same: then it was disowned just now.
            let Some(content) = self.content() else { return fd::close(number) };
            if !self.exchange(content, pack(number, content.what, Phase::Held)) {
                fd::close(number);
            }
        }
    }

    /// Gives up a claim for which nothing was opened, or what was opened is closed.
    pub fn unclaim(&self) {
        self.end(0);
    }

    /// From here on somebody else may claim the place, who must not find an owner that isn't its own.
    fn end(&self, word: u64) {
        self.owner.store(0, Relaxed);
        self.word.store(word, Release);
    }

    /// The descriptor, unless its number is known to be somebody else's by now.
    pub fn listed(&self) -> Option<BorrowedFd<'_>> {
        let content = self.content()?;
        matches!(content.phase, Phase::Held | Phase::Renewing).then(|| fd::borrow(content.number))
    }

    /// The descriptor, if that number still is what it was.
    pub fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.listed().filter(|fd| self.is_own(*fd))
    }

    /// Whether a descriptor is what this place is for. Where a sandbox refuses to tell the file, the flags decide.
    pub(super) fn is_own(&self, fd: BorrowedFd<'_>) -> bool {
        let Some(content) = self.content() else { return false };
        let is_file = match Identity::of(fd) {
            Ok(found) => found == self.identity(),
            Err(errno) => errno != Errno::BADF && content.what.flags().is_some(),
        };
        is_file && content.what.is_shown_by(fd)
    }

    /// Closes the descriptor, if it still is what it was.
    pub fn give_back(&self) {
        while let Some(content) = self.content() {
            let next = match content.phase {
                Phase::Held => {
                    let number = fd::borrow(content.number);
                    let own = self.is_own(number);
                    // Closed before it is retired: from then on the place may be used again.
                    if own && self.exchange(content, pack(content.number, content.what, Phase::Abandoned)) {
                        fd::close(content.number);
                        return self.end(pack(content.number, content.what, Phase::Retired));
                    }
                    if own {
                        continue;
                    }
                    pack(0, content.what, Phase::Lost)
                }
                Phase::Renewing => pack(content.number, content.what, Phase::Abandoned),
                Phase::Lost | Phase::Opening => return self.end(0),
                Phase::Free | Phase::Abandoned | Phase::Retired => return,
            };
            self.exchange(content, next);
        }
    }

    /// Takes a reserve to be a lock's. False if another thread has taken it, or it is not there any more.
    pub(super) fn turn_into_lock(&self) -> bool {
        let Some(content) = self.content() else { return false };
        let is_ready = content.phase == Phase::Held && content.what == Use::Reserve;
        let descriptor = fd::borrow(content.number);
        // Nobody has made it a lock's yet: a number listed a moment before the fork could be one that was opened after it.
        let is_unused = || fd::has_flags(descriptor, OFlags::APPEND, OFlags::APPEND);
        if !is_ready || !self.is_own(descriptor) || !is_unused() {
            return false;
        }
        if !self.exchange(content, pack(content.number, Use::Lock, Phase::Held)) {
            return false;
        }
        rustix::fs::fcntl_setfl(descriptor, OFlags::NONBLOCK).is_ok()
    }

    /// The way back.
    pub(super) fn turn_into_reserve(&self) {
        let Some(content) = self.content() else { return };
        let flags = OFlags::NONBLOCK | OFlags::APPEND;
        if rustix::fs::fcntl_setfl(fd::borrow(content.number), flags).is_ok() {
            self.exchange(content, pack(content.number, Use::Reserve, Phase::Held));
        }
    }

    /// In a parent that has forked: what its child has now is replaced by a new description, if one can be had.
    pub(super) fn renew(&self) {
        let Some(content) = self.content() else { return };
        let renewing = Content { word: pack(content.number, content.what, Phase::Renewing), ..content };
        if content.what != Use::Reserve
            || content.phase != Phase::Held
            || !self.exchange(content, renewing.word)
        {
            return;
        }
        let old = fd::borrow(content.number);
        let is_own = self.is_own(old);
        let new = if is_own { super::open::reopened(old, Use::Reserve, self.identity()).ok() } else { None };
        if is_own {
            fd::close(content.number);
        }
        let next = match new {
            Some(fd) => {
                let number = fd.into_number();
                disown(number);
                pack(number, Use::Reserve, Phase::Held)
            }
            None => pack(content.number, Use::Reserve, Phase::Lost),
        };
        if !self.exchange(renewing, next) {
            // Abandoned: its handle went.
            if Phase::from_word(next) == Phase::Held {
                fd::close((next >> 32) as RawFd);
            }
            self.end(pack(content.number, Use::Reserve, Phase::Retired));
        }
    }

    /// Makes the reserve of the handle whose file this is, if it has none and one can be had.
    pub(super) fn provide_reserve(&self) {
        let is_file = self.content().is_some_and(|content| content.what == Use::File);
        let owner = self.owner();
        if !is_file || owner == 0 || reserve_of(owner).is_some() {
            return;
        }
        let Some(file) = self.fd() else { return };
        let Ok(place) = Self::claim(owner, Use::Reserve, self.identity()) else { return };
        match super::open::reopened(file, Use::Reserve, self.identity()) {
            Ok(fd) => place.hold(fd),
            Err(_) => place.unclaim(),
        }
        // The handle may have gone meanwhile.
        if self.owner() != owner {
            place.give_back();
        }
    }

    pub(super) fn exchange(&self, from: Content, to: u64) -> bool {
        self.word.compare_exchange(from.word, to, AcqRel, Relaxed).is_ok()
    }
}

/// A number that was just given to this process by the kernel belongs to nobody else: whoever has it listed has lost it
/// to a `close` of the program's.
fn disown(number: RawFd) {
    for place in all() {
        let Some(content) = place.content() else { continue };
        if content.number == number && content.phase == Phase::Held {
            place.exchange(content, pack(number, content.what, Phase::Lost));
        }
    }
}

/// Closes all that belongs to a handle.
pub(crate) fn give_back_all(owner: usize) {
    // Acquire in `content` orders the owner after the word.
    all().filter(|place| place.content().is_some() && place.owner() == owner).for_each(Place::give_back);
}

/// The reserve of a handle.
pub(super) fn reserve_of(owner: usize) -> Option<&'static Place> {
    let is_it = |place: &&Place| {
        let content = place.content();
        content.is_some_and(|found| found.what == Use::Reserve && found.phase == Phase::Held)
            && place.owner() == owner
    };
    all().find(is_it)
}

const IN_BLOCK: usize = 127;

#[repr(C)]
struct Block {
    places: [Place; IN_BLOCK],
    next: AtomicPtr<Self>,
}

/// The first block; more are mapped where it does not suffice.
static FIRST: Block = Block { places: [Place::EMPTY; IN_BLOCK], next: AtomicPtr::new(ptr::null_mut()) };

/// All places.
pub(super) fn all() -> impl Iterator<Item = &'static Place> {
    let mut block = Some(&FIRST);
    std::iter::from_fn(move || {
        let found = block?;
        // SAFETY: blocks are never unmapped, and zeroed memory is a valid block.
        block = unsafe { found.next.load(Acquire).as_ref() };
        Some(found.places.iter())
    })
    .flatten()
}

/// Adds a block. Mapped, not allocated: the allocator's locks may be what a fork left locked.
#[cold]
fn grow() -> Result<(), Errno> {
    let size = size_of::<Block>();
    let access = ProtFlags::READ | ProtFlags::WRITE;
    // SAFETY: a new mapping, at no address in particular.
    let new = unsafe { mmap_anonymous(ptr::null_mut(), size, access, MapFlags::PRIVATE) }?;
    let mut last = &FIRST;
    loop {
        match last.next.compare_exchange(ptr::null_mut(), new.cast(), SeqCst, Acquire) {
            Ok(_) => return Ok(()),
            // SAFETY: as in `all`; not null, since the exchange failed.
            Err(other) => match unsafe { other.as_ref() } {
                Some(block) => last = block,
                None => break,
            },
        }
    }
    // SAFETY: mapped above, and seen by nobody.
    unsafe { munmap(new, size) }
}
