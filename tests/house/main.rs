//! The house in order: what sources, header, documents and tests say of each other is so.
//!
//! | file | what |
//! |---|---|
//! | `layers` | which module may use which |
//! | `allocation` | where the sources allocate |
//! | `glossary` | words that others have replaced |
//! | `header` | the C header is the one that the sources generate |
//! | `codes` | the table of codes and the header agree |
//! | `readme` | the README's programs do what it says |
//! | `contributing` | the lists in CONTRIBUTING.md |
//! | `model` | the protocol as a small model, `protocol.py` |
//! | `sources` | the files that these read |
//! | `children` | how tests start their children |

mod allocation;
#[path = "../support/child.rs"]
mod child;
mod children;
mod codes;
mod contributing;
mod glossary;
mod header;
mod layers;
mod model;
mod readme;
mod sources;
#[path = "../support/mod.rs"]
mod support;
