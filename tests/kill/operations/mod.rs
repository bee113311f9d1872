//! What victims are killed or stopped at.
//!
//! | file | what |
//! |---|---|
//! | [`calling`] | what a request goes through on its client's side |
//! | [`serving`] | what it goes through on its server's side |
//! | [`in_place`] | requests and replies that are written and read where they lie |
//! | [`one_way`] | messages that nobody waits for |
//! | [`integers`] | the calls for channels of integers |
//! | [`presence`] | the ways in and out of a channel |
//! | [`recovering`] | cleaning up after one that died |
//! | [`redelivering`] | the same in a channel that redelivers, and what it is for |
//! | [`administration`] | clearing, looking, signalling |

// Each test file uses a part of it.
#![allow(dead_code)]

pub mod administration;
pub mod calling;
pub mod in_place;
pub mod integers;
pub mod one_way;
pub mod presence;
pub mod recovering;
pub mod redelivering;
pub mod serving;

use crate::scene::{Operation, Scene};
use crate::survivors::Meeting;

/// All there are, by file.
pub const ALL: [&[&Operation]; 9] = [
    calling::ALL,
    serving::ALL,
    in_place::ALL,
    one_way::ALL,
    integers::ALL,
    presence::ALL,
    recovering::ALL,
    redelivering::ALL,
    administration::ALL,
];

fn nothing(_: &mut Scene) {}

/// The first act is done, by which the victim joins.
fn joined(scene: &mut Scene) {
    scene.act();
}

fn acted_twice(scene: &mut Scene) {
    scene.act();
    scene.act();
}

/// What most operations have in common.
pub const ORDINARY: Operation =
    Operation { name: "", meeting: Meeting::Plain, acts: &[], prepare: joined, beside: None };
