//! One victim: it is stopped in its operation, the world goes round, and it goes on or is killed.

use crate::changes::Changes;
use crate::clock::{Age, Clock};
use crate::onward::acts_after;
use crate::payload::Random;
use crate::plan::{self, Tally};
use crate::points;
use crate::scene::{Manner, Operation, Scene};
use crate::tracer::{Point, Steps};
use crate::world::World;
use std::io;

/// What becomes of a victim that was stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Onward {
    /// It goes on, does what follows, and leaves.
    AndLeaves,
    /// It goes on, does what follows, and is killed.
    AndIsKilled,
    /// It is killed where it stands.
    Killed,
}

/// All that surrounds a stop.
#[derive(Clone, Copy, Debug)]
pub struct Way {
    pub age: Age,
    pub world: World,
    pub onward: Onward,
    pub manner: Manner,
}

impl Way {
    /// They go through all combinations in turn.
    pub fn number(number: usize) -> Self {
        const ONWARD: [Onward; 3] = [Onward::AndLeaves, Onward::Killed, Onward::AndIsKilled];
        let (worlds, ages) = (World::ALL.len(), Age::ALL.len());
        Self {
            world: World::ALL[number % worlds],
            age: Age::ALL[number % ages],
            onward: ONWARD[number % ONWARD.len()],
            manner: Manner::ALL[number / worlds % Manner::ALL.len()],
        }
    }
}

/// How an operation went, and if it came to its end, what it changed on the way.
pub struct Course {
    pub steps: Steps,
    changes: Changes,
}

impl Scene<'_> {
    pub fn stop(&mut self, operation: &Operation, point: Point, way: Way) -> io::Result<Course> {
        Clock::of(&self.survivors.path, self.survivors.meeting.geometry()).set(way.age);
        let after = acts_after(operation.acts[operation.acts.len() - 1]);
        self.prepare(operation, &[after, &["leave"]].concat())?;
        let is_whole = point.after == Point::END.after;
        let mut changes = Changes::from_now_on(&self.survivors.words);
        let steps = self.come_to(0, point, operation, |words| {
            if is_whole {
                changes.look(words);
            }
        });
        if steps.is_complete {
            self.judge(0);
        } else {
            self.go_round(way.world);
        }
        if steps.is_complete || way.onward != Onward::Killed {
            if !steps.is_complete {
                self.go_on(0);
                self.assert_never_too_many();
            }
            self.assert_nothing_queued();
            self.act_more(0, after.len());
            if way.onward == Onward::AndLeaves && self.victims[0].next_act() == Some("leave") {
                self.go_on(0);
            }
        }
        self.victims[0].kill();
        self.survive(way.manner);
        Ok(Course { steps, changes })
    }
}

/// Stops victims at points of an operation, as many as are asked for.
pub fn carry_out(
    operation: &Operation,
    mut trial: impl FnMut(Point, Way) -> io::Result<Course>,
) -> io::Result<()> {
    let whole = whole(operation, &mut trial)?;
    let instructions = whole.steps.stepped.len() as u64;
    let mut tally = Tally::new(operation.name, instructions);
    let seed = plan::seed(operation.name);
    let chosen = match plan::stops_of(instructions) {
        usize::MAX => (0..instructions).collect(),
        many => whole.changes.choose(instructions, many, many, &mut Random::new(seed)),
    };
    for (count, point) in points::of(&whole.steps.stepped, chosen).into_iter().enumerate() {
        for way in plan::ways(seed as usize + count) {
            let way = Way::number(way);
            tally.trial(
                || trial(point, way),
                |course| !course.steps.is_complete,
                &format!("{point:?}, {way:?}"),
            )?;
        }
        if tally.is_enough() {
            break;
        }
    }
    tally.report();
    Ok(())
}

/// Stops victims near each change of an operation, and lets them go on after the world has gone round in these ways.
pub fn carry_out_near_changes(
    operation: &Operation,
    worlds: &[World],
    mut trial: impl FnMut(Point, Way) -> io::Result<Course>,
) -> io::Result<()> {
    let whole = whole(operation, &mut trial)?;
    let trace = &whole.steps.stepped;
    let mut tally = Tally::new(format!("{}, near its changes", operation.name), trace.len());
    for point in points::of(trace, whole.changes.near()) {
        for world in worlds {
            let way = Way { world: *world, ..QUIET };
            tally.trial(
                || trial(point, way),
                |course| !course.steps.is_complete,
                &format!("{point:?}, {way:?}"),
            )?;
        }
    }
    tally.report();
    Ok(())
}

const QUIET: Way =
    Way { age: Age::AsItIs, world: World::Round, onward: Onward::AndLeaves, manner: Manner::Recover };

/// One run of an operation to its end.
fn whole(
    operation: &Operation,
    trial: &mut impl FnMut(Point, Way) -> io::Result<Course>,
) -> io::Result<Course> {
    // The first one leaves the channel as all the others will find it.
    trial(Point::BEGINNING, QUIET)?;
    let whole = trial(Point::END, QUIET)?;
    let instructions = whole.steps.stepped.len();
    assert!(whole.steps.is_complete && instructions > 0, "{}: {instructions} instructions", operation.name);
    Ok(whole)
}
