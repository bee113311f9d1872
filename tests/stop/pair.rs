//! Two victims at once: each is stopped in its operation, others act in between, and the two go on in either order or
//! are killed.
//!
//! Most stops are just before or just after a change of the channel's words. The second one's way depends on where the
//! first one is stopped, and is looked at anew for each of its points.

use crate::changes::Changes;
use crate::clock::{Age, Clock};
use crate::operations::{
    self, administration, calling, one_way, presence, recovering, redelivering, serving,
};
use crate::payload::Random;
use crate::plan::{self, Extent, Tally};
use crate::points;
use crate::scene::{Manner, Operation, Scene};
use crate::survivors::Meeting;
use crate::tracer::{Point, Steps};
use crate::world::World;
use std::io;

/// What happens between two stops, or between the second stop and the end of the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Between {
    Nothing,
    /// A server comes, claims all that it finds and dies.
    Claim,
    /// A survivor recovers from the deaths.
    Recover,
    /// The world goes round.
    World(World),
}

/// What becomes of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ends {
    FirstThenSecond,
    SecondThenFirst,
    /// The first goes on; the second is killed when that is done.
    FirstAndSecondKilled,
    SecondAndFirstKilled,
    /// The second is killed before the first goes on.
    SecondKilledFirst,
    FirstKilledFirst,
    BothKilled,
}

#[derive(Clone, Copy, Debug)]
pub struct Way {
    pub age: Age,
    pub between: Between,
    pub then: Between,
    pub ends: Ends,
    pub manner: Manner,
}

impl Way {
    const BETWEEN: [Between; 8] = [
        Between::Nothing,
        Between::Claim,
        Between::World(World::Round),
        Between::Claim,
        Between::Recover,
        Between::World(World::Wrapped),
        Between::Claim,
        Between::World(World::Queued),
    ];
    const ENDS: [Ends; 7] = [
        Ends::FirstThenSecond,
        Ends::SecondThenFirst,
        Ends::FirstAndSecondKilled,
        Ends::SecondAndFirstKilled,
        Ends::SecondKilledFirst,
        Ends::FirstKilledFirst,
        Ends::BothKilled,
    ];

    /// In which nothing else happens.
    pub const QUIET: Self = Self {
        age: Age::AsItIs,
        between: Between::Nothing,
        then: Between::Nothing,
        ends: Ends::FirstThenSecond,
        manner: Manner::Recover,
    };

    fn chosen(random: &mut Random) -> Self {
        let mut of = |many: usize| random.below(many as u64) as usize;
        Self {
            age: Age::ALL[of(Age::ALL.len())],
            between: Self::BETWEEN[of(Self::BETWEEN.len())],
            // Mostly nothing, so that what the second one changed meets the first.
            then: Self::BETWEEN[of(2 * Self::BETWEEN.len()).saturating_sub(Self::BETWEEN.len())],
            ends: Self::ENDS[of(Self::ENDS.len())],
            manner: Manner::ALL[of(Manner::ALL.len())],
        }
    }
}

pub struct Pair {
    pub first: &'static Operation,
    pub second: &'static Operation,
    pub meeting: Meeting,
    /// Whether the second one is there when somebody dies for the first one: whoever joins recovers.
    pub after_second: bool,
}

const fn pair(first: &'static Operation, second: &'static Operation) -> Pair {
    Pair { first, second, meeting: Meeting::Spacious, after_second: false }
}

const fn recovering(first: &'static Operation, second: &'static Operation) -> Pair {
    Pair { first, second, meeting: Meeting::Spacious, after_second: true }
}

const fn redelivering(first: &'static Operation, second: &'static Operation) -> Pair {
    Pair { first, second, meeting: Meeting::SpaciousRedelivering, after_second: true }
}

/// One that has nothing to prepare: another has.
const RECOVER_TOO: Operation =
    Operation { name: "recover, too", acts: &["client", "recover"], ..operations::ORDINARY };

const CLEAR_TOO: Operation =
    Operation { name: "clear, too", acts: &["client", "clear"], ..operations::ORDINARY };

const RECV_TOO: Operation =
    Operation { name: "recv, too", acts: &["server", "recv"], ..operations::ORDINARY };

/// Two that ask, serve or clear.
pub const PLAIN: &[Pair] = &[
    pair(&calling::SEND, &calling::SEND),
    pair(&calling::SEND, &serving::RECV),
    pair(&one_way::POST, &serving::RECV),
    pair(&one_way::POST, &one_way::POST),
    pair(&serving::RECV, &RECV_TOO),
    pair(&serving::RECV_BATCH, &RECV_TOO),
    pair(&calling::CANCEL_QUEUED, &serving::RECV),
    pair(&calling::CANCEL_QUEUED, &serving::REPLY),
    pair(&serving::REPLY, &presence::LEAVE_CLIENT),
    pair(&serving::REPLY_ASLEEP, &calling::SEND),
    pair(&presence::ATTACH_CLIENT, &presence::ATTACH_SERVER),
    pair(&presence::LEAVE_SERVER, &calling::SEND),
    pair(&administration::CLEAR, &serving::REPLY),
    pair(&administration::CLEAR, &RECV_TOO),
    pair(&administration::CLEAR, &calling::CANCEL_QUEUED),
];

/// Two of which one cleans up after the dead.
pub const RECOVERING: &[Pair] = &[
    recovering(&recovering::RECOVER, &RECOVER_TOO),
    recovering(&recovering::RECOVER, &calling::SEND),
    recovering(&recovering::RECOVER, &RECV_TOO),
    recovering(&recovering::RECOVER, &presence::ATTACH_CLIENT),
    recovering(&recovering::RECOVER, &CLEAR_TOO),
    recovering(&one_way::RECOVER, &RECOVER_TOO),
    recovering(&one_way::RECOVER, &RECV_TOO),
    recovering(&presence::LEAVE_SERVER, &RECOVER_TOO),
];

/// The same in a channel that redelivers.
pub const REDELIVERING: &[Pair] = &[
    redelivering(&redelivering::RECOVER_MESSAGES, &RECOVER_TOO),
    redelivering(&redelivering::RECOVER_MESSAGES, &RECV_TOO),
    redelivering(&redelivering::RECOVER_MESSAGES, &CLEAR_TOO),
    redelivering(&redelivering::RECOVER, &presence::ATTACH_SERVER),
    redelivering(&redelivering::LEAVE_WITH_MESSAGES, &RECOVER_TOO),
    redelivering(&redelivering::LEAVE_WITH_MESSAGES, &RECV_TOO),
    redelivering(&redelivering::CANCEL, &RECOVER_TOO),
    redelivering(&redelivering::RECV_AGAIN, &RECOVER_TOO),
    redelivering(&redelivering::REPLY_AGAIN, &RECOVER_TOO),
];

/// How two operations went.
pub struct Course {
    pub first: Steps,
    pub second: Steps,
    /// Of the one that was watched.
    changes: Option<Changes>,
}

impl Scene<'_> {
    /// `watched`: which of the two has its changes noted.
    pub fn stop_two(
        &mut self,
        pair: &Pair,
        points: [Point; 2],
        way: Way,
        watched: Option<usize>,
    ) -> io::Result<Course> {
        Clock::of(&self.survivors.path, self.survivors.meeting.geometry()).set(way.age);
        if pair.after_second {
            self.prepare(pair.second, &["leave"])?;
            self.prepare(pair.first, &["leave"])?;
            self.victims.swap(0, 1);
        } else {
            self.prepare(pair.first, &["leave"])?;
            self.prepare(pair.second, &["leave"])?;
        }
        let mut changes = None;
        let mut come = |scene: &mut Self, which: usize, operation| {
            if watched == Some(which) {
                changes = Some(Changes::from_now_on(&scene.survivors.words));
            }
            let mut noted = changes.as_mut().filter(|_| watched == Some(which));
            let found = scene.come_to(which, points[which], operation, |words| {
                if let Some(changes) = &mut noted {
                    changes.look(words);
                }
            });
            if found.is_complete {
                scene.judge(which);
            }
            found
        };
        let first = come(self, 0, pair.first);
        self.pass_time(way.between);
        let second = come(self, 1, pair.second);
        self.pass_time(way.then);
        self.end_both([first.is_complete, second.is_complete], way.ends);
        self.assert_within_slots();
        if matches!(way.manner, Manner::Recover) {
            self.survivors.server.channel().recover().unwrap();
            self.assert_nothing_queued();
        }
        for which in 0..2 {
            self.kill_victim(which);
        }
        self.survive(way.manner);
        Ok(Course { first, second, changes })
    }

    fn pass_time(&mut self, what: Between) {
        match what {
            Between::Nothing => {}
            Between::Claim => self.another_claims_and_dies(),
            Between::Recover => drop(self.survivors.server.channel().recover().unwrap()),
            Between::World(world) => self.go_round(world),
        }
    }

    pub(super) fn another_claims_and_dies(&mut self) {
        let mut another = self.enter(&["server", "recv_batch"]).expect("others were permitted before");
        another.act();
        another.process().act();
        let report = another.has_acted().clone();
        if report.result > 0 {
            self.note_taken("recv_batch", &report);
        }
        another.kill();
        self.others.push(another);
    }

    /// What it holds of messages dies with it, unless it is dead already.
    fn kill_victim(&mut self, which: usize) {
        if !self.victims[which].is_dead {
            if !self.survivors.meeting.redelivers() {
                self.note_lost_posts();
            }
            self.victims[which].kill();
        }
    }

    fn end_both(&mut self, is_complete: [bool; 2], ends: Ends) {
        let go_on = |scene: &mut Self, which: usize| {
            if !is_complete[which] {
                scene.go_on(which);
            }
        };
        match ends {
            Ends::FirstThenSecond => {
                go_on(self, 0);
                go_on(self, 1);
            }
            Ends::SecondThenFirst => {
                go_on(self, 1);
                go_on(self, 0);
            }
            Ends::FirstAndSecondKilled => {
                go_on(self, 0);
                self.kill_victim(1);
            }
            Ends::SecondAndFirstKilled => {
                go_on(self, 1);
                self.kill_victim(0);
            }
            Ends::SecondKilledFirst => {
                self.kill_victim(1);
                go_on(self, 0);
            }
            Ends::FirstKilledFirst => {
                self.kill_victim(0);
                go_on(self, 1);
            }
            Ends::BothKilled => {
                self.kill_victim(0);
                self.kill_victim(1);
            }
        }
    }
}

/// Stops pairs of victims at points of their operations, as many as are asked for.
pub fn carry_out(
    pair: &Pair,
    mut trial: impl FnMut([Point; 2], Way, Option<usize>) -> io::Result<Course>,
) -> io::Result<()> {
    let name = format!("{}; {}", pair.first.name, pair.second.name);
    let mut random = Random::new(plan::seed(&name));
    trial([Point::BEGINNING; 2], Way::QUIET, None)?;
    let whole = trial([Point::END; 2], Way::QUIET, Some(0))?;
    let instructions = format!("{}; {}", whole.first.stepped.len(), whole.second.stepped.len());
    let mut tally = Tally::new(&name, instructions);
    let (firsts, seconds) = match plan::extent() {
        Extent::Some => (2, 3),
        Extent::Full => (40, 20),
        Extent::Every => (usize::MAX, usize::MAX),
    };
    for first in chosen(&whole.first, watched(&whole), firsts, &mut random) {
        // What happens in between decides on the second one's way.
        let way = Way::chosen(&mut random);
        let what = format!("{first:?}, to its end, {way:?}");
        let course = tally.trial(|| trial([first, Point::END], way, Some(1)), |_| true, &what)?;
        let Some(course) = course else { continue };
        for second in chosen(&course.second, watched(&course), seconds, &mut random) {
            let way = Way { between: way.between, age: way.age, ..Way::chosen(&mut random) };
            let what = format!("{first:?}, {second:?}, {way:?}");
            tally.trial(|| trial([first, second], way, None), |_| true, &what)?;
        }
        if tally.is_enough() {
            break;
        }
    }
    tally.report();
    Ok(())
}

fn watched(course: &Course) -> &Changes {
    course.changes.as_ref().expect("one was watched")
}

/// At least so many points, where all are asked for that matter.
const FEW: usize = 60;

fn chosen(steps: &Steps, changes: &Changes, many: usize, random: &mut Random) -> Vec<Point> {
    let end = steps.stepped.len() as u64;
    points::of(&steps.stepped, changes.choose(end, many, FEW, random))
}
