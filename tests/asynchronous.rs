//! Handles for tasks: `cargo test --features tokio --test asynchronous`.
#![cfg(feature = "tokio")]

use shmrr::{AsyncClient, AsyncServer, Error, Message, Options, Timeout};
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_secs(60);

fn run<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async { timeout(PATIENCE, future).await.expect("it takes for ever") })
}

/// Both, in one task.
async fn join<A, B>(first: impl Future<Output = A>, second: impl Future<Output = B>) -> (A, B) {
    let (mut first, mut second) = (pin!(first), pin!(second));
    let (mut one, mut other) = (None, None);
    poll_fn(|context| {
        if one.is_none() {
            one = ready(first.as_mut().poll(context));
        }
        if other.is_none() {
            other = ready(second.as_mut().poll(context));
        }
        if one.is_some() && other.is_some() { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    (one.unwrap(), other.unwrap())
}

fn ready<T>(poll: Poll<T>) -> Option<T> {
    match poll {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    }
}

fn pair(slots: u32) -> (AsyncServer, AsyncClient) {
    let server = Options::new().slots(slots).anonymous().unwrap();
    let client = Options::new().client_from_server(&server).unwrap();
    (AsyncServer::new(server).unwrap(), AsyncClient::new(client).unwrap())
}

#[test]
fn a_reply_is_awaited() {
    run(async {
        let (server, client) = pair(4);
        let serve = async {
            let mut buffer = [0; 16];
            let request = server.recv(&mut buffer).await.unwrap();
            server.server().reply(request.id, &buffer[..request.length].to_ascii_uppercase()).unwrap();
            server.recv_view().await.unwrap().reply(b"in place").unwrap();
            assert_eq!(server.recv_view().await.unwrap().bytes().to_vec(), b"nobody waits");
        };
        let ask = async {
            let mut reply = [0; 16];
            assert_eq!(client.req(b"hello", &mut reply).await, Ok(5));
            assert_eq!(&reply[..5], b"HELLO");
            let view = client.view(&Message::of(b"")).await.unwrap();
            assert_eq!(view.bytes().to_vec(), b"in place");
            client.post(&Message::of(b"nobody waits")).await.unwrap();
        };
        join(serve, ask).await;
        assert_eq!(client.client().pending(), 0);
    });
}

#[test]
fn tasks_that_find_no_slot_wait_for_one() {
    run(async {
        const TASKS: u64 = 500;
        let (server, client) = pair(2);
        let client = Arc::new(client);
        let tasks: Vec<_> = (0..TASKS)
            .map(|number| {
                let client = Arc::clone(&client);
                tokio::spawn(async move {
                    let mut reply = [0; 8];
                    client.req(&number.to_le_bytes(), &mut reply).await.map(|_| u64::from_le_bytes(reply))
                })
            })
            .collect();
        for _ in 0..TASKS {
            let request = server.recv_view().await.unwrap();
            let bytes = request.bytes().to_vec();
            request.reply(&bytes).unwrap();
        }
        for (number, task) in tasks.into_iter().enumerate() {
            assert_eq!(task.await.unwrap(), Ok(number as u64));
        }
    });
}

/// Of a slot that another process holds nobody in this one hears except by the descriptor.
#[test]
fn a_slot_that_another_handle_frees_is_noticed() {
    run(async {
        let server = Options::new().slots(1).anonymous().unwrap();
        let other = Options::new().client_from_server(&server).unwrap();
        let client = Options::new().client_from_server(&server).unwrap();
        let client = AsyncClient::new(client).unwrap();
        let id = other.send(b"in the way").unwrap();
        let free = async {
            for _ in 0..100 {
                tokio::task::yield_now().await;
            }
            other.cancel(id).unwrap();
        };
        let message = Message::of(b"at last");
        let (posted, ()) = join(client.post(&message), free).await;
        posted.unwrap();
        assert_eq!(server.channel().queued(), 1);
    });
}

#[test]
fn dropping_a_future_withdraws_its_call_wherever_it_is() {
    run(async {
        let (server, client) = pair(2);
        let shortly = Duration::from_millis(10);
        // Queued, taken, and replied to at the moment when it is dropped.
        assert!(timeout(shortly, client.req(b"queued", &mut [])).await.is_err());
        assert_eq!(server.server().recv(&mut []).err(), Some(Error::WouldBlock));
        let mut waiting = Box::pin(client.req(b"", &mut []));
        assert!(timeout(shortly, &mut waiting).await.is_err());
        let taken = server.recv(&mut []).await.unwrap();
        drop(waiting);
        assert_eq!(server.server().reply(taken.id, b""), Err(Error::Stale));
        let mut waiting = Box::pin(client.req(b"", &mut []));
        assert!(timeout(shortly, &mut waiting).await.is_err());
        let taken = server.recv(&mut []).await.unwrap();
        server.server().reply(taken.id, b"").unwrap();
        drop(waiting);
        assert_eq!(client.client().pending(), 0);
        assert_eq!(client.client().channel().stats().in_flight, 0);
    });
}

#[test]
fn a_reply_that_does_not_fit_ends_its_call() {
    run(async {
        let (server, client) = pair(1);
        let serve = async { server.recv_view().await.unwrap().reply(b"too long").unwrap() };
        let (asked, ()) = join(client.req(b"", &mut []), serve).await;
        assert!(asked.is_err());
        assert_eq!(client.client().pending(), 0);
    });
}

#[test]
fn stopping_ends_what_is_awaited() {
    run(async {
        let (server, client) = pair(1);
        let client = Arc::new(client);
        let asking = {
            let client = Arc::clone(&client);
            tokio::spawn(async move { client.req(b"", &mut []).await })
        };
        server.server().wait(Timeout::NOW).err();
        while server.server().wait(Timeout::NOW).is_err() {
            tokio::task::yield_now().await;
        }
        client.client().stop();
        assert_eq!(asking.await.unwrap(), Err(Error::Stopped));
        server.server().recv(&mut []).unwrap();
        let stop = async { server.server().stop() };
        let (received, ()) = join(server.recv_view(), stop).await;
        assert_eq!(received.err(), Some(Error::Stopped));
    });
}

#[test]
fn a_request_that_is_dismissed_fails_what_is_awaited() {
    run(async {
        let (server, client) = pair(1);
        let die = async {
            drop(server.recv_view().await.unwrap());
        };
        let (asked, ()) = join(client.req(b"", &mut []), die).await;
        assert_eq!(asked, Err(Error::Dismissed));
    });
}
