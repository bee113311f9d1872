//! Every message of a process in the chaos test signals that process's own eventfd: it counts along.

use std::cell::Cell;

/// One look in so many messages.
const LOOKS: u64 = 64;

#[derive(Default)]
pub struct Signals {
    certain: Cell<u64>,
    possible: Cell<u64>,
}

impl Signals {
    /// A message was sent.
    pub fn comes(&self) {
        self.certain.set(self.certain.get() + 1);
        self.may_come();
    }

    /// A message may have been sent.
    pub fn may_come(&self) {
        self.possible.set(self.possible.get() + 1);
    }

    /// Takes the signals now and then, and compares.
    pub fn check(&self, consume: impl FnOnce() -> u64) {
        if self.possible.get() < LOOKS {
            return;
        }
        let (least, most) = (self.certain.take(), self.possible.take());
        let consumed = consume();
        assert!((least..=most).contains(&consumed), "{least} to {most} messages signalled {consumed} times");
    }
}
