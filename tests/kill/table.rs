//! The tables of docs/RELIABILITY.md, written by the runs that they tell of.
//!
//! With `SHMRR_WRITE_TABLE=1` a run writes its table between two marks of the page, anew from its first row on: each row
//! when its operation is done, so that a run which ends early leaves what it has shown. Rows keep the order that they
//! had; new ones come last.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

/// One table, and the run that fills it.
pub struct Table {
    /// What is counted: `kills` or `stops`; the marks have it as well.
    what: &'static str,
    run: Mutex<Option<Run>>,
}

struct Run {
    /// The names of the rows in the order that the page had when the run began.
    order: Vec<String>,
    rows: Vec<Row>,
}

#[derive(Clone)]
struct Row {
    operation: String,
    instructions: String,
    count: u64,
    failures: u64,
}

impl Row {
    fn text(&self) -> String {
        let Self { operation, instructions, count, failures } = self;
        format!("| {operation} | {instructions} | {count} | {failures} |")
    }
}

impl Table {
    pub const fn of(what: &'static str) -> Self {
        Self { what, run: Mutex::new(None) }
    }

    /// Prints a row, under its heading if it is the first, and writes it if that is wanted. How many there are in all.
    pub fn add(&self, operation: &str, instructions: &str, count: u64, failures: u64) -> u64 {
        let row = Row { operation: operation.into(), instructions: instructions.into(), count, failures };
        let writes = std::env::var_os("SHMRR_WRITE_TABLE").is_some();
        let mut run = self.run.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let run = run.get_or_insert_with(|| {
            println!("\n{}", self.heading());
            let order = if writes { self.order() } else { Vec::new() };
            Run { order, rows: Vec::new() }
        });
        println!("{}", row.text());
        run.rows.push(row);
        if writes {
            self.write(run);
        }
        run.rows.iter().map(|row| row.count).sum()
    }

    fn heading(&self) -> String {
        format!("| operation | instructions in the library | {} | failures |\n|---|---|---|---|", self.what)
    }

    fn marks(&self) -> (String, String) {
        let upper = self.what.trim_end_matches('s').to_uppercase();
        let lower = upper.to_lowercase();
        let command = format!("SHMRR_{upper}=full SHMRR_WRITE_TABLE=1 cargo test --test {lower}");
        (format!("<!-- {}: {command} -->\n", self.what), format!("<!-- end of {} -->", self.what))
    }

    /// The page before the table, the table, and the page behind it.
    fn parts(&self) -> (String, String, String) {
        let page = fs::read_to_string(page()).unwrap();
        let (begin, end) = self.marks();
        let from = page.find(&begin).unwrap_or_else(|| panic!("no mark {begin}")) + begin.len();
        let to = page.find(&end).unwrap_or_else(|| panic!("no mark {end}"));
        (page[..from].into(), page[from..to].into(), page[to..].into())
    }

    fn order(&self) -> Vec<String> {
        let (_, table, _) = self.parts();
        let rows = table.lines().filter_map(|line| line.strip_prefix("| "));
        rows.map(|row| row.split(" | ").next().unwrap().to_owned()).collect()
    }

    fn write(&self, run: &Run) {
        let (before, _, behind) = self.parts();
        let place =
            |row: &Row| run.order.iter().position(|name| *name == row.operation).unwrap_or(usize::MAX);
        let mut rows = run.rows.clone();
        rows.sort_by_key(place);
        let all: u64 = rows.iter().map(|row| row.count).sum();
        let arch = std::env::consts::ARCH;
        let rows: Vec<String> = rows.iter().map(Row::text).collect();
        let table = format!(
            "\nThe last run, on {arch}: {all} {}.\n\n{}\n{}\n\n",
            self.what,
            self.heading(),
            rows.join("\n")
        );
        // Not half a page if this process is killed meanwhile.
        let new = page().with_extension("md.new");
        fs::write(&new, format!("{before}{table}{behind}")).unwrap();
        fs::rename(new, page()).unwrap();
    }
}

fn page() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/RELIABILITY.md")
}
