//! What came of a request: where its reply lies, and how that is read.

use super::Client;
use crate::channel::flags::MessageFlags;
use crate::channel::message::Bytes;
use crate::error::text::TEXT_MAX;
use crate::error::{Error, Result, Text};
use crate::id::RequestId;
use crate::layout::lines::{INLINE, REPLY_IS_ERROR, ReplyLine};
use crate::protocol::Id;
use crate::protocol::slot::Progress;
use std::sync::atomic::Ordering::Relaxed;

/// What a reply is, beside its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Reply {
    /// Length of the payload in bytes.
    pub length: usize,
    /// The message's type, a number of the application's; 0 if the server gave none.
    pub message_type: u32,
    /// The server's flags: [`MessageFlags::UTF8`], [`MessageFlags::END_ALIGNED`].
    pub flags: MessageFlags,
}

/// A reply in the channel's memory, an error reply among others. Its length has been checked.
pub(crate) struct Found<'c> {
    pub bytes: *const u8,
    pub length: usize,
    flags: u32,
    line: &'c ReplyLine,
}

impl Found<'_> {
    #[inline]
    pub fn is_error(&self) -> bool {
        self.flags & REPLY_IS_ERROR != 0
    }

    /// Of an error reply, the application's number.
    pub fn code(&self) -> i32 {
        self.line.code.load(Relaxed)
    }

    #[inline]
    pub fn reply(&self) -> Reply {
        Reply {
            length: self.length,
            message_type: self.line.message_type.load(Relaxed),
            flags: MessageFlags::from_bits(self.flags) & MessageFlags::RECEIVERS,
        }
    }

    /// The payload.
    pub fn payload(&self) -> Bytes<'_> {
        // SAFETY: the bytes are those of a reply, within its slot.
        unsafe { Bytes::new(self.bytes, self.length) }
    }

    /// Copies the payload; returns its length.
    ///
    /// # Errors
    /// [`Error::Overflow`] if there is no room for it; [`Error::Remote`] if it is an error reply.
    ///
    /// # Safety
    /// `buffer` must be writable for `capacity` bytes.
    #[inline]
    pub unsafe fn copy_to(&self, buffer: *mut u8, capacity: usize) -> Result<usize> {
        if self.is_error() {
            return Err(self.error());
        }
        if self.length > capacity {
            return Err(Error::Overflow { length: self.length, capacity, id: RequestId::NONE });
        }
        // SAFETY: the length is within the slot's bytes and, checked above, within the buffer.
        unsafe { self.bytes.copy_to_nonoverlapping(buffer, self.length) };
        Ok(self.length)
    }

    /// What an error reply says.
    #[cold]
    pub fn error(&self) -> Error {
        let mut text = [0; TEXT_MAX];
        let copied = self.payload().read_at(0, &mut text);
        Error::Remote { code: self.code(), text: Text::of_bytes(&text[..copied], copied < self.length) }
    }
}

impl Client {
    /// The reply to a request that is no longer pending, or the error that it ended with.
    #[inline]
    pub(super) fn found(&self, id: Id, progress: Progress) -> Result<Found<'_>> {
        match progress {
            Progress::Failed(_) => return Err(Error::OwnerDead),
            Progress::Dismissed(_) => return Err(Error::Dismissed),
            Progress::Pending(_) | Progress::Ready(_) => {}
        }
        let mapping = self.channel.mapping();
        let line = mapping.reply_line(id.slot);
        let length = line.length.load(Relaxed) as usize;
        let flags = line.flags.load(Relaxed);
        let limit = self.channel.response_max();
        if length > if flags & REPLY_IS_ERROR != 0 { limit.max(INLINE) } else { limit } {
            return Err(Error::Corrupt);
        }
        let bytes = mapping.response_bytes(id.slot, length, flags).cast_const();
        Ok(Found { bytes, length, flags, line })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::slot;
    use crate::{Client, Kind, Message, MessageFlags, Options, RequestId, Server, Timeout};
    use std::thread;

    fn open(kind: Kind) -> (Server, Client) {
        let options = Options::new().kind(kind).slots(2);
        let server = options.anonymous().unwrap();
        let client = options.client_from_server(&server).unwrap();
        (server, client)
    }

    fn asks(data: &[u8]) -> Message<'_> {
        Message { data, message_type: 1000, flags: MessageFlags::UTF8 }
    }

    /// Takes a request that [`asks`], and replies with a type and flags.
    fn serve(server: &Server, data: &[u8]) -> RequestId {
        let mut buffer = [0; 64];
        let request = server.recv_msg(&mut buffer, Timeout::FOREVER).unwrap();
        assert_eq!((request.message_type, request.flags), (1000, MessageFlags::UTF8));
        let answer = Message { data, message_type: 2000, flags: MessageFlags::END_ALIGNED };
        server.reply_msg(request.id, &answer).unwrap();
        request.id
    }

    fn answered(length: usize) -> Reply {
        Reply { length, message_type: 2000, flags: MessageFlags::END_ALIGNED }
    }

    #[test]
    fn the_general_forms_are_for_both_kinds_of_channel() {
        for kind in [Kind::Bytes, Kind::Int] {
            let (server, client) = open(kind);
            let mut buffer = [0; 8];
            let id = client.send_msg(&asks(b"8 bytes."), Timeout::NOW).unwrap();
            assert_eq!(client.get_msg(id, &mut buffer, Timeout::NOW), Err(Error::WouldBlock));
            assert_eq!(serve(&server, b"8 again."), id);
            assert_eq!(client.get_msg(id, &mut buffer, Timeout::NOW), Ok(answered(8)));
            assert_eq!(&buffer, b"8 again.");
            client.post_msg(&asks(b"one way."), Timeout::NOW).unwrap();
            let posted = server.recv_msg(&mut buffer, Timeout::NOW).unwrap();
            assert_eq!(posted.flags, MessageFlags::UTF8 | MessageFlags::ONE_WAY);
            server.release(posted.id).unwrap();
            assert_eq!((client.pending(), server.channel().queued()), (0, 0));
        }
    }

    #[test]
    fn a_reply_that_does_not_fit_stays_for_the_id_that_the_error_has() {
        let (server, client) = open(Kind::Bytes);
        thread::scope(|threads| {
            threads.spawn(|| serve(&server, b"a longer reply"));
            let mut buffer = [0; 14];
            let refused = client.req_msg(&asks(b"?"), &mut buffer[..13], Timeout::FOREVER);
            let Err(Error::Overflow { length: 14, capacity: 13, id }) = refused else {
                panic!("{refused:?}");
            };
            assert_eq!(client.pending(), 1);
            let again = client.get_msg(id, &mut buffer[..13], Timeout::NOW);
            assert_eq!(again, Err(Error::Overflow { length: 14, capacity: 13, id }));
            assert_eq!(client.get_msg(id, &mut buffer, Timeout::NOW), Ok(answered(14)));
            assert_eq!(&buffer, b"a longer reply");
        });
        thread::scope(|threads| {
            threads.spawn(|| serve(&server, b"a longer reply"));
            let id = client.send_msg(&asks(b"?"), Timeout::FOREVER).unwrap();
            let refused = client.get_wait(id, &mut [0; 13], Timeout::FOREVER);
            assert_eq!(refused, Err(Error::Overflow { length: 14, capacity: 13, id }));
            assert_eq!(client.get(id, &mut [0; 14]), Ok(14));
        });
    }

    /// Its bytes and its length are read before it is known whether it still is the reply to that id.
    #[test]
    fn of_two_threads_that_collect_one_id_none_is_told_the_length_of_a_later_reply() {
        let (server, client) = open(Kind::Bytes);
        let id = client.send_msg(&asks(b"?"), Timeout::NOW).unwrap();
        serve(&server, b"short");
        let deadline = client.channel().deadline(&Timeout::NOW.into()).unwrap();
        let collected = client.get_and_read(Kind::Bytes, id, &deadline, |_| {
            // Meanwhile the other thread has collected it, and the slot has the next request's reply.
            client.get(id, &mut [0; 5]).unwrap();
            let next = client.send_msg(&asks(b"?"), Timeout::NOW).unwrap();
            serve(&server, b"a longer reply");
            let next = client.channel().id(next).unwrap();
            assert_eq!(next.slot, client.channel().id(id).unwrap().slot);
            let progress = slot::progress(client.channel().mapping(), next, client.channel().me()?).unwrap();
            let mut buffer = [0; 5];
            // SAFETY: the buffer is writable for its length.
            unsafe { client.found(next, progress)?.copy_to(buffer.as_mut_ptr(), buffer.len()) }
        });
        assert_eq!(collected, Err(Error::Stale));
    }

    #[test]
    fn numbers_wait_for_a_slot_and_are_posted() {
        let (server, client) = open(Kind::Int);
        let id = client.send_wait_i64(1, Timeout::FOREVER).unwrap();
        client.post_i64(2, Timeout::NOW).unwrap();
        assert_eq!(client.send_wait_i64(3, Timeout::NOW), Err(Error::NoSlots));
        assert_eq!(client.post_i64(3, Timeout::from_nanos(1000)), Err(Error::TimedOut));
        let (asked, number) = server.recv_i64().unwrap();
        assert_eq!((asked.id, number), (id, 1));
        let (posted, number) = server.recv_i64().unwrap();
        assert_eq!((posted.flags, number), (MessageFlags::ONE_WAY, 2));
        server.release(posted.id).unwrap();
        server.reply_i64(id, 4).unwrap();
        assert_eq!(client.get_i64(id), Ok(4));
        let short = client.send_msg(&asks(b"7 bytes"), Timeout::NOW);
        assert!(matches!(short, Err(Error::Invalid(_))), "{short:?}");
    }

    #[test]
    fn what_a_client_waits_for_is_not_released() {
        let (server, client) = open(Kind::Bytes);
        let id = client.send(b"").unwrap();
        server.recv(&mut []).unwrap();
        assert!(matches!(server.release(id), Err(Error::Invalid(_))));
        server.dismiss(id).unwrap();
        assert_eq!(client.get(id, &mut []), Err(Error::Dismissed));
    }
}
