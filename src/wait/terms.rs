//! On what terms a call waits: for how long, what ends it sooner, and what does not.

use std::fmt;
use std::sync::atomic::AtomicU32;
use std::time::{Duration, Instant};

use super::deadline::now;

/// How long a call may wait, all its waits together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeout(i64);

impl Timeout {
    /// Try once.
    pub const NOW: Self = Self(0);
    /// Wait for as long as it takes.
    pub const FOREVER: Self = Self(-1);

    /// From nanoseconds: negative waits for ever, 0 tries once.
    #[must_use]
    pub const fn from_nanos(nanoseconds: i64) -> Self {
        Self(nanoseconds)
    }
}

impl From<Duration> for Timeout {
    /// A duration that nanoseconds in 63 bits can't hold (292 years) waits for ever.
    fn from(duration: Duration) -> Self {
        i64::try_from(duration.as_nanos()).map_or(Self::FOREVER, Self)
    }
}

/// How a call waits: a timeout or a time at which it ends, whether it goes on after signal handlers, and a word by
/// which somebody else can end it. A [`Timeout`] or a [`Duration`] alone will do where a call takes one of these.
///
/// ```
/// # use shmrr::{Error, Options, Timeout, Wait};
/// # use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
/// # let server = Options::new().anonymous()?;
/// let enough = AtomicU32::new(0);
/// std::thread::scope(|threads| {
///     threads.spawn(|| {
///         enough.store(1, Relaxed);
///         server.wake();
///     });
///     let ended = server.recv_wait(&mut [], Wait::from(Timeout::FOREVER).cancel(&enough));
///     assert_eq!(ended, Err(Error::Canceled));
/// });
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Copy)]
#[must_use]
pub struct Wait<'c> {
    pub(super) limit: Limit,
    pub(super) restarts: bool,
    pub(super) cancel: Option<&'c AtomicU32>,
}

/// When a call ends that finds nothing.
#[derive(Clone, Copy, Debug)]
pub(super) enum Limit {
    /// So many nanoseconds after it began; negative is never, 0 tries once.
    After(i64),
    /// At this time of the monotonic clock, in nanoseconds; negative is never.
    At(i64),
}

impl<'c> Wait<'c> {
    /// Waits for as long as it takes.
    pub const FOREVER: Wait<'static> = Wait::from_timeout(Timeout::FOREVER);
    /// Tries once.
    pub const NOW: Wait<'static> = Wait::from_timeout(Timeout::NOW);

    #[inline]
    const fn from_timeout(timeout: Timeout) -> Self {
        Self { limit: Limit::After(timeout.0), restarts: false, cancel: None }
    }

    /// Waits until a time of the monotonic clock (`CLOCK_MONOTONIC`), in nanoseconds; negative waits for ever. If that
    /// has passed already, the call tries once and then fails with [`crate::Error::TimedOut`].
    pub const fn until_nanos(time: i64) -> Self {
        Self { limit: Limit::At(time), restarts: false, cancel: None }
    }

    /// Goes on, under the same deadline, after a signal handler ran, instead of failing with
    /// [`crate::Error::Interrupted`]. What the handler asks for by [`crate::Server::interrupt`] or
    /// [`crate::Client::interrupt`] ends the wait all the same.
    pub const fn restart(mut self) -> Self {
        self.restarts = true;
        self
    }

    /// Ends with [`crate::Error::Canceled`] when this word is not 0: at the next look, or at once if
    /// [`crate::Server::wake`] or [`crate::Client::wake`] is called after it was set. If it is set when the call
    /// begins, the call does nothing.
    pub const fn cancel(mut self, word: &'c AtomicU32) -> Self {
        self.cancel = Some(word);
        self
    }
}

impl From<Timeout> for Wait<'_> {
    #[inline]
    fn from(timeout: Timeout) -> Self {
        Self::from_timeout(timeout)
    }
}

impl From<Duration> for Wait<'_> {
    fn from(duration: Duration) -> Self {
        Timeout::from(duration).into()
    }
}

impl From<Instant> for Wait<'_> {
    /// Waits until that time.
    fn from(time: Instant) -> Self {
        // The standard library measures it by the same clock, and does not tell what that shows.
        let left = time.saturating_duration_since(Instant::now());
        Self::until_nanos(i64::try_from(left.as_nanos()).map_or(-1, |left| now().saturating_add(left)))
    }
}

impl fmt::Debug for Wait<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { limit, restarts, cancel } = self;
        f.debug_struct("Wait")
            .field("limit", limit)
            .field("restarts", restarts)
            .field("cancel", cancel)
            .finish()
    }
}
