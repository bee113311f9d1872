//! The ways to open a handle.

use crate::channel::attach;
use crate::channel::membership::Role;
use crate::error::Result;
use crate::{Client, Options, Server, Wait};
use rustix::fd::AsFd;
use std::path::Path;

impl Options {
    /// Creates the channel of that name, or attaches to it. A name without a slash is one in `/dev/shm`.
    ///
    /// # Errors
    /// [`crate::Error::Invalid`] for options out of range, [`crate::Error::Protocol`] for a file that is no channel of
    /// this layout, [`crate::Error::Crowded`] for one with no place left, [`crate::Error::System`] from the system:
    /// `ENOSPC` if the pages can't be reserved, `EEXIST` if it must not exist, `EACCES`, `ELOOP` for a symbolic link.
    pub fn server(&self, name: impl AsRef<Path>) -> Result<Server> {
        attach::create_or_open(name.as_ref(), self, Server::new)
    }

    /// Creates a channel without a name, for this process and those that it forks.
    ///
    /// # Errors
    /// As [`Options::server`].
    pub fn anonymous(&self) -> Result<Server> {
        attach::memfd(None, self).and_then(Server::new)
    }

    /// Creates a channel in a sealed memfd, to be passed on or inherited ([`crate::Channel::fd`]).
    ///
    /// # Errors
    /// As [`Options::server`].
    pub fn memfd(&self, name: &str) -> Result<Server> {
        attach::memfd(Some(name), self).and_then(Server::new)
    }

    /// Attaches as a server to a descriptor that was passed or inherited; it is duplicated.
    ///
    /// # Errors
    /// As [`Options::server`].
    pub fn server_from_fd(&self, fd: impl AsFd) -> Result<Server> {
        attach::descriptor(fd.as_fd(), Role::Server, self).and_then(Server::new)
    }

    /// Attaches to an existing channel.
    ///
    /// # Errors
    /// As [`Options::server`], and [`crate::Error::System`] with `ENOENT` if it does not appear in time.
    pub fn client(&self, name: impl AsRef<Path>) -> Result<Client> {
        self.client_wait(name, self.connect_timeout)
    }

    /// As [`Options::client`], and says how to wait for the channel to appear, whatever [`Options::connect_timeout`] is.
    ///
    /// # Errors
    /// As [`Options::client`], and [`crate::Error::Interrupted`], [`crate::Error::Canceled`].
    pub fn client_wait<'w>(&self, name: impl AsRef<Path>, wait: impl Into<Wait<'w>>) -> Result<Client> {
        attach::open_when_there(name.as_ref(), self, &wait.into()).and_then(Client::new)
    }

    /// Attaches as a client to a descriptor that was passed or inherited; it is duplicated.
    ///
    /// # Errors
    /// As [`Options::server`].
    pub fn client_from_fd(&self, fd: impl AsFd) -> Result<Client> {
        attach::descriptor(fd.as_fd(), Role::Client, self).and_then(Client::new)
    }

    /// Attaches as a client to the channel of a server of this process.
    ///
    /// # Errors
    /// As [`Options::server`].
    pub fn client_from_server(&self, server: &Server) -> Result<Client> {
        attach::beside(server.channel(), Role::Client, self).and_then(Client::new)
    }
}
