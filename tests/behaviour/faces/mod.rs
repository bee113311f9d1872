//! What the Rust interface and the C interface both promise, written once and run through either.
//!
//! | file | what |
//! |---|---|
//! | `promises` | the promises |
//! | `rust` | a server and a client by their Rust names |
//! | `c` | the same by the functions of the header |
//!
//! What only one of them has is promised elsewhere: values that are dropped in `in_place.rs`, structures, null pointers
//! and what a process does to itself in `tests/c/`.

mod c;
mod promises;
mod rust;

use std::time::Duration;

/// A call's failure is the positive errno value that both interfaces document.
type Outcome<T> = Result<T, i32>;

const SLOTS: u32 = 4;
/// Of requests and of replies.
const LONGEST: usize = 64;

/// A server and a client of one channel without a name.
trait Face: Sync {
    fn open() -> Self;

    fn send(&self, data: &[u8]) -> Outcome<u64>;
    fn post(&self, data: &[u8], timeout: Duration) -> Outcome<()>;
    fn req(&self, data: &[u8], buffer: &mut [u8], timeout: Duration) -> Outcome<usize>;
    fn get(&self, id: u64, buffer: &mut [u8]) -> Outcome<usize>;
    fn get_wait(&self, id: u64, buffer: &mut [u8], timeout: Duration) -> Outcome<usize>;
    /// Collects an error reply: its code and text.
    fn get_error(&self, id: u64) -> Outcome<(i32, String)>;
    fn cancel(&self, id: u64) -> Outcome<()>;
    fn pending(&self) -> i64;
    fn stop_client(&self);

    fn recv(&self, buffer: &mut [u8]) -> Outcome<(u64, usize)>;
    fn recv_wait(&self, buffer: &mut [u8], timeout: Duration) -> Outcome<(u64, usize)>;
    fn reply(&self, id: u64, data: &[u8]) -> Outcome<()>;
    fn reply_error(&self, id: u64, code: i32, text: &str) -> Outcome<()>;
    fn dismiss(&self, id: u64) -> Outcome<()>;
    fn release(&self, id: u64) -> Outcome<()>;
    fn stop_server(&self);
}

macro_rules! both_keep {
    ($($promise:ident),+ $(,)?) => {
        mod in_rust {
            $(#[test] fn $promise() {
                super::promises::$promise(&<super::rust::Rust as super::Face>::open());
            })+
        }

        mod in_c {
            $(#[test] fn $promise() {
                super::promises::$promise(&<super::c::C as super::Face>::open());
            })+
        }
    };
}

both_keep! {
    a_reply_belongs_to_its_request_and_is_collected_once,
    an_empty_payload_is_a_payload,
    what_is_longer_than_the_channel_allows_is_not_sent,
    what_is_longer_than_the_buffer_stays,
    a_call_waits_for_its_reply,
    a_wait_ends_at_its_deadline_and_the_request_is_still_pending,
    an_error_reply_brings_its_own_code_and_text,
    a_dismissed_request_gets_no_reply,
    a_request_that_is_cancelled_is_nobodys,
    a_second_reply_changes_nothing,
    a_one_way_message_is_released_and_a_request_is_not,
    without_a_free_slot_nothing_is_sent,
    a_stopped_handle_refuses,
}
