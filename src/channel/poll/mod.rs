//! Waiting with epoll and its like for peers that know nothing of it: those who opened the channel by its name.
//!
//! A peer wakes whoever is announced on a doorbell, by futex(2). So a handle that is to be waited for with epoll has a
//! helper thread, which sleeps on the doorbell in the program's stead, takes nothing, and signals an eventfd: the
//! descriptor that is polled. The program arms it each time before it waits. To a peer an armed handle is a thread that
//! sleeps, and one that is not armed costs nothing.
//!
//! | file | what |
//! |---|---|
//! | this | the record of a handle's descriptor and helpers; arming |
//! | [`helper`] | the thread |
//! | [`sent`] | which requests of a client it watches |
//! | [`tend`] | what is to be done now and then |
//!
//! A helper that was woken is responsible for all that was published since, as any sleeper is (see [`super::sleep`]). It
//! passes that on to the program by a mark in the handle's seat: the next call that takes something hands on what is left.
//! If nobody asked it for a signal, it wakes the next sleeper itself.
//!
//! The record is in private memory that a forked child has a copy of, and the seat, which leads to it, is empty there. So
//! the child makes a record, a descriptor and a thread of its own, and frees its parent's record with its handle.

pub(crate) mod helper;
mod sent;
mod tend;

use super::Channel;
use super::membership::Role;
use super::sleep::finds_slot;
use crate::error::{Error, Result};
use crate::layout::Mapping;
use crate::layout::lines::Doorbell;
use crate::memory;
use crate::protocol::ring::{self, Known};
use crate::protocol::{Memory, Participant, arming, doorbell};
use crate::region::fork;
use crate::region::kept::Place;
use crate::region::seat::Seat;
use crate::wait::eventfd::EventFd;
use helper::Helper;
use rustix::fd::BorrowedFd;
use rustix::io::Errno;
use sent::Sent;
use std::ptr::{self, NonNull};
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, SeqCst};
use std::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64, fence};
pub use tend::Tended;
pub(super) use tend::Tending;

/// What arming came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Armed {
    /// Nothing is there: the descriptor becomes readable when something comes.
    Waiting,
    /// Something is there already: take it, then arm again.
    Ready,
}

/// What a handle is woken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    Requests,
    Replies,
    Slots,
}

impl What {
    /// What the descriptor of a handle is for in the first place.
    fn of(role: Role) -> Self {
        match role {
            Role::Server => Self::Requests,
            Role::Client => Self::Replies,
        }
    }

    /// Its bit in [`Poll::fired`].
    fn fired(self) -> u32 {
        1 << self as u32
    }

    /// The mark in the seat.
    fn mark(self) -> u32 {
        match self {
            Self::Requests => 1,
            // All who wait for replies are woken at once: nothing is handed on.
            Self::Replies => 0,
            Self::Slots => 2,
        }
    }
}

/// A handle's descriptor and helpers in one process. It stays where it is until the handle is dropped.
pub(crate) struct Poll {
    mapping: Mapping,
    known: Known,
    me: Participant,
    seat: NonNull<Seat>,
    event: AtomicPtr<Place>,
    /// What it was signalled for since that was armed last; see [`What::fired`].
    fired: AtomicU32,
    /// For requests or replies, and for slots.
    helpers: [Helper; 2],
    sent: Sent,
    /// Those of the processes from which this one was forked, or null.
    inherited: *mut Self,
}

// SAFETY: the seat is atomics and outlives the record, and `inherited` is only read to free it.
unsafe impl Send for Poll {}
// SAFETY: as above.
unsafe impl Sync for Poll {}

impl Poll {
    fn helper(&self, what: What) -> &Helper {
        &self.helpers[usize::from(what == What::Slots)]
    }

    fn seat(&self) -> &Seat {
        // SAFETY: it outlives the record.
        unsafe { self.seat.as_ref() }
    }

    fn doorbell(&self, what: What) -> &AtomicU64 {
        match what {
            What::Requests => self.mapping.doorbell(Doorbell::Request),
            What::Slots => self.mapping.doorbell(Doorbell::FreeSlot),
            What::Replies => &self.mapping.participant(self.me).watch,
        }
    }

    /// Announces a sleeper, who must look once more. What the doorbell shows then.
    fn announce(&self, what: What) -> u32 {
        let expected = doorbell::announce(self.doorbell(what));
        // As in `Channel::announce_watcher`.
        fence(SeqCst);
        expected
    }

    /// Whether there is something to be woken for. `is_due`: it is this one's turn though others have waited for longer.
    fn finds(&self, what: What, is_due: bool) -> bool {
        match what {
            What::Requests => ring::find(&self.mapping, &self.known).is_some(),
            What::Slots => {
                (is_due || !doorbell::is_starving(self.doorbell(what))) && finds_slot(&self.mapping)
            }
            What::Replies => self.sent.look(&self.mapping, self.me),
        }
    }

    fn event(&self) -> Option<EventFd> {
        // SAFETY: null, or a place of the list, which stays.
        unsafe { self.event.load(Acquire).as_ref() }.map(EventFd::from_place)
    }

    /// Signals the program, if it is armed. Async-signal-safe.
    fn fire(&self, what: What) {
        if arming::fire(self.helper(what).word()) {
            // Before the signal: the program that it wakes finds the mark.
            self.seat().woken.fetch_or(what.mark(), SeqCst);
            self.fired.fetch_or(what.fired(), SeqCst);
            self.signal();
        }
    }

    /// Takes the signals that came before this arm for `what`, and no others: one descriptor serves both kinds.
    fn take_signals(&self, what: What) {
        let Some(event) = self.event() else { return };
        event.take();
        let fired = self.fired.load(SeqCst);
        let is_new = fired & what.fired() != 0;
        let others = [What::Replies, What::Slots].into_iter();
        let mut others = others.filter(|other| *other != what && fired & other.fired() != 0);
        let is_others = others.any(|other| {
            // Whoever armed for it may still wait, or has found it in another way.
            self.fired.fetch_and(!other.fired(), SeqCst);
            let is_there = self.finds(other, true);
            if is_there {
                self.fired.fetch_or(other.fired(), SeqCst);
            }
            is_there
        });
        if is_new || is_others {
            event.signal();
        }
    }

    /// Has a request that was just sent watched, if the program may be waiting already.
    fn note_sent(&self, slot: u32) {
        self.sent.note(slot);
        // After the note: whoever arms does so before it looks at the notes (both `SeqCst`).
        if arming::is_armed(self.helper(What::Replies).word())
            && self.sent.look_at(&self.mapping, self.me, slot)
        {
            self.fire(What::Replies);
        }
    }

    fn signal(&self) {
        if let Some(event) = self.event() {
            event.signal();
        }
    }

    /// Wakes the next sleeper, if something is left for it.
    fn hand_on(&self, what: What) {
        // All who wait for replies were woken.
        if what != What::Replies {
            // Announced first: the wake-up that is handed on took the announcement of all who sleep.
            self.announce(what);
            if self.finds(what, true) {
                helper::wake_next(self.doorbell(what));
            }
        }
    }
}

impl Channel {
    /// This process's record, if it has one.
    #[inline]
    pub(crate) fn poll(&self) -> Option<&Poll> {
        let record = self.region.seat().poll.load(Acquire).cast::<Poll>();
        // SAFETY: null, or what `poll_or_new` made, which lives as long as the handle.
        unsafe { record.as_ref() }
    }

    fn poll_or_new(&self) -> Result<&Poll> {
        fork::note_process();
        let me = self.me()?;
        if let Some(poll) = self.poll() {
            return Ok(poll);
        }
        let event = EventFd::new(self.region.owner())?;
        let made = self.new_poll(me, event).inspect_err(|_| event.set_aside())?;
        let record = Box::into_raw(made);
        let seat = self.region.seat();
        if seat.poll.compare_exchange(ptr::null_mut(), record.cast(), AcqRel, Acquire).is_err() {
            // SAFETY: made above, and seen by nobody.
            drop(unsafe { Box::from_raw(record) });
            event.set_aside();
        } else {
            self.polls.store(record, Relaxed);
        }
        let poll = self.poll().ok_or(Error::NotJoined)?;
        self.is_looped.store(true, SeqCst);
        // Before anything is armed: what was sent up to now is watched too, and what is sent from now on says so.
        if self.membership.role() == Role::Client {
            poll.sent.note_all(&self.mapping, me);
        }
        Ok(poll)
    }

    fn new_poll(&self, me: Participant, event: EventFd) -> Result<Box<Poll>> {
        let slots = match self.membership.role() {
            Role::Server => 0,
            Role::Client => self.mapping.total_slots(),
        };
        memory::boxed(Poll {
            // SAFETY: the record goes with the handle, before the mapping does.
            mapping: unsafe { self.mapping.again() },
            known: Known::at_attach(&self.mapping),
            me,
            seat: NonNull::from(self.region.seat()),
            fired: AtomicU32::new(0),
            event: AtomicPtr::new(ptr::from_ref(event.place()).cast_mut()),
            helpers: [Helper::new(), Helper::new()],
            sent: Sent::new(slots)?,
            inherited: self.polls.load(Relaxed),
        })
    }

    /// The descriptor that becomes readable when something comes for this handle after it was armed.
    pub(crate) fn poll_fd(&self) -> Result<BorrowedFd<'_>> {
        self.check_running()?;
        let poll = self.poll_or_new()?;
        poll.start_helper(What::of(self.membership.role()))?;
        if let Some(fd) = poll.event().and_then(EventFd::fd) {
            return Ok(fd);
        }
        // The program closed it.
        let event = EventFd::new(self.region.owner())?;
        poll.event.store(ptr::from_ref(event.place()).cast_mut(), SeqCst);
        event.fd().ok_or_else(|| Error::system("the new eventfd was closed", Errno::BADF))
    }

    /// Has the descriptor become readable when something comes, unless something is there already, says `ready`, who is
    /// asked after it is announced that this handle sleeps.
    pub(crate) fn arm(&self, what: What, is_starving: bool, ready: impl Fn() -> bool) -> Result<Armed> {
        self.check_running()?;
        let poll = self.poll_or_new()?;
        poll.start_helper(what)?;
        let word = poll.helper(what).word();
        let was_woken = self.was_woken(what);
        poll.fired.fetch_and(!what.fired(), SeqCst);
        let armed = arming::arm(word);
        if armed.must_unpark() {
            poll.helper(what).unpark();
        }
        poll.announce(what);
        if is_starving {
            doorbell::announce_starving(poll.doorbell(what));
        }
        // Whoever stops the handle says so first and then signals: one of the two sees the other (both `SeqCst`).
        self.check_running()?;
        if ready() {
            arming::disarm(word, armed);
            if was_woken {
                self.note_woken(what);
            }
            return Ok(Armed::Ready);
        }
        poll.take_signals(what);
        Ok(Armed::Waiting)
    }

    /// As [`Channel::arm`], for the outcome of any request that this client has sent.
    pub(crate) fn arm_for_replies(&self) -> Result<Armed> {
        self.arm(What::Replies, false, || self.poll().is_some_and(|poll| poll.finds(What::Replies, true)))
    }

    /// Whether this handle is, or was, one of a loop, or has waited without taking. One look at this is all that calls of
    /// other handles pay.
    #[inline]
    pub(crate) fn is_looped(&self) -> bool {
        // SeqCst: a sender has its slot before it looks, and the maker of a record says so before it looks at the slots.
        self.is_looped.load(SeqCst)
    }

    /// A client has sent a request that is collected later.
    pub(crate) fn note_sent(&self, slot: u32) {
        if let Some(poll) = self.poll() {
            poll.note_sent(slot);
        }
    }

    /// A client has seen a reply, which stays until it is done with it.
    pub(crate) fn note_seen(&self, slot: u32) {
        if let Some(poll) = self.poll() {
            poll.sent.forget(slot);
        }
    }

    /// Tells which slots of this client have an outcome that is neither collected nor viewed, each once.
    #[cfg(feature = "tokio")]
    pub(crate) fn take_done(&self, act: impl FnMut(u32)) {
        if let Some(poll) = self.poll() {
            poll.sent.take_done(&self.mapping, poll.me, act);
        }
    }

    /// A wait that took nothing was woken: whoever takes something hands on what is left.
    pub(crate) fn note_woken(&self, what: What) {
        self.is_looped.store(true, SeqCst);
        self.region.seat().woken.fetch_or(what.mark(), Relaxed);
    }

    /// Whether [`Channel::was_woken`] would say so.
    pub(crate) fn is_woken(&self, what: What) -> bool {
        self.region.seat().woken.load(Relaxed) & what.mark() != 0
    }

    /// Wakes the program if it is armed, whatever for. Async-signal-safe.
    pub(in crate::channel) fn fire_all(&self) {
        if let Some(poll) = self.poll() {
            poll.fire(What::of(self.membership.role()));
            poll.fire(What::Slots);
        }
    }

    /// Whether a wake-up that a helper got is to be handed on by whoever takes something now. Marks it as taken.
    pub(crate) fn was_woken(&self, what: What) -> bool {
        self.is_woken(what) && self.take_mark(what)
    }

    fn take_mark(&self, what: What) -> bool {
        self.region.seat().woken.fetch_and(!what.mark(), Relaxed) & what.mark() != 0
    }

    /// When the handle is dropped: ends the helpers, hands on what they or the program were woken for, and frees the
    /// records of this process and of those from which it was forked.
    pub(super) fn end_poll(&mut self) {
        if let Some(poll) = self.poll() {
            for what in [What::of(self.membership.role()), What::Slots] {
                if poll.end_helper(what) {
                    poll.hand_on(what);
                }
            }
            self.region.seat().poll.store(ptr::null_mut(), Relaxed);
        }
        let mut record = self.polls.swap(ptr::null_mut(), Relaxed);
        while !record.is_null() {
            // SAFETY: made by `poll_or_new`, in this process or in one that it was forked from, and no helper is left.
            record = unsafe { Box::from_raw(record) }.inherited;
        }
    }
}
