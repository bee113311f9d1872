//! A process killed at any instruction of the library leaves nothing that the others cannot recover.
//!
//! A victim, a C program linked with the shared library, does one operation under single-stepping and is killed after
//! its k-th instruction there. Its peers live in this process and keep their handles over all kills. After each, they
//! must come to terms with what is left, each request having exactly one outcome; then find every slot free, use each
//! of them, and see no participant but themselves.
//!
//! `SHMRR_KILL=every cargo test --test kill -- --nocapture` tries every k and prints a table; see `plan.rs` and
//! `table.rs`.

// Elsewhere an atomic operation can be a loop that never ends under single-stepping.
#![cfg(target_arch = "x86_64")]

mod aftermath;
mod cast;
#[path = "../support/channel.rs"]
mod channel;
mod coverage;
mod fate;
#[path = "../support/format.rs"]
mod format;
mod operations;
#[path = "../support/payload.rs"]
mod payload;
mod plan;
mod points;
mod scene;
mod stage;
#[path = "../support/mod.rs"]
mod support;
mod survivors;
mod table;
mod tracer;
mod words;

use channel::Name;
use scene::{Manner, Operation, Scene};
use stage::{share_one_processor, victim};
use std::io;
use std::path::PathBuf;
use support::found;
use survivors::{Meeting, Survivors};
use tracer::{Point, Steps, Victim};

fn at_each_instruction_of(operation: &Operation) {
    let Some(program) = found(victim()) else { return };
    let mut kept: Option<(Survivors, Name)> = None;
    let trial = |point: Point, manner: Manner| -> io::Result<Steps> {
        // After a failure others take their place, on a channel of their own.
        let (mut survivors, name) = kept.take().unwrap_or_else(|| {
            let name = Name::new("kill");
            (Survivors::on(name.as_ref(), operation.meeting), name)
        });
        share_one_processor();
        let steps = Scene::new(&mut survivors, program).play(operation, point, manner)?;
        kept = Some((survivors, name));
        Ok(steps)
    };
    found(plan::carry_out(operation.name, trial));
}

/// Tests: each promise is kept at each instruction of an operation.
macro_rules! at_each_instruction {
    ($($promise:ident: $operation:path;)*) => {
        $(#[test]
        fn $promise() {
            crate::at_each_instruction_of(&$operation);
        })*
    };
}

mod a_killed_client {
    use super::operations::{administration, calling, in_place, presence};

    at_each_instruction! {
        that_was_sending_was_served_once_or_not_at_all: calling::SEND;
        that_was_refused_a_slot_holds_none: calling::SEND_IN_VAIN;
        that_was_taking_a_spare_slot_does_not_keep_it: calling::SEND_SPARE;
        that_was_collecting_does_not_keep_its_slot: calling::GET;
        that_was_cancelling_a_queued_request_is_served_once_or_not_at_all: calling::CANCEL_QUEUED;
        that_was_giving_up_a_claimed_request_leaves_the_slot_to_its_server: calling::CANCEL_CLAIMED;
        that_was_detaching_a_queued_call_is_served_once_or_not_at_all: calling::DETACH_QUEUED;
        that_was_detaching_a_claimed_call_leaves_the_slot_to_its_server: calling::DETACH_CLAIMED;
        that_was_detaching_what_is_answered_does_not_keep_its_slot: calling::DETACH_ANSWERED;
        that_was_in_a_whole_request_leaves_nothing_pending: calling::REQ;
        that_was_asleep_in_a_whole_request_leaves_nothing_pending: calling::REQ_ASLEEP;
        that_looked_for_any_of_several_replies_leaves_nothing_pending: calling::WAIT_ANY;
        that_was_asleep_for_any_of_several_replies_leaves_nothing_pending: calling::WAIT_ANY_ASLEEP;
        that_asked_for_the_first_time_what_is_done_leaves_nothing_pending: calling::LIST;
        that_looked_for_all_that_is_done_leaves_nothing_pending: calling::DONE;
        that_was_cancelling_what_it_listed_leaves_the_slot_to_its_server: calling::CANCEL_LISTED;
        that_took_a_loan_does_not_keep_its_slot: in_place::LOAN;
        that_was_sending_in_place_was_served_once_or_not_at_all: in_place::COMMIT;
        that_was_giving_a_loan_back_does_not_keep_it: in_place::ABORT;
        that_was_looking_at_a_reply_does_not_keep_its_slot: in_place::VIEW;
        that_was_done_with_a_reply_does_not_keep_its_slot: in_place::COLLECT;
        that_was_saying_what_it_sends_was_served_once_or_not_at_all: calling::SEND_MSG;
        that_was_saying_what_it_sends_in_a_whole_request_does_not_keep_its_slot: calling::REQ_MSG;
        that_was_asleep_for_a_result_does_not_keep_its_slot: calling::GET_MSG;
        that_was_sending_in_its_time_was_served_once_or_not_at_all: calling::SEND_WAIT;
        that_was_asleep_for_a_slot_does_not_keep_it: calling::SEND_ASLEEP;
        that_was_asleep_for_a_reply_does_not_keep_its_slot: calling::GET_WAIT;
        that_was_attaching_does_not_keep_its_place: presence::ATTACH_CLIENT;
        that_was_leaving_holds_nothing: presence::LEAVE_CLIENT;
        that_was_signalling_a_request_has_sent_it: administration::NOTIFY;
        that_signals_every_request_was_served_once_or_not_at_all: administration::SEND_NOTIFYING;
    }
}

mod a_killed_server {
    use super::operations::{administration, in_place, presence, serving};

    at_each_instruction! {
        that_was_receiving_leaves_each_request_to_another_or_fails_it: serving::RECV;
        that_was_woken_to_receive_leaves_each_request_to_another_or_fails_it: serving::RECV_ASLEEP;
        that_was_woken_for_any_message_leaves_each_request_to_another_or_fails_it: serving::RECV_MSG;
        that_was_receiving_several_leaves_each_to_another_or_fails_it: serving::RECV_BATCH;
        that_was_receiving_in_place_leaves_each_request_to_another_or_fails_it: in_place::RECV_VIEW;
        that_was_replying_has_replied_or_failed: serving::REPLY;
        that_was_replying_to_a_sleeper_leaves_nobody_asleep: serving::REPLY_ASLEEP;
        that_was_replying_to_one_who_waits_for_any_leaves_nobody_asleep: serving::REPLY_WATCHED;
        that_was_replying_to_one_who_listed_it_has_replied_or_failed: serving::REPLY_LISTED;
        that_was_replying_too_late_does_not_keep_the_slot: serving::REPLY_IN_VAIN;
        that_took_a_loan_for_a_reply_has_failed: in_place::REPLY_LOAN;
        that_was_replying_in_place_has_replied_or_failed: in_place::REPLY_COMMIT;
        that_was_letting_go_of_a_request_has_done_so_or_failed: serving::DISMISS;
        that_was_letting_go_of_a_request_leaves_nobody_asleep: serving::DISMISS_ASLEEP;
        that_was_adopting_leaves_the_request_with_its_owner_or_fails_it: serving::ADOPT;
        that_was_adopting_a_message_leaves_it_with_its_owner_or_loses_it: serving::ADOPT_MESSAGE;
        that_was_adopting_from_the_dead_fails_it_once: serving::ADOPT_FROM_DEAD;
        that_was_leaving_takes_nothing_from_those_who_adopted_it: serving::LEAVE_ADOPTED;
        that_was_in_its_loop_has_replied_or_failed: serving::SERVE;
        that_was_asleep_in_its_loop_has_replied_or_failed: serving::SERVE_ASLEEP;
        that_was_receiving_what_is_there_leaves_each_to_another_or_fails_it: serving::DRAIN;
        that_was_saying_what_it_replies_has_replied_or_failed: serving::REPLY_MSG;
        that_was_replying_with_an_error_has_replied_or_failed: serving::REPLY_ERROR;
        that_was_attaching_does_not_keep_its_place: presence::ATTACH_SERVER;
        that_was_leaving_has_failed_what_it_held: presence::LEAVE_SERVER;
        that_was_taking_signals_leaves_the_channel_whole: administration::CONSUME;
        that_signals_every_reply_has_replied_or_failed: administration::REPLY_NOTIFYING;
    }
}

mod a_one_way_message {
    use super::operations::one_way;

    at_each_instruction! {
        is_delivered_once_if_its_sender_is_killed_after_it_was_queued_and_else_not_at_all: one_way::POST;
        with_a_type_is_delivered_once_or_not_at_all: one_way::POST_MSG;
        that_was_posted_is_delivered_once_if_its_sender_is_killed_at_the_next: one_way::POST_AGAIN;
        is_delivered_once_if_its_sender_is_killed_while_it_leaves: one_way::LEAVE;
        is_lost_with_its_server_or_delivered_to_another: one_way::RECV;
        does_not_keep_its_slot_if_its_server_is_killed_when_it_is_done: one_way::RELEASE;
        does_not_keep_its_slot_if_its_server_is_killed_at_a_reply: one_way::REPLY;
        of_the_dead_is_delivered_once_if_a_recoverer_is_killed: one_way::RECOVER;
        of_the_dead_is_delivered_once_if_one_that_wanted_a_slot_is_killed: one_way::RECOVER_BY_SEND;
        of_the_dead_is_delivered_once_if_a_server_that_looks_after_it_is_killed: one_way::RECOVER_BY_RECV;
        of_the_dead_is_delivered_once_if_one_that_attaches_is_killed: one_way::RECOVER_BY_ATTACH;
        of_the_dead_is_delivered_once_if_two_recoverers_are_killed: one_way::RECOVER_AFTER_RECOVERER;
    }
}

mod a_channel_of_integers {
    use super::operations::integers;

    at_each_instruction! {
        survives_a_client_that_is_killed_as_it_sends: integers::SEND;
        survives_a_client_that_is_killed_as_it_collects: integers::GET;
        survives_a_client_that_is_killed_in_a_whole_request: integers::REQ;
        survives_a_server_that_is_killed_as_it_receives: integers::RECV;
        survives_a_server_that_is_killed_as_it_replies: integers::REPLY;
        survives_a_client_that_is_killed_as_it_waits: integers::GET_WAIT;
        survives_a_server_that_is_killed_as_it_waits: integers::RECV_WAIT;
    }
}

mod a_killed_recoverer {
    use super::operations::recovering;

    at_each_instruction! {
        leaves_the_rest_to_the_next: recovering::RECOVER;
        that_wanted_a_slot_leaves_the_rest_to_the_next: recovering::RECOVER_BY_SEND;
        that_was_attaching_leaves_the_rest_to_the_next: recovering::RECOVER_BY_ATTACH;
        that_looked_after_its_server_leaves_the_rest_to_the_next: recovering::RECOVER_BY_WAIT;
    }
}

mod a_request_that_is_redelivered_is_answered_once {
    use super::operations::redelivering;

    at_each_instruction! {
        if_servers_are_killed_as_they_receive_it: redelivering::RECV;
        if_servers_are_killed_as_they_receive_it_again: redelivering::RECV_AGAIN;
        if_its_server_is_killed_as_it_replies: redelivering::REPLY;
        if_its_next_server_is_killed_as_it_replies: redelivering::REPLY_AGAIN;
        or_if_it_is_one_way_is_done_with_once: redelivering::RELEASE;
        or_not_at_all_if_its_client_is_killed_as_it_gives_it_up: redelivering::CANCEL;
        unless_it_is_cleared: redelivering::CLEAR;
        if_its_server_is_killed_as_it_leaves: redelivering::LEAVE;
        if_its_server_is_killed_as_it_leaves_with_messages_too: redelivering::LEAVE_WITH_MESSAGES;
        if_its_server_is_killed_as_it_leaves_and_another_adopts_it: redelivering::LEAVE_ADOPTED;
        if_one_that_adopts_it_from_the_dead_is_killed: redelivering::ADOPT_FROM_DEAD;
        if_a_recoverer_is_killed: redelivering::RECOVER;
        if_a_recoverer_of_messages_too_is_killed: redelivering::RECOVER_MESSAGES;
        if_one_that_wanted_a_slot_is_killed: redelivering::RECOVER_BY_SEND;
        if_one_that_attaches_is_killed: redelivering::RECOVER_BY_ATTACH;
        if_one_that_looked_after_its_server_is_killed: redelivering::RECOVER_BY_WAIT;
        if_a_server_that_looked_after_the_dead_is_killed: redelivering::RECOVER_BY_RECV;
        if_two_recoverers_are_killed: redelivering::RECOVER_AFTER_RECOVERER;
        if_one_that_attaches_and_a_recoverer_are_killed: redelivering::RECOVER_AFTER_ATTACHER;
        if_one_that_leaves_and_a_recoverer_are_killed: redelivering::RECOVER_AFTER_LEAVER;
    }
}

mod an_administrator {
    use super::operations::administration;

    at_each_instruction! {
        that_is_killed_as_it_clears_has_cleared_or_spared_each_request: administration::CLEAR;
        that_is_killed_as_it_clears_has_cleared_its_own_requests_or_left_them: administration::CLEAR_OWN;
        that_is_killed_as_it_counts_leaves_nothing: administration::STATS;
        that_is_killed_as_it_looks_who_is_there_leaves_nothing: administration::PARTICIPANTS;
        that_is_killed_as_it_counts_what_is_queued_leaves_nothing: administration::QUEUED;
        that_is_killed_as_it_asks_whether_something_is_leaves_nothing: administration::IS_EMPTY;
        that_is_killed_as_it_counts_servers_leaves_nothing: administration::SERVERS;
        that_is_killed_as_it_counts_its_own_leaves_nothing: administration::PENDING;
        that_is_killed_as_it_interrupts_its_client_leaves_nothing_pending: administration::INTERRUPT_CLIENT;
        that_is_killed_as_it_interrupts_its_server_has_failed_what_that_held: administration::INTERRUPT_SERVER;
        that_is_killed_as_it_wakes_its_client_leaves_nothing_pending: administration::WAKE_CLIENT;
        that_is_killed_as_it_wakes_its_server_has_failed_what_that_held: administration::WAKE_SERVER;
        that_is_killed_as_it_stops_its_client_leaves_nothing_pending: administration::STOP_CLIENT;
        that_is_killed_as_it_stops_its_server_has_failed_what_that_held: administration::STOP_SERVER;
        that_is_killed_as_it_signals_a_reply_leaves_nothing: administration::NOTIFY_REPLIES;
        that_is_killed_as_it_takes_signals_of_replies_leaves_nothing: administration::CONSUME_REPLIES;
        that_is_killed_as_it_writes_the_channel_out_leaves_nothing: administration::SYNC;
    }
}

/// What there is in the directory afterwards is a whole channel or nothing, and either way the name is of use.
#[test]
fn a_killed_creator_leaves_a_complete_channel_or_nothing() {
    let Some(program) = found(victim()) else { return };
    let directory = tempfile::Builder::new().prefix("shmrr-test-kill-").tempdir_in("/dev/shm").unwrap();
    let entries = || -> Vec<PathBuf> {
        std::fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().path()).collect()
    };
    let mut number = 0;
    let trial = |point: Point, _: Manner| -> io::Result<Steps> {
        number += 1;
        let path = directory.path().join(format!("channel-{number}"));
        share_one_processor();
        let mut creator = Victim::spawn(program, &path, Meeting::Plain.word(), &["server"])?;
        let is_there = || {
            let found = entries();
            assert!(found.is_empty() || found == [path.clone()], "{found:?}");
            !found.is_empty()
        };
        let steps = creator.step(point, || {
            is_there();
        });
        creator.kill();
        if is_there() {
            assert_eq!(path.metadata().unwrap().len(), Meeting::Plain.geometry().total_size());
            drop(Meeting::Plain.options().client(&path).expect("what has the name is a channel"));
        }
        let mut survivors = Survivors::on(&path, Meeting::Plain);
        survivors.assert_whole();
        shmrr::unlink(&path).unwrap();
        Ok(steps)
    };
    found(plan::carry_out("create", trial));
    assert!(entries().is_empty());
}
