//! Bad calls and bad surroundings: one line that says what to do, and the right exit code.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, clippy::disallowed_types)]

mod support;

use std::io::{BufRead, BufReader, Read};
use std::process::Stdio;
use support::Dir;

#[test]
fn a_wrong_call_is_told_in_one_line() {
    let dir = Dir::new();
    dir.ok("put s k v");
    let cases = [
        ("", "nori --help"),
        ("bogus", "unrecognized subcommand 'bogus'"),
        ("put s k", "<VALUE>"),
        ("put s k v --file x", "cannot be used with"),
        ("get s", "<KEY>"),
        ("get s k --raw --json", "cannot be used with"),
        ("get s \\q", "backslash"),
        ("get s zz --hex", "hex digits"),
        ("scan s --limit many", "invalid"),
        ("scan s --prefix a --from b", "cannot be used with"),
        ("bench --workload fillsideways", "fillsideways"),
        ("bench --threads 0", "--threads"),
        ("bench --durable-seconds 0", "--durable-seconds"),
        ("demo --keys 0", "--keys"),
        ("demo --dir s", "was not made by a demo"),
        ("bench --dir s", "exists already"),
        ("load-dir s/new .", "lies inside"),
    ];
    for (call, part) in cases {
        dir.run(call).fails(2, part);
    }
}

#[test]
fn a_missing_store_is_told_by_every_command_that_needs_one() {
    let dir = Dir::new();
    std::fs::create_dir(dir.path("empty")).unwrap();
    dir.write("file", "x");
    std::fs::create_dir(dir.path("files")).unwrap();
    for command in
        ["get X k", "delete X k", "scan X", "count X", "stats X", "verify X", "compact X"]
    {
        dir.run(&command.replace('X', "nowhere")).fails(1, "does not exist");
        dir.run(&command.replace('X', "empty")).fails(1, "holds no store");
        dir.run(&command.replace('X', "file")).fails(1, "is a file");
    }
    dir.run("destroy empty").fails(1, "holds no store");
    dir.run("verify-dir nowhere files").fails(1, "does not exist");
    dir.run("load-dir s nowhere").fails(1, "nowhere");
    dir.run("load-dir s file").fails(1, "is not a directory");
    assert!(!dir.path("s").exists() && !dir.path("nowhere").exists());
    assert_eq!(std::fs::read_dir(dir.path("empty")).unwrap().count(), 0);
}

#[test]
fn a_missing_keyspace_is_told_with_those_that_exist() {
    let dir = Dir::new();
    dir.ok("put s k v --keyspace one");
    for command in ["get s k", "delete s k", "scan s", "count s", "stats s", "compact s"] {
        let run = dir.run(&format!("{command} --keyspace two"));
        run.fails(1, "there is no keyspace \"two\"; the store has: default, one");
    }
}

#[test]
fn files_of_something_else_are_not_mixed_with_a_store() {
    let dir = Dir::new();
    dir.write("home/letter.txt", "dear");
    dir.run("put home k v").fails(2, "holds other files (letter.txt)");
    assert_eq!(std::fs::read_dir(dir.path("home")).unwrap().count(), 1);
}

#[test]
fn a_damaged_store_is_told_with_its_file() {
    let dir = Dir::new();
    dir.ok("put s k v");
    dir.write("s/CURRENT", "MANIFEST-0");
    for command in ["get s k", "stats s", "put s k v", "compact s"] {
        dir.run(command).fails(1, "CURRENT");
    }
}

#[test]
fn help_and_version_go_to_stdout() {
    let dir = Dir::new();
    assert!(dir.ok("--help").contains("Commands:"));
    assert!(dir.ok("help scan").contains("--prefix"));
    assert!(dir.ok("--version").starts_with("nori "));
}

/// A reader that goes away ends the command without a word.
#[test]
fn a_closed_pipe_is_quiet() {
    let dir = Dir::new();
    for n in 0..40 {
        dir.write(&format!("files/{n:03}"), "x".repeat(10_000));
    }
    dir.ok("load-dir s files");
    for words in [&["scan", "s", "--full"][..], &["scan", "s", "--json"]] {
        let mut child = dir.command();
        child.args(words).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = child.spawn().unwrap();
        let mut line = String::new();
        BufReader::with_capacity(16, child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert!(line.contains("000"), "{line}");
        let mut complaint = String::new();
        child.stderr.take().unwrap().read_to_string(&mut complaint).unwrap();
        assert_eq!(complaint, "");
        assert_eq!(child.wait().unwrap().code(), Some(0));
    }
}
