//! Who takes part, and where.

/// One constellation of processes. What is not pinned runs where the kernel places it, on two processors.
pub struct Scene {
    pub name: &'static str,
    pub clients: usize,
    pub servers: usize,
    /// Processes that are busy with something else.
    pub busy: usize,
    /// Both sides are bound to the same processor.
    pub pinned: bool,
}

impl Scene {
    const fn of(name: &'static str, clients: usize, servers: usize) -> Self {
        Self { name, clients, servers, busy: 0, pinned: false }
    }

    const fn beside(name: &'static str, busy: usize) -> Self {
        Self { name, clients: 1, servers: 1, busy, pinned: false }
    }

    /// Whether a pipe is a yardstick for it.
    pub fn has_pipe(&self) -> bool {
        self.clients == 1
    }

    pub fn is_on_one_processor(&self) -> bool {
        self.pinned
    }
}

pub const SCENES: [Scene; 13] = [
    Scene { name: "1 client, 1 server, one processor", clients: 1, servers: 1, busy: 0, pinned: true },
    Scene::of("1 client, 1 server, free", 1, 1),
    Scene::of("2 clients, 1 server", 2, 1),
    Scene::of("4 clients, 1 server", 4, 1),
    Scene::of("8 clients, 1 server", 8, 1),
    Scene::of("16 clients, 1 server", 16, 1),
    Scene::of("2 clients, 2 servers", 2, 2),
    Scene::of("4 clients, 2 servers", 4, 2),
    Scene::of("8 clients, 2 servers", 8, 2),
    Scene::of("16 clients, 2 servers", 16, 2),
    Scene::beside("beside 1 busy process", 1),
    Scene::beside("beside 2 busy processes", 2),
    Scene::beside("beside 4 busy processes", 4),
];
