//! The shape of the sources: what rustfmt and clippy do not look at.
//!
//! Every rule is a function from a file's text to findings, so that each has a test with a file
//! that breaks it. Rules for every Rust file:
//!
//! 1. it opens with `//!`, which says what it is;
//! 2. it has at most 420 lines, 700 for tests, examples and benches;
//! 3. a line has at most 100 columns;
//! 4. a function outside of tests has at most 80 lines;
//! 5. an unsafe block or impl stands under a `// SAFETY:` comment;
//! 6. no leftovers: notes to do something later, debug prints, unwritten bodies;
//! 7. no `.unwrap()` outside of tests: an `expect` says which invariant holds.
//!
//! Each published library has a README.md that is among its doctests, an api.txt, and one example
//! whose name ends in `_alone`, which uses it by itself (8); no text file of the project points at
//! papers that are not part of it (9); no two examples share a name, since cargo puts all of them
//! into one folder (10); no text file has marks of a merge in it (11).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::ci::Context;
use crate::failure::Failure;
use crate::workspace::{Crate, Workspace, files_below};

mod rules;
#[cfg(test)]
mod tests;

use rules::SourceFile;

const REMEDY: &str = "mend each line named above; the rules stand at the top of xtask/src/tidy.rs";

/// Folders with Rust sources that are held to the rules.
const SOURCE_DIRS: &[&str] = &["crates", "examples", "xtask", "benches", "fuzz"];

/// Kinds of files that are read for words that must not appear.
const TEXT_SUFFIXES: &[&str] = &[".rs", ".md", ".toml", ".yml", ".txt", "run"];

/// The step; arguments name the crates to look at, none means all.
pub(crate) fn step(context: &Context, args: &[String]) -> Result<(), Failure> {
    let workspace = &context.workspace;
    let wanted =
        |path: &Path| args.is_empty() || args.iter().any(|name| is_below_crate(path, name));
    let mut findings = Vec::new();
    let mut files = 0;
    for dir in SOURCE_DIRS {
        for path in files_below(&workspace.root.join(dir), ".rs") {
            if wanted(&path) {
                files += 1;
                findings.extend(look_at(workspace, &path)?);
            }
        }
    }
    for library in workspace.libraries().filter(|library| wanted(&library.dir)) {
        findings.extend(missing_files(library));
    }
    let folders = workspace.crates.iter().map(|member| member.dir.join("examples"));
    let examples: Vec<PathBuf> = folders.flat_map(|folder| files_below(&folder, ".rs")).collect();
    findings.extend(same_names(&examples));
    for path in text_files(workspace) {
        if wanted(&path) {
            let text = std::fs::read_to_string(&path).unwrap_or_default();
            let name = workspace.relative(&path);
            findings.extend(rules::foreign_words(&name, &text));
            findings.extend(rules::merge_marks(&name, &text));
        }
    }
    Failure::of_findings(&findings, REMEDY)?;
    println!("{files} Rust files");
    Ok(())
}

fn is_below_crate(path: &Path, name: &str) -> bool {
    path.components().any(|part| part.as_os_str() == name)
}

/// Rules 1 to 7 for one file.
fn look_at(workspace: &Workspace, path: &Path) -> Result<Vec<String>, Failure> {
    let name = workspace.relative(path);
    let text = std::fs::read_to_string(path)
        .map_err(|e| Failure::new(format!("{name}: {e}"), "a source file is UTF-8 text"))?;
    Ok(SourceFile::new(&name, &text, is_test_module(path)).findings())
}

/// Whether a file is declared as a module under `#[cfg(test)]`, or one of its parents is.
fn is_test_module(path: &Path) -> bool {
    let (Some(folder), Some(stem)) = (path.parent(), path.file_stem()) else { return false };
    let name = stem.to_string_lossy();
    // Roots are declared by nobody; a crate may have both.
    if matches!(&*name, "lib" | "main") {
        return false;
    }
    // `src/a/b.rs` is declared in `src/a.rs`; `src/a.rs` in `src/lib.rs` or `src/main.rs`.
    let parents = [folder.with_extension("rs"), folder.join("lib.rs"), folder.join("main.rs")];
    parents.iter().filter(|parent| parent.as_path() != path).any(|parent| {
        let Ok(text) = std::fs::read_to_string(parent) else { return false };
        rules::declares_test_module(&text, &name) || is_test_module(parent)
    })
}

/// Rule 8.
fn missing_files(library: &Crate) -> Vec<String> {
    let wanted = ["README.md", "api.txt"];
    let missing = wanted.iter().filter(|file| !library.dir.join(file).is_file());
    let mut found: Vec<String> =
        missing.map(|file| format!("crates/{}: has no {file}", library.name)).collect();
    let root = std::fs::read_to_string(library.dir.join("src/lib.rs")).unwrap_or_default();
    if !root.contains("#[doc = include_str!(\"../README.md\")]") {
        found.push(format!(
            "crates/{}: its README is not compiled; end lib.rs with `#[cfg(doctest)] #[doc = \
             include_str!(\"../README.md\")] struct Readme;`",
            library.name
        ));
    }
    let alone = files_below(&library.dir.join("examples"), "_alone.rs").len();
    if alone != 1 {
        found.push(format!(
            "crates/{}: has {alone} examples called *_alone.rs, one is wanted: something real with \
             only the crate's own dependencies",
            library.name
        ));
    }
    found
}

/// Rule 10, for the paths of all examples.
fn same_names(examples: &[PathBuf]) -> Vec<String> {
    let mut known: BTreeMap<String, &Path> = BTreeMap::new();
    let mut found = Vec::new();
    for path in examples {
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        if let Some(other) = known.insert(name, path) {
            found.push(format!(
                "{}: shares its name with {}; begin it with the crate's",
                path.display(),
                other.display()
            ));
        }
    }
    found
}

/// All text files below the root, without build output.
fn text_files(workspace: &Workspace) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> =
        TEXT_SUFFIXES.iter().flat_map(|suffix| files_below(&workspace.root, suffix)).collect();
    // Folders whose name begins with a dot are not walked; these two hold scripts of ours.
    for hidden in [".ci", ".github", ".config", ".cargo"] {
        found.extend(files_below(&workspace.root.join(hidden), ""));
    }
    found
}
