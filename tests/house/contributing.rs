//! What CONTRIBUTING.md tells of the sources is so: the listing of files, the folders, the switches, and every path that
//! it names.

use crate::sources::{self, files, root};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

const BEGIN: &str = "<!-- files of src: SHMRR_WRITE_LISTING=1 cargo test --test house contributing -->\n";
const END: &str = "<!-- end of files -->\n";

fn page() -> String {
    fs::read_to_string(root().join("CONTRIBUTING.md")).unwrap()
}

/// The first sentence of what a file says of itself.
fn first_sentence(path: &Path) -> String {
    let text = fs::read_to_string(root().join(path)).unwrap();
    let lines = text.lines().map_while(|line| line.strip_prefix("//!")).map(str::trim);
    let paragraph: Vec<&str> = lines.take_while(|line| !line.is_empty()).collect();
    let paragraph = paragraph.join(" ");
    assert!(paragraph.ends_with(['.', ':']), "{} does not say on top what it is for", path.display());
    let end = paragraph.find(". ").map_or(paragraph.len(), |at| at + 1);
    paragraph[..end].replace("[`", "`").replace("`]", "`")
}

/// A folder's own file stands above a table of its others.
fn listing() -> String {
    let mut folders = BTreeMap::<PathBuf, Vec<PathBuf>>::new();
    for file in files("src") {
        folders.entry(file.parent().unwrap().to_owned()).or_default().push(file);
    }
    let mut text = String::new();
    for (folder, files) in folders {
        let own = folder.join(if folder == Path::new("src") { "lib.rs" } else { "mod.rs" });
        text += &format!("\n[{}/]({}): {}\n", folder.display(), own.display(), first_sentence(&own));
        text += "\n| file | what is in it |\n|---|---|\n";
        for file in files.iter().filter(|file| **file != own) {
            let name = file.file_name().unwrap().to_str().unwrap();
            text += &format!("| [{name}]({}) | {} |\n", file.display(), first_sentence(file));
        }
    }
    text + "\n"
}

#[test]
fn the_listing_has_each_file_of_src_and_its_first_sentence() {
    let page = page();
    let (before, rest) = page.split_once(BEGIN).expect("a listing");
    let (listed, after) = rest.split_once(END).expect("its end");
    let listing = listing();
    if std::env::var_os("SHMRR_WRITE_LISTING").is_some() {
        // In one step: the other tests read the page meanwhile.
        let new = root().join("CONTRIBUTING.md.new");
        fs::write(&new, [before, BEGIN, &listing, END, after].concat()).unwrap();
        fs::rename(new, root().join("CONTRIBUTING.md")).unwrap();
        return;
    }
    assert!(
        listed == listing,
        "CONTRIBUTING.md lists other files than there are: SHMRR_WRITE_LISTING=1 cargo test --test house contributing"
    );
}

#[test]
fn no_file_of_src_is_longer_than_the_page_says() {
    assert!(page().contains("A file of `src` has at most 400 lines"));
    for path in files("src") {
        let lines = fs::read_to_string(root().join(&path)).unwrap().lines().count();
        assert!(lines <= 400, "{} has {lines} lines: look for the second idea in it", path.display());
    }
}

/// The table of files on top of a folder's own file, where it has one, in the order in which they are best read.
#[test]
fn each_folder_of_src_that_tells_its_files_tells_all() {
    let files = files("src");
    let mut tables = 0;
    for own in files.iter().filter(|path| path.ends_with("mod.rs")) {
        let text = fs::read_to_string(root().join(own)).unwrap();
        let Some((_, table)) = text.split_once("//! | file | what |\n//! |---|---|\n") else { continue };
        let rows = table.lines().map_while(|line| line.strip_prefix("//! | "));
        let cells: Vec<&str> = rows.filter_map(|row| row.split(" | ").next()).collect();
        let told = cells.iter().flat_map(|cell| cell.split('`').skip(1).step_by(2)).collect::<BTreeSet<_>>();
        let folder = own.parent().unwrap();
        let inside = files.iter().filter_map(|path| path.strip_prefix(folder).ok());
        let inside = inside.map(|path| path.iter().next().unwrap().to_str().unwrap().trim_end_matches(".rs"));
        let there = inside.filter(|name| !["mod", "tests"].contains(name)).collect::<BTreeSet<_>>();
        assert_eq!(told, there, "{}", own.display());
        tables += 1;
    }
    assert!(tables > 5, "only {tables} tables were found: the search is broken");
}

/// The names in the first column of the table below this line.
fn first_column<'a>(page: &'a str, heading: &str) -> BTreeSet<&'a str> {
    let (_, table) = page.split_once(heading).unwrap_or_else(|| panic!("no table {heading}"));
    let rows = table.lines().map_while(|row| row.strip_prefix("| `"));
    rows.map(|row| row.split('`').next().unwrap()).collect()
}

/// Those that are under version control: not what cargo, an editor or a test makes.
fn folders() -> BTreeSet<String> {
    let ignored = fs::read_to_string(root().join(".gitignore")).unwrap();
    let is_ours = |name: &str| name != ".git" && !ignored.lines().any(|line| line.trim_matches('/') == name);
    let inside = |folder: &str| -> Vec<String> {
        let entries = fs::read_dir(root().join(folder)).unwrap().map(Result::unwrap);
        let folders = entries.filter(|entry| entry.file_type().unwrap().is_dir());
        folders.map(|entry| entry.file_name().into_string().unwrap()).filter(|name| is_ours(name)).collect()
    };
    let in_tests = inside("tests").into_iter().map(|name| format!("tests/{name}"));
    inside("").into_iter().filter(|name| name != "src").chain(in_tests).collect()
}

#[test]
fn each_folder_is_told_of() {
    let page = page();
    let told = first_column(&page, "| folder | what is in it |\n|---|---|\n");
    assert_eq!(told.into_iter().map(str::to_owned).collect::<BTreeSet<_>>(), folders());
}

/// What tests read of the environment: the first argument of a call. What begins with `SHMRR_TEST_` they tell each other.
fn switches() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (_, text) in ["src", "tests", "examples", "benches"].into_iter().flat_map(sources::rust) {
        for (at, _) in text.match_indices("(\"SHMRR_") {
            // By std::env, or by a function of the test's that goes there; a method does something else.
            let called = text[..at].rsplit(|c: char| !c.is_ascii_alphanumeric() && !"_:.".contains(c)).next();
            let reads = called.is_some_and(|called| !called.is_empty() && !called.contains('.'));
            let name = text[at + 2..].split('"').next().unwrap();
            let is_name = name.chars().all(|c| c.is_ascii_uppercase() || c == '_');
            if reads && is_name && !name.starts_with("SHMRR_TEST_") {
                found.insert(name.to_owned());
            }
        }
    }
    found
}

#[test]
fn each_switch_of_the_tests_is_told_of() {
    let page = page();
    let told = first_column(&page, "| variable | values | what it does |\n|---|---|---|\n");
    assert_eq!(told.into_iter().map(str::to_owned).collect::<BTreeSet<_>>(), switches());
}

/// What pages link to, as they write it.
fn links(page: &str) -> impl Iterator<Item = &str> {
    page.split("](").skip(1).filter_map(|rest| rest.split([')', '#']).next())
}

/// In backquotes or as the target of a link.
#[test]
fn each_path_that_is_named_exists() {
    let page = page();
    let quoted = page.split('`').skip(1).step_by(2);
    let is_path = |name: &&str| {
        let is_one =
            name.contains('/') || [".md", ".rs", ".toml", ".h"].iter().any(|end| name.ends_with(end));
        is_one && !name.starts_with('/') && !name.contains([' ', '*', '('])
    };
    let mut checked = 0;
    for name in quoted.chain(links(&page)).filter(is_path) {
        assert!(root().join(name).exists(), "CONTRIBUTING.md names {name}, which is not there");
        checked += 1;
    }
    assert!(checked > 50, "only {checked} paths were found: the search is broken");
}

#[test]
fn each_page_links_to_what_is_there() {
    let pages = ["", "docs", "benches"].into_iter().flat_map(|folder| {
        let entries = fs::read_dir(root().join(folder)).unwrap();
        entries.map(|entry| entry.unwrap().path()).filter(|path| path.extension().is_some_and(|e| e == "md"))
    });
    for path in pages {
        let page = fs::read_to_string(&path).unwrap();
        for link in links(&page).filter(|link| !link.is_empty() && !link.contains(':')) {
            let there = path.parent().unwrap().join(link).exists();
            assert!(there, "{} links to {link}, which is not there", path.display());
        }
    }
}
