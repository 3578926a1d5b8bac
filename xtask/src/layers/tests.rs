//! Each rule of the layers with a workspace that breaks it.

use serde_json::{Value, json};

use super::{Table, check};
use crate::workspace::Workspace;

/// A registry dependency, as cargo metadata tells it.
fn external(name: &str) -> Value {
    let source = "registry+https://github.com/rust-lang/crates.io-index";
    json!({ "name": name, "kind": null, "source": source })
}

fn internal(name: &str) -> Value {
    json!({ "name": name, "kind": null, "source": null })
}

fn for_tests(mut dependency: Value) -> Value {
    dependency["kind"] = json!("dev");
    dependency
}

/// A workspace of `low`, `kit` and `high`; `high` has these dependencies.
fn workspace(of_high: Vec<Value>) -> Workspace {
    let package = |name: &str, dependencies: Vec<Value>| {
        json!({
            "name": name,
            "manifest_path": format!("/w/crates/{name}/Cargo.toml"),
            "targets": [{ "kind": ["lib"] }],
            "publish": null,
            "dependencies": dependencies,
        })
    };
    let packages =
        [package("low", vec![external("bytes")]), package("kit", vec![]), package("high", of_high)];
    let json = json!({ "workspace_root": "/w", "packages": packages, "metadata": null });
    Workspace::parse(&json).expect("the test's workspace parses")
}

fn table() -> Value {
    json!({
        "order": [["low"], ["kit"], ["high"]],
        "tests": ["kit", "criterion"],
        "crates": {
            "low": { "internal": [], "external": ["bytes"] },
            "kit": { "internal": [], "external": [] },
            "high": { "internal": ["low"], "external": ["serde"] },
        },
    })
}

/// The findings contain `expected`, or there are none if it is empty.
#[track_caller]
fn expect(of_high: Vec<Value>, table: &Value, expected: &str) {
    let findings = check(&workspace(of_high), &Table::read(table));
    if expected.is_empty() {
        assert!(findings.is_empty(), "{findings:#?}");
    } else {
        assert!(findings.iter().any(|finding| finding.contains(expected)), "{findings:#?}");
    }
}

fn as_listed() -> Vec<Value> {
    vec![internal("low"), external("serde")]
}

fn with(more: Value) -> Vec<Value> {
    let mut all = as_listed();
    all.push(more);
    all
}

#[test]
fn a_workspace_as_listed_passes() {
    expect(as_listed(), &table(), "");
}

#[test]
fn an_edge_that_goes_up_is_found() {
    let mut upside_down = table();
    upside_down["order"] = json!([["high"], ["kit"], ["low"]]);
    expect(as_listed(), &upside_down, "high uses low, which is not in a lower layer");
}

#[test]
fn an_edge_within_a_layer_is_found() {
    let mut flat = table();
    flat["order"] = json!([["low", "high"], ["kit"]]);
    expect(as_listed(), &flat, "not in a lower layer");
}

#[test]
fn an_edge_that_is_not_listed_is_found() {
    expect(with(internal("kit")), &table(), "the table does not list this edge");
}

#[test]
fn a_listed_edge_that_nobody_declares_is_found() {
    expect(vec![external("serde")], &table(), "the table lists high -> low");
    expect(vec![internal("low")], &table(), "the table lists high -> serde");
}

#[test]
fn an_external_crate_that_is_not_listed_is_found() {
    expect(with(external("rand")), &table(), "external crate rand");
}

#[test]
fn a_crate_missing_from_the_list_is_found() {
    let mut short = table();
    short["order"] = json!([["low"], ["kit"]]);
    expect(as_listed(), &short, "high is missing");
    let mut nameless = table();
    nameless["crates"].as_object_mut().expect("an object").remove("high");
    expect(as_listed(), &nameless, "high is missing");
}

#[test]
fn a_listed_crate_that_does_not_exist_or_stands_twice_is_found() {
    let mut long = table();
    long["order"] = json!([["low"], ["kit", "ghost"], ["high", "low"]]);
    expect(as_listed(), &long, "ghost is listed but is no member");
    expect(as_listed(), &long, "low stands in two layers");
}

#[test]
fn tests_may_add_the_kit_and_what_lower_crates_use() {
    for allowed in [internal("kit"), external("criterion"), external("bytes"), internal("low")] {
        expect(with(for_tests(allowed)), &table(), "");
    }
    expect(with(for_tests(external("rand"))), &table(), "the tests of high use rand");
}

#[test]
fn a_crate_from_a_git_repository_is_found() {
    let mut from_git = external("serde");
    from_git["source"] = json!("git+https://example.org/serde");
    expect(vec![internal("low"), from_git], &table(), "crates.io only");
}
