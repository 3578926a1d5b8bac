//! Each rule of `tidy` with a file that breaks it, and one that only looks as if it did.

use super::rules::{SourceFile, declares_test_module, foreign_words, merge_marks};
use super::same_names;
use std::path::PathBuf;

const OPENING: &str = "//! A file.\n";

/// The findings about `body` under the opening line, in a file of this name.
fn findings_in(name: &str, body: &str) -> Vec<String> {
    SourceFile::new(name, &format!("{OPENING}{body}"), false).findings()
}

#[track_caller]
fn clean(body: &str) {
    let found = findings_in("crates/x/src/a.rs", body);
    assert!(found.is_empty(), "{found:#?}");
}

#[track_caller]
fn dirty(body: &str, expected: &str) {
    let found = findings_in("crates/x/src/a.rs", body);
    assert!(found.len() == 1 && found[0].contains(expected), "{found:#?}");
}

#[test]
fn a_file_opens_with_its_description() {
    clean("");
    let found = SourceFile::new("a.rs", "use std::fmt;\n", false).findings();
    assert!(found.len() == 1 && found[0].contains("opens with"), "{found:#?}");
}

#[test]
fn files_are_short_and_tests_may_be_longer() {
    clean(&"\n".repeat(419));
    dirty(&"\n".repeat(420), "421 lines, at most 420");
    assert!(findings_in("crates/x/tests/a.rs", &"\n".repeat(600)).is_empty());
    assert!(findings_in("crates/x/src/a/tests.rs", &"\n".repeat(600)).is_empty());
    assert_eq!(findings_in("crates/x/tests/a.rs", &"\n".repeat(700)).len(), 1);
}

#[test]
fn lines_stop_at_a_hundred_columns() {
    // Columns, not bytes.
    clean(&format!("// {}\n", "\u{e4}".repeat(97)));
    dirty(&format!("// {}\n", "x".repeat(98)), ":2: more than 100 columns");
}

#[test]
fn functions_fit_on_a_screen() {
    let function = |lines: usize| format!("fn f() {{\n{}}}\n", "    g();\n".repeat(lines));
    clean(&function(78));
    dirty(&function(79), "fn f has 81 lines");
    clean(&format!("#[cfg(test)]\nmod tests {{\n{}}}\n", function(90)));
}

#[test]
fn unsafe_gives_its_reason() {
    clean("// SAFETY: invariant 3.\nunsafe { g() }\n");
    clean("// SAFETY: invariant 3,\n// which holds.\nlet x =\n    unsafe { g() };\n");
    clean("// SAFETY: no thread of its own.\nunsafe impl Send for T {}\n");
    clean("/// # Safety\n/// Call it once.\nunsafe fn f() {}\n");
    clean("// an unsafe { in a comment }\n");
    dirty("fn f() {\n    unsafe { g() }\n}\n", ":3: unsafe without");
    dirty("unsafe impl Send for T {}\n", ":2: unsafe without");
    dirty("// SAFETY: of the first.\nunsafe { g() };\nunsafe { h() };\n", ":4: unsafe without");
}

#[test]
fn leftovers_are_found_in_comments_and_code() {
    dirty(concat!("// TO", "DO: later\n"), ":2: ");
    dirty(concat!("// FIX", "ME\n"), ":2: ");
    dirty("fn f() { todo!() }\n", "todo!");
    dirty("fn f() { unimplemented!(\"x\") }\n", "unimplemented!");
    dirty("fn f() { dbg!(1); }\n", "dbg!");
    clean("const MASTODON: u8 = 1; // todo! in a comment is a word\n");
}

#[test]
fn unwrap_belongs_to_tests() {
    dirty("fn f() { g().unwrap(); }\n", ":2: .unwrap()");
    dirty("#[cfg(test)]\nmod tests;\nfn f() { g().unwrap(); }\n", ":4: .unwrap()");
    clean("fn f() { g().unwrap_or(1); h().expect(\"held\"); }\n");
    clean("/// a.unwrap() in an example\nfn f() {}\n");
    clean("#[cfg(test)]\nmod tests {\n    fn f() { g().unwrap(); }\n}\n");
    assert!(findings_in("crates/x/tests/a.rs", "fn f() { g().unwrap(); }\n").is_empty());
}

#[test]
fn no_file_points_outside_of_the_project() {
    for word in [concat!("../", "shared"), concat!("DESIGN", ".md"), concat!("POLICY", ".md")] {
        let found = foreign_words("README.md", &format!("one\nsee {word}\n"));
        assert!(found.len() == 1 && found[0].starts_with("README.md:2:"), "{found:#?}");
    }
    assert!(foreign_words("README.md", "the design, shared by all").is_empty());
}

#[test]
fn a_module_declared_for_tests_is_a_test() {
    let parent = "mod a;\n#[cfg(test)]\nmod testing;\nmod z;\n";
    assert!(declares_test_module(parent, "testing"));
    assert!(!declares_test_module(parent, "a") && !declares_test_module(parent, "z"));
    let unwraps = SourceFile::new("src/testing.rs", "//! x\nfn f() { g().unwrap() }\n", true);
    assert!(unwraps.findings().is_empty());
}

#[test]
fn two_examples_do_not_share_a_name() {
    let paths = |names: &[&str]| names.iter().map(PathBuf::from).collect::<Vec<_>>();
    assert!(same_names(&paths(&["a/examples/a_alone.rs", "b/examples/b_alone.rs"])).is_empty());
    let found = same_names(&paths(&["a/examples/speed.rs", "b/examples/speed.rs"]));
    assert!(found.len() == 1 && found[0].starts_with("b/examples/speed.rs: "), "{found:#?}");
}

#[test]
fn marks_of_a_merge_are_found() {
    let marks = concat!("a\n<<<<", "<<< HEAD\nb\n====", "===\nc\n>>>>", ">>> other\n");
    let found = merge_marks("a.md", marks);
    assert!(found.len() == 2 && found[0].starts_with("a.md:2: "), "{found:#?}");
    assert!(merge_marks("a.md", "a <<<<<<< b\n# Title\n=======\n").is_empty());
}
