//! A process that is stopped at any instruction of the library, for however long, is alive, and goes on as if nothing had
//! been: what it holds stays its own, what it was about to do is done once or refused, and the others lose nothing by it.
//!
//! A victim does one operation under single-stepping, as in `tests/kill/`, and is stopped after its k-th instruction.
//! The others go on meanwhile: the ring goes round several times, every slot is used again and again, participants come
//! and go, and counters are moved by hand to where they wrap. Then the victim goes on, or is killed; and then each
//! request must have just one outcome, each slot be free and of use, and nobody be there but those who live.
//!
//! `SHMRR_STOP=full cargo test --test stop -- --nocapture` tries every k and prints a table; see `plan.rs`.
//!
//! | file | what |
//! |---|---|
//! | `changes` | which instructions matter more than others |
//! | `clock` | counters that are moved on by hand |
//! | `world` | what the others do while a victim is stopped |
//! | `onward` | how it goes on, and what its calls may come to |
//! | `single` | one victim |
//! | `pair` | two victims at once |
//! | `directed` | two victims at points that are known to matter |
//! | `waking` | servers that were woken and are stopped before they take what they were woken for |
//! | `plan` | how many stops, and what came of them |

// Elsewhere an atomic operation can be a loop that never ends under single-stepping.
#![cfg(target_arch = "x86_64")]

#[path = "../kill/aftermath.rs"]
mod aftermath;
#[path = "../kill/cast.rs"]
mod cast;
mod changes;
#[path = "../support/channel.rs"]
mod channel;
mod clock;
mod directed;
#[path = "../kill/fate.rs"]
mod fate;
#[path = "../support/format.rs"]
mod format;
mod onward;
#[path = "../kill/operations/mod.rs"]
mod operations;
mod pair;
#[path = "../support/payload.rs"]
mod payload;
mod plan;
#[path = "../kill/points.rs"]
mod points;
#[path = "../kill/scene.rs"]
mod scene;
mod single;
#[path = "../kill/stage.rs"]
mod stage;
#[path = "../support/mod.rs"]
mod support;
#[path = "../kill/survivors.rs"]
mod survivors;
#[path = "../kill/table.rs"]
mod table;
#[path = "../kill/tracer.rs"]
mod tracer;
mod waking;
#[path = "../kill/words.rs"]
mod words;
mod world;

use channel::Name;
use pair::{Course, Pair};
use scene::{Manner, Operation, Scene};
use single::Way;
use stage::{share_one_processor, victim};
use std::io;
use support::found;
use survivors::Survivors;
use tracer::Point;

/// Stops victims in several operations; `carry_out` says where, and in which ways they go on.
fn in_each(
    operations: &[&Operation],
    carry_out: impl Fn(&Operation, &mut dyn FnMut(Point, Way) -> io::Result<single::Course>) -> io::Result<()>,
) {
    let Some(program) = found(victim()) else { return };
    for operation in operations {
        let mut kept: Option<(Survivors, Name)> = None;
        let mut trial = |point: Point, way: Way| {
            // After a failure others take their place, on a channel of their own.
            let (mut survivors, name) = kept.take().unwrap_or_else(|| {
                let name = Name::new("stop");
                (Survivors::on(name.as_ref(), operation.meeting), name)
            });
            share_one_processor();
            let course = Scene::new(&mut survivors, program).stop(operation, point, way)?;
            kept = Some((survivors, name));
            Ok(course)
        };
        if found(carry_out(operation, &mut trial)).is_none() {
            return;
        }
    }
}

fn at_each_instruction_of(operations: &[&Operation]) {
    in_each(operations, |operation, trial| single::carry_out(operation, trial));
}

/// The same with two victims at once.
fn at_instructions_of_both(pairs: &[Pair]) {
    let Some(program) = found(victim()) else { return };
    for pair in pairs {
        let mut kept: Option<(Survivors, Name)> = None;
        let trial = |points: [Point; 2], way: pair::Way, watched: Option<usize>| -> io::Result<Course> {
            let (mut survivors, name) = kept.take().unwrap_or_else(|| {
                let name = Name::new("stop");
                (Survivors::on(name.as_ref(), pair.meeting), name)
            });
            share_one_processor();
            let course = Scene::new(&mut survivors, program).stop_two(pair, points, way, watched)?;
            kept = Some((survivors, name));
            Ok(course)
        };
        if found(pair::carry_out(pair, trial)).is_none() {
            return;
        }
    }
}

/// Tests: each promise is kept at each instruction of several operations.
macro_rules! at_each_instruction {
    ($($promise:ident: $operations:path;)*) => {
        $(#[test]
        fn $promise() {
            crate::at_each_instruction_of($operations);
        })*
    };
}

mod one_that_is_stopped {
    use super::operations::{
        administration, calling, in_place, integers, one_way, presence, recovering, redelivering, serving,
    };

    at_each_instruction! {
        as_it_calls_has_its_request_served_once: calling::ALL;
        as_it_serves_keeps_what_it_took: serving::ALL;
        in_place_keeps_what_it_writes_and_reads: in_place::ALL;
        with_a_one_way_message_loses_and_doubles_none: one_way::ALL;
        in_a_channel_of_integers_does_as_elsewhere: integers::ALL;
        as_it_comes_or_goes_is_there_or_not: presence::ALL;
        as_it_cleans_up_after_the_dead_mends_only_what_is_theirs: recovering::ALL;
        as_it_redelivers_does_so_once: redelivering::ALL;
        as_it_looks_after_the_channel_ends_only_what_was_there: administration::ALL;
    }
}

mod one_that_is_stopped_at_a_change {
    use super::operations::{calling, in_place, one_way, redelivering};
    use super::{in_each, single, world::World};

    /// Positions are told apart by laps: what was the next free cell is not mistaken for it billions of laps later.
    #[test]
    fn publishes_its_message_or_request_however_often_the_ring_went_round() {
        let publishing = [&calling::SEND, &one_way::POST, &in_place::COMMIT, &redelivering::LEAVE];
        in_each(&publishing, |operation, trial| {
            single::carry_out_near_changes(operation, &[World::Wrapped], trial)
        });
    }

    /// Spare slots stand in for those that were given up, and for no others.
    #[test]
    fn as_it_takes_a_spare_slot_has_not_one_too_many() {
        in_each(&[&calling::SEND_SPARE], |operation, trial| {
            single::carry_out_near_changes(operation, &[World::Round], trial)
        });
    }
}

mod two_that_are_stopped {
    use super::{at_instructions_of_both, pair};

    #[test]
    fn as_they_call_and_serve_do_not_get_in_each_others_way() {
        at_instructions_of_both(pair::PLAIN);
    }

    #[test]
    fn as_one_cleans_up_after_the_dead_mend_each_thing_once() {
        at_instructions_of_both(pair::RECOVERING);
    }

    #[test]
    fn as_one_redelivers_lose_and_double_nothing() {
        at_instructions_of_both(pair::REDELIVERING);
    }
}

mod a_server_that_was_woken_and_is_stopped {
    use super::waking::{self, Waking};
    use super::{Name, Scene, Survivors, found, share_one_processor, survivors::Meeting, victim};

    fn hands_on(waking: &Waking) {
        let Some(program) = found(victim()) else { return };
        let trial = |after| {
            let name = Name::new("stop");
            let mut survivors = Survivors::on(name.as_ref(), Meeting::Plain);
            share_one_processor();
            Scene::new(&mut survivors, program).wake(waking, after)
        };
        found(waking::carry_out(waking, trial));
    }

    #[test]
    fn wakes_another_for_what_it_leaves() {
        hands_on(&waking::MORE);
    }

    #[test]
    fn and_loses_its_claim_wakes_another_for_what_it_leaves() {
        hands_on(&waking::STOLEN);
    }

    #[test]
    fn and_is_interrupted_wakes_another() {
        hands_on(&waking::INTERRUPTED);
    }

    #[test]
    fn and_ends_for_good_wakes_another() {
        hands_on(&waking::STOPPED);
    }

    #[test]
    fn and_has_no_room_wakes_one_that_has() {
        hands_on(&waking::TOO_LONG);
    }
}

mod two_that_redeliver {
    use super::{
        Manner, Name, Scene, Survivors, directed, found, share_one_processor, survivors::Meeting, victim,
    };

    fn lose_nothing(what: fn(&mut Scene), ends: directed::Ends) {
        let Some(program) = found(victim()) else { return };
        for manner in Manner::ALL {
            let name = Name::new("stop");
            let mut survivors = Survivors::on(name.as_ref(), Meeting::SpaciousRedelivering);
            share_one_processor();
            if found(Scene::new(&mut survivors, program).redeliver_twice(what, ends, manner)).is_none() {
                return;
            }
        }
    }

    #[test]
    fn a_request_that_is_taken_in_between_do_not_lose_it() {
        lose_nothing(|scene| assert!(scene.ask()), directed::Ends::SecondIsKilled);
        lose_nothing(|scene| assert!(scene.ask()), directed::Ends::BothGoOn);
    }

    #[test]
    fn a_message_that_is_taken_in_between_do_not_lose_it() {
        lose_nothing(|scene| scene.post(), directed::Ends::SecondIsKilled);
        lose_nothing(|scene| scene.post(), directed::Ends::BothGoOn);
    }
}
