//! What the figures are held against: for each, the goal of the first version and the goal of the design.

use std::fmt;

/// Below this many nanoseconds a line's round trip, the two CPUs share a core or its cache.
const CLOSE: f64 = 150.0;

/// Where the machine had the two CPUs while a round ran.
#[derive(Clone, Copy, PartialEq)]
pub enum Placement {
    Close,
    Apart,
}

impl Placement {
    /// What a line's round trip of `p` nanoseconds says.
    pub fn of(p: f64) -> Self {
        if p < CLOSE { Self::Close } else { Self::Apart }
    }

    /// The hot round trip, in P.
    pub fn hot(self) -> &'static [Goal] {
        match self {
            Self::Close => const { &[Goal::at_most(3.5, "first goal"), Goal::at_most(2.0, "design")] },
            Self::Apart => const { &[Goal::at_most(2.5, "first goal"), Goal::at_most(1.5, "design")] },
        }
    }

    /// Requests in a pipeline, in millions a second.
    pub fn pipelined(self) -> &'static [Goal] {
        match self {
            Self::Close => const { &[Goal::at_least(10.0, "first goal"), Goal::at_least(30.0, "design")] },
            Self::Apart => const { &[Goal::at_least(10.0, "design")] },
        }
    }
}

impl fmt::Display for Placement {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Close => write!(out, "close (P < {CLOSE} ns)"),
            Self::Apart => write!(out, "apart (P >= {CLOSE} ns)"),
        }
    }
}

/// One bound, whose it is, and which side of it is good.
pub struct Goal {
    whose: &'static str,
    bound: f64,
    below: bool,
}

impl Goal {
    /// The round trip with both sides asleep, in F.
    pub const ASLEEP: [Self; 1] = [Self::at_most(1.05, "design")];

    const fn at_most(bound: f64, whose: &'static str) -> Self {
        Self { whose, bound, below: true }
    }

    const fn at_least(bound: f64, whose: &'static str) -> Self {
        Self { whose, bound, below: false }
    }

    /// The goal and whether `value` meets it, in words.
    pub fn judge(&self, value: f64) -> String {
        let Self { whose, bound, below } = self;
        let (sign, met) = if *below { ("<=", value <= *bound) } else { (">=", value >= *bound) };
        format!("{whose} {sign} {bound}: {}", if met { "met" } else { "not met" })
    }
}
