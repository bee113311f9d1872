//! A wake-up goes to one server on behalf of all who sleep, so whoever was woken and leaves work must see to it that another is
//! woken. Two servers sleep; one is woken, and stopped at any instruction from there on; then it goes on, and comes back
//! with a request or without. There is work for the other, which must not lie until that looks by itself.

use crate::changes::Changes;
use crate::plan::{self, Tally};
use crate::points;
use crate::scene::Scene;
use crate::survivors::{BOUND, Meeting};
use crate::tracer::Point;
use std::io;
use std::time::{Duration, Instant};

/// What happens to the server that was woken.
pub struct Waking {
    pub name: &'static str,
    act: &'static str,
    /// Whether a survivor takes what it was woken for.
    is_stolen: bool,
    /// Requests that are sent just after that, for which nobody is woken.
    more: u32,
    /// What it handles before it goes on, and the code that its call may return then.
    signal: Option<(i32, i32)>,
}

/// It takes what it was woken for; there is more.
pub const MORE: Waking =
    Waking { name: "woken, and there is more", act: "recv_wait", is_stolen: false, more: 1, signal: None };

/// Another has taken what it was woken for; it takes something else, and there is more.
pub const STOLEN: Waking = Waking {
    name: "woken, and another was faster",
    act: "recv_wait",
    is_stolen: true,
    more: 2,
    signal: None,
};

/// What it was woken for does not fit into its buffer.
pub const TOO_LONG: Waking =
    Waking { name: "woken, without room", act: "recv short", is_stolen: false, more: 0, signal: None };

/// A signal handler ends its wait.
pub const INTERRUPTED: Waking = Waking {
    name: "woken and interrupted",
    act: "recv_wait",
    is_stolen: false,
    more: 1,
    signal: Some((libc::SIGUSR1, libc::EINTR)),
};

/// A signal handler stops its handle.
pub const STOPPED: Waking = Waking {
    name: "woken, and its handle is stopped",
    signal: Some((libc::SIGUSR2, libc::ESHUTDOWN)),
    ..INTERRUPTED
};

/// An idle server looks by itself after a second, and has slept for some of that.
const LATE: Duration = Duration::from_millis(300);
/// What is late only now and then is so because the machine is busy.
const LOOKS: usize = 3;

/// Whether the other one was late, and how many instructions the first one did after it was woken.
pub struct Woken {
    is_late: bool,
    is_complete: bool,
    instructions: u64,
    changes: Changes,
}

impl Scene<'_> {
    pub fn wake(&mut self, waking: &Waking, after: u64) -> io::Result<Woken> {
        for acts in [["server", waking.act], ["server", "recv_wait"]] {
            let server = self.enter(&acts)?;
            self.victims.push(server);
            self.act();
        }
        // The next request is a long one.
        while self.asked.last().is_none_or(|(_, payload)| payload.len() == Meeting::Plain.length()) {
            self.keep_up();
            assert!(self.ask());
        }
        self.keep_up();
        self.victims[0].process().step_into_sleep();
        self.set_out(1);
        let deadline = Instant::now() + BOUND;
        while !self.victims[1].process().is_asleep() {
            assert!(Instant::now() < deadline, "the second server falls asleep");
        }
        for _ in 0..=waking.more {
            assert!(self.ask());
        }
        self.victims[0].process().wait_for_step();
        assert!(self.victims[1].process().is_asleep(), "who slept first is woken first");
        let mut changes = Changes::from_now_on(&self.survivors.words);
        let words = &self.survivors.words;
        let point = Point { after, breakpoint: None };
        let steps = self.victims[0].process().step(point, || changes.look(words));
        if waking.is_stolen && !steps.is_complete {
            let request = self.receive().expect("there is work for three");
            self.answer(&request);
        }
        if steps.is_complete {
            self.victims[0].has_acted();
            self.judge(0);
        } else {
            if let Some((signal, code)) = waking.signal {
                self.codes_of_signals.insert(-i64::from(code));
                self.victims[0].process().go_on_with(signal);
            } else {
                self.set_out(0);
            }
            self.come_to_an_end_alone(0);
        }
        let is_late = self.is_other_late();
        for which in 0..2 {
            self.victims[which].kill();
        }
        self.survive(crate::scene::Manner::Recover);
        let instructions = steps.stepped.len() as u64;
        Ok(Woken { is_late, is_complete: steps.is_complete, instructions, changes })
    }

    /// Waits for the second server to take what is there.
    fn is_other_late(&mut self) -> bool {
        let begun = Instant::now();
        self.come_to_an_end(1);
        begun.elapsed() > LATE
    }
}

/// Stops a woken server after some of its instructions, or all.
pub fn carry_out(waking: &Waking, mut trial: impl FnMut(u64) -> io::Result<Woken>) -> io::Result<()> {
    let whole = trial(u64::MAX)?;
    let mut tally = Tally::new(waking.name, whole.instructions);
    let seed = plan::seed(waking.name);
    let mut chosen = points::choose(whole.instructions, plan::stops_of(whole.instructions), seed);
    // Just before each change it has looked, and not yet done what it looked for.
    chosen.extend(whole.changes.near());
    for after in chosen {
        let once = || {
            for look in 1.. {
                let woken = trial(after)?;
                if !woken.is_late {
                    return Ok(woken);
                }
                assert!(look < LOOKS, "the other one is late, {LOOKS} times");
            }
            unreachable!()
        };
        tally.trial(once, |woken| !woken.is_complete, &format!("after {after}"))?;
        if tally.is_enough() {
            break;
        }
    }
    tally.report();
    Ok(())
}
