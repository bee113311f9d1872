//! The committed C header is the one that the source generates. `SHMRR_WRITE_HEADER=1` writes it anew.

#[allow(dead_code)]
#[path = "../src/error/codes.rs"]
mod codes;

use std::path::Path;

/// A line for each code.
fn section_on_codes() -> String {
    let line = |code: &codes::Code| format!(" *   -{:13} {}", code.name, code.sentence.to_str().unwrap());
    codes::CODES.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_committed_header_is_the_one_that_the_source_generates() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut config = cbindgen::Config::from_file(root.join("cbindgen.toml")).unwrap();
    let prologue = config.header.take().unwrap();
    assert!(prologue.contains("@CODES@"));
    config.header = Some(prologue.replace("@CODES@", &section_on_codes()));
    let mut generated = Vec::new();
    cbindgen::Builder::new()
        .with_crate(root)
        .with_config(config)
        .generate()
        .expect("src/capi can be read by cbindgen")
        .write(&mut generated);
    let mut generated = String::from_utf8(generated).unwrap();
    // What is left out leaves its empty lines.
    while generated.contains("\n\n\n") {
        generated = generated.replace("\n\n\n", "\n\n");
    }
    let path = root.join("include/shmrr.h");
    if std::env::var_os("SHMRR_WRITE_HEADER").is_some() {
        std::fs::write(&path, &generated).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == generated,
        "include/shmrr.h differs from src/capi: SHMRR_WRITE_HEADER=1 cargo test --test header"
    );
}
