//! The calls for channels of integers: the same engine, with eight bytes each way.

use super::{Received, Request, Server};
use crate::channel::message::Message;
use crate::error::{Error, Result};
use crate::id::RequestId;
use crate::layout::geometry::Kind;
use crate::wait::{Deadline, NOW, Wait};

impl Server {
    /// As [`Server::recv`], of a number.
    ///
    /// # Errors
    /// As [`Server::recv`]; [`Error::WrongKind`] in a channel of bytes.
    pub fn recv_i64(&self) -> Result<(Request, i64)> {
        self.recv_i64_by(&NOW)
    }

    /// As [`Server::recv_wait`], of a number.
    ///
    /// # Errors
    /// As [`Server::recv_wait`]; [`Error::WrongKind`] in a channel of bytes.
    pub fn recv_wait_i64<'w>(&self, wait: impl Into<Wait<'w>>) -> Result<(Request, i64)> {
        self.recv_i64_by(&self.channel.deadline(&wait.into())?)
    }

    fn recv_i64_by(&self, deadline: &Deadline<'_>) -> Result<(Request, i64)> {
        let mut bytes = [0; 8];
        // SAFETY: the buffer is writable for its length.
        match unsafe { self.recv_of_kind(Kind::Int, bytes.as_mut_ptr(), bytes.len(), deadline) }? {
            Received::Taken(request) => Ok((request, i64::from_ne_bytes(bytes))),
            Received::TooLong(_) => Err(Error::Corrupt),
        }
    }

    /// As [`Server::reply`], of a number.
    ///
    /// # Errors
    /// As [`Server::reply`]; [`Error::WrongKind`] in a channel of bytes.
    pub fn reply_i64(&self, id: RequestId, value: i64) -> Result<()> {
        self.reply_of_kind(Kind::Int, id, &Message::of(&value.to_ne_bytes()))
    }
}
