//! The docs: rustdoc of every crate without a warning, and the book without a dead end.
//!
//! The book is checked here as text, so that a broken link or a renamed example fails on every
//! machine; mdBook itself is run only where it is installed. The rules stand in `pages`.

use std::path::{Path, PathBuf};

use crate::ci::Context;
use crate::failure::Failure;
use crate::shell;
use crate::workspace::{Workspace, files_below};

mod pages;

const REMEDY: &str = "mend the page named above; code in the book comes from a compiled example \
                      between `// ANCHOR: name` and `// ANCHOR_END: name`";

/// The step: the book's text, then rustdoc, then the book's pages.
pub(crate) fn step(context: &Context, _: &[String]) -> Result<(), Failure> {
    let workspace = &context.workspace;
    let book = workspace.root.join("docs");
    let pages = files_below(&book.join("src"), ".md");
    let mut findings = unlisted(workspace, &book, &pages);
    for page in &pages {
        findings.extend(look_at(workspace, page, true));
    }
    // Pages outside of the book link into it, and their code is not included from anywhere.
    let others: Vec<PathBuf> = files_below(&workspace.root, ".md")
        .into_iter()
        .filter(|page| !page.starts_with(&book))
        .collect();
    for page in &others {
        findings.extend(look_at(workspace, page, false));
    }
    let options = workspace.root.join("crates/nori-lsm/src/config.rs");
    let tuning = book.join("src/performance/tuning.md");
    let (options, tuning) = (std::fs::read_to_string(options)?, std::fs::read_to_string(tuning)?);
    findings.extend(pages::unexplained_options(&options, &tuning));
    Failure::of_findings(&findings, REMEDY)?;
    println!("{} pages of the book, {} others", pages.len(), others.len());

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

/// What is wrong with one page.
fn look_at(workspace: &Workspace, page: &Path, is_of_book: bool) -> Vec<String> {
    let text = std::fs::read_to_string(page).unwrap_or_default();
    let mut problems = pages::dead_links(page, &text);
    if is_of_book {
        let folder = page.parent().unwrap_or(page);
        problems.extend(pages::dead_includes(folder, &text));
        problems.extend(pages::loose_code(&text));
    }
    let name = workspace.relative(page);
    problems.into_iter().map(|problem| format!("{name}:{problem}")).collect()
}

/// Pages that SUMMARY.md does not reach: nobody would find them.
fn unlisted(workspace: &Workspace, book: &Path, all: &[PathBuf]) -> Vec<String> {
    let root = book.join("src");
    let summary = std::fs::read_to_string(root.join("SUMMARY.md")).unwrap_or_default();
    let links = pages::links(&summary);
    let listed: Vec<PathBuf> = links.iter().map(|(_, target)| root.join(target)).collect();
    all.iter()
        .filter(|page| !page.ends_with("SUMMARY.md") && !listed.contains(page))
        .map(|page| format!("{}: is not listed in SUMMARY.md", workspace.relative(page)))
        .collect()
}
