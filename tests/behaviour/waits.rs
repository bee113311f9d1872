//! Terms of waits: a time at which they end, a word by which somebody ends one of them, and handlers that do not.

use shmrr::{Error, Options, Timeout, Wait};
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::Relaxed;
use std::thread;
use std::time::{Duration, Instant};

const LONG: Duration = Duration::from_secs(20);

#[test]
fn a_cancel_word_ends_its_own_wait_and_no_other() {
    let server = Options::new().anonymous().unwrap();
    let (mine, others) = (AtomicU32::new(0), AtomicU32::new(0));
    thread::scope(|threads| {
        let other = threads.spawn(|| server.recv_wait(&mut [], Wait::FOREVER.cancel(&others)));
        let one = threads.spawn(|| server.recv_wait(&mut [], Wait::FOREVER.cancel(&mine)));
        mine.store(1, Relaxed);
        server.wake();
        assert_eq!(one.join().unwrap(), Err(Error::Canceled));
        assert!(!other.is_finished());
        others.store(1, Relaxed);
        server.wake();
        assert_eq!(other.join().unwrap(), Err(Error::Canceled));
    });
}

#[test]
fn a_call_that_is_cancelled_withdraws_its_request() {
    let server = Options::new().anonymous().unwrap();
    let client = Options::new().client_from_server(&server).unwrap();
    let word = AtomicU32::new(0);
    thread::scope(|threads| {
        let asks = threads.spawn(|| client.req(b"", &mut [], Wait::FOREVER.cancel(&word)));
        while client.pending() == 0 {
            thread::yield_now();
        }
        word.store(1, Relaxed);
        client.wake();
        assert_eq!(asks.join().unwrap(), Err(Error::Canceled));
    });
    assert_eq!((client.pending(), server.channel().queued()), (0, 0));
}

#[test]
fn a_call_whose_word_is_set_already_does_nothing() {
    let server = Options::new().anonymous().unwrap();
    let client = Options::new().client_from_server(&server).unwrap();
    let word = AtomicU32::new(1);
    assert_eq!(client.send_wait(b"", Wait::FOREVER.cancel(&word)), Err(Error::Canceled));
    client.send(b"").unwrap();
    assert_eq!(server.recv_wait(&mut [], Wait::NOW.cancel(&word)), Err(Error::Canceled));
    assert_eq!(server.serve(Wait::FOREVER.cancel(&word), |_, _| Ok(())), Err(Error::Canceled));
    assert_eq!(server.channel().queued(), 1);
    let nowhere = format!("shmrr-test-nowhere-{}", std::process::id());
    let opened = Options::new().client_wait(nowhere, Wait::FOREVER.cancel(&word));
    assert_eq!(opened.err(), Some(Error::Canceled));
}

#[test]
fn a_wait_until_a_time_ends_then_however_often_it_is_used() {
    let server = Options::new().anonymous().unwrap();
    let end = Instant::now() + Duration::from_millis(20);
    for _ in 0..3 {
        assert_eq!(server.recv_wait(&mut [], end), Err(Error::TimedOut));
        assert!(Instant::now() >= end);
    }
    assert!(end.elapsed() < LONG);
    assert_eq!(server.recv_wait(&mut [], Wait::until_nanos(1)), Err(Error::TimedOut));
    assert_eq!(server.recv_wait(&mut [], Timeout::NOW), Err(Error::WouldBlock));
}

#[test]
fn an_interruption_ends_a_wait_that_goes_on_after_handlers() {
    for options in [Options::new(), Options::new().restart(true)] {
        let server = options.anonymous().unwrap();
        server.interrupt();
        assert_eq!(server.recv_wait(&mut [], Wait::FOREVER.restart()), Err(Error::Interrupted));
        assert_eq!(server.recv_wait(&mut [], Duration::from_millis(1)), Err(Error::TimedOut));
    }
}
