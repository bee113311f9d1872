//! Every function of the header is in an operation that victims are killed and stopped in, or there is a reason why not.

use crate::operations;
use std::collections::BTreeSet;
use std::path::Path;

/// Functions that no victim is killed or stopped in, and why.
const NOT_PLAYED: &[(&str, &str)] = &[
    ("rr_version", TOUCHES_NOTHING),
    ("rr_abi_version", TOUCHES_NOTHING),
    ("rr_strerror", TOUCHES_NOTHING),
    ("rr_options_init", TOUCHES_NOTHING),
    ("rr_stats_init", TOUCHES_NOTHING),
    ("rr_channel_fd", TOUCHES_NOTHING),
    ("rr_channel_user", TOUCHES_NOTHING),
    ("rr_channel_path", TOUCHES_NOTHING),
    ("rr_channel_kind", TOUCHES_NOTHING),
    ("rr_channel_slots", TOUCHES_NOTHING),
    ("rr_channel_request_max", TOUCHES_NOTHING),
    ("rr_channel_response_max", TOUCHES_NOTHING),
    ("rr_channel_request_fd", TOUCHES_NOTHING),
    ("rr_channel_reply_fd", TOUCHES_NOTHING),
    ("rr_channel_request_fd_make", TOUCHES_NOTHING),
    ("rr_channel_reply_fd_make", TOUCHES_NOTHING),
    ("rr_channel_request_fd_set", TOUCHES_NOTHING),
    ("rr_channel_reply_fd_set", TOUCHES_NOTHING),
    ("rr_channel_is_current", ONLY_THE_NAME),
    ("rr_channel_unlink", ONLY_THE_NAME),
    ("rr_unlink", ONLY_THE_NAME),
    ("rr_client_from_fd", "as rr_client_new, but for how the file is opened"),
    ("rr_client_from_server", "as rr_client_new, but for how the file is opened"),
    ("rr_server_from_fd", "as rr_server_new, but for how the file is opened"),
    ("rr_server_new_memfd", "nobody else has the file before it returns"),
    (
        "rr_client_send_wait_i64",
        "as rr_client_send_i64, but for the wait, which is that of rr_client_send_wait",
    ),
    ("rr_client_post_i64", "as rr_client_post, but for what is sent"),
    ("rr_server_poll_fd", TOUCHES_NOTHING),
    ("rr_client_poll_fd", TOUCHES_NOTHING),
    ("rr_server_arm", ANNOUNCES),
    ("rr_client_arm", ANNOUNCES),
    ("rr_server_wait", "as rr_recv_wait, up to the taking"),
    ("rr_channel_tend", "the looks of rr_recv_wait and rr_client_get_wait, when they are due"),
];
const ANNOUNCES: &str = "announces a sleeper as waits do; tests/c/polling_together.c kills one that is armed";
const TOUCHES_NOTHING: &str = "touches no word that others see";
const ONLY_THE_NAME: &str = "one system call about the name";

fn read(path: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// The functions of `victim.c`, each with its text.
fn functions(program: &str) -> impl Iterator<Item = (&str, &str)> {
    program.split("\nstatic ").filter_map(|text| {
        let (before, _) = text.split_once('(')?;
        Some((before.rsplit([' ', '*']).next()?, text))
    })
}

/// The functions of `victim.c` that call this one, by themselves or by another.
fn callers<'a>(program: &'a str, function: &str) -> BTreeSet<&'a str> {
    let direct: Vec<&str> = functions(program)
        .filter(|(_, text)| text.contains(&format!("{function}(")))
        .map(|(name, _)| name)
        .collect();
    let calls_one = |text: &str| direct.iter().any(|name| text.contains(&format!("{name}(")));
    functions(program).filter(|(_, text)| calls_one(text)).map(|(name, _)| name).collect()
}

#[test]
fn every_function_is_played_or_need_not_be() {
    let (list, program) = (read("tests/symbols.txt"), read("tests/kill/victim.c"));
    let operations = operations::ALL.iter().flat_map(|all| *all);
    let played: BTreeSet<&str> = operations
        .map(|operation| {
            let act = operation.acts[operation.acts.len() - 1];
            let (_, row) = program.split_once(&format!("{{\"{act}\", ")).expect("victims know the act");
            row.split_once('}').expect("a row of the table").0
        })
        .collect();
    // A version may follow the name.
    let functions: Vec<&str> = list.lines().filter_map(|line| line.split(' ').next()).collect();
    for function in &functions {
        let is_played = callers(&program, function).iter().any(|caller| played.contains(caller));
        let reason = NOT_PLAYED.iter().find(|(name, _)| name == function);
        assert!(
            is_played != reason.is_some(),
            "{function}: is it played? {is_played}. Need it not be? {reason:?}"
        );
    }
    for (name, _) in NOT_PLAYED {
        assert!(functions.contains(name), "{name} is no function");
    }
}
