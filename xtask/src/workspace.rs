//! The workspace as `cargo metadata` tells it: crates, declared dependencies, the layer table.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::failure::Failure;
use crate::shell;

/// The workspace.
#[derive(Debug, Default)]
pub(crate) struct Workspace {
    /// The folder of the root Cargo.toml.
    pub(crate) root: PathBuf,
    /// All members, by name.
    pub(crate) crates: Vec<Crate>,
    /// `[workspace.metadata]` of the root Cargo.toml.
    pub(crate) metadata: Value,
}

/// One member.
#[derive(Clone, Debug, Default)]
pub(crate) struct Crate {
    pub(crate) name: String,
    pub(crate) dir: PathBuf,
    /// Whether others may depend on it as a library from the registry.
    pub(crate) is_published_library: bool,
    pub(crate) dependencies: Vec<Dependency>,
}

/// One declared dependency; the same crate may be declared more than once.
#[derive(Clone, Debug, Default)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    /// Whether it is a member of this workspace.
    pub(crate) is_internal: bool,
    /// The registry it comes from; `None` for a path dependency.
    pub(crate) source: Option<String>,
}

/// Which table a dependency stands in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `[dependencies]` or `[build-dependencies]`: users pay for it.
    #[default]
    Normal,
    /// `[dev-dependencies]`.
    Dev,
}

impl Workspace {
    /// Asks cargo. Nothing is resolved or fetched: only the manifests are read.
    pub(crate) fn load() -> Result<Workspace, Failure> {
        let here = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."));
        let mut command = shell::cargo(here);
        command.args(["metadata", "--no-deps", "--format-version", "1", "--offline"]);
        Workspace::parse(&json_of(&mut command)?)
    }

    /// Reads the answer of `cargo metadata`.
    pub(crate) fn parse(json: &Value) -> Result<Workspace, Failure> {
        let root = PathBuf::from(text(json, "workspace_root"));
        let packages = json["packages"].as_array().ok_or_else(|| {
            Failure::new("cargo metadata named no packages", "run `cargo metadata` by hand")
        })?;
        let names: Vec<String> = packages.iter().map(|p| text(p, "name")).collect();
        let mut crates: Vec<Crate> = packages.iter().map(|p| parse_crate(p, &names)).collect();
        crates.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(Workspace { root, crates, metadata: json["metadata"].clone() })
    }

    /// The member called `name`.
    pub(crate) fn find(&self, name: &str) -> Option<&Crate> {
        self.crates.iter().find(|member| member.name == name)
    }

    /// The libraries that users can take from the registry.
    pub(crate) fn libraries(&self) -> impl Iterator<Item = &Crate> {
        self.crates.iter().filter(|member| member.is_published_library)
    }

    /// A path as it is seen from the root, for messages.
    pub(crate) fn relative(&self, path: &Path) -> String {
        path.strip_prefix(&self.root).unwrap_or(path).to_string_lossy().replace('\\', "/")
    }
}

/// What a command prints, as JSON.
pub(crate) fn json_of(command: &mut Command) -> Result<Value, Failure> {
    let output = command.output()?;
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        return Err(Failure::new(text, "a Cargo.toml does not parse; see the message above"));
    }
    serde_json::from_slice(&output.stdout)
        .map_err(|e| Failure::new(format!("cargo metadata: {e}"), "run `cargo metadata` by hand"))
}

fn parse_crate(package: &Value, names: &[String]) -> Crate {
    let manifest = PathBuf::from(text(package, "manifest_path"));
    let has_library = package["targets"].as_array().is_some_and(|targets| {
        targets.iter().any(|target| {
            target["kind"].as_array().is_some_and(|kinds| kinds.iter().any(|kind| kind == "lib"))
        })
    });
    // `publish = false` comes out as an empty list of registries.
    let is_published = !package["publish"].as_array().is_some_and(Vec::is_empty);
    let dependencies = package["dependencies"].as_array().cloned().unwrap_or_default();
    Crate {
        name: text(package, "name"),
        dir: manifest.parent().unwrap_or(Path::new(".")).to_owned(),
        is_published_library: has_library && is_published,
        dependencies: dependencies.iter().map(|d| parse_dependency(d, names)).collect(),
    }
}

fn parse_dependency(dependency: &Value, names: &[String]) -> Dependency {
    let name = text(dependency, "name");
    Dependency {
        kind: if dependency["kind"] == "dev" { Kind::Dev } else { Kind::Normal },
        is_internal: names.contains(&name),
        source: dependency["source"].as_str().map(str::to_owned),
        name,
    }
}

/// A string field, empty if it is not there.
fn text(value: &Value, field: &str) -> String {
    value[field].as_str().unwrap_or_default().to_owned()
}

/// Every file below `dir` whose name ends with `suffix`, sorted; build output is left out.
pub(crate) fn files_below(dir: &Path, suffix: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![dir.to_owned()];
    while let Some(folder) = open.pop() {
        let Ok(entries) = std::fs::read_dir(&folder) else { continue };
        for entry in entries.flatten() {
            let path = entry.path();
            let name = entry.file_name().to_string_lossy().into_owned();
            if path.is_dir() {
                if name != "target" && !name.starts_with('.') {
                    open.push(path);
                }
            } else if name.ends_with(suffix) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}
