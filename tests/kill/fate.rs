//! What must become of each request, by what a death left of it.

use crate::survivors::End;
use crate::words::{Reply, Request, Slot};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It has this outcome already, for its client to collect.
    Ended(End),
    /// A survivor receives it, as one that was delivered so often before.
    Served { redeliveries: u32 },
    /// A survivor holds it.
    Leased,
    /// Its server died with it.
    Lost,
    /// It was never queued, or withdrawn.
    Unsent,
    /// Nobody waits for it any more: it was cleared or given up, or it was one-way and its server is done with it.
    Gone,
}

impl Fate {
    /// Of the newest request in a slot, when the dead are dead.
    pub fn of(slot: &Slot, is_leased: bool, redelivers: bool) -> Self {
        match (slot.reply, slot.request) {
            (Reply::Free | Reply::Abandoned, _) => Self::Gone,
            (Reply::Ready, _) => Self::Ended(End::ByVictim),
            (Reply::Failed, _) => Self::Ended(End::Failed),
            (Reply::Dismissed, _) => Self::Ended(End::Dismissed),
            (Reply::Pending | Reply::Posted, Request::Queued { times }) => {
                Self::Served { redeliveries: times }
            }
            (Reply::Pending | Reply::Posted, Request::Claimed { times }) => match (is_leased, redelivers) {
                (true, _) => Self::Leased,
                (false, true) => Self::Served { redeliveries: times + 1 },
                (false, false) => Self::Lost,
            },
            (Reply::Pending, Request::Lost) => Self::Lost,
            (Reply::Posted, Request::Lost) => Self::Gone,
            (Reply::Pending | Reply::Posted, Request::None) => Self::Unsent,
        }
    }

    /// How a call ends whose request has this fate.
    pub fn end(self) -> End {
        match self {
            Self::Ended(end) => end,
            Self::Served { .. } | Self::Leased => End::BySurvivor,
            Self::Lost => End::Failed,
            Self::Gone => End::Stale,
            Self::Unsent => panic!("its sender lives"),
        }
    }

    /// Whether a survivor receives it, or has done so.
    pub fn is_received(self) -> bool {
        matches!(self, Self::Served { .. } | Self::Leased)
    }
}
