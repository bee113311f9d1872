//! Waiting without taking: in a call, or with epoll and its like.

use super::Server;
use super::take::NextRequest;
use crate::channel::poll::{Armed, What};
use crate::error::Result;
use crate::protocol::ring;
use crate::wait::Wait;
use rustix::fd::BorrowedFd;

impl Server {
    /// Waits until a request is there, and takes none. Another server may take it first.
    ///
    /// # Errors
    /// [`crate::Error::WouldBlock`] if the timeout is 0 and there is none; [`crate::Error::TimedOut`];
    /// [`crate::Error::Canceled`] if the wait's cancel word was set; [`crate::Error::Interrupted`];
    /// [`crate::Error::Stopped`].
    pub fn wait<'w>(&self, wait: impl Into<Wait<'w>>) -> Result<()> {
        self.channel.enter(None)?;
        let deadline = self.channel.deadline(&wait.into())?;
        let (_, has_slept) = self.channel.wait_for(&mut NextRequest::of(&self.channel), &deadline)?;
        if has_slept {
            // It is not known here whether this handle takes what is left: whatever call does hands on the rest.
            self.channel.note_woken(What::Requests);
        }
        Ok(())
    }

    /// A descriptor that becomes readable when a request comes after [`Server::arm`]: for programs that wait for
    /// several things at once, with poll(2), epoll(7) or the like. Clients need not know of it. It may become readable
    /// though nothing is there, and when the handle is stopped or interrupted.
    ///
    /// The first call makes it, and starts a thread that sleeps for the program, one for the handle. The thread ends
    /// with the handle. In a forked child it is another descriptor, with a thread of its own.
    ///
    /// ```
    /// use shmrr::{Armed, Error, Options};
    /// let server = Options::new().anonymous()?;
    /// let readable = server.poll_fd()?;
    /// // Each time before the program waits for `readable` and for other descriptors:
    /// let mut buffer = [0; 4096];
    /// while server.arm()? == Armed::Ready {
    ///     match server.recv(&mut buffer) {
    ///         Ok(request) => server.reply(request.id, &buffer[..request.length])?,
    ///         Err(Error::WouldBlock) => {}
    ///         Err(other) => return Err(other),
    ///     }
    /// }
    /// # let _ = readable;
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// [`crate::Error::System`] if no thread can be started (ENOMEM, EPERM) or no descriptor made;
    /// [`crate::Error::NoMemory`]; [`crate::Error::Stopped`].
    pub fn poll_fd(&self) -> Result<BorrowedFd<'_>> {
        self.channel.poll_fd()
    }

    /// Has the descriptor become readable when a request comes, unless one is there already. To be called each time
    /// before the program waits for it; to readiness that is not asked for, peers contribute nothing.
    ///
    /// # Errors
    /// As [`Server::poll_fd`].
    pub fn arm(&self) -> Result<Armed> {
        let channel = &self.channel;
        channel.arm(What::Requests, false, || ring::find(channel.mapping(), &channel.known).is_some())
    }
}
