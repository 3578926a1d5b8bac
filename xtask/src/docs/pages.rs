//! The rules for a page, each a function from its text to what is wrong with it:
//!
//! 1. a link to a file leads to one, and its `#part` to a heading there; a link to the web is
//!    `https://` and a host;
//! 2. an include names a file, and an anchor that begins and ends in it;
//! 3. a block of Rust in the book is made of includes, so that it was compiled; other blocks say
//!    what they are: `console`, `text` or `toml`;
//! 4. each option of a store is in the table of the page on tuning, and no other.

use std::path::Path;

/// Links of a page with their lines, as they are written.
pub(super) fn links(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (number, line) in prose(text) {
        for (at, _) in line.match_indices("](") {
            let target = line[at + 2..].split(')').next().unwrap_or_default();
            found.push((number, target.to_owned()));
        }
    }
    found
}

/// The lines outside of code blocks, numbered from 1, without what stands in backticks.
fn prose(text: &str) -> Vec<(usize, String)> {
    let mut in_code = false;
    let mut found = Vec::new();
    for (i, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            in_code = !in_code;
        } else if !in_code {
            // `[a](b)` in backticks is no link. An odd backtick goes on over the line's end; what
            // is behind it is then kept, which finds too much rather than too little.
            let parts: Vec<&str> = line.split('`').collect();
            let is_even = parts.len() % 2 == 1;
            let kept = parts.iter().enumerate().filter(|(part, _)| !is_even || part % 2 == 0);
            found.push((i + 1, kept.map(|(_, part)| *part).collect::<Vec<_>>().join("`")));
        }
    }
    found
}

/// Rule 1.
pub(super) fn dead_links(page: &Path, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (line, target) in links(text) {
        if let Err(problem) = check_link(page, text, &target) {
            found.push(format!("{line}: links to {target}: {problem}"));
        }
    }
    found
}

fn check_link(page: &Path, text: &str, target: &str) -> Result<(), &'static str> {
    if let Some((scheme, rest)) = target.split_once("://") {
        let host = rest.split(['/', '#', '?']).next().unwrap_or_default();
        let is_plain = !target.contains(char::is_whitespace);
        let is_right = scheme == "https" && host.contains('.') && is_plain;
        return if is_right { Ok(()) } else { Err("a web link is https:// and a host") };
    }
    let (file, part) = target.split_once('#').unwrap_or((target, ""));
    let path = page.parent().unwrap_or(page).join(file);
    if !file.is_empty() && !path.exists() {
        return Err("there is no such file");
    }
    if part.is_empty() {
        return if file.is_empty() { Err("the link is empty") } else { Ok(()) };
    }
    let there = if file.is_empty() {
        text.to_owned()
    } else {
        std::fs::read_to_string(path).unwrap_or_default()
    };
    if headings(&there).iter().any(|id| id == part) {
        Ok(())
    } else {
        Err("the page has no such heading")
    }
}

/// The names that mdBook, and GitHub, give to the headings of a page.
fn headings(text: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let mut in_code = false;
    for line in text.lines() {
        in_code ^= line.trim_start().starts_with("```");
        let title = line.trim_start_matches('#');
        if in_code || title.len() == line.len() || !title.starts_with(' ') {
            continue;
        }
        let base = heading_id(title.trim());
        let same = |n: usize| if n == 0 { base.clone() } else { format!("{base}-{n}") };
        let free = (0..).map(same).find(|id| !found.contains(id));
        found.extend(free);
    }
    found
}

/// Letters and digits in lower case, hyphens for spaces, nothing else.
fn heading_id(title: &str) -> String {
    // Of a link only its text counts.
    let mut shown = String::new();
    let mut rest = title;
    while let Some((before, link)) = rest.split_once("](") {
        shown.push_str(before);
        rest = link.split_once(')').map_or("", |(_, after)| after);
    }
    shown.push_str(rest);
    let kept = shown.chars().filter_map(|c| match c {
        _ if c.is_alphanumeric() || c == '_' || c == '-' => Some(c.to_ascii_lowercase()),
        _ if c.is_whitespace() => Some('-'),
        _ => None,
    });
    kept.collect()
}

/// Rule 2: includes whose file or anchor is gone.
pub(super) fn dead_includes(folder: &Path, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (i, line) in text.lines().enumerate() {
        for (at, open) in line.match_indices("{{#include ") {
            let inner = line[at + open.len()..].split("}}").next().unwrap_or_default().trim();
            if let Err(problem) = check_include(folder, inner) {
                found.push(format!("{}: includes {inner}: {problem}", i + 1));
            }
        }
    }
    found
}

/// `inner` is `path` or `path:anchor`.
fn check_include(folder: &Path, inner: &str) -> Result<(), &'static str> {
    let (path, anchor) = inner.split_once(':').unwrap_or((inner, ""));
    let source = std::fs::read_to_string(folder.join(path)).map_err(|_| "there is no such file")?;
    if anchor.is_empty() {
        return Ok(());
    }
    let has = |mark: &str| {
        source.lines().any(|line| line.trim().strip_prefix(mark).map(str::trim) == Some(anchor))
    };
    match (has("// ANCHOR:"), has("// ANCHOR_END:")) {
        (true, true) => Ok(()),
        (true, false) => Err("the anchor does not end"),
        (false, _) => Err("the file has no such anchor"),
    }
}

/// Rule 3.
pub(super) fn loose_code(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut language: Option<String> = None;
    for (i, line) in text.lines().enumerate() {
        let number = i + 1;
        if let Some(info) = line.trim_start().strip_prefix("```") {
            if language.take().is_some() {
                continue;
            }
            let named = info.split(',').next().unwrap_or_default().trim().to_owned();
            if !matches!(named.as_str(), "rust" | "console" | "text" | "toml") {
                found.push(format!(
                    "{number}: a block of {named:?}; it is rust and included, or console, text \
                     or toml"
                ));
            }
            language = Some(named);
        } else if language.as_deref() == Some("rust") {
            let line = line.trim();
            let is_include = line.starts_with("{{#include ") && line.ends_with("}}");
            if !is_include && !line.is_empty() {
                found.push(format!(
                    "{number}: Rust that nothing compiles; write it in an example and include it"
                ));
            }
        }
    }
    found
}

/// Rule 4: `config` is the file that declares the options, `page` the one with their table.
pub(super) fn unexplained_options(config: &str, page: &str) -> Vec<String> {
    // A line `name: Type = default;` in `options! { ... }`.
    let declared = config.split_once("\noptions! {").map_or("", |(_, rest)| rest);
    let declared = declared.split_once("\n}").map_or("", |(inside, _)| inside);
    let names = declared.lines().filter_map(|line| {
        let (name, rest) = line.trim().split_once(": ")?;
        let is_name =
            name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
        (is_name && rest.contains(" = ")).then_some(name)
    });
    let names: Vec<&str> = names.collect();
    let table = page.split_once("\n## All options").map_or("", |(_, rest)| rest);
    let table = table.split_once("\n## ").map_or(table, |(inside, _)| inside);
    let rows: Vec<&str> =
        table.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect();
    let mut found = Vec::new();
    if names.is_empty() {
        found.push("crates/nori-lsm/src/config.rs: no options were found".to_owned());
    }
    for name in names.iter().filter(|name| !rows.contains(name)) {
        found.push(format!("docs/src/performance/tuning.md: has no row for the option {name}"));
    }
    // Two options are no values, and are declared elsewhere.
    let is_known = |row: &&str| names.contains(row) || *row == "file_system";
    for row in rows.iter().filter(|row| !is_known(row)) {
        found.push(format!("docs/src/performance/tuning.md: {row} is no option of a store"));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::{dead_includes, dead_links, headings, links, loose_code, unexplained_options};
    use std::path::{Path, PathBuf};

    /// This crate's own folder, which holds a Cargo.toml and src/main.rs.
    fn here() -> &'static Path {
        Path::new(env!("CARGO_MANIFEST_DIR"))
    }

    /// A page in that folder.
    fn page() -> PathBuf {
        here().join("page.md")
    }

    #[test]
    fn links_are_found_outside_of_code() {
        let text = "[a](a.md) `[c](d)` [b](b/c.md#part)\n```text\n[x](y)\n```\n[h](#here)\n";
        let found = links(text);
        let targets: Vec<(usize, &str)> = found.iter().map(|(n, t)| (*n, &**t)).collect();
        assert_eq!(targets, [(1, "a.md"), (1, "b/c.md#part"), (5, "#here")]);
    }

    #[test]
    fn a_dead_link_is_found_and_a_live_one_is_not() {
        assert!(dead_links(&page(), "[x](Cargo.toml)").is_empty());
        assert_eq!(
            dead_links(&page(), "\n[x](gone.md)"),
            ["2: links to gone.md: there is no such file"]
        );
        assert_eq!(dead_links(&page(), "[x]()").len(), 1);
    }

    #[test]
    fn a_part_is_a_heading() {
        let text = "# One `thing`, two\n[a](#one-thing-two) [b](#one)\n[c](Cargo.toml#lints)\n";
        let found = dead_links(&page(), text);
        assert!(found.len() == 2 && found[0].starts_with("2: links to #one: "), "{found:?}");
        assert!(found[1].starts_with("3: "), "{found:?}");
    }

    #[test]
    fn headings_have_the_names_that_mdbook_gives_them() {
        let text = "# The *write* path\n## [Slots](slots.md), K\n## Same\n```text\n# no\n```\n\
                    ## Same\n#no\n### open_with()\n";
        assert_eq!(headings(text), ["the-write-path", "slots-k", "same", "same-1", "open_with"]);
    }

    #[test]
    fn web_links_have_a_form() {
        assert!(dead_links(&page(), "[x](https://docs.rs/bytes)").is_empty());
        for wrong in ["http://docs.rs", "https://docs", "https://docs.rs/a b", "htps://docs.rs"] {
            assert_eq!(dead_links(&page(), &format!("[x]({wrong})")).len(), 1, "{wrong}");
        }
    }

    // ANCHOR: whole
    #[test]
    fn an_include_needs_its_file_and_its_anchor() {
        let dead = |inner: &str| dead_includes(here(), &format!("{{{{#include {inner}}}}}")).len();
        assert_eq!(dead("src/docs/pages.rs:whole"), 0);
        assert_eq!(dead("src/docs/pages.rs"), 0);
        assert_eq!(dead("src/gone.rs"), 1);
        assert_eq!(dead("src/docs/pages.rs:other"), 1);
        assert_eq!(dead("src/docs/pages.rs:endless"), 1);
    }
    // ANCHOR_END: whole

    #[test]
    fn rust_in_the_book_is_included() {
        let included = "```rust,ignore\n{{#include a.rs:b}}\n\n{{#include a.rs:c}}\n```\n";
        assert!(loose_code(included).is_empty());
        let loose = "```rust,ignore\n{{#include a.rs:b}}\nlet a = 1;\n```\n";
        assert!(loose_code(loose).len() == 1 && loose_code(loose)[0].starts_with("3: "));
        assert!(loose_code("```console\nlet a = 1;\n```\n```text\nx\n```\n").is_empty());
        assert_eq!(loose_code("```\nplain\n```\n").len(), 1);
        assert_eq!(loose_code("```c\nint a;\n```\n").len(), 1);
    }

    #[test]
    fn options_and_their_table_agree() {
        let config =
            "macro\noptions! {\n    /// Doc: so = so.\n    a_0b: u64 = 0;\n    c: bool = f();\n}\n";
        let page = |rows: &str| format!("| `x` |\n## All options\n\n{rows}\n## More\n| `y` |\n");
        let found = |rows: &str| unexplained_options(config, &page(rows));
        assert!(found("| `a_0b` | |\n| `c` | |\n| `file_system`, `clock` |").is_empty());
        assert!(found("| `a_0b` |").len() == 1 && found("| `a_0b` |")[0].ends_with("option c"));
        assert_eq!(found("| `a_0b` |\n| `c` |\n| `d` |").len(), 1);
        assert!(!unexplained_options("", &page("")).is_empty());
    }

    // ANCHOR: endless
}
