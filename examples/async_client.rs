//! A client and a server in an asynchronous program: many tasks wait for their replies at once, and none of them blocks
//! the runtime, which is tokio's, of one thread.
//!
//! ```text
//! cargo run --features tokio --example async_client
//! ```
//!
//! The server answers nobody before all slots are taken, then the newest request first: a client whose calls blocked
//! the one thread, or took replies in order only, would never see a reply.

use shmrr::{AsyncClient, AsyncServer, Error, Options, RequestView};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;

const SLOTS: usize = 64;
const REQUESTS: usize = 64 * SLOTS;
/// Far more than any reply takes.
const PATIENCE: Duration = Duration::from_secs(30);

fn answer(request: RequestView<'_>) -> Result<(), Error> {
    let bytes = request.bytes().to_vec();
    match bytes.try_into().map(u64::from_le_bytes) {
        Ok(number) => request.reply(&number.wrapping_mul(number).to_le_bytes()),
        Err(_) => request.reply_error(libc::EINVAL, "no number of 8 bytes"),
    }
}

/// Squares numbers, a channel's full of them at a time, the newest first.
async fn serve(server: &AsyncServer) -> Result<(), Error> {
    for _ in 0..REQUESTS / SLOTS {
        let mut requests = Vec::with_capacity(SLOTS);
        while requests.len() < SLOTS {
            requests.push(server.recv_view().await?);
        }
        requests.into_iter().rev().try_for_each(answer)?;
    }
    Ok(())
}

/// Whether the reply is right.
async fn ask(client: &AsyncClient, number: u64) -> bool {
    let mut square = [0; 8];
    let reply = timeout(PATIENCE, client.req(&number.to_le_bytes(), &mut square)).await;
    matches!(reply, Ok(Ok(8))) && square == (number * number).to_le_bytes()
}

/// All requests, each in a task of its own: how many replies were right.
async fn run() -> Result<usize, Box<dyn std::error::Error>> {
    let server = Options::new().slots(SLOTS as u32).memfd("squares")?;
    let client = Arc::new(AsyncClient::new(Options::new().client_from_server(&server)?)?);
    let server = AsyncServer::new(server)?;
    let serving = tokio::spawn(async move { serve(&server).await });
    let tasks: Vec<_> = (0..REQUESTS as u64)
        .map(|number| {
            let client = Arc::clone(&client);
            tokio::spawn(async move { ask(&client, number).await })
        })
        .collect();
    let mut right = 0;
    for task in tasks {
        right += usize::from(task.await?);
    }
    serving.await??;
    Ok(right)
}

fn main() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    match runtime.map_err(Into::into).and_then(|runtime| runtime.block_on(run())) {
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
