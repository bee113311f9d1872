//! A server and a client by the functions of the header, whose signatures stand here a second time.

use super::{Face, LONGEST, Outcome, SLOTS};
use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::mem::{MaybeUninit, size_of};
use std::ptr::{self, null, null_mut};
use std::time::Duration;

// So that its functions are linked.
use shmrr as _;

/// `rr_options`.
#[repr(C)]
struct Options {
    size: u32,
    kind: u32,
    slots: u32,
    participants: u32,
    request_max: u64,
    response_max: u64,
    mode: u32,
    flags: u32,
    spin_ns: i64,
    connect_timeout_ns: i64,
    user: u64,
    connect: *const c_void,
}

/// `rr_request`.
#[repr(C)]
struct Request {
    id: u64,
    length: usize,
    message_type: u32,
    flags: u32,
    client: u32,
    redeliveries: u32,
    reserved: [u64; 2],
}

/// `rr_result`.
#[repr(C)]
struct Reply {
    size: u32,
    flags: u32,
    id: u64,
    length: usize,
    message_type: u32,
    code: i32,
    text: *mut c_char,
    text_cap: usize,
    text_length: usize,
    reserved: [u64; 2],
}

unsafe extern "C" {
    fn rr_options_init(opts: *mut Options, size: u32) -> c_int;
    fn rr_server_new(
        path: *const c_char,
        opts: *const Options,
        srv: *mut *mut c_void,
        err: *mut c_void,
    ) -> c_int;
    fn rr_client_from_server(
        srv: *const c_void,
        opts: *const Options,
        cli: *mut *mut c_void,
        err: *mut c_void,
    ) -> c_int;
    fn rr_server_free(srv: *mut c_void);
    fn rr_client_free(cli: *mut c_void);

    fn rr_client_send(cli: *mut c_void, data: *const u8, len: usize, id: *mut u64) -> c_int;
    fn rr_client_post(cli: *mut c_void, data: *const u8, len: usize, timeout_ns: i64) -> c_int;
    fn rr_client_req(
        cli: *mut c_void,
        data: *const u8,
        len: usize,
        buf: *mut u8,
        cap: usize,
        timeout_ns: i64,
    ) -> i64;
    fn rr_client_get(cli: *mut c_void, id: u64, buf: *mut u8, cap: usize) -> i64;
    fn rr_client_get_wait(cli: *mut c_void, id: u64, buf: *mut u8, cap: usize, timeout_ns: i64) -> i64;
    fn rr_client_get_msg(
        cli: *mut c_void,
        id: u64,
        buf: *mut u8,
        cap: usize,
        result: *mut Reply,
        wait: *const c_void,
    ) -> i64;
    fn rr_client_cancel(cli: *mut c_void, id: u64) -> c_int;
    fn rr_client_pending(cli: *const c_void) -> i64;
    fn rr_client_stop(cli: *mut c_void) -> c_int;

    fn rr_recv(srv: *mut c_void, buf: *mut u8, cap: usize, req: *mut Request) -> i64;
    fn rr_recv_wait(srv: *mut c_void, buf: *mut u8, cap: usize, req: *mut Request, timeout_ns: i64) -> i64;
    fn rr_reply(srv: *mut c_void, id: u64, data: *const u8, len: usize) -> c_int;
    fn rr_reply_error(srv: *mut c_void, id: u64, code: c_int, text: *const c_char) -> c_int;
    fn rr_dismiss(srv: *mut c_void, id: u64) -> c_int;
    fn rr_release(srv: *mut c_void, id: u64) -> c_int;
    fn rr_server_stop(srv: *mut c_void) -> c_int;
}

pub struct C {
    server: *mut c_void,
    client: *mut c_void,
}

// SAFETY: the header lets any number of threads use a handle.
unsafe impl Sync for C {}

fn length(returned: i64) -> Outcome<usize> {
    usize::try_from(returned).map_err(|_| -returned as i32)
}

fn done(returned: c_int) -> Outcome<()> {
    length(returned.into()).map(|nothing| assert_eq!(nothing, 0))
}

fn nanoseconds(timeout: Duration) -> i64 {
    timeout.as_nanos().try_into().unwrap()
}

/// What a call that takes a request filled in.
fn request(call: impl FnOnce(*mut Request) -> i64) -> Outcome<(u64, usize)> {
    let mut request = MaybeUninit::<Request>::zeroed();
    let length = length(call(request.as_mut_ptr()))?;
    // SAFETY: zeros are a request, and the call may have written one.
    let request = unsafe { request.assume_init() };
    assert_eq!(request.length, length);
    Ok((request.id, length))
}

impl Face for C {
    fn open() -> Self {
        let mut options = MaybeUninit::<Options>::zeroed();
        // SAFETY: writable, and of the size that is given.
        done(unsafe { rr_options_init(options.as_mut_ptr(), size_of::<Options>() as u32) }).unwrap();
        // SAFETY: zeros are options, and the call has written some.
        let mut options = unsafe { options.assume_init() };
        (options.slots, options.request_max, options.response_max) = (SLOTS, LONGEST as u64, LONGEST as u64);
        let mut face = Self { server: null_mut(), client: null_mut() };
        // SAFETY: no path makes a channel without a name; the options are initialised, and the handle is writable.
        done(unsafe { rr_server_new(null(), &raw const options, &raw mut face.server, null_mut()) }).unwrap();
        // SAFETY: as above; the server was just opened.
        done(unsafe { rr_client_from_server(face.server, null(), &raw mut face.client, null_mut()) })
            .unwrap();
        face
    }

    fn send(&self, data: &[u8]) -> Outcome<u64> {
        let mut id = 0;
        // SAFETY: the handle is open, the data readable, the id writable.
        done(unsafe { rr_client_send(self.client, data.as_ptr(), data.len(), &raw mut id) }).map(|()| id)
    }

    fn post(&self, data: &[u8], timeout: Duration) -> Outcome<()> {
        // SAFETY: the handle is open, the data readable.
        done(unsafe { rr_client_post(self.client, data.as_ptr(), data.len(), nanoseconds(timeout)) })
    }

    fn req(&self, data: &[u8], buffer: &mut [u8], timeout: Duration) -> Outcome<usize> {
        let (to, capacity, timeout) = (buffer.as_mut_ptr(), buffer.len(), nanoseconds(timeout));
        // SAFETY: the handle is open, the data readable, the buffer writable.
        length(unsafe { rr_client_req(self.client, data.as_ptr(), data.len(), to, capacity, timeout) })
    }

    fn get(&self, id: u64, buffer: &mut [u8]) -> Outcome<usize> {
        // SAFETY: the handle is open, the buffer writable.
        length(unsafe { rr_client_get(self.client, id, buffer.as_mut_ptr(), buffer.len()) })
    }

    fn get_wait(&self, id: u64, buffer: &mut [u8], timeout: Duration) -> Outcome<usize> {
        let (to, capacity) = (buffer.as_mut_ptr(), buffer.len());
        // SAFETY: the handle is open, the buffer writable.
        length(unsafe { rr_client_get_wait(self.client, id, to, capacity, nanoseconds(timeout)) })
    }

    fn get_error(&self, id: u64) -> Outcome<(i32, String)> {
        let mut text = [0; 128];
        let mut reply = Reply {
            size: size_of::<Reply>() as u32,
            flags: 0,
            id: 0,
            length: 0,
            message_type: 0,
            code: 0,
            text: text.as_mut_ptr(),
            text_cap: text.len(),
            text_length: 0,
            reserved: [0; 2],
        };
        let (result, wait) = (&raw mut reply, null());
        // SAFETY: the handle is open, no buffer is given, the result is initialised, with a writable text.
        match length(unsafe { rr_client_get_msg(self.client, id, null_mut(), 0, result, wait) }) {
            Err(libc::EREMOTEIO) => {}
            Err(errno) => return Err(errno),
            Ok(length) => panic!("a reply of {length} bytes"),
        }
        // SAFETY: ends with a NUL.
        let text = unsafe { CStr::from_ptr(ptr::from_ref(&text).cast()) }.to_str().unwrap();
        assert_eq!(text.len(), reply.text_length);
        Ok((reply.code, text.to_owned()))
    }

    fn cancel(&self, id: u64) -> Outcome<()> {
        // SAFETY: the handle is open.
        done(unsafe { rr_client_cancel(self.client, id) })
    }

    fn pending(&self) -> i64 {
        // SAFETY: the handle is open.
        unsafe { rr_client_pending(self.client) }
    }

    fn stop_client(&self) {
        // SAFETY: the handle is open.
        done(unsafe { rr_client_stop(self.client) }).unwrap();
    }

    fn recv(&self, buffer: &mut [u8]) -> Outcome<(u64, usize)> {
        // SAFETY: the handle is open, the buffer and the request writable.
        request(|taken| unsafe { rr_recv(self.server, buffer.as_mut_ptr(), buffer.len(), taken) })
    }

    fn recv_wait(&self, buffer: &mut [u8], timeout: Duration) -> Outcome<(u64, usize)> {
        let (to, capacity) = (buffer.as_mut_ptr(), buffer.len());
        // SAFETY: the handle is open, the buffer and the request writable.
        request(|taken| unsafe { rr_recv_wait(self.server, to, capacity, taken, nanoseconds(timeout)) })
    }

    fn reply(&self, id: u64, data: &[u8]) -> Outcome<()> {
        // SAFETY: the handle is open, the data readable.
        done(unsafe { rr_reply(self.server, id, data.as_ptr(), data.len()) })
    }

    fn reply_error(&self, id: u64, code: i32, text: &str) -> Outcome<()> {
        let text = CString::new(text).unwrap();
        // SAFETY: the handle is open, and the text ends with a NUL.
        done(unsafe { rr_reply_error(self.server, id, code, text.as_ptr()) })
    }

    fn dismiss(&self, id: u64) -> Outcome<()> {
        // SAFETY: the handle is open.
        done(unsafe { rr_dismiss(self.server, id) })
    }

    fn release(&self, id: u64) -> Outcome<()> {
        // SAFETY: the handle is open.
        done(unsafe { rr_release(self.server, id) })
    }

    fn stop_server(&self) {
        // SAFETY: the handle is open.
        done(unsafe { rr_server_stop(self.server) }).unwrap();
    }
}

impl Drop for C {
    fn drop(&mut self) {
        // SAFETY: opened by the library, or null; used no more.
        unsafe { rr_client_free(self.client) };
        // SAFETY: as above.
        unsafe { rr_server_free(self.server) };
    }
}
