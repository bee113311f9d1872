//! A process killed at any instruction of the library leaves nothing that the others can't mend.
//!
//! A victim, a C program linked with the shared library, does one operation under single-stepping and is killed after
//! its k-th instruction there. Its peers live in this process and keep their handles over all kills. After each, they
//! must come to terms with what is left, each request having exactly one outcome; then find every slot free, use each
//! of them, and see no participant but themselves.
//!
//! `SHMRR_KILL=full cargo test --test kill -- --nocapture` tries every k and prints a table; see `kill/plan.rs`.

// Elsewhere an atomic operation can be a loop that never ends under single-stepping.
#![cfg(target_arch = "x86_64")]

#[path = "support/channel.rs"]
mod channel;
#[path = "support/format.rs"]
mod format;
#[path = "kill/operations.rs"]
mod operations;
#[path = "support/payload.rs"]
mod payload;
#[path = "kill/plan.rs"]
mod plan;
#[path = "kill/scene.rs"]
mod scene;
mod support;
#[path = "kill/survivors.rs"]
mod survivors;
#[path = "kill/tracer.rs"]
mod tracer;

use channel::Name;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use scene::{Manner, Operation, Scene};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use support::compiler::{self, Language, Linkage};
use support::found;
use support::mode::Mode;
use survivors::{GEOMETRY, Survivors, options};
use tracer::{Point, Steps, Victim};

fn at_each_instruction_of(operation: &Operation) {
    let Some(program) = found(victim()) else { return };
    let mut kept: Option<(Survivors, Name)> = None;
    let trial = |point: Point, manner: Manner| -> io::Result<Steps> {
        // After a failure others take their place, on a channel of their own.
        let (mut survivors, name) = kept.take().unwrap_or_else(|| {
            let name = Name::new("kill");
            (Survivors::on(name.as_ref()), name)
        });
        share_one_processor();
        let steps = Scene::new(&mut survivors, program).play(operation, point, manner)?;
        kept = Some((survivors, name));
        Ok(steps)
    };
    found(plan::carry_out(operation.name, trial));
}

/// The program that is killed. It is put in its place whole: tests in other processes may be running it.
fn victim() -> Result<&'static Path, &'static String> {
    static PROGRAM: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let compiled = PROGRAM.get_or_init(|| {
        let place = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let directory = tempfile::tempdir_in(place).unwrap();
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/kill/victim.c");
        let new = compiler::compile(&source, Language::C, Linkage::Shared, Mode::Plain, directory.path())?;
        let program = place.join("kill-victim");
        std::fs::rename(new, &program).unwrap();
        Ok(program)
    });
    compiled.as_deref()
}

/// Keeps this thread and its victims on one processor, where a step costs no wake-up of another. The survivors' handles
/// are open by then: they are not bound, so that victims poll for them as they would elsewhere.
fn share_one_processor() {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let Ok(allowed) = sched_getaffinity(None) else { return };
    if allowed.count() == 1 {
        return;
    }
    let all: Vec<usize> = (0..CpuSet::MAX_CPU).filter(|cpu| allowed.is_set(*cpu)).collect();
    let mut one = CpuSet::new();
    one.set(all[NEXT.fetch_add(1, Ordering::Relaxed) % all.len()]);
    let _ = sched_setaffinity(None, &one);
}

mod a_killed_client {
    use super::{at_each_instruction_of, operations};

    #[test]
    fn that_was_sending_was_served_once_or_not_at_all() {
        at_each_instruction_of(&operations::SEND);
    }

    #[test]
    fn that_was_refused_a_slot_holds_none() {
        at_each_instruction_of(&operations::SEND_IN_VAIN);
    }

    #[test]
    fn that_was_taking_a_spare_slot_does_not_keep_it() {
        at_each_instruction_of(&operations::SEND_SPARE);
    }

    #[test]
    fn that_was_collecting_does_not_keep_its_slot() {
        at_each_instruction_of(&operations::GET);
    }

    #[test]
    fn that_was_cancelling_a_queued_request_is_served_once_or_not_at_all() {
        at_each_instruction_of(&operations::CANCEL_QUEUED);
    }

    #[test]
    fn that_was_giving_up_a_claimed_request_leaves_the_slot_to_its_server() {
        at_each_instruction_of(&operations::CANCEL_CLAIMED);
    }

    #[test]
    fn that_was_in_a_whole_request_leaves_nothing_pending() {
        at_each_instruction_of(&operations::REQ);
    }

    #[test]
    fn that_was_asleep_in_a_whole_request_leaves_nothing_pending() {
        at_each_instruction_of(&operations::REQ_ASLEEP);
    }

    #[test]
    fn that_was_attaching_does_not_keep_its_place() {
        at_each_instruction_of(&operations::ATTACH_CLIENT);
    }

    #[test]
    fn that_was_leaving_holds_nothing() {
        at_each_instruction_of(&operations::LEAVE_CLIENT);
    }
}

mod a_killed_server {
    use super::{at_each_instruction_of, operations};

    #[test]
    fn that_was_receiving_leaves_each_request_to_another_or_fails_it() {
        at_each_instruction_of(&operations::RECV);
    }

    #[test]
    fn that_was_woken_to_receive_leaves_each_request_to_another_or_fails_it() {
        at_each_instruction_of(&operations::RECV_ASLEEP);
    }

    #[test]
    fn that_was_replying_has_replied_or_failed() {
        at_each_instruction_of(&operations::REPLY);
    }

    #[test]
    fn that_was_replying_to_a_sleeper_leaves_nobody_asleep() {
        at_each_instruction_of(&operations::REPLY_ASLEEP);
    }

    #[test]
    fn that_was_replying_too_late_does_not_keep_the_slot() {
        at_each_instruction_of(&operations::REPLY_IN_VAIN);
    }

    #[test]
    fn that_was_attaching_does_not_keep_its_place() {
        at_each_instruction_of(&operations::ATTACH_SERVER);
    }

    #[test]
    fn that_was_leaving_has_failed_what_it_held() {
        at_each_instruction_of(&operations::LEAVE_SERVER);
    }
}

mod a_killed_recoverer {
    use super::{at_each_instruction_of, operations};

    #[test]
    fn leaves_the_rest_to_the_next() {
        at_each_instruction_of(&operations::RECOVER);
    }

    #[test]
    fn that_wanted_a_slot_leaves_the_rest_to_the_next() {
        at_each_instruction_of(&operations::RECOVER_BY_SEND);
    }

    #[test]
    fn that_was_attaching_leaves_the_rest_to_the_next() {
        at_each_instruction_of(&operations::RECOVER_BY_ATTACH);
    }

    #[test]
    fn that_looked_after_its_server_leaves_the_rest_to_the_next() {
        at_each_instruction_of(&operations::RECOVER_BY_WAIT);
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
        let mut creator = Victim::spawn(program, &path, &["server"])?;
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
            assert_eq!(path.metadata().unwrap().len(), GEOMETRY.total_size());
            drop(options().client(&path).expect("what has the name is a channel"));
        }
        let mut survivors = Survivors::on(&path);
        survivors.assert_whole();
        shmrr::unlink(&path).unwrap();
        Ok(steps)
    };
    found(plan::carry_out("create", trial));
    assert!(entries().is_empty());
}
