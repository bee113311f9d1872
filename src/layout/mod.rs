//! The format: what stands where in a channel's memory. `docs/FORMAT.md` describes it byte by byte.
//!
//! | file | what |
//! |---|---|
//! | [`geometry`] | sizes and offsets, computed once and kept in private memory |
//! | [`header`] | the first bytes of the region: written once, read once at attach, checked field by field |
//! | [`lines`] | the 128-byte lines: shared words, participants, requests, replies |
//! | [`mapping`] | bounded access to all of them in a mapping |

pub(crate) mod geometry;
pub(crate) mod header;
pub(crate) mod lines;
pub(crate) mod mapping;

pub(crate) use geometry::Geometry;
pub(crate) use mapping::Mapping;
