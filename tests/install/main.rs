//! What is installed can be used by programs that know nothing but where it is: built by pkg-config and by CMake, in C
//! and C++, with the shared and the static library, in a fresh prefix and in that prefix after a move.
//!
//! | file | what |
//! |---|---|
//! | `page` | the commands of docs/INSTALL.md |
//! | `prefix` | prefixes that the library is installed in |
//! | `consumer` | programs built against one |
//! | `program.c`, `consumer/` | the program and its CMake project |
//!
//! Some build the library again, for another processor, from within another project or as a package. They run if
//! `SHMRR_INSTALL=full` or `CI` is set.

mod consumer;
mod page;
mod prefix;
#[path = "../support/mod.rs"]
mod support;

use consumer::Linked;
use prefix::{Prefix, VERSION, root, run, tool};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use support::compiler::Language;
use support::{found, library};

/// Whether tests run that build the library again.
fn is_full() -> bool {
    let full = std::env::var("SHMRR_INSTALL").is_ok_and(|extent| extent == "full");
    if !full && std::env::var_os("CI").is_none() {
        println!("skipped: SHMRR_INSTALL=full runs it");
        return false;
    }
    true
}

#[test]
fn cmake_and_the_script_install_the_same_files() {
    let Some(by_cmake) = found(Prefix::by_cmake()) else { return };
    let by_script = Prefix::by_script();
    let files = by_script.files();
    assert_eq!(by_cmake.files().keys().collect::<Vec<_>>(), files.keys().collect::<Vec<_>>());
    for (name, content) in by_cmake.files() {
        assert!(files[&name] == content, "{} differs", name.display());
    }
}

#[test]
fn the_library_has_the_links_and_the_soname_that_linkers_and_loaders_look_for() {
    let prefix = Prefix::by_script();
    let libraries = prefix.libraries();
    let target = |name| fs::read_link(libraries.join(name)).unwrap().to_str().unwrap().to_owned();
    assert_eq!(target(library::LINK_NAME), library::SONAME);
    assert_eq!(target(library::SONAME), format!("libshmrr.so.{VERSION}"));
    let Some(mut readelf) = found(tool("readelf")) else { return };
    let said = run(readelf.arg("-d").arg(libraries.join(library::LINK_NAME)));
    assert!(said.contains(&format!("soname: [{}]", library::SONAME)), "{said}");
}

#[test]
fn the_archive_brings_no_debugging_information() {
    let prefix = Prefix::by_script();
    let archive = prefix.libraries().join(library::ARCHIVE);
    let Some(mut readelf) = found(tool("readelf")) else { return };
    let said = run(readelf.arg("-SW").arg(&archive));
    for section in [" .debug_info", " .llvmbc"] {
        assert!(said.contains(" .text") && !said.contains(section), "{section}");
    }
}

#[test]
fn programs_that_pkg_config_tells_of_it_work_before_and_after_a_move() {
    let prefix = Prefix::by_script();
    if found(consumer::by_pkg_config(&prefix)).is_some() {
        consumer::by_pkg_config(&prefix.moved()).unwrap();
    }
}

#[test]
fn programs_that_find_its_cmake_package_work_before_and_after_a_move() {
    let Some(prefix) = found(Prefix::by_cmake()) else { return };
    consumer::by_find_package(&prefix);
    consumer::by_find_package(&prefix.moved());
}

#[test]
fn programs_work_with_what_the_packages_for_debian_hold() {
    if !is_full() {
        return;
    }
    let Some(prefix) = found(Prefix::by_packages()) else { return };
    if found(consumer::by_pkg_config(&prefix)).is_some() && found(tool("cmake")).is_some() {
        consumer::by_find_package(&prefix);
    }
}

/// To build cargo-c takes longer than all the other tests, so not even a build machine must have it.
#[test]
fn cargo_c_gives_the_library_the_same_names_and_soname() {
    if !is_full() {
        return;
    }
    let by_cargo_c = match Prefix::by_cargo_c() {
        Ok(prefix) => prefix,
        Err(why) => return println!("skipped: {why}"),
    };
    let by_script = Prefix::by_script();
    let is_shared_by_both = |name: &Path| {
        let name = name.to_str().unwrap();
        !name.starts_with("share") && !name.starts_with("lib/cmake") && !name.ends_with("shmrr-static.pc")
    };
    let names = |prefix: &Prefix| -> BTreeSet<_> {
        prefix.files().into_keys().filter(|name| is_shared_by_both(name)).collect()
    };
    assert_eq!(names(&by_cargo_c), names(&by_script));
    if let Some(mut readelf) = found(tool("readelf")) {
        let said = run(readelf.arg("-d").arg(by_cargo_c.libraries().join(library::LINK_NAME)));
        assert!(said.contains(&format!("soname: [{}]", library::SONAME)), "{said}");
    }
    let _ = found(consumer::linked_by_pkg_config(&by_cargo_c, Linked::Shared, Language::C));
}

/// With a compiler for it, and an emulator to run what is built.
#[test]
fn a_build_for_another_processor_follows_the_compiler_that_cmake_was_told() {
    if !is_full() {
        return;
    }
    let tools = ["cmake", "aarch64-linux-gnu-gcc", "aarch64-linux-gnu-g++", "qemu-aarch64"];
    let is_here = tools.iter().all(|name| found(tool(name)).is_some());
    if is_here && found(prefix::rust_for("aarch64-unknown-linux-gnu")).is_some() {
        consumer::for_another_processor();
    }
}

#[test]
fn the_cmake_package_is_found_where_the_version_will_do() {
    let Some(prefix) = found(Prefix::by_cmake()) else { return };
    let [major, minor, _] = [0, 1, 2].map(|at| VERSION.split('.').nth(at).unwrap().parse::<u32>().unwrap());
    for (wanted, is_found) in [
        (VERSION.to_owned(), true),
        (format!("{major}"), true),
        (format!("{major}.{minor}"), true),
        (format!("{VERSION} EXACT"), true),
        (format!("{major}.{}", minor + 1), false),
        (format!("{}.0", major + 1), false),
        (format!("{VERSION}.1 EXACT"), false),
    ] {
        assert_eq!(consumer::is_found(&prefix, &wanted), is_found, "find_package(shmrr {wanted})");
    }
}

#[test]
fn a_project_that_includes_it_has_the_same_targets() {
    if !is_full() || found(tool("cmake")).is_none() {
        return;
    }
    consumer::by_including("add_subdirectory");
    consumer::by_including("FetchContent");
}

#[test]
fn every_call_has_a_manual_page() {
    let prefix = Prefix::by_script();
    let pages = prefix.path().join("share/man");
    let names = |section: &str| -> BTreeSet<String> {
        let names = fs::read_dir(pages.join(section)).unwrap().map(|entry| entry.unwrap().file_name());
        names.map(|name| name.into_string().unwrap()).collect()
    };
    let symbols = fs::read_to_string(root().join("tests/symbols.txt")).unwrap();
    let calls = symbols.lines().filter(|line| line.starts_with("rr_"));
    for call in calls.map(|line| line.split(' ').next().unwrap()) {
        let page = pages.join(format!("man3/{call}.3"));
        let text = fs::read_to_string(&page).unwrap_or_else(|error| panic!("{}: {error}", page.display()));
        for part in [".SH \"SYNOPSIS\"", ".SH \"DESCRIPTION\"", "#include <shmrr.h>", &format!("{call}(")] {
            assert!(text.contains(part), "{}: no {part}", page.display());
        }
    }
    assert!(names("man3").contains("rr_options.3"));
    let overview = fs::read_to_string(pages.join("man7/shmrr.7")).unwrap();
    for part in [".SH \"SIGNALS\"", ".SH \"CODES\"", "rr_client_req(3)", "EOWNERDEAD", "RR_MSG_ONE_WAY"] {
        assert!(overview.contains(part), "no {part}");
    }
    let Some(mut formatter) = found(tool("groff")) else { return };
    formatter.args(["-man", "-ww", "-z", "-Tutf8"]);
    for section in ["man3", "man7"] {
        formatter.args(names(section).iter().map(|name| pages.join(section).join(name)));
    }
    let said = formatter.output().unwrap();
    assert!(said.status.success() && said.stderr.is_empty(), "{}", String::from_utf8_lossy(&said.stderr));
}
