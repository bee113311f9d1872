//! A server and a client by their Rust names.

use super::{Face, LONGEST, Outcome, SLOTS};
use shmrr::{Client, Error, Options, Result, Server};
use std::time::Duration;

pub struct Rust {
    // Before the server, whose channel it was opened from.
    client: Client,
    server: Server,
}

fn outcome<T>(result: Result<T>) -> Outcome<T> {
    result.map_err(|error| error.errno())
}

impl Face for Rust {
    fn open() -> Self {
        let options = Options::new().slots(SLOTS).request_max(LONGEST as u64).response_max(LONGEST as u64);
        let server = options.anonymous().unwrap();
        let client = Options::new().client_from_server(&server).unwrap();
        Self { client, server }
    }

    fn send(&self, data: &[u8]) -> Outcome<u64> {
        outcome(self.client.send(data).map(u64::from))
    }

    fn post(&self, data: &[u8], timeout: Duration) -> Outcome<()> {
        outcome(self.client.post(data, timeout))
    }

    fn req(&self, data: &[u8], buffer: &mut [u8], timeout: Duration) -> Outcome<usize> {
        outcome(self.client.req(data, buffer, timeout))
    }

    fn get(&self, id: u64, buffer: &mut [u8]) -> Outcome<usize> {
        outcome(self.client.get(id.into(), buffer))
    }

    fn get_wait(&self, id: u64, buffer: &mut [u8], timeout: Duration) -> Outcome<usize> {
        outcome(self.client.get_wait(id.into(), buffer, timeout))
    }

    fn get_error(&self, id: u64) -> Outcome<(i32, String)> {
        match self.client.get(id.into(), &mut []) {
            Err(Error::Remote { code, text }) => Ok((code, text.to_string())),
            Err(error) => Err(error.errno()),
            Ok(length) => panic!("a reply of {length} bytes"),
        }
    }

    fn cancel(&self, id: u64) -> Outcome<()> {
        outcome(self.client.cancel(id.into()))
    }

    fn pending(&self) -> i64 {
        self.client.pending().into()
    }

    fn stop_client(&self) {
        self.client.stop();
    }

    fn recv(&self, buffer: &mut [u8]) -> Outcome<(u64, usize)> {
        outcome(self.server.recv(buffer).map(|request| (request.id.into(), request.length)))
    }

    fn recv_wait(&self, buffer: &mut [u8], timeout: Duration) -> Outcome<(u64, usize)> {
        outcome(self.server.recv_wait(buffer, timeout).map(|request| (request.id.into(), request.length)))
    }

    fn reply(&self, id: u64, data: &[u8]) -> Outcome<()> {
        outcome(self.server.reply(id.into(), data))
    }

    fn reply_error(&self, id: u64, code: i32, text: &str) -> Outcome<()> {
        outcome(self.server.reply_error(id.into(), code, text))
    }

    fn dismiss(&self, id: u64) -> Outcome<()> {
        outcome(self.server.dismiss(id.into()))
    }

    fn release(&self, id: u64) -> Outcome<()> {
        outcome(self.server.release(id.into()))
    }

    fn stop_server(&self) {
        self.server.stop();
    }
}
