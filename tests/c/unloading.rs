//! The shared library can be unloaded, after every kind of use and while threads that used it live on, and loaded again;
//! nothing of it stays behind.

use crate::child::{self, Child};
use crate::support::library;
use std::ffi::{CString, c_char, c_int, c_void};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::ptr;
use std::sync::mpsc;

type Open = unsafe extern "C" fn(*const c_char, *const c_void, *mut *mut c_void, *mut c_void) -> c_int;
type Beside = unsafe extern "C" fn(*mut c_void, *const c_void, *mut *mut c_void, *mut c_void) -> c_int;
type Free = unsafe extern "C" fn(*mut c_void);
type Receive = unsafe extern "C" fn(*mut c_void, *mut c_void, usize, *mut c_void, i64) -> i64;
type Refuse = unsafe extern "C" fn(*mut c_void, u64, c_int, *const c_char) -> c_int;
type Call = unsafe extern "C" fn(*mut c_void, *const c_void, usize, *mut c_void, usize, i64) -> i64;

const FOREVER: i64 = -1;

struct Library(*mut c_void);

impl Library {
    fn load() -> Self {
        let path = CString::new(library::shared().as_os_str().as_bytes()).unwrap();
        // SAFETY: a string; what runs at loading is the library's own.
        let handle = unsafe { libc::dlopen(path.as_ptr(), libc::RTLD_NOW | libc::RTLD_LOCAL) };
        assert!(!handle.is_null());
        Self(handle)
    }

    /// # Safety
    /// `F` must be the type of the function of that name.
    unsafe fn function<F: Copy>(&self, name: &str) -> F {
        let name = CString::new(name).unwrap();
        // SAFETY: a loaded library and a string.
        let found = unsafe { libc::dlsym(self.0, name.as_ptr()) };
        assert!(!found.is_null());
        // SAFETY: the caller's.
        unsafe { std::mem::transmute_copy(&found) }
    }

    /// A request that is refused, by handles that are opened and freed for it.
    fn use_it(&self) {
        // SAFETY: as in include/shmrr.h.
        let open: Open = unsafe { self.function("rr_server_new") };
        // SAFETY: as above.
        let beside: Beside = unsafe { self.function("rr_client_from_server") };
        // SAFETY: as above.
        let receive: Receive = unsafe { self.function("rr_recv_wait") };
        // SAFETY: as above.
        let refuse: Refuse = unsafe { self.function("rr_reply_error") };
        // SAFETY: as above.
        let call: Call = unsafe { self.function("rr_client_req") };
        // SAFETY: as above.
        let free_server: Free = unsafe { self.function("rr_server_free") };
        // SAFETY: as above.
        let free_client: Free = unsafe { self.function("rr_client_free") };

        let (mut server, mut client) = (ptr::null_mut(), ptr::null_mut());
        // SAFETY: all that may be null is, the rest is writable.
        assert_eq!(unsafe { open(ptr::null(), ptr::null(), &raw mut server, ptr::null_mut()) }, 0);
        // SAFETY: as above.
        assert_eq!(unsafe { beside(server, ptr::null(), &raw mut client, ptr::null_mut()) }, 0);
        let at = server as usize;
        let refuses = std::thread::spawn(move || {
            let (server, mut buffer, mut request) = (at as *mut c_void, [0_u8; 64], [0_u64; 16]);
            let (to, described) = (buffer.as_mut_ptr().cast(), request.as_mut_ptr().cast());
            // SAFETY: buffers of that size and larger.
            assert_eq!(unsafe { receive(server, to, buffer.len(), described, FOREVER) }, 1);
            // SAFETY: an id and a string.
            assert_eq!(unsafe { refuse(server, request[0], 7, c"refused".as_ptr()) }, 0);
        });
        let mut buffer = [0_u8; 64];
        let to = buffer.as_mut_ptr().cast();
        // SAFETY: one byte, and a buffer of that size. This thread, which lives on, meets an error reply.
        let got = unsafe { call(client, b"x".as_ptr().cast(), 1, to, buffer.len(), FOREVER) };
        assert_eq!(got, -i64::from(libc::EREMOTEIO));
        refuses.join().unwrap();
        // SAFETY: handles that are used no more.
        unsafe { free_client(client) };
        // SAFETY: as above.
        unsafe { free_server(server) };
    }

    fn unload(self) {
        // SAFETY: nobody is in it.
        assert_eq!(unsafe { libc::dlclose(self.0) }, 0);
    }
}

fn is_mapped() -> bool {
    fs::read_to_string("/proc/self/maps").unwrap().contains("libshmrr")
}

fn fork_and_reap() {
    // SAFETY: the child ends at once.
    let child = unsafe { libc::fork() };
    if child == 0 {
        // SAFETY: has no preconditions.
        unsafe { libc::_exit(0) };
    }
    let mut status = -1;
    // SAFETY: the status is writable.
    assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
    assert_eq!(status, 0);
}

/// In a process of its own: descriptors are counted.
#[test]
fn the_library_can_be_unloaded_and_loaded_again_while_threads_that_used_it_live_on() {
    if cfg!(target_env = "musl") {
        println!("skipped: musl never unloads");
        return;
    }
    // What builds the library and waits for that is no part of it.
    library::shared();
    Child::spawn("unloading::again and again", &[]).succeed();
}

#[test]
#[ignore = "run by other tests as their child process"]
fn child() {
    child::play(|role| match role {
        "again and again" => again_and_again(),
        _ => panic!("no role {role}"),
    });
}

fn again_and_again() {
    let (done, goes_on) = (mpsc::channel(), mpsc::channel::<()>());
    let thread = std::thread::spawn(move || {
        let library = Library::load();
        library.use_it();
        done.0.send(library.0 as usize).unwrap();
        // Until after it is unloaded.
        let _ = goes_on.1.recv();
    });
    let library = Library(done.1.recv().unwrap() as *mut c_void);
    library.use_it();
    fork_and_reap();
    assert!(is_mapped());
    library.unload();
    assert!(!is_mapped());
    // No handler of the library's is left.
    fork_and_reap();
    drop(goes_on.0);
    thread.join().unwrap();

    let descriptors = || fs::read_dir("/proc/self/fd").unwrap().count();
    let before = descriptors();
    for _ in 0..50 {
        let library = Library::load();
        library.use_it();
        fork_and_reap();
        library.unload();
        assert!(!is_mapped());
    }
    assert_eq!(descriptors(), before);
}
