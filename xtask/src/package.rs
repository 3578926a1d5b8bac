//! What is published can be: each crate's archive, and what its Cargo.toml says to the registry.
//!
//! 1. A crate is published, or it stands in [`NOT_PUBLISHED`] and says so itself.
//! 2. One that is says what it is: description, at most five keywords, categories, licence, README,
//!    repository; documentation is built with all its features; users only need crates that are
//!    published too.
//! 3. `rust-version` is the toolchain that `rust-toolchain.toml` names: what is not built with an
//!    older one is not promised for it.
//! 4. Its archive holds the README, both licences as they are at the root, and for a library the
//!    list of its public names, which the next version is compared with.
//! 5. All archives can be made in one go, from a fresh checkout without the network. With
//!    `--verify` each is unpacked and built from the archives of the others.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

use crate::ci::Context;
use crate::failure::Failure;
use crate::shell;
use crate::workspace;

/// Members that are of use to this repository only.
const NOT_PUBLISHED: [&str; 7] = [
    "nori-benches",
    "nori-examples",
    "nori-fuzz",
    "nori-sim",
    "nori-torture",
    "replicated-kv",
    "xtask",
];

const LICENCES: [&str; 2] = ["LICENSE-APACHE", "LICENSE-MIT"];

const REMEDY: &str = "mend the Cargo.toml or the files named above; the rules stand at the top of \
                      xtask/src/package.rs";

/// The step.
pub(crate) fn step(context: &Context, args: &[String]) -> Result<(), Failure> {
    let root = &context.workspace.root;
    let mut command = shell::cargo(root);
    command.args(["metadata", "--no-deps", "--format-version", "1", "--offline"]);
    let metadata = workspace::json_of(&mut command)?;
    let packages: Vec<Package> =
        metadata["packages"].as_array().into_iter().flatten().map(Package).collect();
    let toolchain = std::fs::read_to_string(root.join("rust-toolchain.toml"))?;
    let mut findings = check(&packages, &toolchain);
    let published: Vec<&Package> = packages.iter().filter(|p| p.is_published()).collect();
    for package in &published {
        findings.extend(check_files(root, package)?);
    }
    Failure::of_findings(&findings, REMEDY)?;
    let verify = args.iter().any(|arg| arg == "--verify");
    let mut command = shell::cargo(root);
    // Work that is not committed is checked too; publishing itself refuses it.
    command.args(["package", "--quiet", "--offline", "--allow-dirty"]);
    if !verify {
        command.arg("--no-verify");
    }
    published.iter().for_each(|package| {
        command.args(["-p", package.name()]);
    });
    shell::run(
        &mut command,
        "see what cargo says of the archive; `cargo package -p CRATE --list`",
    )?;
    let how = if verify { "packed, unpacked and built" } else { "packed" };
    println!("{} crates {how}, {} stay here", published.len(), packages.len() - published.len());
    Ok(())
}

/// A member as `cargo metadata` tells it.
struct Package<'a>(&'a Value);

impl Package<'_> {
    fn name(&self) -> &str {
        self.text("name")
    }

    fn text(&self, field: &str) -> &str {
        self.0[field].as_str().unwrap_or_default()
    }

    fn list(&self, field: &str) -> Vec<&str> {
        self.0[field].as_array().into_iter().flatten().filter_map(Value::as_str).collect()
    }

    /// `publish = false` comes out as an empty list of registries.
    fn is_published(&self) -> bool {
        !self.0["publish"].as_array().is_some_and(Vec::is_empty)
    }

    fn is_library(&self) -> bool {
        let targets = self.0["targets"].as_array().into_iter().flatten();
        let mut kinds = targets.flat_map(|t| t["kind"].as_array().into_iter().flatten());
        kinds.any(|kind| kind == "lib")
    }

    /// The members that it uses, in tests too.
    fn internal(&self) -> impl Iterator<Item = (&str, bool)> {
        let all = self.0["dependencies"].as_array().into_iter().flatten();
        let internal = all.filter(|d| d["path"].is_string());
        internal.map(|d| (d["name"].as_str().unwrap_or_default(), d["req"] != "*"))
    }
}

/// Rules 1 to 3.
fn check(packages: &[Package<'_>], toolchain: &str) -> Vec<String> {
    let mut findings = Vec::new();
    let published: BTreeSet<&str> =
        packages.iter().filter(|p| p.is_published()).map(Package::name).collect();
    for package in packages {
        let name = package.name();
        let stays = NOT_PUBLISHED.contains(&name);
        if stays == package.is_published() {
            findings.push(format!(
                "{name}: `publish = false` and NOT_PUBLISHED do not agree; a crate is published on \
                 purpose or not at all"
            ));
        }
        let channel = toolchain.lines().find_map(|line| line.strip_prefix("channel = \""));
        let channel = channel.unwrap_or_default().trim_end_matches('"');
        let version = package.text("rust_version");
        if version.is_empty() || channel.strip_prefix(version).is_none_or(|r| !r.starts_with('.')) {
            findings.push(format!(
                "{name}: rust-version {version:?} is not the toolchain {channel:?}; an older one \
                 is never built with"
            ));
        }
        if package.is_published() {
            findings.extend(unsaid(package));
            let missing = package.internal().filter(|(of, _)| !published.contains(of));
            findings.extend(missing.map(|(of, _)| format!("{name} uses {of}, which stays here")));
            let open = package.internal().filter(|(_, has_version)| !has_version);
            findings.extend(open.map(|(of, _)| format!("{name} uses {of} without a version")));
        }
    }
    findings
}

/// What the registry should be told, and is not.
fn unsaid(package: &Package<'_>) -> Vec<String> {
    let (keywords, categories) = (package.list("keywords"), package.list("categories"));
    let docs = &package.0["metadata"]["docs"]["rs"];
    let rules = [
        (package.text("description").len() >= 20, "a description of at least 20 characters"),
        ((1..=5).contains(&keywords.len()), "one to five keywords"),
        (keywords.iter().all(|word| word.len() <= 20), "keywords of at most 20 characters"),
        ((1..=5).contains(&categories.len()), "one to five categories"),
        (package.text("license") == "MIT OR Apache-2.0", "the licence of the workspace"),
        (package.text("readme") == "README.md", "readme = \"README.md\""),
        (package.text("repository").starts_with("https://"), "the repository"),
        (docs["all-features"] == true, "[package.metadata.docs.rs] all-features = true"),
    ];
    let broken = rules.iter().filter(|(is_so, _)| !is_so);
    broken.map(|(_, what)| format!("{}: the Cargo.toml lacks {what}", package.name())).collect()
}

/// Rule 4.
fn check_files(root: &Path, package: &Package<'_>) -> Result<Vec<String>, Failure> {
    let mut command = shell::cargo(root);
    command.args(["package", "--list", "--allow-dirty", "--offline", "-p", package.name()]);
    let output = command.output()?;
    let listed = String::from_utf8_lossy(&output.stdout).into_owned();
    let listed: BTreeSet<&str> = listed.lines().collect();
    let api = package.is_library().then_some("api.txt");
    let wanted = ["Cargo.toml", "README.md"].into_iter().chain(LICENCES).chain(api);
    let name = package.name();
    let mut findings: Vec<String> = wanted
        .filter(|file| !listed.contains(file))
        .map(|file| format!("{name}: the archive has no {file}"))
        .collect();
    let manifest = Path::new(package.text("manifest_path"));
    for licence in LICENCES {
        let own = std::fs::read(manifest.with_file_name(licence)).unwrap_or_default();
        if own != std::fs::read(root.join(licence))? {
            findings.push(format!("{name}: {licence} is not the one at the root; link it"));
        }
    }
    Ok(findings)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn good(name: &str) -> Value {
        json!({
            "name": name,
            "description": "Words that say what the crate is for",
            "keywords": ["a", "b"],
            "categories": ["data-structures"],
            "license": "MIT OR Apache-2.0",
            "readme": "README.md",
            "repository": "https://github.com/nori-db/nori",
            "rust_version": "1.95",
            "publish": null,
            "metadata": { "docs": { "rs": { "all-features": true } } },
            "targets": [{ "kind": ["lib"] }],
            "dependencies": [{ "name": "nori-types", "path": "/x", "req": "^0.1.0" }],
        })
    }

    const TOOLCHAIN: &str = "[toolchain]\nchannel = \"1.95.0\"\n";

    /// What is found of a crate that is good but for one field.
    fn found(field: &str, value: Value) -> Vec<String> {
        let (mut changed, types) = (good("nori-x"), good("nori-types"));
        changed[field] = value;
        check(&[Package(&changed), Package(&types)], TOOLCHAIN)
    }

    #[test]
    fn a_crate_that_says_all_is_published() {
        assert_eq!(found("publish", Value::Null), Vec::<String>::new());
    }

    #[test]
    fn each_rule_finds_its_breach() {
        let six = json!(["a", "b", "c", "d", "e", "f"]);
        let breaches = [
            ("description", json!("short"), "a description"),
            ("keywords", six.clone(), "keywords"),
            ("categories", json!([]), "categories"),
            ("license", json!("MIT"), "the licence"),
            ("readme", json!("../README.md"), "readme"),
            ("repository", Value::Null, "the repository"),
            ("metadata", Value::Null, "docs.rs"),
            ("rust_version", json!("1.9"), "rust-version"),
            ("publish", json!([]), "NOT_PUBLISHED"),
            ("dependencies", json!([{ "name": "nori-sim", "path": "/", "req": "^0.1" }]), "stays"),
            ("dependencies", json!([{ "name": "nori-types", "path": "/", "req": "*" }]), "version"),
        ];
        for (field, value, part) in breaches {
            let found = found(field, value);
            assert!(found.iter().any(|line| line.contains(part)), "{field}: {found:?}");
        }
    }

    #[test]
    fn what_stays_here_says_so_itself() {
        let mut stays = good("nori-sim");
        assert_eq!(check(&[Package(&stays), Package(&good("nori-types"))], TOOLCHAIN).len(), 1);
        stays["publish"] = json!([]);
        assert!(check(&[Package(&stays), Package(&good("nori-types"))], TOOLCHAIN).is_empty());
    }
}
