//! Prose as manual pages have it.

pub fn section(title: &str) -> String {
    format!(".SH \"{}\"\n", escape(title))
}

/// Text that stands for itself: no letter of it is a command to the formatter.
pub fn escape(text: &str) -> String {
    let text = text.replace('\\', "\\e").replace('-', "\\-");
    let line =
        |line: &str| if line.starts_with(['.', '\'']) { format!("\\&{line}") } else { line.to_owned() };
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}

/// Lines that stay as they are.
pub fn code(text: &str) -> String {
    format!("{}\n", escape(text))
}

/// An entry of a list.
pub fn entry(name: &str, text: &str) -> String {
    let mut paragraphs = text.split("\n\n");
    let mut out = format!(".TP\n.B {}\n{}\n", escape(name), escape(paragraphs.next().unwrap_or_default()));
    for paragraph in paragraphs {
        out += &format!(".IP\n{}\n", escape(paragraph));
    }
    out
}

/// Paragraphs. One that begins `WORDS.` in capitals begins a section of that title; what is returned has a section and a
/// list of its codes; lines that stand to the right stay as they are.
pub fn prose(text: &str) -> String {
    let mut out = String::new();
    for paragraph in text.split("\n\n").filter(|paragraph| !paragraph.trim().is_empty()) {
        let mut rest = paragraph;
        if let Some((title, after)) = titled(paragraph) {
            out += &section(title);
            rest = after;
        } else if let Some(returned) =
            ["Return value:", "@return", "\\return"].iter().find_map(|say| paragraph.strip_prefix(say))
        {
            out += &section("RETURN VALUE");
            let mut letters = returned.trim_start().chars();
            let first = letters.next().map(|first| first.to_ascii_uppercase());
            out += &codes(&first.into_iter().chain(letters).collect::<String>());
            continue;
        } else {
            out += ".PP\n";
        }
        out += &lines(rest);
    }
    out
}

/// A title in capitals at the beginning of a paragraph, such as `THREADS AND PROCESSES.`, and what follows it.
fn titled(paragraph: &str) -> Option<(&str, &str)> {
    let end = paragraph.find(|c: char| !c.is_ascii_uppercase() && c != ' ').filter(|end| *end > 2)?;
    let (title, rest) = paragraph.split_at(end);
    match rest.strip_prefix('.') {
        Some(after) => Some((title, after.trim_start_matches(' '))),
        // A sentence whose first words are in capitals: "PAYLOADS are bytes."
        None => {
            let word = title.rfind(' ').filter(|word| *word > 2)?;
            Some((&title[..word], paragraph))
        }
    }
}

/// Lines of prose, and between them those that stand to the right.
fn lines(text: &str) -> String {
    let mut out = String::new();
    let mut kept = false;
    for line in text.trim_start_matches('\n').lines() {
        if line.starts_with("  ") != kept {
            kept = !kept;
            out += if kept { ".PP\n.EX\n" } else { ".EE\n.PP\n" };
        }
        out += &format!("{}\n", escape(line));
    }
    if kept { out + ".EE\n" } else { out }
}

/// What a call returns: a sentence, then `-CODE, -CODE: when;` again and again, each at the beginning of a line.
fn codes(text: &str) -> String {
    let mut out = String::new();
    let mut entry: Option<String> = None;
    let mut flush = |entry: Option<String>| {
        let Some(entry) = entry else { return };
        match entry.split_once(": ") {
            Some((names, when)) => out += &format!(".TP\n.B {}\n{}\n", escape(names), escape(when)),
            None => out += &format!("{}\n", escape(&entry)),
        }
    };
    for line in text.lines() {
        // Within a list of names that is longer than a line, a name begins no entry.
        let within = entry.as_ref().is_some_and(|entry| entry.ends_with(','));
        match &mut entry {
            Some(entry) if within || !line.starts_with("-E") => *entry += &format!(" {line}"),
            _ => flush(entry.replace(line.to_owned())),
        }
    }
    flush(entry);
    out
}
