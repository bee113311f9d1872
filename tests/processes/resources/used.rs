//! What this process uses, from `/proc/self` (proc(5)).

use std::fs;

pub struct Used {
    pub descriptors: usize,
    pub mappings: usize,
    pub resident_kib: u64,
}

impl Used {
    pub fn now() -> Self {
        let maps = fs::read_to_string("/proc/self/maps").unwrap();
        // The allocator of musl maps and unmaps as it likes; what a channel maps has a name.
        let counts = |line: &&str| cfg!(not(target_env = "musl")) || line.contains('/');
        let mappings = maps.lines().filter(counts).count();
        Self { descriptors: descriptors(), mappings, resident_kib: resident_kib() }
    }

    pub fn assert_same(&self, what: &str) -> Self {
        let now = Self::now();
        assert_eq!((now.descriptors, now.mappings), (self.descriptors, self.mappings), "{what}");
        now
    }

    /// Memory may wander a little, as the allocator likes; the rest may not.
    pub fn assert_same_for_long(&self, what: &str, spare_kib: u64) {
        let now = self.assert_same(what);
        let grown = now.resident_kib.saturating_sub(self.resident_kib);
        assert!(grown <= spare_kib, "{what}: {grown} KiB more are resident");
    }
}

pub fn descriptors() -> usize {
    fs::read_dir("/proc/self/fd").unwrap().count()
}

/// Exact, while `status` and `statm` tell it to within what each processor has not yet added.
fn resident_kib() -> u64 {
    let rollup = fs::read_to_string("/proc/self/smaps_rollup").unwrap();
    let line = rollup.lines().find_map(|line| line.strip_prefix("Rss:")).unwrap();
    line.trim().strip_suffix(" kB").unwrap().parse().unwrap()
}
