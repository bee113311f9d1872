//! The committed C header is the one that the source generates. `SHMRR_WRITE_HEADER=1` writes it anew.

use crate::support::codes::CODES;
use std::path::Path;

/// The longest line.
const WIDTH: usize = 120;

/// A line for each code.
fn section_on_codes() -> String {
    let lines =
        CODES.iter().map(|code| format!(" *   -{:13} {}", code.name, code.sentence.to_str().unwrap()));
    lines.collect::<Vec<_>>().join("\n")
}

fn version() -> String {
    let parts = ["MAJOR", "MINOR", "PATCH"].into_iter().zip(env!("CARGO_PKG_VERSION").split('.'));
    let mut lines: Vec<_> =
        parts.map(|(part, number)| format!("#define RR_VERSION_{part} {number}")).collect();
    lines.push(format!("#define RR_VERSION \"{}\"", env!("CARGO_PKG_VERSION")));
    lines.push(format!("#define RR_ABI_VERSION {}", env!("CARGO_PKG_VERSION_MAJOR")));
    lines.join("\n")
}

/// What cbindgen leaves to be done to a line: flags are hexadecimal, types go by their names, declarations that take a
/// handle or a channel first say that it is not to be NULL, except where it may be, and long ones are wrapped.
fn finished(line: &str) -> String {
    if let Some((name, number)) = flag(line) {
        return format!("#define {name} {number:#x}");
    }
    if let Some((name, number)) = constant(line).filter(|(_, number)| *number < 0) {
        return format!("#define {name} ({number})");
    }
    let line = if line.starts_with("typedef struct") { line } else { &line.replace("struct rr_", "rr_") };
    let Some(start) = line.strip_suffix(");") else { return line.to_owned() };
    let takes_handle = ["rr_server *srv", "rr_client *cli", "rr_channel *ch"]
        .iter()
        .any(|handle| line.contains(&format!("({handle}")) || line.contains(&format!("(const {handle}")));
    let is_marked = takes_handle && !["_free(", "_channel("].iter().any(|allows| start.contains(allows));
    let line = format!("{start}){};", if is_marked { " RR_NONNULL(1)" } else { "" });
    if line.len() <= WIDTH {
        return line;
    }
    let comma = line[..WIDTH].rfind(", ").unwrap() + 1;
    let indent = " ".repeat(line.find('(').unwrap() + 1);
    format!("{}\n{indent}{}", &line[..comma], &line[comma + 1..])
}

fn constant(line: &str) -> Option<(&str, i64)> {
    let (name, number) = line.strip_prefix("#define ")?.split_once(' ')?;
    Some((name, number.parse().ok()?))
}

fn flag(line: &str) -> Option<(&str, i64)> {
    let (name, number) = constant(line)?;
    let is_flag = ["RR_OPT_", "RR_MSG_", "RR_WAIT_", "RR_ARM_"].iter().any(|family| name.starts_with(family));
    is_flag.then_some((name, number))
}

/// What cbindgen leaves to be done to comments: what is returned is said as Doxygen knows it, and one line takes one.
fn with_short_comments(header: &str) -> String {
    let header = header
        .replace("\n *\n * Return value: ", "\n * @return ")
        .replace(" * Return value: ", " * @return ");
    let lines: Vec<_> = header.lines().collect();
    let mut finished = String::new();
    let mut at = 0;
    while at < lines.len() {
        let indent = &lines[at][..lines[at].len() - lines[at].trim_start().len()];
        let text = lines.get(at + 1).and_then(|next| next.trim_start().strip_prefix("* "));
        let is_one = lines[at].trim() == "/**" && lines.get(at + 2).is_some_and(|end| end.trim() == "*/");
        match text {
            Some(text) if is_one && indent.len() + text.len() + "/**  */".len() <= WIDTH => {
                finished += &format!("{indent}/** {text} */\n");
                at += 3;
            }
            _ => {
                finished += lines[at];
                finished.push('\n');
                at += 1;
            }
        }
    }
    finished
}

#[test]
fn no_line_is_too_long() {
    let header = include_str!("../../include/shmrr.h");
    let long: Vec<_> = header.lines().filter(|line| line.chars().count() > WIDTH).collect();
    assert!(long.is_empty(), "{long:#?}");
}

#[test]
fn every_name_begins_as_the_librarys_do() {
    let header = include_str!("../../include/shmrr.h");
    let types = header.lines().filter_map(|line| line.strip_prefix("typedef struct "));
    let macros = header.lines().filter_map(|line| line.strip_prefix("#define "));
    // The guard has no value.
    let macros = macros.filter(|line| line.contains(' '));
    let others: Vec<_> = types.filter(|name| !name.starts_with("rr_")).collect();
    assert!(others.is_empty(), "{others:?}");
    let others: Vec<_> = macros.filter(|name| !name.starts_with("RR_")).collect();
    assert!(others.is_empty(), "{others:?}");
}

#[test]
fn the_committed_header_is_the_one_that_the_source_generates() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut config = cbindgen::Config::from_file(root.join("cbindgen.toml")).unwrap();
    let put = |into: &mut Option<String>, place: &str, text: &str| {
        let with_place = into.take().unwrap();
        assert!(with_place.contains(place));
        *into = Some(with_place.replace(place, text));
    };
    put(&mut config.header, "@CODES@", &section_on_codes());
    put(&mut config.after_includes, "@VERSION@", &version());
    let trailer = config.trailer.take().unwrap();
    let mut generated = Vec::new();
    cbindgen::Builder::new()
        .with_crate(root)
        .with_config(config)
        .generate()
        .expect("src/capi can be read by cbindgen")
        .write(&mut generated);
    let mut generated = String::from_utf8(generated).unwrap();
    // Types of the crate's own, of which cbindgen meets constants.
    let is_foreign = |block: &&str| {
        let name = block.lines().last().and_then(|line| line.strip_prefix("typedef struct "));
        name.is_some_and(|name| !name.starts_with("rr_"))
    };
    generated = generated.split("\n\n").filter(|block| !is_foreign(block)).collect::<Vec<_>>().join("\n\n");
    // What is left out leaves its empty lines.
    while generated.contains("\n\n\n") {
        generated = generated.replace("\n\n\n", "\n\n");
    }
    // What belongs to the end of the guarded part.
    let end = generated.rfind("#endif").unwrap();
    generated.insert_str(end, &format!("{}\n\n", trailer.trim()));
    let finished: String = generated.lines().map(|line| finished(line) + "\n").collect();
    let generated = with_short_comments(&finished);
    let path = root.join("include/shmrr.h");
    if std::env::var_os("SHMRR_WRITE_HEADER").is_some() {
        std::fs::write(&path, &generated).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == generated,
        "include/shmrr.h differs from src/capi: SHMRR_WRITE_HEADER=1 cargo test --test house header"
    );
}

/// Compiles a program that includes the header; what the compiler says if it refuses it.
fn compile(flags: &[&str], program: &str) -> Result<(), String> {
    let directory = tempfile::tempdir().unwrap();
    let source = directory.path().join("program.c");
    std::fs::write(&source, format!("#include \"shmrr.h\"\n{program}\n")).unwrap();
    let include = Path::new(env!("CARGO_MANIFEST_DIR")).join("include");
    let mut command = crate::support::command::command("cc");
    command.args(flags).args(["-Wall", "-Wextra", "-Wpedantic", "-Werror", "-c", "-o", "/dev/null", "-I"]);
    let compiled = command.arg(include).arg(source).output().expect("a C compiler");
    if compiled.status.success() { Ok(()) } else { Err(String::from_utf8(compiled.stderr).unwrap()) }
}

/// Each structure, as its initialiser makes it.
const ALL: &str = "rr_options a = RR_OPTIONS_INIT; rr_wait b = RR_WAIT_INIT; rr_msg c = RR_MSG_INIT; \
                   rr_result d = RR_RESULT_INIT; rr_buffer e = RR_BUFFER_INIT; rr_stats f = RR_STATS_INIT;";

#[test]
fn header_and_initialisers_are_taken_by_every_language_without_a_warning() {
    for flags in [["-x", "c", "-std=c89"], ["-x", "c", "-std=c17"], ["-x", "c++", "-std=c++11"]] {
        assert_eq!(compile(&flags, ALL), Ok(()), "{flags:?}");
    }
}

#[test]
fn the_compiler_warns_of_results_that_are_ignored_and_of_null_handles() {
    let ignoring = "void f(rr_client *cli) { rr_client_post(cli, \"\", 0, 0); }";
    let said = compile(&["-x", "c"], ignoring).unwrap_err();
    assert!(said.contains("unused-result"), "{said}");
    let said = compile(&["-x", "c"], "int f(void) { return rr_dismiss(NULL, 1); }").unwrap_err();
    assert!(said.contains("nonnull"), "{said}");
    let without = "-DRR_MUST_CHECK= -DRR_NONNULL(number)=".split(' ').collect::<Vec<_>>();
    assert_eq!(compile(&[&["-x", "c"][..], &without].concat(), ignoring), Ok(()));
}
