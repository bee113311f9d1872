//! The library's own table of codes, for what tests make of it.

#[path = "../../src/error/codes.rs"]
mod table;

pub use table::CODES;

/// For the compiler of C programs: `FOR_EACH_CODE(X)`, which is `X` of each code's name.
pub fn definition() -> String {
    let names = CODES.iter().map(|code| format!("X({})", code.name));
    format!("-DFOR_EACH_CODE(X)={}", names.collect::<Vec<_>>().join(" "))
}

/// The number of the code that has this name.
pub fn number(name: &str) -> Option<i32> {
    CODES.iter().find(|code| code.name == name).map(|code| code.number)
}
