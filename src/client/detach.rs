//! Letting go of a call, so that it outlives its caller.

use super::Client;
use crate::error::{Error, Result};
use crate::id::RequestId;
use crate::protocol::passing::{self, Detached};
use crate::protocol::slot::Stale;

impl Client {
    /// Lets go of a request that was sent: nobody collects its reply, and it is served even if this client leaves or dies,
    /// as if it had been posted. If the outcome is there already, it is dropped. The id is no request of this handle from
    /// then on.
    ///
    /// Its server replies as ever; [`crate::MessageFlags::ONE_WAY`] is not among the flags that it sees.
    ///
    /// # Errors
    /// [`Error::Stale`] if the id is none of this handle's, or was collected or cancelled before; [`Error::Stopped`].
    pub fn detach(&self, id: RequestId) -> Result<()> {
        self.channel.check_running()?;
        let me = self.channel.me()?;
        let id = self.channel.id(id)?;
        match passing::detach(self.channel.mapping(), id, me) {
            Ok(Detached::Sent { before }) => self.channel.wake_sleepers(id.slot, before),
            Ok(Detached::Freed) => self.freed(id),
            Err(Stale) => return Err(Error::Stale),
        }
        Ok(())
    }
}
