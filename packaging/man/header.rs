//! The header's items. It is one that cbindgen wrote, in which every item has its comment above it and is laid out the
//! same way, so lines are enough to tell them apart.

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Constant,
    Type,
    Call,
}

pub struct Item {
    pub kind: Kind,
    pub name: String,
    pub comment: String,
    code: String,
}

pub struct Header {
    /// The first comment, without what it says of how the header was made.
    pub preface: String,
    pub items: Vec<Item>,
}

impl Header {
    pub fn parse(text: &str) -> Self {
        let mut lines = text.lines().peekable();
        let mut preface = None;
        let mut items = Vec::new();
        let mut comment = String::new();
        while let Some(line) = lines.next() {
            let mut take_until = |first: &str, done: &dyn Fn(&str) -> bool| {
                let mut taken = vec![first];
                while !done(taken.last().unwrap()) {
                    taken.push(lines.next().expect("an item that ends"));
                }
                taken.join("\n")
            };
            if line.starts_with("//") {
                comment += line.trim_start_matches('/').strip_prefix(' ').unwrap_or_default();
                comment.push('\n');
                continue;
            }
            if line.starts_with("/*") {
                let block = uncommented(&take_until(line, &|line| line.contains("*/")));
                if preface.is_none() {
                    preface = Some(block)
                } else {
                    comment = block
                }
                continue;
            }
            let code = if line.starts_with('#') {
                take_until(line, &|line| !line.ends_with('\\'))
            } else if line.starts_with("typedef") && line.ends_with('{') {
                take_until(line, &|line| line.starts_with('}'))
            } else if line.contains('(') || line.starts_with("typedef") {
                take_until(line, &|line| line.ends_with(';'))
            } else {
                line.to_owned()
            };
            items.extend(Item::new(&code, &comment));
            comment.clear();
        }
        let preface = preface.unwrap_or_default();
        let said: Vec<&str> = preface.split("\n\n").filter(|part| !part.starts_with("Generated")).collect();
        Self { preface: said.join("\n\n"), items }
    }
}

/// What stands in a comment of C89: without its ends, and without the star before each line.
fn uncommented(block: &str) -> String {
    let inner = block.trim_start_matches("/*").trim_start_matches('*').trim_end();
    let inner = inner.strip_suffix("*/").unwrap_or(inner);
    let line = |line: &str| {
        let rest = line.trim_start();
        let rest = rest.strip_prefix('*').map_or(rest, |rest| rest.strip_prefix(' ').unwrap_or(rest));
        rest.trim_end().to_owned()
    };
    inner.lines().map(line).collect::<Vec<_>>().join("\n").trim().to_owned()
}

/// The first name in `code` that begins with the prefix and is followed by that character.
fn name_before(code: &str, prefix: &str, next: char) -> Option<String> {
    let is_of_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    code.match_indices(next).find_map(|(end, _)| {
        let name = &code[code[..end].rfind(|c| !is_of_name(c)).map_or(0, |at| at + 1)..end];
        name.starts_with(prefix).then(|| name.to_owned())
    })
}

impl Item {
    /// `None` for code that is no item of the interface: guards, includes, macros for compilers, which have no comment.
    fn new(code: &str, comment: &str) -> Option<Self> {
        let (kind, name) = if let Some(rest) = code.strip_prefix("#define ") {
            (Kind::Constant, rest.split([' ', '(']).next().filter(|name| name.starts_with("RR_"))?.to_owned())
        } else if code.starts_with("typedef") && code.contains("(*") {
            (Kind::Type, name_before(code, "rr_", ')')?)
        } else if code.starts_with("typedef") {
            (Kind::Type, name_before(code.rsplit(['}', '\n', ' ']).next()?, "rr_", ';')?)
        } else {
            (Kind::Call, name_before(code, "rr_", '(')?)
        };
        let comment = comment.trim().to_owned();
        (!comment.is_empty()).then(|| Self { kind, name, comment, code: code.to_owned() })
    }

    /// The first sentence, as a page's name line and lists have it.
    pub fn summary(&self) -> String {
        let text = self.comment.replace('\n', " ");
        let end = [". ", ": ", "; "].iter().filter_map(|end| text.find(end)).min().unwrap_or(text.len());
        let sentence = text[..end].trim_end_matches('.');
        let mut letters = sentence.chars();
        let first = letters.next().unwrap_or_default();
        // What begins with two capitals is a name.
        if letters.clone().next().is_some_and(char::is_uppercase) {
            return sentence.to_owned();
        }
        first.to_lowercase().chain(letters).collect()
    }

    /// How it is declared, in lines of a page's width.
    pub fn declaration(&self) -> String {
        if self.code.starts_with('}') || self.code.contains('{') {
            return self.code.clone();
        }
        // What is said to compilers only is left out.
        let words = self.code.split_whitespace().filter(|word| *word != "RR_MUST_CHECK");
        let joined = words.collect::<Vec<_>>().join(" ");
        let callback = joined.find(")(").map(|end| end + 1);
        let Some(open) = callback.or_else(|| joined.find('(')) else { return joined };
        let mut lines = vec![String::new()];
        for part in joined.split_inclusive(", ") {
            let line = lines.last_mut().unwrap();
            if line.len() + part.trim_end().len() > 76 && !line.trim().is_empty() {
                *line = line.trim_end().to_owned();
                lines.push(" ".repeat(open + 1));
            }
            *lines.last_mut().unwrap() += part;
        }
        lines.join("\n")
    }
}
