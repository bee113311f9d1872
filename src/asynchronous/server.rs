//! A server whose requests are awaited.

use super::Readable;
use crate::{Armed, Error, Request, RequestView, Result, Server, Timeout};
use rustix::io::Errno;
use std::fmt;
use std::os::fd::AsRawFd;
use std::time::Duration;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// A server for tasks: any number may await requests at once. Replies don't block, and are sent by [`AsyncServer::server`].
pub struct AsyncServer {
    // Before the server, which closes its descriptor.
    readable: AsyncFd<Readable>,
    server: Server,
}

impl fmt::Debug for AsyncServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsyncServer").field("server", &self.server).finish_non_exhaustive()
    }
}

impl AsyncServer {
    /// Makes a server one for tasks; within a runtime that has its drivers for input and output and for time.
    ///
    /// # Errors
    /// As [`Server::poll_fd`]; [`Error::System`] if the runtime can't wait for the descriptor.
    pub fn new(server: Server) -> Result<Self> {
        Ok(Self { readable: register(server.poll_fd()?)?, server })
    }

    /// The handle, for all that does not wait.
    #[must_use]
    pub fn server(&self) -> &Server {
        &self.server
    }

    /// Takes the oldest request and copies it into `buffer`; waits for one. Dropping the future loses no request.
    ///
    /// # Errors
    /// As [`Server::recv_wait`].
    pub async fn recv(&self, buffer: &mut [u8]) -> Result<Request> {
        loop {
            match self.server.recv(buffer) {
                Err(Error::WouldBlock) => self.wait().await?,
                done => return done,
            }
        }
    }

    /// Takes the oldest request in place; waits for one. Dropping the future loses no request.
    ///
    /// # Errors
    /// As [`Server::recv_view`].
    pub async fn recv_view(&self) -> Result<RequestView<'_>> {
        loop {
            match self.server.recv_view(Timeout::NOW) {
                Err(Error::WouldBlock) => self.wait().await?,
                done => return done,
            }
        }
    }

    /// Waits until a request may be there.
    async fn wait(&self) -> Result<()> {
        if self.server.arm()? == Armed::Waiting {
            let due = self.server.channel().tend()?.due;
            wait_for(&self.readable, due).await?;
        }
        Ok(())
    }
}

pub(super) fn register(fd: rustix::fd::BorrowedFd<'_>) -> Result<AsyncFd<Readable>> {
    let readable = Readable(fd.as_raw_fd());
    // SAFETY: the descriptor stays open for longer than this: the handle that closes it is kept next to it, and dropped
    // later.
    unsafe { AsyncFd::register_with_interest(readable, Interest::READABLE) }
        .map_err(|error| refused(&error.into_parts().1))
}

/// Waits for the descriptor, and no longer than until the handle is to be tended.
pub(super) async fn wait_for(readable: &AsyncFd<Readable>, due: Option<Duration>) -> Result<()> {
    let ready = async {
        // Cleared before the handle is armed again, which takes the signal.
        readable.readable().await.map(|mut ready| ready.clear_ready()).map_err(|error| refused(&error))
    };
    match due {
        // Time that passed is no failure.
        Some(due) => tokio::time::timeout(due, ready).await.unwrap_or(Ok(())),
        None => ready.await,
    }
}

fn refused(error: &std::io::Error) -> Error {
    let errno = error.raw_os_error().map_or(Errno::IO, Errno::from_raw_os_error);
    Error::system("the runtime cannot wait for the descriptor", errno)
}
