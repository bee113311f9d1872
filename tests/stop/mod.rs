//! Stops instead of deaths.
//!
//! | file | what |
//! |---|---|
//! | [`changes`] | which instructions matter more than others |
//! | [`clock`] | counters that are moved on by hand |
//! | [`world`] | what the others do while a victim is stopped |
//! | [`onward`] | how it goes on, and what its calls may come to |
//! | [`single`] | one victim |
//! | [`pair`] | two victims at once |
//! | [`directed`] | two victims at points that are known to matter |
//! | [`waking`] | servers that were woken and are stopped before they take what they were woken for |
//! | [`plan`] | how many stops, and what came of them |

pub mod changes;
pub mod clock;
pub mod directed;
pub mod onward;
pub mod pair;
pub mod plan;
pub mod single;
pub mod waking;
pub mod world;
