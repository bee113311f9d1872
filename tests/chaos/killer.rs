//! Who stops, continues, kills and replaces the processes of the chaos test, at random.

use crate::child::Child;
use crate::ledger::{CLIENTS, CLIENTS_FINISH, Ledger, MANAGER, SEATS, SERVERS, SERVERS_FINISH};
use crate::payload::Random;
use rustix::process::setpriority_process;
use std::os::unix::process::ExitStatusExt;
use std::sync::atomic::Ordering::SeqCst;
use std::time::{Duration, Instant};

/// Longest time between two deeds, in milliseconds as all here.
const PAUSE: u64 = 24;
/// Once in so many deeds a server is killed, another stopped, and nothing else done for so long, longer than any call may
/// be late: nobody who attaches relieves those that wait for the two.
const CALMS: u64 = 40;
const CALM: u64 = 450;
/// Longest time that a killed process is missing, and that a process is stopped; both are shorter mostly.
const GAP: u64 = 600;
const STOP: u64 = 800;

/// How the killer, and who is about to start, go before all others (`nice(1)`), so that it gets to many deeds on a loaded
/// machine, too. Where that is not permitted, there are fewer.
const URGENT: i32 = -10;

/// Starts a process: at which seat, which of all processes of the run, with which seed.
pub type Spawn<'a> = dyn Fn(usize, u32, u64) -> Child + 'a;

#[derive(Default)]
struct Place {
    process: Option<Child>,
    life: u32,
    /// When a process that is missing is to be started, or one that is stopped is to go on.
    due: Option<Instant>,
}

pub struct Killer<'a> {
    ledger: &'a Ledger,
    spawn: &'a Spawn<'a>,
    random: Random,
    places: Vec<Place>,
    lives: u32,
    pub kills: [u32; SEATS],
    pub stops: u32,
    /// Requests that servers may have taken just before they were killed, without having noted it.
    pub unnoted: u64,
}

impl<'a> Killer<'a> {
    pub fn new(ledger: &'a Ledger, seed: u64, spawn: &'a Spawn<'a>) -> Self {
        let places = (0..SEATS).map(|_| Place::default()).collect();
        let random = Random::new(seed);
        let _ = setpriority_process(None, URGENT);
        let mut killer =
            Self { ledger, spawn, random, places, lives: 0, kills: [0; SEATS], stops: 0, unnoted: 0 };
        (0..SEATS).for_each(|seat| killer.start(seat));
        killer
    }

    fn start(&mut self, seat: usize) {
        self.lives += 1;
        let seed = self.random.below(u64::MAX);
        let process = Some((self.spawn)(seat, self.lives, seed));
        self.places[seat] = Place { process, life: self.lives, due: None };
    }

    /// Does its worst for so long; then everybody is there and runs.
    pub fn rage(&mut self, time: Duration) {
        let end = Instant::now() + time;
        while Instant::now() < end {
            std::thread::sleep(Duration::from_millis(self.random.below(PAUSE)));
            self.replace_dead(Instant::now());
            let seat = self.random.below(SEATS as u64) as usize;
            if self.random.below(CALMS) == 0 {
                self.kill(CLIENTS + seat % SERVERS);
                self.stop(CLIENTS + (seat + 1) % SERVERS);
                std::thread::sleep(Duration::from_millis(CALM));
            } else if self.random.below(2) == 0 {
                self.kill(seat);
            } else {
                self.stop(seat);
            }
        }
        self.replace_dead(Instant::now() + Duration::from_millis(GAP + STOP));
    }

    /// Up to so many milliseconds, a short time as likely as a long one on a scale of powers of two.
    fn time(&mut self, most: u64) -> Duration {
        let scale = 1 << self.random.below(10);
        Duration::from_millis(self.random.below(most / scale + 1))
    }

    fn stop(&mut self, seat: usize) {
        let time = self.time(STOP);
        let place = &mut self.places[seat];
        if let (Some(process), None) = (&place.process, place.due) {
            self.ledger.seat(seat).begin_stop();
            process.signal(libc::SIGSTOP);
            place.due = Some(Instant::now() + time);
            self.stops += 1;
        }
    }

    fn kill(&mut self, seat: usize) {
        let gap = self.time(GAP);
        let place = &mut self.places[seat];
        let Some(process) = place.process.take() else { return };
        self.ledger.condemn(place.life);
        process.signal(libc::SIGKILL);
        let end = process.end();
        assert_eq!(
            end.status.signal(),
            Some(libc::SIGKILL),
            "seat {seat} ended before it was killed: {end:?}"
        );
        self.ledger.bury(place.life);
        self.ledger.seat(seat).end_stop();
        place.due = Some(Instant::now() + gap);
        self.kills[seat] += 1;
        self.unnoted += u64::from(self.ledger.seat(seat).taking.swap(0, SeqCst));
        if seat == MANAGER {
            self.ledger.clears().interrupt();
        }
    }

    /// Continues and starts whom it is time for.
    fn replace_dead(&mut self, now: Instant) {
        for seat in 0..SEATS {
            let place = &mut self.places[seat];
            if place.due.is_none_or(|due| due > now) {
                continue;
            }
            match &place.process {
                Some(process) => {
                    process.signal(libc::SIGCONT);
                    self.ledger.seat(seat).end_stop();
                    place.due = None;
                }
                None => self.start(seat),
            }
        }
    }

    /// Lets all come to their own end, servers last, when what was posted has been served.
    pub fn finish(&mut self, served: impl FnOnce()) {
        self.ledger.set_phase(CLIENTS_FINISH);
        (0..CLIENTS).chain([MANAGER]).for_each(|seat| self.see_off(seat));
        served();
        self.ledger.set_phase(SERVERS_FINISH);
        (CLIENTS..MANAGER).for_each(|seat| self.see_off(seat));
    }

    fn see_off(&mut self, seat: usize) {
        assert!(self.places[seat].process.take().expect("it was started").succeed());
    }
}

/// In a child: from now on it is no more urgent than others.
pub fn calm_down() {
    let _ = setpriority_process(None, 0);
}
