//! A client whose replies are awaited.
//!
//! One task of the runtime, the driver, waits for the descriptor and tells those who wait for replies which came. Who finds
//! no slot waits in a queue, whose first arms the descriptor for a slot as well; so those who came first are served first.

use super::Readable;
use super::server::{register, wait_for};
use crate::{ArmFor, Armed, Client, Error, Message, ReplyView, RequestId, Result, Timeout, memory};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::SeqCst;
use tokio::io::unix::AsyncFd;
use tokio::sync::{Mutex, Notify};
use tokio::task::{JoinHandle, yield_now};

/// A client for tasks: any number may await replies at once. Dropping a future withdraws its call.
///
/// The runtime that it was made in must go on for as long as it is used.
pub struct AsyncClient {
    shared: Arc<Shared>,
    driver: JoinHandle<()>,
}

impl fmt::Debug for AsyncClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsyncClient").field("client", &self.shared.client).finish_non_exhaustive()
    }
}

struct Shared {
    // Before the client, which closes its descriptor.
    readable: AsyncFd<Readable>,
    client: Client,
    /// For each slot: the outcome of its request came.
    outcomes: Vec<Notify>,
    /// A slot may be free.
    slot: Notify,
    /// Held by the one that waits for a slot.
    turn: Mutex<()>,
    is_waiting_for_slot: AtomicBool,
    /// The driver is gone: the handle was stopped, or the system failed.
    is_over: AtomicBool,
}

impl AsyncClient {
    /// Makes a client one for tasks; within a runtime that has its drivers for input and output and for time. The handle's
    /// requests are this one's from now on.
    ///
    /// # Errors
    /// As [`Client::poll_fd`]; [`Error::System`] if the runtime can't wait for the descriptor; [`Error::NoMemory`].
    pub fn new(client: Client) -> Result<Self> {
        let outcomes = memory::array((0..client.total_slots()).map(|_| Notify::new()))?;
        let readable = register(client.poll_fd()?)?;
        let shared = Arc::new(Shared {
            readable,
            client,
            outcomes,
            slot: Notify::new(),
            turn: Mutex::new(()),
            is_waiting_for_slot: AtomicBool::new(false),
            is_over: AtomicBool::new(false),
        });
        let driver = tokio::spawn(drive(Arc::clone(&shared)));
        Ok(Self { shared, driver })
    }

    /// The handle, for all that does not wait.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.shared.client
    }

    /// Sends a request, awaits its reply and copies that into `buffer`; returns the reply's length. Nothing stays pending.
    ///
    /// # Errors
    /// As [`Client::req`], without timeouts: put one around the future.
    pub async fn req(&self, data: &[u8], buffer: &mut [u8]) -> Result<usize> {
        let sent = self.send(&Message::of(data)).await?;
        sent.outcome().await?;
        self.shared.client.get(sent.id, buffer)
    }

    /// Sends a request and awaits its reply, which is read in place.
    ///
    /// # Errors
    /// As [`Client::send_msg`] and [`Client::view`], without timeouts.
    pub async fn view(&self, message: &Message<'_>) -> Result<ReplyView<'_>> {
        let mut sent = self.send(message).await?;
        sent.outcome().await?;
        let view = self.shared.client.view(sent.id, Timeout::NOW);
        // It is the view's to collect.
        sent.id = RequestId::NONE;
        view
    }

    /// Sends a one-way message; waits for a slot.
    ///
    /// # Errors
    /// As [`Client::post_msg`], without timeouts.
    pub async fn post(&self, message: &Message<'_>) -> Result<()> {
        self.with_slot(|client| client.post_msg(message, Timeout::NOW)).await
    }

    async fn send(&self, message: &Message<'_>) -> Result<Sent<'_>> {
        let id = self.with_slot(|client| client.send_msg(message, Timeout::NOW)).await?;
        Ok(Sent { shared: &self.shared, id })
    }

    /// Tries until there is a slot.
    async fn with_slot<T>(&self, attempt: impl Fn(&Client) -> Result<T>) -> Result<T> {
        let shared = &*self.shared;
        // Behind those who wait already.
        if !shared.is_waiting_for_slot.load(SeqCst) {
            match attempt(&shared.client) {
                Err(Error::NoSlots) => {}
                done => return done,
            }
        }
        let _turn = shared.turn.lock().await;
        let _waits = Waits::new(&shared.is_waiting_for_slot);
        loop {
            match attempt(&shared.client) {
                Err(Error::NoSlots) => {}
                done => return done,
            }
            match shared.client.arm(ArmFor::SLOT)? {
                Armed::Waiting => shared.slot.notified().await,
                Armed::Ready => yield_now().await,
            }
            shared.check()?;
        }
    }
}

impl Drop for AsyncClient {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// Somebody waits for a slot for as long as this is there.
struct Waits<'w>(&'w AtomicBool);

impl<'w> Waits<'w> {
    fn new(waits: &'w AtomicBool) -> Self {
        waits.store(true, SeqCst);
        Self(waits)
    }
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.0.store(false, SeqCst);
    }
}

impl Shared {
    fn check(&self) -> Result<()> {
        if self.is_over.load(SeqCst) { Err(Error::Stopped) } else { Ok(()) }
    }

    /// Waits for what comes next, and tells whom it concerns.
    async fn turn(&self) -> Result<()> {
        let channel = self.client.channel();
        if self.client.arm(ArmFor::REPLY)? == Armed::Waiting {
            let tended = channel.tend()?;
            if tended.lacks_server {
                self.tell_all();
            }
            wait_for(&self.readable, tended.due).await?;
        }
        // Told once: who does not collect at once must not keep the driver awake.
        channel.take_done(|slot| self.outcomes[slot as usize].notify_one());
        self.slot.notify_one();
        yield_now().await;
        Ok(())
    }

    fn tell_all(&self) {
        self.outcomes.iter().for_each(Notify::notify_one);
        self.slot.notify_one();
    }
}

async fn drive(shared: Arc<Shared>) {
    while shared.turn().await.is_ok() {}
    shared.is_over.store(true, SeqCst);
    shared.tell_all();
}

/// A request that was sent. It is withdrawn if it is given up.
struct Sent<'s> {
    shared: &'s Shared,
    id: RequestId,
}

impl Sent<'_> {
    /// Waits until the outcome is there.
    async fn outcome(&self) -> Result<()> {
        // The low bits of an id are its slot.
        let slot = usize::from(self.id.to_u64() as u16);
        loop {
            // Whatever the outcome is, collecting tells.
            match self.shared.client.has_outcome(self.id) {
                Err(Error::WouldBlock) => {}
                Err(Error::NoServer) => return Err(Error::NoServer),
                _ => return Ok(()),
            }
            self.shared.check()?;
            self.shared.outcomes[slot].notified().await;
        }
    }
}

impl Drop for Sent<'_> {
    fn drop(&mut self) {
        let client = &self.shared.client;
        if self.id != RequestId::NONE && client.cancel(self.id) == Err(Error::AlreadyReplied) {
            // The outcome came first, or does not fit.
            drop(client.view(self.id, Timeout::NOW));
        }
    }
}
