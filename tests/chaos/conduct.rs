//! What follows from a request's number, so that both sides know it: how it is to be answered, and how it may be
//! labelled.

use crate::payload::Payload;
use shmrr::{MessageFlags, TYPE_MIN};

/// One request in so many is answered with an error, and one is let go of.
const ERRORS: u32 = 16;
const DISMISSALS: u32 = 32;
const TYPES: u32 = 1000;

#[derive(PartialEq, Eq, Debug)]
pub enum Answer {
    Reply,
    Error(i32, String),
    None,
}

pub fn answer_to(request: &Payload) -> Answer {
    let (client, number) = (request.client, request.number);
    if number % ERRORS == 5 {
        Answer::Error(number as i32, format!("no {number} for {client}"))
    } else if number % DISMISSALS == 9 {
        Answer::None
    } else {
        Answer::Reply
    }
}

/// Type and flags of a request and of its reply, if they have any.
pub fn label_of(request: &Payload) -> (u32, MessageFlags) {
    let flags = [
        MessageFlags::empty(),
        MessageFlags::UTF8,
        MessageFlags::END_ALIGNED,
        MessageFlags::UTF8 | MessageFlags::END_ALIGNED,
    ][request.number as usize / 3 % 4];
    (TYPE_MIN + request.number % TYPES, flags)
}

/// Sees that a message has its label, or none.
pub fn check_label(request: &Payload, message_type: u32, flags: MessageFlags) {
    let label = (message_type, flags);
    assert!(
        label == (0, MessageFlags::empty()) || label == label_of(request),
        "{request:?} is labelled {label:?}"
    );
}
