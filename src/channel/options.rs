//! What a caller may choose when it opens a handle.

use crate::error::{Error, Result};
use crate::layout::Geometry;
use crate::layout::geometry::{INT_SIZE, Kind};
use crate::wait::Timeout;
use std::time::Duration;

const SLOTS: u32 = 64;
const PARTICIPANTS: u32 = 256;
const MESSAGE: u64 = 4096;
const MODE: u32 = 0o600;

/// For [`Options::request_max`] and [`Options::response_max`]: payloads have no bytes.
pub const LENGTH_NONE: u64 = u64::MAX;

/// How to open a channel. Zero means the default everywhere.
///
/// What describes the channel itself (kind, slots, participants, sizes, mode, reservation) matters only to whoever
/// creates it; a channel that exists keeps what it was made with.
///
/// ```
/// use shmrr::{Options, Timeout};
/// let server = Options::new().slots(8).anonymous()?;
/// let client = Options::new().client_from_server(&server)?;
/// let id = client.send(b"ping")?;
/// let mut buffer = [0; 64];
/// let request = server.recv(&mut buffer)?;
/// server.reply(request.id, b"pong")?;
/// assert_eq!(client.get_wait(id, &mut buffer, Timeout::FOREVER)?, 4);
/// # Ok::<(), shmrr::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Options {
    pub(crate) kind: Kind,
    pub(crate) slots: u32,
    pub(crate) participants: u32,
    pub(crate) request_max: u64,
    pub(crate) response_max: u64,
    pub(crate) mode: u32,
    pub(crate) exclusive: bool,
    pub(crate) sparse: bool,
    pub(crate) redeliver: bool,
    pub(crate) user: u64,
    pub(crate) notify: bool,
    pub(crate) need_server: bool,
    pub(crate) restart: bool,
    pub(crate) spin: Option<Duration>,
    pub(crate) connect_timeout: Timeout,
}

impl Default for Options {
    fn default() -> Self {
        Self::new()
    }
}

fn or(value: u32, default: u32) -> u32 {
    if value == 0 { default } else { value }
}

impl Options {
    /// All defaults: 64 slots, 256 participants, 4096 bytes each way, mode 0600.
    #[must_use]
    pub fn new() -> Self {
        Self {
            kind: Kind::Bytes,
            slots: 0,
            participants: 0,
            request_max: 0,
            response_max: 0,
            mode: 0,
            exclusive: false,
            sparse: false,
            redeliver: false,
            user: 0,
            notify: false,
            need_server: false,
            restart: false,
            spin: None,
            connect_timeout: Timeout::NOW,
        }
    }

    /// What the payloads are; byte strings by default. A channel of another kind is an error.
    #[must_use]
    pub fn kind(mut self, kind: Kind) -> Self {
        self.kind = kind;
        self
    }

    /// Requests in flight at once, all clients together: 1 to 65,472; 64 by default.
    #[must_use]
    pub fn slots(mut self, slots: u32) -> Self {
        self.slots = slots;
        self
    }

    /// Handles attached at once, servers and clients: 1 to 4,095; 256 by default.
    #[must_use]
    pub fn participants(mut self, participants: u32) -> Self {
        self.participants = participants;
        self
    }

    /// The longest request in bytes: 1 to 1 GiB, or [`LENGTH_NONE`]; 4096 by default. In a channel of integers 8.
    #[must_use]
    pub fn request_max(mut self, bytes: u64) -> Self {
        self.request_max = bytes;
        self
    }

    /// The longest response in bytes: 1 to 1 GiB, or [`LENGTH_NONE`]; 4096 by default. In a channel of integers 8.
    #[must_use]
    pub fn response_max(mut self, bytes: u64) -> Self {
        self.response_max = bytes;
        self
    }

    /// A word of the creator's that all who attach can read: [`crate::Channel::user`].
    #[must_use]
    pub fn user(mut self, user: u64) -> Self {
        self.user = user;
        self
    }

    /// Permission bits of the file, applied exactly; 0600 by default. Whoever may read must be let write as well: who
    /// can only open the file for reading can still lock the bytes by which participants prove that they live.
    #[must_use]
    pub fn mode(mut self, mode: u32) -> Self {
        self.mode = mode;
        self
    }

    /// A server must create the channel; `EEXIST` if it is there.
    #[must_use]
    pub fn exclusive(mut self, exclusive: bool) -> Self {
        self.exclusive = exclusive;
        self
    }

    /// Pages are not reserved when the channel is created. A file system that fills up later ends a process that
    /// touches a new page by SIGBUS.
    #[must_use]
    pub fn sparse(mut self, sparse: bool) -> Self {
        self.sparse = sparse;
        self
    }

    /// A request that a server held when it died is served again, by another, up to 15 times, instead of failing with
    /// [`Error::OwnerDead`]. Part of the channel: chosen by whoever creates it.
    #[must_use]
    pub fn redeliver(mut self, redeliver: bool) -> Self {
        self.redeliver = redeliver;
        self
    }

    /// Every request that this handle sends, or every reply, signals the eventfd for it, if the handle has one; see
    /// [`crate::Channel::make_request_fd`].
    #[must_use]
    pub fn notify(mut self, notify: bool) -> Self {
        self.notify = notify;
        self
    }

    /// Calls of this client handle that send fail at once with [`Error::NoServer`] when no server is attached, instead
    /// of waiting for one, and so does, within 25 ms, a wait for the reply to a request that no server has taken when
    /// the last server has gone. A server handle does not heed it.
    ///
    /// Of a server that died it is the first call that waits that hears; until then sending goes on.
    #[must_use]
    pub fn need_server(mut self, need_server: bool) -> Self {
        self.need_server = need_server;
        self
    }

    /// All waits of this handle go on after signal handlers, under their one deadline; see [`crate::Wait::restart`].
    #[must_use]
    pub fn restart(mut self, restart: bool) -> Self {
        self.restart = restart;
        self
    }

    /// How long a wait polls before it sleeps: not at all if that is zero, and 4 seconds at most. By default, as with
    /// `None`, each handle adapts it to what its polls find.
    #[must_use]
    pub fn spin(mut self, time: impl Into<Option<Duration>>) -> Self {
        self.spin = time.into();
        self
    }

    /// How long [`Options::client`] waits for the channel to appear; not at all by default.
    #[must_use]
    pub fn connect_timeout(mut self, timeout: impl Into<Timeout>) -> Self {
        self.connect_timeout = timeout.into();
        self
    }

    /// The geometry of a channel that is created with these options.
    pub(crate) fn geometry(&self) -> Result<Geometry> {
        let default = match self.kind {
            Kind::Bytes => MESSAGE,
            Kind::Int => INT_SIZE,
        };
        let bytes = |value: u64| match value {
            0 => default,
            LENGTH_NONE => 0,
            _ => value,
        };
        let geometry = Geometry::new(
            self.kind,
            or(self.slots, SLOTS),
            or(self.participants, PARTICIPANTS),
            bytes(self.request_max),
            bytes(self.response_max),
        )?;
        Ok(Geometry { redelivers: self.redeliver, user: self.user, ..geometry })
    }

    pub(crate) fn permissions(&self) -> Result<u32> {
        let refused =
            |expected: &str| Error::bad_argument("mode", format_args!("{:#o}", self.mode), expected);
        if self.mode & !0o777 != 0 {
            return Err(refused("0 to 0o777"));
        }
        // Read locks on the bytes of the participants keep others from joining, and need no right to write.
        if self.mode & 0o444 & !(self.mode << 1) != 0 {
            return Err(refused("one that lets nobody read who may not write"));
        }
        Ok(or(self.mode, MODE))
    }
}
