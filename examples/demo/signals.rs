//! What SIGINT, SIGTERM and SIGHUP do: leave their number for whoever looks, and stop the client that waits, if any.
//!
//! The handlers are set without `SA_RESTART`, so that a system call that waits returns and its caller looks.

use std::marker::PhantomData;
use std::ptr;
use std::sync::atomic::{AtomicI32, AtomicPtr, Ordering};

use shmrr::Client;

use crate::failure::Failure;

static CAUGHT: AtomicI32 = AtomicI32::new(0);
static CALLING: AtomicPtr<Client> = AtomicPtr::new(ptr::null_mut());

extern "C" fn handler(signal: libc::c_int) {
    CAUGHT.store(signal, Ordering::Relaxed);
    // SAFETY: `Stopped` keeps the pointer valid, or null; `stop` may be called from a handler.
    if let Some(client) = unsafe { CALLING.load(Ordering::Acquire).as_ref() } {
        client.stop();
    }
}

/// Catches the three signals, those excepted that whoever started us wants ignored (`nohup`).
pub(crate) fn install() {
    for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP] {
        // SAFETY: all zeros are a valid `sigaction`.
        let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
        // SAFETY: both pointers are null or point to a `sigaction`.
        unsafe { libc::sigaction(signal, ptr::null(), &raw mut action) };
        if action.sa_sigaction == libc::SIG_IGN {
            continue;
        }
        action.sa_sigaction = handler as extern "C" fn(libc::c_int) as libc::sighandler_t;
        action.sa_flags = 0;
        // SAFETY: both pointers are null or point to a `sigaction`; the handler is async-signal-safe.
        unsafe { libc::sigaction(signal, &raw const action, ptr::null_mut()) };
    }
}

/// Fails once a signal has arrived.
pub(crate) fn check() -> Result<(), Failure> {
    match CAUGHT.load(Ordering::Relaxed) {
        0 => Ok(()),
        signal => Err(Failure::Signal(signal)),
    }
}

/// As long as this lives, a signal stops the client.
pub(crate) struct Stopped<'a>(PhantomData<&'a Client>);

impl<'a> Stopped<'a> {
    pub(crate) fn by_signals(client: &'a Client) -> Self {
        CALLING.store(ptr::from_ref(client).cast_mut(), Ordering::Release);
        Self(PhantomData)
    }
}

impl Drop for Stopped<'_> {
    fn drop(&mut self) {
        CALLING.store(ptr::null_mut(), Ordering::Release);
    }
}
