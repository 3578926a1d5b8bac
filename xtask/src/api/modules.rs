//! The module tree of a crate, parsed from its files.

use std::collections::BTreeMap;
use std::path::Path;

use quote::ToTokens;
use syn::{Attribute, Item, UseTree, Visibility};

/// One module with its items; inline modules and files look alike.
#[derive(Default)]
pub(super) struct Module {
    pub(super) items: Vec<Item>,
    pub(super) children: BTreeMap<String, Module>,
}

/// One name that a `use` brings in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Import {
    /// The path as it is written.
    pub(super) path: Vec<String>,
    /// The name it has here; `*` for a glob.
    pub(super) name: String,
}

/// Parses the crate whose `lib.rs` is in `src`.
pub(super) fn load(src: &Path) -> Result<Module, String> {
    load_file(&src.join("lib.rs"), src)
}

fn load_file(file: &Path, folder: &Path) -> Result<Module, String> {
    let text = std::fs::read_to_string(file).map_err(|e| format!("{}: {e}", file.display()))?;
    let parsed = syn::parse_file(&text).map_err(|e| format!("{}: {e}", file.display()))?;
    build(parsed.items, folder)
}

/// A module of these items, whose child files are in `folder`.
pub(super) fn build(items: Vec<Item>, folder: &Path) -> Result<Module, String> {
    let mut module = Module::default();
    for item in items {
        if is_test_only(attributes(&item)) {
            continue;
        }
        if let Item::Mod(child) = &item {
            let name = child.ident.to_string();
            let inner = folder.join(&name);
            let built = match &child.content {
                Some((_, items)) => build(items.clone(), &inner)?,
                None if inner.join("mod.rs").is_file() => load_file(&inner.join("mod.rs"), &inner)?,
                None => load_file(&folder.join(format!("{name}.rs")), &inner)?,
            };
            module.children.insert(name, built);
        }
        module.items.push(item);
    }
    Ok(module)
}

/// Whether an item exists only in tests or under a model checker.
pub(super) fn is_test_only(attributes: &[Attribute]) -> bool {
    attributes.iter().filter(|a| a.path().is_ident("cfg")).any(|attribute| {
        let text = attribute.to_token_stream().to_string();
        let special = ["test", "nori_loom", "nori_shuttle", "nori_plant"];
        !text.contains("not") && special.iter().any(|word| text.contains(word))
    })
}

/// The attributes of an item.
pub(super) fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(i) => &i.attrs,
        Item::Enum(i) => &i.attrs,
        Item::Fn(i) => &i.attrs,
        Item::Impl(i) => &i.attrs,
        Item::Macro(i) => &i.attrs,
        Item::Mod(i) => &i.attrs,
        Item::Static(i) => &i.attrs,
        Item::Struct(i) => &i.attrs,
        Item::Trait(i) => &i.attrs,
        Item::Type(i) => &i.attrs,
        Item::Union(i) => &i.attrs,
        Item::Use(i) => &i.attrs,
        _ => &[],
    }
}

/// The name of an item that has one, if it is public.
pub(super) fn public_name(item: &Item) -> Option<String> {
    let (name, visibility) = named(item)?;
    matches!(visibility, Visibility::Public(_)).then_some(name)
}

/// The name and visibility of an item that can be re-exported.
pub(super) fn named(item: &Item) -> Option<(String, &Visibility)> {
    let (name, visibility) = match item {
        Item::Const(i) => (&i.ident, &i.vis),
        Item::Enum(i) => (&i.ident, &i.vis),
        Item::Fn(i) => (&i.sig.ident, &i.vis),
        Item::Mod(i) => (&i.ident, &i.vis),
        Item::Static(i) => (&i.ident, &i.vis),
        Item::Struct(i) => (&i.ident, &i.vis),
        Item::Trait(i) => (&i.ident, &i.vis),
        Item::Type(i) => (&i.ident, &i.vis),
        Item::Union(i) => (&i.ident, &i.vis),
        _ => return None,
    };
    Some((name.to_string(), visibility))
}

/// What a `use` item brings in, and whether it is public.
pub(super) fn imports(item: &Item) -> Option<(Vec<Import>, bool)> {
    let Item::Use(item) = item else { return None };
    let mut found = Vec::new();
    flatten(&item.tree, &mut Vec::new(), &mut found);
    Some((found, matches!(item.vis, Visibility::Public(_))))
}

fn flatten(tree: &UseTree, path: &mut Vec<String>, found: &mut Vec<Import>) {
    match tree {
        UseTree::Path(inner) => {
            path.push(inner.ident.to_string());
            flatten(&inner.tree, path, found);
            path.pop();
        }
        UseTree::Name(leaf) => {
            let name = leaf.ident.to_string();
            // `a::{self}` is `a`.
            if name == "self" {
                let name = path.last().cloned().unwrap_or_default();
                found.push(Import { path: path.clone(), name });
            } else {
                found.push(Import { path: with(path, &name), name });
            }
        }
        UseTree::Rename(leaf) => found.push(Import {
            path: with(path, &leaf.ident.to_string()),
            name: leaf.rename.to_string(),
        }),
        UseTree::Glob(_) => found.push(Import { path: path.clone(), name: "*".to_owned() }),
        UseTree::Group(group) => {
            for inner in &group.items {
                flatten(inner, path, found);
            }
        }
    }
}

fn with(path: &[String], name: &str) -> Vec<String> {
    path.iter().cloned().chain([name.to_owned()]).collect()
}
