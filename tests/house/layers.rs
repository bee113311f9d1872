//! The layers of the source: each module uses those below it, never those above.

use crate::sources;

/// From the bottom up; those of one row don't use each other.
const LAYERS: &[&[&str]] = &[
    &["id"],
    &["error"],
    &["memory"],
    &["region", "protocol"],
    &["wait", "layout", "recovery"],
    &["channel"],
    &["client", "server"],
    &["open"],
    &["capi", "asynchronous"],
];

fn layer_of(module: &str) -> Option<usize> {
    LAYERS.iter().position(|row| row.contains(&module))
}

/// Module names that follow `crate::` in a text, also inside one level of braces.
fn uses(text: &str) -> Vec<String> {
    let is_name = |c: char| c.is_ascii_lowercase() || c == '_';
    let mut found = Vec::new();
    for (at, _) in text.match_indices("crate::") {
        let rest = &text[at + "crate::".len()..];
        let rest = rest.strip_prefix('{').unwrap_or(rest);
        found.push(rest.chars().take_while(|c| is_name(*c)).collect());
    }
    found
}

#[test]
fn each_layer_uses_only_those_below_it() {
    let mut checked = 0;
    for (name, text) in sources::rust("src") {
        let module = name.split(['/', '.']).next().unwrap();
        let Some(own) = layer_of(module) else {
            assert_eq!(module, "lib", "{name} stands in no layer");
            continue;
        };
        for used in uses(&text) {
            let Some(layer) = layer_of(&used) else { continue };
            assert!(layer < own || used == module, "src/{name} uses {used}, which is not below it");
            checked += 1;
        }
    }
    assert!(checked > 50, "only {checked} uses were found: the search is broken");
}
