//! Two recoverers that redeliver the same thing, which dies with a server twice: the first one is stopped when it has
//! published it and has yet to say so; a server takes it by that reference and dies; the second one is stopped when it has
//! made it claimable again and has yet to publish that. What the first one says then is of the delivery before.

use crate::scene::{Manner, Scene};
use std::io;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ends {
    /// The first goes on, then the second is killed.
    SecondIsKilled,
    /// The first goes on, then the second.
    BothGoOn,
}

impl Scene<'_> {
    /// `what` sends the thing.
    pub fn redeliver_twice(&mut self, what: fn(&mut Scene), ends: Ends, manner: Manner) -> io::Result<()> {
        for _ in 0..2 {
            let recoverer = self.enter(&["client", "recover"])?;
            self.victims.push(recoverer);
            self.act();
        }
        what(self);
        self.another_claims_and_dies();

        let words = &self.survivors.words;
        let tail = words.tail();
        let comes = self.victims[0].process().step_until(&mut None, || words.tail() != tail);
        assert!(comes, "the first one publishes");
        self.another_claims_and_dies();
        let words = &self.survivors.words;
        let is_again = || words.slots().any(|slot| slot.is_unpublished_again && slot.times() == 2);
        let comes = self.victims[1].process().step_until(&mut None, is_again);
        assert!(comes, "the second one makes it claimable");

        self.go_on_alone(0);
        match ends {
            Ends::SecondIsKilled => self.victims[1].kill(),
            Ends::BothGoOn => {
                self.go_on_alone(1);
                self.assert_nothing_queued();
            }
        }
        for which in 0..2 {
            self.victims[which].kill();
        }
        self.survive(manner);
        Ok(())
    }
}
