//! From the module tree to the list of public items.

use std::collections::{BTreeMap, BTreeSet};

use quote::ToTokens;
use syn::{Attribute, Fields, ImplItem, Item, ItemImpl, TraitItem, Type, Visibility};

use super::modules::{Import, Module, attributes, imports, is_test_only, named, public_name};
use super::render::source;

/// How many `use` items may lead to one another before a path counts as lost.
const HOPS_MAX: usize = 16;

/// The public items of the crate called `name`, sorted; the members of each below it.
pub(super) fn of(root: &Module, name: &str) -> String {
    let mut lister = Lister { root, found: BTreeMap::new(), impls: Vec::new() };
    lister.gather_impls(root);
    lister.surface(&[], name, &mut BTreeSet::new());
    let mut text = String::new();
    for (head, members) in &lister.found {
        text.push_str(head);
        text.push('\n');
        for member in members {
            text.push_str(&format!("    {member}\n"));
        }
    }
    text
}

struct Lister<'a> {
    root: &'a Module,
    /// Head line of an item -> its members.
    found: BTreeMap<String, BTreeSet<String>>,
    impls: Vec<&'a ItemImpl>,
}

/// Where a path leads.
enum Target<'a> {
    Item(&'a Item),
    Module(Vec<String>),
    /// Another crate, or an item that a macro makes.
    Unknown,
}

impl<'a> Lister<'a> {
    fn gather_impls(&mut self, module: &'a Module) {
        for item in &module.items {
            if let Item::Impl(block) = item {
                self.impls.push(block);
            }
        }
        for child in module.children.values() {
            self.gather_impls(child);
        }
    }

    fn module(&self, path: &[String]) -> Option<&'a Module> {
        path.iter().try_fold(self.root, |module, name| module.children.get(name))
    }

    /// Lists what the module at `path` shows to others under the public path `shown`.
    fn surface(&mut self, path: &[String], shown: &str, seen: &mut BTreeSet<String>) {
        // Two globs may name each other.
        if !seen.insert(format!("{} as {shown}", path.join("::"))) {
            return;
        }
        let Some(module) = self.module(path) else { return };
        for item in &module.items {
            if let Some((list, true)) = imports(item) {
                for import in list {
                    self.reexport(path, shown, &import, attributes(item), seen);
                }
            } else if let Item::Macro(item) = item {
                self.exported_macro(item);
            } else if let Some(name) = public_name(item) {
                let inner = format!("{shown}::{name}");
                self.item(item, &inner);
                if matches!(item, Item::Mod(_)) {
                    self.surface(&with(path, &name), &inner, seen);
                }
            }
        }
    }

    fn reexport(
        &mut self,
        path: &[String],
        shown: &str,
        import: &Import,
        attributes: &[Attribute],
        seen: &mut BTreeSet<String>,
    ) {
        let target = self.resolve(path, &import.path, HOPS_MAX);
        let inner = format!("{shown}::{}", import.name);
        match target {
            Target::Module(path) if import.name == "*" => self.surface(&path, shown, seen),
            Target::Module(path) => {
                self.head(format!("{inner}: pub mod"));
                self.surface(&path, &inner, seen);
            }
            Target::Item(item) => self.item(item, &inner),
            Target::Unknown => {
                let cfg = cfg_prefix(attributes);
                self.head(format!("{inner}: {cfg}pub use {}", import.path.join("::")));
            }
        }
    }

    /// Follows `path` from the module at `from`, through `use` items if need be.
    fn resolve(&self, from: &[String], path: &[String], hops: usize) -> Target<'a> {
        let mut at = from.to_vec();
        for (i, segment) in path.iter().enumerate() {
            let is_last = i + 1 == path.len();
            match segment.as_str() {
                "crate" => at.clear(),
                "self" => {}
                "super" => drop(at.pop()),
                name => {
                    let Some(module) = self.module(&at) else { return Target::Unknown };
                    if module.children.contains_key(name) {
                        at.push(name.to_owned());
                        continue;
                    }
                    let mut items = module.items.iter();
                    let here = items.find(|item| named(item).is_some_and(|(own, _)| own == name));
                    return match here {
                        Some(item) if is_last => Target::Item(item),
                        Some(_) => Target::Unknown,
                        None => self.through_imports(module, &at, name, &path[i + 1..], hops),
                    };
                }
            }
        }
        if at.is_empty() { Target::Unknown } else { Target::Module(at) }
    }

    /// `name` is no item of `module`; perhaps one of its `use` items brings it in.
    fn through_imports(
        &self,
        module: &Module,
        at: &[String],
        name: &str,
        rest: &[String],
        hops: usize,
    ) -> Target<'a> {
        if hops == 0 {
            return Target::Unknown;
        }
        for (list, _) in module.items.iter().filter_map(imports) {
            for import in list {
                let mut path = import.path.clone();
                if import.name == "*" {
                    path.push(name.to_owned());
                } else if import.name != name || import.path == [name] {
                    continue;
                }
                path.extend_from_slice(rest);
                match self.resolve(at, &path, hops - 1) {
                    Target::Unknown => {}
                    found => return found,
                }
            }
        }
        Target::Unknown
    }

    fn head(&mut self, line: String) -> &mut BTreeSet<String> {
        self.found.entry(line).or_default()
    }

    /// Lists one item under its public path.
    fn item(&mut self, item: &Item, shown: &str) {
        let attrs = attributes(item);
        let cfg = cfg_prefix(attrs);
        let (head, mut members) = describe(item);
        let own = named(item).map(|(name, _)| name).unwrap_or_default();
        if matches!(item, Item::Struct(_) | Item::Enum(_) | Item::Union(_)) {
            members.extend(derives(attrs));
            for block in &self.impls {
                if self_name(&block.self_ty).as_deref() == Some(own.as_str()) {
                    members.extend(of_impl(block));
                }
            }
        }
        self.head(format!("{shown}: {cfg}{head}")).extend(members);
    }

    fn exported_macro(&mut self, item: &syn::ItemMacro) {
        let exported = item.attrs.iter().any(|a| a.path().is_ident("macro_export"));
        if let (true, Some(name)) = (exported, &item.ident) {
            self.head(format!("{name}!: macro_rules"));
        }
    }
}

fn with(path: &[String], name: &str) -> Vec<String> {
    path.iter().cloned().chain([name.to_owned()]).collect()
}

/// `#[cfg(..)] ` and `#[non_exhaustive] ` in front of an item that has them.
fn cfg_prefix(attributes: &[Attribute]) -> String {
    let kept = |a: &&Attribute| a.path().is_ident("cfg") || a.path().is_ident("non_exhaustive");
    attributes.iter().filter(kept).map(|attribute| source(attribute) + " ").collect()
}

fn derives(attributes: &[Attribute]) -> Vec<String> {
    let mut found = Vec::new();
    for attribute in attributes.iter().filter(|a| a.path().is_ident("derive")) {
        let _ = attribute.parse_nested_meta(|meta| {
            found.push(format!("impl {}", source(&meta.path)));
            Ok(())
        });
    }
    found
}

/// The head of an item without its path, and its fields, variants or methods.
fn describe(item: &Item) -> (String, Vec<String>) {
    match item {
        Item::Fn(item) => (format!("pub {}", source(&item.sig)), Vec::new()),
        Item::Struct(item) => {
            (format!("pub struct {}{}", item.ident, params(&item.generics)), fields(&item.fields))
        }
        Item::Enum(item) => {
            let variants = item.variants.iter().map(|variant| {
                let mut variant = variant.clone();
                let cfg = cfg_prefix(&variant.attrs);
                without_attributes(&mut variant);
                format!("{cfg}{}", source(&variant))
            });
            (format!("pub enum {}{}", item.ident, params(&item.generics)), variants.collect())
        }
        Item::Trait(item) => {
            let bounds = if item.supertraits.is_empty() {
                String::new()
            } else {
                format!(": {}", source(&item.supertraits))
            };
            let head = format!("pub trait {}{}{bounds}", item.ident, params(&item.generics));
            (head, item.items.iter().filter_map(trait_member).collect())
        }
        Item::Type(item) => {
            let target = source(&item.ty);
            (format!("pub type {}{} = {target}", item.ident, params(&item.generics)), Vec::new())
        }
        Item::Const(item) => {
            (format!("pub const {}: {}", item.ident, source(&item.ty)), Vec::new())
        }
        Item::Static(item) => {
            (format!("pub static {}: {}", item.ident, source(&item.ty)), Vec::new())
        }
        Item::Mod(_) => ("pub mod".to_owned(), Vec::new()),
        other => (source(other), Vec::new()),
    }
}

/// Generics with their bounds, the where clause included.
fn params(generics: &syn::Generics) -> String {
    let mut text = source(generics);
    if let Some(clause) = &generics.where_clause {
        text.push_str(&format!(" {}", source(clause)));
    }
    text
}

fn fields(fields: &Fields) -> Vec<String> {
    let is_public = |field: &syn::Field| matches!(field.vis, Visibility::Public(_));
    let mut found = Vec::new();
    for (i, field) in fields.iter().enumerate() {
        let name = field.ident.as_ref().map_or_else(|| i.to_string(), ToString::to_string);
        if is_public(field) {
            found.push(format!("pub {name}: {}", source(&field.ty)));
        }
    }
    if fields.iter().any(|field| !is_public(field)) {
        found.push("private fields".to_owned());
    }
    found
}

fn without_attributes(variant: &mut syn::Variant) {
    variant.attrs.clear();
    for field in &mut variant.fields {
        field.attrs.clear();
    }
}

fn trait_member(member: &TraitItem) -> Option<String> {
    match member {
        TraitItem::Fn(method) => {
            let provided = if method.default.is_some() { " (provided)" } else { "" };
            Some(format!("{}{provided}", source(&method.sig)))
        }
        TraitItem::Const(item) => Some(format!("const {}: {}", item.ident, source(&item.ty))),
        TraitItem::Type(item) => {
            let bounds = if item.bounds.is_empty() {
                String::new()
            } else {
                format!(": {}", source(&item.bounds))
            };
            Some(format!("type {}{bounds}", item.ident))
        }
        _ => None,
    }
}

/// Public members of an inherent block, or the one line of a trait's.
fn of_impl(block: &ItemImpl) -> Vec<String> {
    if let Some((path, _)) = &block.trait_ {
        let for_type = source(&block.self_ty);
        return vec![format!("impl{} {} for {for_type}", params(&block.generics), source(path))];
    }
    block.items.iter().filter_map(public_member).collect()
}

fn public_member(member: &ImplItem) -> Option<String> {
    let is_public = |visibility: &Visibility| matches!(visibility, Visibility::Public(_));
    match member {
        ImplItem::Fn(method) if is_public(&method.vis) && !is_test_only(&method.attrs) => {
            Some(format!("{}pub {}", cfg_prefix(&method.attrs), source(&method.sig)))
        }
        ImplItem::Const(item) if is_public(&item.vis) => {
            Some(format!("pub const {}: {}", item.ident, source(&item.ty)))
        }
        _ => None,
    }
}

/// The last name of a self type: `Foo` of `crate::a::Foo<T>`.
fn self_name(ty: &Type) -> Option<String> {
    match ty {
        Type::Path(path) => path.path.segments.last().map(|segment| segment.ident.to_string()),
        Type::Reference(inner) => self_name(&inner.elem),
        other => Some(other.to_token_stream().to_string()),
    }
}
