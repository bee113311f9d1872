//! What stands in a channel's file, seen from outside: `docs/FORMAT.md`, byte by byte.
//!
//! | file | what |
//! |---|---|
//! | `places` | header, sizes, words, participants, locks |
//! | `words` | what an ordinary request writes |
//! | `messages` | what a message's type, flags and length write |
//! | `states` | what everything else that can become of a request writes |
//! | `lost_references` | words that were left as no call leaves them |

#[path = "../support/format.rs"]
mod format;
mod lost_references;
mod messages;
mod places;
#[path = "../support/sample.rs"]
mod sample;
mod states;
mod words;
