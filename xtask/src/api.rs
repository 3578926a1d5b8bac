//! The public names of each library, kept in `crates/X/api.txt`.
//!
//! A change of the public API is then a line in a review and not a surprise for users. The list is
//! read from the sources: the module tree from `lib.rs` on, `pub use` followed to the item, public
//! fields, variants, methods and the traits a type implements. Known limits: an item made by a
//! macro is listed by name only, and blanket implementations are not listed.
//!
//! `cargo xtask api` compares, `cargo xtask api --bless` rewrites.

use std::path::Path;

use crate::ci::Context;
use crate::failure::Failure;
use crate::workspace::Crate;

mod listing;
mod modules;
mod render;
#[cfg(test)]
mod tests;

const REMEDY: &str = "a public name changed: if that is meant, run `cargo xtask api --bless`, and \
                      say so in CHANGELOG.md";

/// The step; `--bless` rewrites the files, names of crates limit it to them.
pub(crate) fn step(context: &Context, args: &[String]) -> Result<(), Failure> {
    let bless = args.iter().any(|arg| arg == "--bless");
    let names: Vec<&String> = args.iter().filter(|arg| !arg.starts_with("--")).collect();
    let mut findings = Vec::new();
    let libraries = context.workspace.libraries();
    for library in libraries.filter(|lib| names.is_empty() || names.contains(&&lib.name)) {
        let listed = list(library)?;
        let path = library.dir.join("api.txt");
        println!("{:<16} {:>3} public names", library.name, names_in(&listed));
        if bless {
            std::fs::write(&path, &listed)?;
        } else {
            findings.extend(compare(&library.name, &path, &listed));
        }
    }
    Failure::of_findings(&findings, REMEDY)
}

/// The public API of a library as text, one item a line, members indented.
fn list(library: &Crate) -> Result<String, Failure> {
    let root = modules::load(&library.dir.join("src"))
        .map_err(|what| Failure::new(what, "the sources must parse; run `cargo check`"))?;
    Ok(listing::of(&root, &library.name.replace('-', "_")))
}

/// Items at the left margin.
fn names_in(listed: &str) -> usize {
    listed.lines().filter(|line| !line.starts_with(' ')).count()
}

fn compare(name: &str, path: &Path, listed: &str) -> Option<String> {
    let Ok(kept) = std::fs::read_to_string(path) else {
        return Some(format!("crates/{name}: has no api.txt"));
    };
    if kept == listed {
        return None;
    }
    let mut text = format!("crates/{name}/api.txt differs:");
    for (sign, from, to) in [('-', kept.as_str(), listed), ('+', listed, kept.as_str())] {
        let others: std::collections::HashSet<&str> = to.lines().collect();
        for line in from.lines().filter(|line| !others.contains(line)) {
            text.push_str(&format!("\n{sign} {line}"));
        }
    }
    Some(text)
}
