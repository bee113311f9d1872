//! Nothing in the library allocates in a way that ends the process when memory is short: what does is written nowhere in
//! its sources. `tests/c/without_memory.c` sees to the rest by letting allocations fail.

use crate::sources;

/// Ways to allocate that abort, as they are written.
const ABORTING: [&str; 19] = [
    "format!(",
    "vec![",
    "println!(",
    ".to_owned()",
    ".to_string()",
    ".to_vec()",
    ".into_owned()",
    ".to_string_lossy()",
    "from_utf8_lossy",
    ".collect()",
    ".collect::<",
    "Box::new(",
    "Box::from(",
    "Arc::new(",
    "Rc::new(",
    "CString::new(",
    "with_capacity(",
    "PathBuf::from(",
    "thread::current()",
];

/// Where it is the caller of the Rust interface that asks for memory, and what is only for tests.
const EXEMPT: [(&str, &str); 4] = [
    ("asynchronous/client.rs", "Arc::new("),
    ("channel/message.rs", "vec!["),
    ("protocol/heap.rs", ".collect()"),
    ("protocol/heap.rs", "with_capacity("),
];

/// What of a file is in the library: no tests, which stand at its end, and no comments.
fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let end = text.find("#[cfg(test)]\nmod ").unwrap_or(text.len());
    let lines = text[..end].lines().enumerate();
    lines.filter(|(_, line)| !line.trim_start().starts_with("//")).map(|(at, line)| (at + 1, line))
}

#[test]
fn no_source_allocates_in_a_way_that_aborts() {
    let mut found = Vec::new();
    for (name, text) in sources::rust("src") {
        // The models, and what they alone are made of.
        if name.contains("models/") || ["protocol/wraps.rs", "protocol/stops.rs"].contains(&&*name) {
            continue;
        }
        for (line, code) in code(&text) {
            let aborting = ABORTING.iter().filter(|way| code.contains(**way));
            let aborting = aborting.filter(|way| !EXEMPT.contains(&(&*name, **way)));
            found.extend(aborting.map(|way| format!("src/{name}:{line}: {way}")));
        }
    }
    assert!(found.is_empty(), "{found:#?}");
}
