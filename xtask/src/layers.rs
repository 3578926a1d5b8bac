//! The layers: who may use whom.
//!
//! Compares the manifests with `[workspace.metadata.layers]` in the root Cargo.toml. The table
//! holds the order of the layers, and per crate exactly the internal edges and the external
//! crates it has. So an edge appears in a review as one line in one place, and the drawing in the
//! docs stays true. Rules, each with its own message:
//!
//! 1. every member stands in the order once and in the table;
//! 2. an internal edge goes to a lower layer;
//! 3. an internal edge is listed, and an external crate is listed;
//! 4. what is listed is declared, and what is declared is named in the crate's sources;
//! 5. external crates come from crates.io;
//! 6. tests may add the test kit, lower crates and the external crates listed for tests, nothing
//!    else.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::Value;

use crate::ci::Context;
use crate::failure::Failure;
use crate::workspace::{Crate, Dependency, Kind, Workspace, files_below};

#[cfg(test)]
mod tests;

const REMEDY: &str = "change the code, or change [workspace.metadata.layers] in the root \
                      Cargo.toml in a commit that says why the edge is needed";

/// The table of the root Cargo.toml.
#[derive(Debug, Default)]
struct Table {
    /// The layer of each crate, 0 at the bottom.
    layer: BTreeMap<String, usize>,
    /// Names that stand in the order more than once.
    twice: Vec<String>,
    internal: BTreeMap<String, BTreeSet<String>>,
    external: BTreeMap<String, BTreeSet<String>>,
    /// What every crate's tests may add: the kit, and external crates.
    tests: BTreeSet<String>,
}

/// The step.
pub(crate) fn step(context: &Context, _: &[String]) -> Result<(), Failure> {
    let workspace = &context.workspace;
    let table = Table::read(&workspace.metadata["layers"]);
    let mut findings = check(workspace, &table);
    for member in &workspace.crates {
        findings.extend(unnamed(member));
    }
    Failure::of_findings(&findings, REMEDY)?;
    let edges: usize = table.internal.values().map(BTreeSet::len).sum();
    println!("{} crates, {edges} internal edges, all as listed", workspace.crates.len());
    Ok(())
}

impl Table {
    fn read(json: &Value) -> Table {
        let mut table = Table { tests: names(&json["tests"]), ..Table::default() };
        for (height, layer) in json["order"].as_array().into_iter().flatten().enumerate() {
            for name in names(layer) {
                if table.layer.insert(name.clone(), height).is_some() {
                    table.twice.push(name);
                }
            }
        }
        for (name, entry) in json["crates"].as_object().into_iter().flatten() {
            table.internal.insert(name.clone(), names(&entry["internal"]));
            table.external.insert(name.clone(), names(&entry["external"]));
        }
        table
    }
}

fn names(list: &Value) -> BTreeSet<String> {
    let items = list.as_array().into_iter().flatten();
    items.filter_map(|item| item.as_str().map(str::to_owned)).collect()
}

/// Rules 1 to 6, without looking at sources.
fn check(workspace: &Workspace, table: &Table) -> Vec<String> {
    let mut findings = Vec::new();
    for name in &table.twice {
        findings.push(format!("{name} stands in two layers; a crate has one place in the order"));
    }
    let listed = table.layer.keys().chain(table.internal.keys()).collect::<BTreeSet<_>>();
    for name in listed {
        if workspace.find(name).is_none() {
            findings.push(format!("{name} is listed but is no member of the workspace"));
        }
    }
    for member in &workspace.crates {
        let (Some(&layer), Some(internal), Some(external)) = (
            table.layer.get(&member.name),
            table.internal.get(&member.name),
            table.external.get(&member.name),
        ) else {
            findings.push(format!(
                "{} is missing from the order or from the crates of the table; every member has \
                 its layer, so that a new crate is placed on purpose",
                member.name
            ));
            continue;
        };
        let rules = Rules { member, layer, internal, external, table };
        findings.extend(member.dependencies.iter().filter_map(|edge| rules.judge(edge)));
        findings.extend(rules.unused());
    }
    findings
}

/// What one crate is held to.
struct Rules<'a> {
    member: &'a Crate,
    layer: usize,
    internal: &'a BTreeSet<String>,
    external: &'a BTreeSet<String>,
    table: &'a Table,
}

impl Rules<'_> {
    fn judge(&self, edge: &Dependency) -> Option<String> {
        if let Some(source) = &edge.source
            && !source.contains("crates.io")
        {
            return Some(format!(
                "{} takes {} from {source}; external crates come from crates.io only, since \
                 nothing else can be published or audited",
                self.member.name, edge.name
            ));
        }
        match (edge.kind, edge.is_internal) {
            (Kind::Dev, _) => self.judge_test_edge(edge),
            (Kind::Normal, true) => self.judge_internal(edge),
            (Kind::Normal, false) if self.external.contains(&edge.name) => None,
            (Kind::Normal, false) => Some(format!(
                "{} uses the external crate {}, which is not listed for it; every user of {} \
                 would compile and trust it",
                self.member.name, edge.name, self.member.name
            )),
        }
    }

    fn judge_internal(&self, edge: &Dependency) -> Option<String> {
        let (from, to) = (&self.member.name, &edge.name);
        let below = self.table.layer.get(to).is_some_and(|&layer| layer < self.layer);
        if !below {
            return Some(format!(
                "{from} uses {to}, which is not in a lower layer; edges go down only, so that \
                 each crate can be used and tested without what stands above it"
            ));
        }
        if !self.internal.contains(to) {
            return Some(format!(
                "{from} uses {to}, and the table does not list this edge; an edge is added on \
                 purpose or not at all"
            ));
        }
        None
    }

    /// Tests may use the kit, what is listed for all tests, and what lower crates already bring.
    fn judge_test_edge(&self, edge: &Dependency) -> Option<String> {
        let below = self.table.layer.get(&edge.name).is_some_and(|&layer| layer < self.layer);
        let mut known = self.table.tests.contains(&edge.name) || (edge.is_internal && below);
        // An external crate that this crate or a lower one has at run time is trusted already.
        known |= self.table.external.iter().any(|(name, external)| {
            let at_or_below = self.table.layer.get(name).is_some_and(|&layer| layer <= self.layer);
            at_or_below && external.contains(&edge.name)
        });
        (!known).then(|| {
            format!(
                "the tests of {} use {}; tests may add lower crates, what lower crates use, and \
                 the crates of `tests` in the table",
                self.member.name, edge.name
            )
        })
    }

    /// Listed edges that no manifest declares.
    fn unused(&self) -> Vec<String> {
        let declared: BTreeSet<&str> = self
            .member
            .dependencies
            .iter()
            .filter(|edge| edge.kind == Kind::Normal)
            .map(|edge| edge.name.as_str())
            .collect();
        let listed = self.internal.iter().chain(self.external);
        listed
            .filter(|name| !declared.contains(name.as_str()))
            .map(|name| {
                format!(
                    "the table lists {} -> {name}, but its Cargo.toml does not; a stale line \
                     would let the edge come back unseen",
                    self.member.name
                )
            })
            .collect()
    }
}

/// Rule 4, second half: normal dependencies whose name stands nowhere in the crate's sources.
fn unnamed(member: &Crate) -> Vec<String> {
    let mut text = String::new();
    let is_of_tests = |path: &Path| {
        let inner = path.strip_prefix(&member.dir).unwrap_or(path);
        inner.starts_with("tests") || inner.starts_with("examples")
    };
    for file in files_below(&member.dir, ".rs").into_iter().filter(|path| !is_of_tests(path)) {
        text.push_str(&std::fs::read_to_string(file).unwrap_or_default());
    }
    let normal = member.dependencies.iter().filter(|edge| edge.kind == Kind::Normal);
    normal
        .filter(|edge| !text.contains(&edge.name.replace('-', "_")))
        .map(|edge| {
            format!(
                "{} declares {} and never names it; remove it from Cargo.toml and from \
                 the table, since users would compile it for nothing",
                member.name, edge.name
            )
        })
        .collect()
}
