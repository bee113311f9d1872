//! Writes the manual pages from the header: shmrr(7), and one page for each call, type and callback. Its text is the
//! manual already; this only gives it the form. Compiled by `packaging/build.sh` with rustc alone, when the library is
//! installed.
//!
//! | file | what |
//! |---|---|
//! | `header` | the header's items, each with its comment |
//! | `roff` | prose as manual pages have it |

mod header;
mod roff;

use header::{Header, Item, Kind};
use std::collections::BTreeSet;
use std::path::Path;
use std::{env, fs, process};

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [header, version, directory] = &arguments[..] else {
        eprintln!("usage: write-man HEADER VERSION DIRECTORY");
        process::exit(2);
    };
    let text = fs::read_to_string(header).expect(header);
    let pages = Pages { header: Header::parse(&text), version };
    for (name, page) in pages.all() {
        let path = Path::new(directory).join(name);
        fs::create_dir_all(path.parent().unwrap()).expect(directory);
        fs::write(&path, page).expect(directory);
    }
}

struct Pages<'a> {
    header: Header,
    version: &'a str,
}

impl Pages<'_> {
    /// Every page with its path below the directory for manual pages.
    fn all(&self) -> Vec<(String, String)> {
        let of_item = |item: &Item| (format!("man3/{}.3", item.name), self.of_item(item));
        let mut pages: Vec<_> = self.with_page().map(of_item).collect();
        pages.push(("man7/shmrr.7".to_owned(), self.overview()));
        pages
    }

    fn with_page(&self) -> impl Iterator<Item = &Item> {
        self.header.items.iter().filter(|item| item.kind != Kind::Constant)
    }

    fn of_item(&self, item: &Item) -> String {
        let mut page = self.title(&item.name, 3);
        page += &roff::section("NAME");
        page += &format!("{} \\- {}\n", item.name, roff::escape(&item.summary()));
        page += &roff::section("SYNOPSIS");
        page += ".nf\n.B #include <shmrr.h>\n.PP\n";
        page += &roff::code(&item.declaration());
        page += ".fi\n";
        page += &roff::section("DESCRIPTION");
        page += &roff::prose(&item.comment);
        page + &self.see_also(&item.name, &item.comment)
    }

    /// The page on what concerns all calls: the header's preface, its constants, and a list of all pages.
    fn overview(&self) -> String {
        let mut page = self.title("shmrr", 7);
        let (summary, preface) = self.header.preface.split_once("\n\n").unwrap_or((&self.header.preface, ""));
        page += &roff::section("NAME");
        page += &format!(
            "{}\n",
            roff::escape(&summary.trim_end_matches('.').replace(": ", " - ").replace('\n', " "))
        );
        page += &roff::section("SYNOPSIS");
        page +=
            ".nf\n.B #include <shmrr.h>\n.PP\n.B cc ... $(pkg\\-config \\-\\-cflags \\-\\-libs shmrr)\n.fi\n";
        page += &roff::section("DESCRIPTION");
        page += &roff::prose(preface);
        page += &roff::section("CONSTANTS");
        for item in self.header.items.iter().filter(|item| item.kind == Kind::Constant) {
            page += &roff::entry(&item.name, &item.comment);
        }
        for (title, kind) in [("TYPES", Kind::Type), ("CALLS", Kind::Call)] {
            page += &roff::section(title);
            for item in self.header.items.iter().filter(|item| item.kind == kind) {
                page += &roff::entry(&format!("{}(3)", item.name), &item.summary());
            }
        }
        page
    }

    fn title(&self, name: &str, section: u8) -> String {
        format!(
            ".\\\" Written by packaging/man from include/shmrr.h when the library was built.\n.TH {} {section} \"\" \"shmrr {}\" \"shmrr\"\n",
            name.to_uppercase(),
            self.version
        )
    }

    /// shmrr(7), and the pages on what a comment names.
    fn see_also(&self, name: &str, comment: &str) -> String {
        let words = comment.split(|c: char| !c.is_alphanumeric() && c != '_');
        let words: BTreeSet<&str> = words.filter(|word| *word != name).collect();
        let named = self.with_page().map(|item| item.name.as_str()).filter(|name| words.contains(name));
        let mut pages: Vec<String> = named.map(|name| format!(".BR {name} (3)")).collect();
        pages.push(".BR shmrr (7)".to_owned());
        roff::section("SEE ALSO") + &pages.join(",\n") + "\n"
    }
}
