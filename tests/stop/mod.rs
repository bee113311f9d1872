//! Stops instead of deaths.
//!
//! | file | what |
//! |---|---|
//! | [`clock`] | counters that are moved on by hand |
//! | [`world`] | what the others do while a victim is stopped |
//! | [`onward`] | how it goes on, and what its calls may come to |
//! | [`single`] | one victim |
//! | [`pair`] | two victims at once |
//! | [`waking`] | servers that were woken and are stopped before they take what they were woken for |
//! | [`plan`] | how many stops, and what came of them |

pub mod clock;
pub mod onward;
pub mod plan;
pub mod single;
pub mod world;
