//! Several processes on a channel: who lives and who is dead, what they use, and that nothing is lost between them.
//!
//! | file | what |
//! |---|---|
//! | `containers` | liveness, across namespaces, forks and pids that are used again |
//! | `resources` | descriptors, mappings, memory, slots: nothing leaks |
//! | `idle` | what waiting costs |
//! | `round_trips` | one client and one server, millions of times |
//! | `stress` | four of each, with payloads of every size |
//! | `wraps_shared` | counters that wrap |

#[path = "../support/channel.rs"]
mod channel;
#[path = "../support/child.rs"]
mod child;
mod containers;
#[path = "../support/forked.rs"]
mod forked;
mod idle;
#[path = "../support/ledger.rs"]
mod ledger;
#[path = "../support/payload.rs"]
mod payload;
#[path = "../support/preset.rs"]
mod preset;
mod resources;
mod round_trips;
mod stress;
mod wraps_shared;
