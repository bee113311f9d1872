//! A client in an asynchronous program: many tasks wait for their replies at once, and none of them blocks the runtime.
//!
//! ```text
//! cargo run --example async_client
//! ```
//!
//! The server signals an eventfd of the client's with every reply. The runtime (tokio's, of one thread) waits for that
//! descriptor as for any other, and one task hands the replies that came to those that wait for them.
//!
//! The server answers nobody before all slots are taken, then the newest request first: a client whose calls blocked
//! the one thread, or took replies in order only, would never see a reply.

use shmrr::{Client, Error, Options, RequestId, Server, Timeout};
use std::collections::HashMap;
use std::io;
use std::os::fd::OwnedFd;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::{Semaphore, oneshot};
use tokio::time::timeout;

const SLOTS: usize = 64;
const REQUESTS: usize = 64 * SLOTS;
/// Far more than any reply takes.
const PATIENCE: Duration = Duration::from_secs(30);
/// A server that dies signals nothing. So often the client asks whether one did.
const LOOK: Duration = Duration::from_secs(1);

type Reply = Result<Vec<u8>, Error>;

/// A client whose replies are waited for by tasks.
struct AsyncClient {
    client: Client,
    replies: AsyncFd<OwnedFd>,
    /// As many as there are slots: who would find none waits here for a turn.
    slots: Semaphore,
    /// Who waits for which reply.
    waiting: Mutex<HashMap<RequestId, oneshot::Sender<Reply>>>,
}

impl AsyncClient {
    /// Within a runtime.
    fn new(client: Client) -> io::Result<Self> {
        let channel = client.channel();
        let replies = channel.reply_fd().map_err(io::Error::other)?.try_clone_to_owned()?;
        let slots = Semaphore::new(channel.slots() as usize);
        // SAFETY: the descriptor is open, and stays the same one as long as it is owned.
        let replies = unsafe { AsyncFd::register_with_interest(replies, Interest::READABLE) }?;
        Ok(Self { client, replies, slots, waiting: Mutex::default() })
    }

    fn waiting(&self) -> MutexGuard<'_, HashMap<RequestId, oneshot::Sender<Reply>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends a request and waits for its reply. Dropping the future withdraws the request.
    async fn request(&self, data: &[u8]) -> Reply {
        let _slot = self.slots.acquire().await.map_err(|_| Error::Stopped)?;
        let (sender, reply) = oneshot::channel();
        let sent = {
            // Held while sending: the reply may be looked for before the id is among those that wait.
            let mut waiting = self.waiting();
            let id = self.client.send(data)?;
            waiting.insert(id, sender);
            Sent { by: self, id }
        };
        let reply = reply.await.map_err(|_| Error::Stopped)?;
        drop(sent);
        reply
    }

    /// Hands replies to those that wait for them, for ever.
    async fn collect(&self) -> io::Result<()> {
        loop {
            match timeout(LOOK, self.replies.readable()).await {
                // First the readiness, then the signals, then the replies: what comes meanwhile shows again.
                Ok(ready) => {
                    ready?.clear_ready();
                    self.client.channel().consume_replies().map_err(io::Error::other)?;
                }
                Err(_) => {
                    self.client.channel().recover().map_err(io::Error::other)?;
                }
            }
            self.hand_out();
        }
    }

    fn hand_out(&self) {
        let mut waiting = self.waiting();
        let ids: Vec<RequestId> = waiting.keys().copied().collect();
        for id in ids {
            let reply = self.client.view(id, Timeout::NOW).map(|view| view.bytes().to_vec());
            if reply != Err(Error::WouldBlock) {
                // Nobody listens if the task has just been given up.
                let _ = waiting.remove(&id).map(|sender| sender.send(reply));
            }
        }
    }
}

/// A request that was sent. It is withdrawn if it is given up before its reply came.
struct Sent<'c> {
    by: &'c AsyncClient,
    id: RequestId,
}

impl Drop for Sent<'_> {
    fn drop(&mut self) {
        if self.by.waiting().remove(&self.id).is_some() && self.by.client.cancel(self.id).is_err() {
            // The reply came first.
            let _ = self.by.client.view(self.id, Timeout::NOW);
        }
    }
}

/// Squares numbers, a channel's full of them at a time, the newest first, until it is stopped.
fn serve(server: &Server) -> Result<(), Error> {
    loop {
        let mut requests = Vec::with_capacity(SLOTS);
        while requests.len() < SLOTS {
            let room = SLOTS - requests.len();
            server.recv_batch(&mut requests, room, Timeout::FOREVER)?;
        }
        for request in requests.into_iter().rev() {
            let bytes = request.bytes().to_vec();
            match bytes.try_into().map(u64::from_le_bytes) {
                Ok(number) => request.reply(&number.wrapping_mul(number).to_le_bytes())?,
                Err(_) => request.reply_error(libc::EINVAL, "no number of 8 bytes")?,
            }
        }
    }
}

/// All requests, each in a task of its own: how many replies were right.
async fn ask(client: Client) -> io::Result<usize> {
    let client = Arc::new(AsyncClient::new(client)?);
    let collecting = Arc::clone(&client);
    let collector = tokio::spawn(async move { collecting.collect().await });
    let tasks: Vec<_> = (0..REQUESTS as u64)
        .map(|number| {
            let client = Arc::clone(&client);
            tokio::spawn(async move {
                let reply = timeout(PATIENCE, client.request(&number.to_le_bytes())).await;
                matches!(reply, Ok(Ok(square)) if square == (number * number).to_le_bytes())
            })
        })
        .collect();
    let mut right = 0;
    for task in tasks {
        right += usize::from(task.await?);
    }
    collector.abort();
    Ok(right)
}

fn run() -> Result<usize, Box<dyn std::error::Error>> {
    let server = Options::new().slots(SLOTS as u32).notify(true).memfd("squares")?;
    let client = Options::new().client_from_server(&server)?;
    server.channel().reply_fd_set(client.channel().reply_fd()?)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let right = thread::scope(|threads| {
        threads.spawn(|| serve(&server));
        let right = runtime.block_on(ask(client));
        server.stop();
        right
    })?;
    Ok(right)
}

fn main() -> ExitCode {
    match run() {
        Ok(right) => {
            println!("{right} of {REQUESTS} replies were right, {SLOTS} requests in flight at once");
            ExitCode::from(u8::from(right != REQUESTS))
        }
        Err(error) => {
            eprintln!("async_client: {error}");
            ExitCode::FAILURE
        }
    }
}
