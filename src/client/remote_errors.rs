//! The error replies that a client handle collected lately, so that a caller which got only the code `-EREMOTEIO` can
//! ask for the server's own code and text.

use crate::error::Text;
use rustix::thread::{Pid, gettid};
use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

const KEPT: usize = 64;

struct Entry {
    id: u64,
    /// The thread whose request ended with it, where nobody was told the id.
    caller: Option<Pid>,
    code: i32,
    text: Text,
}

#[derive(Default)]
pub(crate) struct RemoteErrors(Mutex<VecDeque<Entry>>);

impl RemoteErrors {
    pub fn remember(&self, id: u64, by_caller: bool, code: i32, text: &str) {
        let caller = by_caller.then(gettid);
        let mut entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // What there is no memory for is not kept.
        if entries.capacity() < KEPT && entries.try_reserve_exact(KEPT).is_err() {
            return;
        }
        entries.truncate(KEPT - 1);
        entries.push_front(Entry { id, caller, code, text: text.into() });
    }

    /// The newest of this id; for id 0 the newest of the calling thread.
    pub fn find(&self, id: u64) -> Option<(i32, Text)> {
        let this = gettid();
        let entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let wanted = |entry: &&Entry| if id == 0 { entry.caller == Some(this) } else { entry.id == id };
        entries.iter().find(wanted).map(|entry| (entry.code, entry.text.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_found_by_id_or_by_the_thread_that_met_them_and_the_oldest_go() {
        let errors = RemoteErrors::default();
        errors.remember(7, false, 70, "seven");
        errors.remember(8, true, 80, "eight");
        assert_eq!(errors.find(7), Some((70, "seven".into())));
        assert_eq!(errors.find(0), Some((80, "eight".into())));
        std::thread::scope(|scope| {
            scope.spawn(|| assert_eq!(errors.find(0), None));
        });
        for id in 100..100 + KEPT as u64 {
            errors.remember(id, false, 0, "");
        }
        assert_eq!(errors.find(7), None);
    }
}
