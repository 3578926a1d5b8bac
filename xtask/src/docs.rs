//! The docs: rustdoc of every crate without a warning, and the book without a dead end.
//!
//! The book is checked here as text, so that a broken link or a renamed example fails on every
//! machine; mdBook itself is run only where it is installed.

use std::path::{Path, PathBuf};

use crate::ci::Context;
use crate::failure::Failure;
use crate::shell;
use crate::workspace::{Workspace, files_below};

const REMEDY: &str = "mend the page named above; code in the book comes from a compiled example \
                      between `// ANCHOR: name` and `// ANCHOR_END: name`";

/// The step: the book's text, then rustdoc, then the book's pages.
pub(crate) fn step(context: &Context, _: &[String]) -> Result<(), Failure> {
    let workspace = &context.workspace;
    let book = workspace.root.join("docs");
    let pages = files_below(&book.join("src"), ".md");
    let mut findings = unlisted(workspace, &book, &pages);
    for page in &pages {
        let text = std::fs::read_to_string(page).unwrap_or_default();
        let folder = page.parent().unwrap_or(&book);
        let problems = dead_links(folder, &text).into_iter().chain(dead_includes(folder, &text));
        let name = workspace.relative(page);
        findings.extend(problems.map(|problem| format!("{name}:{problem}")));
    }
    Failure::of_findings(&findings, REMEDY)?;
    println!("{} pages of the book", pages.len());

    let mut command = shell::cargo(&workspace.root);
    command.args(["doc", "--no-deps", "--workspace", "--quiet"]).env("RUSTDOCFLAGS", "-D warnings");
    shell::run(&mut command, "a link or a code block in a doc comment is wrong: see above")?;

    if !shell::is_installed("mdbook", &["--version"]) {
        println!("skipped: mdbook is not installed (cargo install mdbook --locked)");
        return Ok(());
    }
    let mut command = std::process::Command::new("mdbook");
    command.arg("build").current_dir(&book);
    shell::run(&mut command, "see mdbook's message above")
}

/// Pages that SUMMARY.md does not reach: nobody would find them.
fn unlisted(workspace: &Workspace, book: &Path, pages: &[PathBuf]) -> Vec<String> {
    let root = book.join("src");
    let summary = std::fs::read_to_string(root.join("SUMMARY.md")).unwrap_or_default();
    let listed: Vec<PathBuf> =
        links(&summary).into_iter().map(|(_, target)| root.join(target)).collect();
    pages
        .iter()
        .filter(|page| !page.ends_with("SUMMARY.md") && !listed.contains(page))
        .map(|page| format!("{}: is not listed in SUMMARY.md", workspace.relative(page)))
        .collect()
}

/// Links of a page to files, with their lines; web links and places within the page are left out.
fn links(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut in_code = false;
    for (i, line) in text.lines().enumerate() {
        in_code ^= line.trim_start().starts_with("```");
        if in_code {
            continue;
        }
        for (at, _) in line.match_indices("](") {
            let target = line[at + 2..].split(')').next().unwrap_or_default();
            let file = target.split('#').next().unwrap_or_default();
            if !file.is_empty() && !file.contains("://") {
                found.push((i + 1, file.to_owned()));
            }
        }
    }
    found
}

fn dead_links(folder: &Path, text: &str) -> Vec<String> {
    let dead = links(text).into_iter().filter(|(_, target)| !folder.join(target).exists());
    dead.map(|(line, target)| format!("{line}: links to {target}, which does not exist")).collect()
}

/// Includes whose file or anchor is gone.
fn dead_includes(folder: &Path, text: &str) -> Vec<String> {
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

#[cfg(test)]
mod tests {
    use super::{dead_includes, dead_links, links};
    use std::path::Path;

    /// This crate's own folder, which holds a Cargo.toml and src/main.rs.
    fn here() -> &'static Path {
        Path::new(env!("CARGO_MANIFEST_DIR"))
    }

    #[test]
    fn links_to_files_are_found_outside_of_code() {
        let text = "[a](a.md) [b](b/c.md#part) [w](https://w.org) [h](#here)\n```\n[x](y)\n```\n";
        assert_eq!(links(text), [(1, "a.md".to_owned()), (1, "b/c.md".to_owned())]);
    }

    #[test]
    fn a_dead_link_is_found_and_a_live_one_is_not() {
        assert!(dead_links(here(), "[x](Cargo.toml)").is_empty());
        assert_eq!(dead_links(here(), "\n[x](gone.md)").len(), 1);
    }

    // ANCHOR: whole
    #[test]
    fn an_include_needs_its_file_and_its_anchor() {
        assert!(dead_includes(here(), "{{#include src/docs.rs:whole}}").is_empty());
        assert!(dead_includes(here(), "{{#include src/docs.rs}}").is_empty());
        assert_eq!(dead_includes(here(), "{{#include src/gone.rs}}").len(), 1);
        assert_eq!(dead_includes(here(), "{{#include src/docs.rs:other}}").len(), 1);
        assert_eq!(dead_includes(here(), "{{#include src/docs.rs:endless}}").len(), 1);
    }
    // ANCHOR_END: whole

    // ANCHOR: endless
}
