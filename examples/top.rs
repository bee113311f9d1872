//! What a channel holds and does, and who is attached to it: `c_examples/rr_top.c` in Rust.
//!
//! ```text
//! cargo run --example top -- CHANNEL [MILLISECONDS [TIMES]]
//! ```
//!
//! The table is shown again every second or as often as asked, until Ctrl-C or as many times as asked; on a terminal
//! each takes the place of the one before it. The program attaches as a client, so it is in its own table; and as
//! everybody who attaches, it recovers from those who had died before.
//!
//! Exit status: 0; 1 if the channel can't be attached to; 2 wrong usage.

use shmrr::{Channel, Client, Kind, Options, Role, Stats};
use std::fmt::{self, Write as _};
use std::io::{self, IsTerminal, Write as _};
use std::process::ExitCode;
use std::time::{Duration, Instant};

type Counter = (&'static str, fn(&Stats) -> u64);

const COUNTERS: [Counter; 12] = [
    ("requests", |stats| stats.requests),
    ("replies", |stats| stats.replies),
    ("posts", |stats| stats.posts),
    ("request bytes", |stats| stats.request_bytes),
    ("reply bytes", |stats| stats.reply_bytes),
    ("cancels", |stats| stats.cancels),
    ("timeouts", |stats| stats.timeouts),
    ("stale replies", |stats| stats.stale_replies),
    ("full", |stats| stats.full),
    ("recoveries", |stats| stats.recoveries),
    ("sleeps", |stats| stats.sleeps),
    // Calls that came to nothing, whosever they were.
    ("errors", |stats| stats.timeouts + stats.stale_replies + stats.full),
];

/// Attaches whatever the channel's payloads are.
fn attach(name: &str) -> shmrr::Result<Client> {
    Options::new().client(name).or_else(|_| Options::new().kind(Kind::Int).client(name))
}

/// The table of a moment; `before` is what was counted how many seconds ago.
fn table(
    channel: &Channel,
    name: &str,
    now: &Stats,
    before: Option<(Stats, f64)>,
) -> Result<String, fmt::Error> {
    let mut text = String::new();
    let kind = if channel.kind() == Kind::Int { "integers" } else { "bytes" };
    let (request_max, response_max) = (channel.request_max(), channel.response_max());
    writeln!(text, "{name}: {kind}, {request_max} and {response_max} bytes at most\n")?;
    let Stats { slots, queued, in_flight, free, .. } = now;
    writeln!(text, "  slots {slots}   queued {queued}   in flight {in_flight}   free {free}\n")?;

    writeln!(text, "  {:14} {:>20} {:>14}", "", "in all", "per second")?;
    for (name, count) in COUNTERS {
        let since = |(then, seconds): (Stats, f64)| count(now).wrapping_sub(count(&then)) as f64 / seconds;
        let rate = before.map_or("-".to_owned(), |before| format!("{:.1}", since(before)));
        writeln!(text, "  {name:14} {:>20} {rate:>14}", count(now))?;
    }

    writeln!(text, "\n  {:>6}  {:6}  {:>10}  {:5}  {:>6}", "number", "role", "pid", "alive", "held")?;
    for one in channel.participants().map_err(|_| fmt::Error)? {
        let role = match one.role {
            Some(Role::Server) => "server",
            Some(Role::Client) => "client",
            None => "?",
        };
        let alive = if one.is_alive { "yes" } else { "no" };
        writeln!(text, "  {:>6}  {role:6}  {:>10}  {alive:5}  {:>6}", one.number, one.pid, one.held)?;
    }
    Ok(text)
}

/// Shows a table; on a terminal, over the one before it.
fn show(table: &str) -> io::Result<()> {
    let mut output = io::stdout().lock();
    if output.is_terminal() {
        // Those of ECMA-48: home, erase to the end of the line, erase to the end of the screen.
        write!(output, "\x1b[H{}\x1b[J", table.replace('\n', "\x1b[K\n"))?;
    } else {
        writeln!(output, "{table}")?;
    }
    output.flush()
}

fn watch(
    client: &Client,
    name: &str,
    interval: Duration,
    times: u64,
) -> Result<(), Box<dyn std::error::Error>> {
    let channel = client.channel();
    let mut before: Option<(Stats, Instant)> = None;
    for shown in 0..times {
        if shown > 0 {
            std::thread::sleep(interval);
        }
        let (now, at) = (channel.stats(), Instant::now());
        let since = before.map(|(then, begun)| (then, (at - begun).as_secs_f64()));
        show(&table(channel, name, &now, since)?)?;
        before = Some((now, at));
    }
    Ok(())
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize, default: u64| {
        let given = arguments.get(at).map_or(Some(default), |text| text.parse().ok());
        given.filter(|number| *number > 0)
    };
    let (Some(name), Some(milliseconds), Some(times), ..=3) =
        (arguments.first(), number(1, 1000), number(2, u64::MAX), arguments.len())
    else {
        eprintln!("usage: top CHANNEL [MILLISECONDS [TIMES]]");
        return ExitCode::from(2);
    };
    let client = match attach(name) {
        Ok(client) => client,
        Err(error) => {
            eprintln!("top: {error}");
            return ExitCode::FAILURE;
        }
    };
    match watch(&client, name, Duration::from_millis(milliseconds), times) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("top: {error}");
            ExitCode::FAILURE
        }
    }
}
