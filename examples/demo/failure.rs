//! Why the demo, or its Rust client, ends early.

use std::fmt;
use std::io;
use std::process::ExitCode;

/// The reason, and through [`Failure::exit_code`] the exit status.
#[derive(Debug)]
pub(crate) enum Failure {
    /// A sentence for the person who started it.
    Said(String),
    /// A signal asked for the end.
    Signal(i32),
    /// The arguments make no sense.
    Usage,
}

impl Failure {
    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Self::Said(_) => ExitCode::FAILURE,
            Self::Signal(number) => u8::try_from(128 + number).map_or(ExitCode::FAILURE, ExitCode::from),
            Self::Usage => ExitCode::from(2),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Said(sentence) => f.write_str(sentence),
            Self::Signal(number) => write!(f, "stopped by signal {number}"),
            Self::Usage => f.write_str(crate::USAGE),
        }
    }
}

impl From<String> for Failure {
    fn from(sentence: String) -> Self {
        Self::Said(sentence)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Said(error.to_string())
    }
}

impl From<shmrr::Error> for Failure {
    fn from(error: shmrr::Error) -> Self {
        Self::Said(error.to_string())
    }
}
