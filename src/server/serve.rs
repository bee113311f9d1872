//! A loop around a handler: receive, call, reply.

use super::Server;
use super::view::RequestView;
use crate::channel::flags::MessageFlags;
use crate::channel::message::{Buffer, check_label, check_length};
use crate::error::text::cut;
use crate::error::{Error, Result, Text};
use crate::id::RequestId;
use crate::layout::lines::INLINE;
use crate::wait::Wait;

/// Why a request failed, for its client to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The application's number for the error.
    pub code: i32,
    /// A sentence for people; what exceeds the longest response, or 104 bytes if that is shorter, is cut off.
    pub text: Text,
}

impl Failure {
    /// A failure of this code and text.
    #[must_use]
    pub fn new(code: i32, text: impl Into<Text>) -> Self {
        Self { code, text: text.into() }
    }
}

/// The reply that a handler writes, in place. It is this request's, and can't take the place of another's:
///
/// ```compile_fail
/// # use shmrr::Options;
/// # let (outer, inner) = (Options::new().anonymous()?, Options::new().anonymous()?);
/// outer.serve(Timeout::FOREVER, |_, response| {
///     let nested = inner.serve(Timeout::FOREVER, |_, other| {
///         std::mem::swap(response, other);
///         Ok(())
///     });
///     Ok(())
/// })?;
/// # Ok::<(), shmrr::Error>(())
/// ```
#[derive(Debug)]
pub struct Response<'r> {
    /// Each call of a handler has a lifetime of its own, so that no other response can be put in this one's place.
    buffer: Buffer<'r>,
    length: usize,
    message_type: u32,
    flags: MessageFlags,
    is_later: bool,
    is_last: bool,
}

impl Response<'_> {
    /// Where the reply is to be written, if not by [`Response::write`]: its length must be set then.
    pub fn buffer(&mut self) -> Buffer<'_> {
        self.buffer.reborrow()
    }

    /// Adds `data` to the end of the reply.
    ///
    /// # Errors
    /// [`crate::Error::MessageSize`] if it does not fit.
    pub fn write(&mut self, data: &[u8]) -> Result<()> {
        self.buffer.write_at(self.length, data)?;
        self.length += data.len();
        Ok(())
    }

    /// Sets the reply's length: its first bytes in the buffer, or its last ones with [`MessageFlags::END_ALIGNED`].
    ///
    /// # Errors
    /// [`crate::Error::MessageSize`] if that is more than there is room for.
    pub fn set_length(&mut self, length: usize) -> Result<()> {
        check_length(length, self.buffer.capacity())?;
        self.length = length;
        Ok(())
    }

    /// Gives the reply a type and flags, as in [`crate::Message`].
    ///
    /// # Errors
    /// [`crate::Error::Invalid`] for those that no sender may give.
    pub fn set_label(&mut self, message_type: u32, flags: MessageFlags) -> Result<()> {
        check_label(message_type, flags)?;
        (self.message_type, self.flags) = (message_type, flags);
        Ok(())
    }

    /// No reply is sent now: somebody will, by the request's id.
    pub fn later(&mut self) {
        self.is_later = true;
    }

    /// The loop ends after this request.
    pub fn stop(&mut self) {
        self.is_last = true;
    }
}

impl Server {
    /// Takes requests one after the other, calls the handler with each, and sends the reply that it wrote, until the
    /// handler says [`Response::stop`] or the time is over and no request is there. What the handler fails with goes to
    /// the request's client, and the loop goes on. A handler that has been called gets its reply sent even if the
    /// handle is stopped meanwhile. Several threads may serve at once, each with a handler of its own.
    ///
    /// ```
    /// use shmrr::{Options, Timeout};
    /// let server = Options::new().anonymous()?;
    /// let client = Options::new().client_from_server(&server)?;
    /// let id = client.send(b"hello")?;
    /// server.serve(Timeout::FOREVER, |request, response| {
    ///     let text = request.bytes().to_vec();
    ///     response.write(&text.to_ascii_uppercase()).unwrap();
    ///     response.stop();
    ///     Ok(())
    /// })?;
    /// let mut reply = [0; 5];
    /// client.get_wait(id, &mut reply, Timeout::FOREVER)?;
    /// assert_eq!(&reply, b"HELLO");
    /// # Ok::<(), shmrr::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`crate::Error::Stopped`] when the handle was stopped; [`crate::Error::Interrupted`] when a signal handler ran
    /// while the call waited: no request is lost, call again; [`crate::Error::WrongKind`] in a channel of integers.
    pub fn serve<'w>(
        &self,
        wait: impl Into<Wait<'w>>,
        mut handler: impl FnMut(&RequestView<'_>, &mut Response<'_>) -> Result<(), Failure>,
    ) -> Result<()> {
        let deadline = self.channel.deadline(&wait.into())?;
        loop {
            // Between any two requests, even if there always is another.
            if deadline.is_canceled() {
                return Err(Error::Canceled);
            }
            let request = self.view_next(&deadline)?;
            let id = request.request().id;
            let Ok(buffer) = self.lend_reply_of_taken(id) else { continue };
            let mut response = Response {
                buffer,
                length: 0,
                message_type: 0,
                flags: MessageFlags::empty(),
                is_later: false,
                is_last: false,
            };
            // One that is left by unwinding, of whatever kind, drops the request, which lets go of it.
            let result = handler(&request, &mut response);
            let is_later = response.is_later && result.is_ok();
            // That its client gave up is no concern of the loop's.
            if is_later || self.send_response(id, &response, result.err()).is_ok() {
                let _ = request.keep();
            }
            if response.is_last {
                return Ok(());
            }
        }
    }

    fn send_response(&self, id: RequestId, response: &Response<'_>, failure: Option<Failure>) -> Result<()> {
        let Some(Failure { code, text }) = failure else {
            return self.send_in_place(id, response.length, response.message_type, response.flags);
        };
        let me = self.channel.me()?;
        self.send_error(me, id, code, cut(&text, self.channel.response_max().max(INLINE)).as_bytes())
    }
}
