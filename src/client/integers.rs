//! The calls for channels of integers: the same engine, with eight bytes each way.

use super::Client;
use crate::channel::message::Message;
use crate::error::{Error, Result};
use crate::id::RequestId;
use crate::layout::geometry::Kind;
use crate::wait::{Deadline, NOW, Wait};

impl Client {
    /// As [`Client::req`], with one number each way.
    ///
    /// # Errors
    /// As [`Client::req`]; [`Error::WrongKind`] in a channel of bytes.
    pub fn req_i64<'w>(&self, value: i64, wait: impl Into<Wait<'w>>) -> Result<i64> {
        let mut reply = [0; 8];
        let sent = value.to_ne_bytes();
        // SAFETY: the buffer is writable for its length.
        let length = unsafe {
            self.req_into(
                Kind::Int,
                &sent,
                reply.as_mut_ptr(),
                reply.len(),
                &self.channel.deadline(&wait.into())?,
            )
        }?;
        number(reply, length)
    }

    /// As [`Client::send`], of a number.
    ///
    /// # Errors
    /// As [`Client::send`]; [`Error::WrongKind`] in a channel of bytes.
    pub fn send_i64(&self, value: i64) -> Result<RequestId> {
        self.send_of_kind(Kind::Int, &Message::of(&value.to_ne_bytes()), &NOW)
    }

    /// As [`Client::send_wait`], of a number.
    ///
    /// # Errors
    /// As [`Client::send_wait`]; [`Error::WrongKind`] in a channel of bytes.
    pub fn send_wait_i64<'w>(&self, value: i64, wait: impl Into<Wait<'w>>) -> Result<RequestId> {
        self.send_of_kind(
            Kind::Int,
            &Message::of(&value.to_ne_bytes()),
            &self.channel.deadline(&wait.into())?,
        )
    }

    /// As [`Client::post`], of a number.
    ///
    /// # Errors
    /// As [`Client::post`]; [`Error::WrongKind`] in a channel of bytes.
    pub fn post_i64<'w>(&self, value: i64, wait: impl Into<Wait<'w>>) -> Result<()> {
        let deadline = self.channel.deadline(&wait.into())?;
        self.post_of_kind(Kind::Int, &Message::of(&value.to_ne_bytes()), &deadline)
    }

    /// As [`Client::get`], of a number.
    ///
    /// # Errors
    /// As [`Client::get`]; [`Error::WrongKind`] in a channel of bytes.
    pub fn get_i64(&self, id: RequestId) -> Result<i64> {
        self.get_i64_by(id, &NOW)
    }

    /// As [`Client::get_wait`], of a number.
    ///
    /// # Errors
    /// As [`Client::get_wait`]; [`Error::WrongKind`] in a channel of bytes.
    pub fn get_wait_i64<'w>(&self, id: RequestId, wait: impl Into<Wait<'w>>) -> Result<i64> {
        self.get_i64_by(id, &self.channel.deadline(&wait.into())?)
    }

    fn get_i64_by(&self, id: RequestId, deadline: &Deadline<'_>) -> Result<i64> {
        let mut reply = [0; 8];
        // SAFETY: the buffer is writable for its length.
        let length = unsafe { self.get_into(Kind::Int, id, reply.as_mut_ptr(), reply.len(), deadline) }?;
        number(reply, length)
    }
}

fn number(bytes: [u8; 8], length: usize) -> Result<i64> {
    if length == bytes.len() { Ok(i64::from_ne_bytes(bytes)) } else { Err(Error::Corrupt) }
}
