//! What the shared library shows to a linker: its soname, and the functions of the header, all of them and nothing else.

use crate::support::command::command;
use crate::support::compiler::{self, Language};
use crate::support::platform::Platform;
use crate::support::{found, library};
use object::elf::{self, FileHeader64};
use object::read::elf::{Dyn, ElfFile64, FileHeader};
use object::{Endianness, Object, ObjectSymbol};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn in_tests(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(path)
}

fn exported() -> BTreeSet<String> {
    let bytes = fs::read(library::shared()).unwrap();
    let file = ElfFile64::<Endianness>::parse(&*bytes).unwrap();
    let symbols = file.dynamic_symbols().filter(|symbol| symbol.is_definition());
    symbols.map(|symbol| symbol.name().unwrap().to_owned()).collect()
}

/// The functions that the header declares.
fn declared() -> BTreeSet<String> {
    let header = fs::read_to_string(in_tests("../include/shmrr.h")).unwrap();
    let code = header.lines().filter(|line| !line.starts_with([' ', '/', '#', '}']));
    code.filter_map(|line| {
        let before_arguments = line.split_once('(')?.0;
        let name = before_arguments.rsplit([' ', '*']).next()?;
        name.starts_with("rr_").then(|| name.to_owned())
    })
    .collect()
}

/// The version's first number is in the soname, from which the files' names, what CMake takes for compatible, and
/// `cargo cinstall` have it; and in the header.
#[test]
fn the_soname_has_the_first_number_of_the_version() {
    let bytes = fs::read(library::shared()).unwrap();
    let header = FileHeader64::<Endianness>::parse(&*bytes).unwrap();
    let endian = header.endian().unwrap();
    let sections = header.sections(endian, &*bytes).unwrap();
    let (entries, strings) = sections.dynamic(endian, &*bytes).unwrap().unwrap();
    let strings = sections.strings(endian, &*bytes, strings).unwrap();
    let soname = entries.iter().find(|entry| entry.tag(endian) == elf::DT_SONAME).unwrap();
    assert_eq!(soname.string(endian, strings).unwrap(), library::SONAME.as_bytes());
    let header = fs::read_to_string(in_tests("../include/shmrr.h")).unwrap();
    assert!(header.contains(concat!("#define RR_ABI_VERSION ", env!("CARGO_PKG_VERSION_MAJOR"), "\n")));
}

/// A name of which the list says no more was there in the first release; else its version follows.
#[test]
fn the_functions_of_the_list_are_exported_and_nothing_else() {
    let list = fs::read_to_string(in_tests("symbols.txt")).unwrap();
    assert!(list.lines().is_sorted(), "tests/symbols.txt is not sorted");
    let mut listed = Vec::new();
    for line in list.lines() {
        let (name, since) = line.split_once(' ').unwrap_or((line, "0.1.0"));
        let known = numbers(since) <= numbers(env!("CARGO_PKG_VERSION"));
        assert!(known, "tests/symbols.txt: {name} is of a version to come: {since}");
        listed.push(name);
    }
    assert_eq!(exported().iter().collect::<Vec<_>>(), listed);
}

fn numbers(version: &str) -> Vec<u32> {
    version.split('.').map(|number| number.parse().expect(version)).collect()
}

#[test]
fn the_functions_of_the_header_are_exported_and_no_others() {
    assert_eq!(declared(), exported());
}

/// The names in a library for Rust programs that C programs could use.
fn names_for_c(rlib: &Path) -> BTreeSet<String> {
    let listed = command("nm").args(["--extern-only", "--defined-only"]).arg(rlib).output().unwrap();
    assert!(listed.status.success(), "nm {}: {listed:?}", rlib.display());
    let listed = String::from_utf8(listed.stdout).unwrap();
    let names = listed.lines().filter_map(|line| line.rsplit(' ').next()).filter(|name| !name.is_empty());
    let is_for_c = |name: &&str| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    let is_rusts = |name: &&str| name.starts_with("_R") || name.starts_with("_ZN");
    names.filter(is_for_c).filter(|name| !is_rusts(name)).map(str::to_owned).collect()
}

#[test]
fn a_rust_library_without_the_c_interface_exports_no_c_symbols() {
    let complete = library::directory(Platform::Here).join("libshmrr.rlib");
    assert!(names_for_c(&complete).is_superset(&exported()), "with the default features");
    assert_eq!(names_for_c(&library::without_c_interface()), BTreeSet::new());
}

/// Nothing is installed: the program is linked with the file that `cargo build` makes, and told the directory only.
#[test]
fn a_program_runs_with_the_library_where_cargo_puts_it() {
    let Some(mut compiler) = found(compiler::compiler(Language::C)) else { return };
    let libraries = library::directory(Platform::Here);
    let directory = tempfile::tempdir().unwrap();
    let (source, program) = (directory.path().join("version.c"), directory.path().join("version"));
    fs::write(&source, "#include <shmrr.h>\nint main(void) { return rr_strerror(0) == 0; }\n").unwrap();
    compiler.arg("-I").arg(in_tests("../include")).arg(&source).arg(libraries.join(library::LINK_NAME));
    assert!(compiler.arg("-o").arg(&program).status().unwrap().success(), "{compiler:?}");

    let run = |libraries: &Path| command(&program).env("LD_LIBRARY_PATH", libraries).output().unwrap();
    let found = run(libraries);
    assert!(found.status.success(), "{found:?}");
    let missed = run(directory.path());
    assert!(String::from_utf8_lossy(&missed.stderr).contains(library::SONAME), "{missed:?}");
}

#[test]
fn every_function_is_called_by_a_c_test() {
    let mut tests = String::new();
    for entry in fs::read_dir(in_tests("c")).unwrap() {
        tests += &fs::read_to_string(entry.unwrap().path()).unwrap();
    }
    let called = |name: &&String| tests.contains(&format!("{name}("));
    let exported = exported();
    let missing: Vec<_> = exported.iter().filter(|name| !called(name)).collect();
    assert!(missing.is_empty(), "no test in tests/c calls {missing:?}");
}
