//! Eventfds that their handle has no use for any more, set aside until it has use for another.
//!
//! A thread that is about to signal one may have looked at it before it was set aside. So its number stays open for as
//! long as the handle lives, and the handle's next eventfd takes it over (dup3(2)): a late signal goes to what was there
//! or to what is there now, and to nobody else's file. Hence a handle has no more of them than threads have replaced at
//! once.

use super::fd::{self, Fd};
use super::fork;
use super::kept::{Phase, Place, Use, all, pack};

impl Place {
    /// Sets an eventfd aside.
    pub fn set_aside(&self) {
        self.turn(Use::Event, Use::Aside);
    }

    /// Lists an eventfd under the number of one that this handle has set aside, if there is one.
    pub fn take_over(owner: usize, new: &Fd) -> Option<&'static Self> {
        // A child that is being forked has its copy of the descriptor from before, and of the list from after.
        if fork::is_in_progress() {
            return None;
        }
        all().filter(|place| place.owner() == owner).find(|place| place.becomes(new))
    }

    /// From the first exchange on no other thread takes it over. Nobody's pointer leads to it yet.
    fn becomes(&self, new: &Fd) -> bool {
        let Some(number) = self.turn(Use::Aside, Use::Event) else { return false };
        // One that the program closed stays out of use until its handle goes.
        if !self.is_own(fd::borrow(number)) {
            return false;
        }
        let is_done = fd::put(new, number).is_ok();
        if !is_done {
            self.set_aside();
        }
        is_done
    }

    /// Returns the number.
    fn turn(&self, from: Use, to: Use) -> Option<i32> {
        let content = self.content()?;
        let is_it = content.phase == Phase::Held && content.what == from;
        (is_it && self.exchange(content, pack(content.number, to, Phase::Held))).then_some(content.number)
    }
}
