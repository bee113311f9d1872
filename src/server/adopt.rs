//! Taking over what another handle has taken.

use super::Server;
use crate::error::{Error, Result};
use crate::id::RequestId;
use crate::layout::lines::Doorbell;
use crate::protocol::passing::{self, NotAdopted};
use crate::protocol::slot::Replied;

impl Server {
    /// Makes a request that another server handle has taken this one's: one of this process, of the parent of this
    /// process, or of whatever process told this one the id. From then on this handle replies to it, and it fails, or is
    /// redelivered, with this one. The other gets [`Error::Stale`]; it must not be replying at the same moment, as no two
    /// threads reply to one id. A request that is this handle's already stays so. One-way messages are adopted alike.
    ///
    /// Where the channel redelivers, an id is one of the server's that told it only as long as that lives: adopt it before
    /// that ends, or a third may have taken the request meanwhile, and lose it to this one.
    ///
    /// # Errors
    /// [`Error::Stale`] if nobody holds the request, its client gave up, or it has been replied to;
    /// [`Error::AdoptedTooOften`] if it has been adopted seven times since it was taken; [`Error::Stopped`].
    pub fn adopt(&self, id: RequestId) -> Result<()> {
        self.channel.check_running()?;
        let id = self.channel.id(id)?;
        let me = self.channel.me()?;
        match passing::adopt(self.channel.mapping(), id, me) {
            Ok(()) => Ok(()),
            Err(NotAdopted::TooOften) => Err(Error::AdoptedTooOften),
            Err(NotAdopted::Ended(replied)) => {
                // Its client gave up: the lease was this one's to end.
                if matches!(replied, Replied::Freed | Replied::Released) {
                    self.channel.ring_doorbell(Doorbell::FreeSlot);
                }
                Err(Error::Stale)
            }
        }
    }
}
