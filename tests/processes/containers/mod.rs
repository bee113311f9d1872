//! Who lives and who is dead is the kernel's word, whatever a process looks like from outside: in containers where all
//! pids are 1, with forks that inherited everything, after exec, stopped, as a zombie, with a pid that is used again.
//!
//! | file | what |
//! |---|---|
//! | `peer` | a process with a server's and a client's handle that does what it is told |
//! | `contained` | such a process in PID, mount and user namespaces of its own |
//! | `namespaces` | what peers in containers can and can't do to each other |
//! | `forks` | parents, children, and forks amid opening and closing |
//! | `deaths` | ways of being dead, and of only seeming so |
//! | `recycled` | a pid that is used again |

mod contained;
mod deaths;
mod forks;
mod namespaces;
mod peer;
mod recycled;

use crate::child;

#[test]
#[ignore = "run by other tests as their child process"]
fn child() {
    child::play(|role| match role {
        "peer" => peer::obey_parent(),
        "contained" => contained::run(peer::obey_parent),
        "fork race" => forks::race(),
        "parent dies" => forks::parent_dies(),
        "child dies" => forks::child_dies(),
        "slow child" => forks::slow_child(),
        "recycled" => contained::run(recycled::use_a_pid_again),
        _ => panic!("no role {role}"),
    });
}
