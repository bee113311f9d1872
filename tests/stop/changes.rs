//! Which instructions of an operation change the channel's words. Between two changes a process only looks, so points
//! just before and just after one are worth more than others.

use crate::payload::Random;
use crate::words::Words;
use std::collections::BTreeSet;

pub struct Changes {
    before: Vec<u64>,
    steps: u64,
    /// After how many instructions the words were others than before.
    found: BTreeSet<u64>,
}

impl Changes {
    pub fn from_now_on(words: &Words) -> Self {
        Self { before: words.all(), steps: 0, found: BTreeSet::new() }
    }

    /// To be called after each instruction.
    pub fn look(&mut self, words: &Words) {
        self.steps += 1;
        let now = words.all();
        if now != self.before {
            self.found.insert(self.steps);
            self.before = now;
        }
    }

    /// The points just before and just after each change.
    pub fn near(&self) -> BTreeSet<u64> {
        let both = self.found.iter().flat_map(|after| [after - 1, *after]);
        both.filter(|after| *after < self.steps).collect()
    }

    /// So many points below `end`, two of three of them near a change; if there may be more than that, all that are near
    /// and others, `few` at least.
    pub fn choose(&self, end: u64, many: usize, few: usize, random: &mut Random) -> BTreeSet<u64> {
        let near: Vec<u64> = self.near().into_iter().filter(|after| *after < end).collect();
        let mut chosen = BTreeSet::new();
        if many >= 2 * near.len() {
            chosen.extend(&near);
        }
        let many = many.min((2 * near.len()).max(few)).min(end as usize);
        while chosen.len() < many {
            let is_near = random.below(3) < 2 && !near.iter().all(|at| chosen.contains(at));
            let next =
                if is_near { near[random.below(near.len() as u64) as usize] } else { random.below(end) };
            chosen.insert(next);
        }
        chosen
    }
}
