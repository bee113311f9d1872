//! What a person sees while the demo runs: lines that stay, and a status that is refreshed in place on a terminal, or
//! repeated once a second where standard output is none.

use std::fmt::Display;
use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

/// Back to the left margin, and the line emptied.
const CLEAR_LINE: &str = "\r\x1b[K";

const REFRESH_EVERY: Duration = Duration::from_millis(100);
const REPEAT_EVERY: Duration = Duration::from_secs(1);

pub(crate) struct Screen {
    terminal: bool,
    status_due: Instant,
    status_shown: bool,
}

impl Screen {
    pub(crate) fn new() -> Self {
        Self { terminal: io::stdout().is_terminal(), status_due: Instant::now(), status_shown: false }
    }

    /// A line on standard output.
    pub(crate) fn line(&mut self, text: &dyn Display) -> io::Result<()> {
        self.clear()?;
        writeln!(io::stdout(), "{text}")
    }

    /// A line on standard error.
    pub(crate) fn message(&mut self, text: &dyn Display) -> io::Result<()> {
        self.clear()?;
        writeln!(io::stderr(), "{text}")
    }

    /// The status, unless it was shown a moment ago.
    pub(crate) fn status(&mut self, text: &dyn Display) -> io::Result<()> {
        let now = Instant::now();
        if now < self.status_due {
            return Ok(());
        }
        if !self.terminal {
            self.status_due = now + REPEAT_EVERY;
            return writeln!(io::stdout(), "{text}");
        }
        self.status_due = now + REFRESH_EVERY;
        self.status_shown = true;
        write!(io::stdout(), "{CLEAR_LINE}{text}")?;
        io::stdout().flush()
    }

    fn clear(&mut self) -> io::Result<()> {
        if !self.status_shown {
            return Ok(());
        }
        self.status_shown = false;
        self.status_due = Instant::now();
        write!(io::stdout(), "{CLEAR_LINE}")?;
        io::stdout().flush()
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        let _ = self.clear();
    }
}

/// `eprintln!` panics where nobody reads standard error any more, and a panic here would leave the channel behind.
pub(crate) fn to_stderr(text: &dyn Display) {
    let _ = writeln!(io::stderr(), "{text}");
}
