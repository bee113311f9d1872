//! Who acts: processes that are to die, what each has to do and how far it came. Every request of theirs says whose it
//! is and by which act it was sent.

use crate::survivors::Meeting;
use crate::tracer::Victim;
use std::io;
use std::path::Path;

/// A process and its part.
pub struct Player {
    /// None while it is being stepped.
    pub process: Option<Victim>,
    pid: u32,
    acts: &'static [&'static str],
    done: usize,
    length: usize,
}

impl Player {
    pub fn enter(
        program: &Path,
        channel: &Path,
        meeting: Meeting,
        acts: &'static [&'static str],
    ) -> io::Result<Self> {
        let process = Victim::spawn(program, channel, meeting.word(), acts)?;
        let pid = process.pid();
        Ok(Self { process: Some(process), pid, acts, done: 0, length: meeting.length() })
    }

    /// Does the next act, whole.
    pub fn act(&mut self) {
        self.process().act();
        self.has_acted();
    }

    pub fn process(&mut self) -> &mut Victim {
        self.process.as_mut().expect("it is not being stepped")
    }

    /// The act that it was let to do is done.
    pub fn has_acted(&mut self) {
        self.done += 1;
    }

    /// The one-way messages whose calls have returned.
    pub fn posted(&self) -> impl Iterator<Item = Vec<u8>> {
        let posts = (0..self.done).filter(|act| self.acts[*act] == "post");
        posts.map(|act| self.payload(act))
    }

    /// Which of its acts sent this payload, if one did.
    pub fn sender_of(&self, payload: &[u8]) -> Option<&'static str> {
        let act = usize::from(*payload.first()?);
        let name = self.acts.get(act)?;
        (payload == self.payload(act)).then_some(name)
    }

    /// As in victim.c.
    fn payload(&self, act: usize) -> Vec<u8> {
        let mut payload: Vec<u8> = (0..self.length).map(|at| (7 * at + act) as u8).collect();
        payload[0] = act as u8;
        payload[1..5].copy_from_slice(&self.pid.to_ne_bytes());
        payload
    }
}
