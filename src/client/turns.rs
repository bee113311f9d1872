//! Turns: those who have waited for a slot for long get one before those who come later.
//!
//! Whoever frees a slot is awake, and would have it again long before the one that it wakes has come. So a client that
//! waits for longer than [`STARVES`] says so in the doorbell ([`doorbell`]); until that is taken back, others don't
//! take what is free but sleep behind it, and wake-ups come in the order in which they fell asleep. What is lost by
//! this is the time of some wake-ups, at most once in so long a time; what is won is that nobody waits for much longer
//! than that and a wake-up of each who slept before it.

use super::Client;
use crate::channel::sleep::STARVES;
use crate::layout::lines::Doorbell;
use crate::protocol::doorbell;
use crate::wait::{Deadline, deadline};
use std::sync::atomic::Ordering::Relaxed;

impl Client {
    /// Whether a call that comes now leaves the slots to those who have waited for long. One that may wait sleeps
    /// behind them; this handle's others are refused for as long as those had waited.
    pub(super) fn gives_way(&self, deadline: &Deadline<'_>) -> bool {
        let doorbell = self.channel.mapping().doorbell(Doorbell::FreeSlot);
        if !doorbell::is_starving(doorbell) {
            return false;
        }
        if !deadline.is_now() {
            return true;
        }
        let now = deadline::now();
        match self.gives_way_since.load(Relaxed) {
            0 => self.gives_way_since.store(now, Relaxed),
            since if now < since + STARVES => {}
            _ => {
                self.gives_way_since.store(0, Relaxed);
                doorbell::relieve(doorbell);
                return false;
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Error, Options, Server, Timeout};
    use std::thread;
    use std::time::Duration;

    const STARVING: u64 = 1 << 63;
    const LONG: Duration = Duration::from_secs(10);

    fn doorbell(client: &Client) -> &std::sync::atomic::AtomicU64 {
        client.channel().mapping().doorbell(Doorbell::FreeSlot)
    }

    fn is_starving(client: &Client) -> bool {
        doorbell(client).load(Relaxed) & STARVING != 0
    }

    fn channel(slots: u32) -> (Server, Client) {
        let options = Options::new().slots(slots).spin(std::time::Duration::ZERO);
        let server = options.anonymous().unwrap();
        let client = options.client_from_server(&server).unwrap();
        (server, client)
    }

    fn until(condition: impl Fn() -> bool) {
        let begun = deadline::now();
        while !condition() {
            assert!(deadline::now() - begun < LONG.as_nanos() as i64);
            thread::yield_now();
        }
    }

    /// Whether one that is awake and frees a slot leaves it to one that has waited for long. A wake-up that comes between
    /// the waiter's announcement and its sleep finds nobody asleep, and then it need not.
    fn leaves_the_slot_to_the_waiter() -> bool {
        let (server, holder) = channel(1);
        let waiter = Options::new().spin(std::time::Duration::ZERO).client_from_server(&server).unwrap();
        let id = holder.send(b"").unwrap();
        let gave_way = thread::scope(|scope| {
            let waits = scope.spawn(|| waiter.send_wait(b"", LONG));
            until(|| is_starving(&holder));
            thread::sleep(Duration::from_millis(2));
            holder.cancel(id).unwrap();
            let sent = holder.send(b"");
            if let Ok(id) = sent {
                holder.cancel(id).unwrap();
            }
            waits.join().unwrap().unwrap();
            sent == Err(Error::NoSlots) && holder.gives_way_since.load(Relaxed) != 0
        });
        // Nobody sleeps when the next comes free.
        assert_eq!(waiter.pending(), 1);
        let taken = server.recv(&mut []).unwrap();
        server.reply(taken.id, b"").unwrap();
        waiter.get_wait(taken.id, &mut [], LONG).unwrap();
        assert!(!is_starving(&holder));
        holder.send(b"").unwrap();
        gave_way
    }

    #[test]
    fn one_that_has_waited_for_long_gets_the_slot_before_the_one_that_frees_it() {
        assert!((0..20).any(|_| leaves_the_slot_to_the_waiter()));
    }

    #[test]
    fn one_that_comes_later_sleeps_behind_and_gets_its_turn_too() {
        let (server, holder) = channel(1);
        let open = || Options::new().spin(std::time::Duration::ZERO).client_from_server(&server).unwrap();
        let (waiter, later) = (open(), open());
        let id = holder.send(b"").unwrap();
        thread::scope(|scope| {
            let waits = scope.spawn(|| waiter.req(b"first", &mut [0; 8], LONG));
            until(|| is_starving(&holder));
            let behind = scope.spawn(|| later.req(b"second", &mut [0; 8], LONG));
            holder.cancel(id).unwrap();
            for _ in 0..2 {
                let mut buffer = [0; 8];
                let taken = server.recv_wait(&mut buffer, LONG).unwrap();
                server.reply(taken.id, b"done").unwrap();
            }
            assert_eq!((waits.join().unwrap(), behind.join().unwrap()), (Ok(4), Ok(4)));
        });
    }

    /// Whether or not somebody rang for it: a stop does, and there need be no wake-up after that.
    #[test]
    fn one_that_leaves_without_a_slot_takes_back_that_it_starves() {
        let (_server, holder) = channel(1);
        holder.send(b"").unwrap();
        thread::scope(|scope| {
            let waits = scope.spawn(|| holder.send_wait(b"", LONG));
            until(|| is_starving(&holder));
            // As somebody that rings the doorbell and is stopped before the system call.
            doorbell(&holder).fetch_and(!1, Relaxed);
            holder.interrupt();
            assert_eq!(waits.join().unwrap(), Err(Error::Interrupted));
        });
        assert!(!is_starving(&holder));
        assert_eq!(holder.send_wait(b"", Timeout::from_nanos(STARVES * 3)), Err(Error::TimedOut));
        assert!(!is_starving(&holder));
    }

    /// A process that said so and died holds nobody up for longer than it could have waited.
    #[test]
    fn nobody_gives_way_for_long_to_one_that_does_not_come() {
        let (_server, client) = channel(4);
        doorbell(&client).fetch_or(STARVING, Relaxed);
        let begun = deadline::now();
        until(|| client.send(b"") != Err(Error::NoSlots));
        assert!(deadline::now() - begun >= STARVES && !is_starving(&client));

        doorbell(&client).fetch_or(STARVING, Relaxed);
        client.send_wait(b"", LONG).unwrap();
        assert!(!is_starving(&client));
        doorbell(&client).fetch_or(STARVING, Relaxed);
        client.send_wait(b"", Timeout::from_nanos(STARVES / 50)).unwrap();
        assert!(!is_starving(&client));
    }
}
