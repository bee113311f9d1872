//! A program that arms its helper: a request that is published at any moment is found by the program, or the helper is
//! awake to signal it.

use super::*;
use crate::protocol::arming::{self, Task};
use crate::protocol::doorbell;

const CLIENT: Participant = 1;

struct Scene {
    model: Arc<Model>,
    word: AtomicU64,
}

impl Scene {
    #[expect(clippy::arc_with_non_send_sync, reason = "loom runs its threads one at a time")]
    fn new() -> Arc<Self> {
        Arc::new(Self { model: Model::new(2, 0, 4), word: AtomicU64::new(0) })
    }

    fn finds(&self, known: &Known) -> bool {
        ring::find(&self.model.words, known).is_some()
    }

    /// What `Channel::arm` does. Whether it found something itself.
    fn arm(&self) -> bool {
        let armed = arming::arm(&self.word);
        doorbell::announce(&self.model.words.doorbell);
        let found = self.finds(&Known::at_attach(&self.model.words));
        if found {
            arming::disarm(&self.word, armed);
        }
        found
    }

    /// One turn of a helper that stays on the doorbell: what the doorbell shows while it would sleep.
    fn turn(&self) -> Option<u32> {
        match arming::task(&self.word) {
            Task::Leave => None,
            Task::Watch => {
                let expected = doorbell::announce(&self.model.words.doorbell);
                if self.finds(&Known::at_attach(&self.model.words)) {
                    arming::fire(&self.word);
                    return None;
                }
                Some(expected)
            }
            Task::Rest(seen) => {
                let expected = self.model.words.doorbell.load(SeqCst) as u32;
                (arming::task(&self.word) == Task::Rest(seen)).then_some(expected)
            }
        }
    }
}

#[test]
fn a_request_meets_a_program_that_found_it_or_a_helper_that_is_awake() {
    explore(6, || {
        let scene = Scene::new();
        let helper = {
            let scene = Arc::clone(&scene);
            thread::spawn(move || scene.turn())
        };
        let client = {
            let scene = Arc::clone(&scene);
            thread::spawn(move || {
                let known = Known::at_attach(&scene.model.words);
                scene.model.send(&known, CLIENT, 1);
                doorbell::ring(&scene.model.words.doorbell);
            })
        };
        let found = scene.arm();
        let slept = helper.join().unwrap();
        client.join().unwrap();
        let is_armed = arming::is_armed(&scene.word);
        // It sleeps, and the program waits for its signal: then somebody woke it, since the doorbell changed.
        if let (false, true, Some(expected)) = (found, is_armed, slept) {
            assert_ne!(
                scene.model.words.doorbell.load(SeqCst) as u32,
                expected,
                "a request is there, and both sleep"
            );
        }
    });
}
