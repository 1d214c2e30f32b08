//! The modules of one package, read from its files.
//!
//! In: the root files of its library and its program. Out: every module with
//! the names it binds, and every path that its code mentions. Test code is left
//! out. Nothing is resolved here.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use proc_macro2::{Span, TokenStream, TokenTree};
use syn::visit::{self, Visit};
use syn::{Attribute, Ident, Item, ItemMod, UseTree, Visibility};

use crate::tools::Failure;

/// Macros whose tokens are code of another program.
const QUOTING_MACROS: &[&str] = &["quote", "quote_spanned", "parse_quote"];

/// The number of a module in [`Modules::all`].
pub(super) type ModuleId = usize;

/// All modules of a package.
#[derive(Debug, Default)]
pub(super) struct Modules {
    pub(super) all: Vec<Module>,
    /// The root of the package's library, by the name that its program uses.
    pub(super) libraries: BTreeMap<String, ModuleId>,
    /// The package's `macro_rules!` with the modules that define them.
    pub(super) macros: BTreeMap<String, ModuleId>,
}

/// A module: a file, or a block within one.
#[derive(Debug)]
pub(super) struct Module {
    /// The file that contains the module.
    pub(super) file: PathBuf,
    pub(super) parent: Option<ModuleId>,
    /// The module that `crate` means.
    pub(super) root: ModuleId,
    pub(super) names: BTreeMap<String, Vec<Binding>>,
    /// The paths before `::*`.
    pub(super) globs: Vec<Vec<String>>,
    pub(super) mentions: Vec<Mention>,
}

/// The meaning of a name in a module.
#[derive(Clone, Debug)]
pub(super) enum Binding {
    /// An item that the module defines.
    Item,
    Module(ModuleId),
    Import(Vec<String>),
}

/// A path in the code.
#[derive(Debug)]
pub(super) struct Mention {
    pub(super) path: Vec<String>,
    pub(super) line: usize,
    pub(super) kind: MentionKind,
}

/// The way in which code mentions a path.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum MentionKind {
    Code,
    Macro,
    Import,
    Reexport,
}

impl Modules {
    /// Adds the modules of the crate whose root is the file `root`, and returns
    /// the root's number.
    pub(super) fn read(&mut self, root: &Path) -> Result<ModuleId, Failure> {
        let folder = root.parent().unwrap_or(root).to_owned();
        self.read_file(root, &folder, None)
    }

    /// Makes the files' paths relative to `folder`.
    pub(super) fn make_relative(&mut self, folder: &Path) {
        for module in &mut self.all {
            if let Ok(path) = module.file.strip_prefix(folder) {
                module.file = path.to_owned();
            }
        }
    }

    /// Reads the file of one module. The files of its child modules are in
    /// `folder`.
    fn read_file(
        &mut self,
        file: &Path,
        folder: &Path,
        parent: Option<ModuleId>,
    ) -> Result<ModuleId, Failure> {
        let failure = |error: &dyn std::fmt::Display| format!("{}: {error}", file.display());
        let text = fs::read_to_string(file).map_err(|error| failure(&error))?;
        let syntax = syn::parse_file(&text).map_err(|error| failure(&error))?;
        self.read_items(&syntax.items, file, folder, parent)
    }

    fn read_items(
        &mut self,
        items: &[Item],
        file: &Path,
        folder: &Path,
        parent: Option<ModuleId>,
    ) -> Result<ModuleId, Failure> {
        let id = self.all.len();
        let root = parent.and_then(|parent| self.all.get(parent));
        self.all.push(Module {
            file: file.to_owned(),
            parent,
            root: root.map_or(id, |parent| parent.root),
            names: BTreeMap::new(),
            globs: Vec::new(),
            mentions: Vec::new(),
        });
        let mut collector = Collector::default();
        let mut children = Vec::new();
        for item in items {
            let (attributes, name) = head(item);
            if is_test(attributes) {
                continue;
            }
            if let Some(name) = name {
                collector.bind(name.to_string(), Binding::Item);
            }
            match item {
                Item::Mod(module) => children.push(module),
                Item::Macro(syn::ItemMacro {
                    ident: Some(name), ..
                }) => {
                    self.macros.insert(name.to_string(), id);
                    collector.visit_item(item);
                }
                item => collector.visit_item(item),
            }
        }
        for module in children {
            let child = self.read_child(module, file, folder, id)?;
            collector.bind(module.ident.to_string(), Binding::Module(child));
        }
        if let Some(module) = self.all.get_mut(id) {
            module.names = collector.names;
            module.globs = collector.globs;
            module.mentions = collector.mentions;
        }
        Ok(id)
    }

    fn read_child(
        &mut self,
        module: &ItemMod,
        file: &Path,
        folder: &Path,
        parent: ModuleId,
    ) -> Result<ModuleId, Failure> {
        let name = module.ident.to_string();
        let inner = folder.join(&name);
        if let Some((_, items)) = &module.content {
            return self.read_items(items, file, &inner, Some(parent));
        }
        let candidates = [folder.join(format!("{name}.rs")), inner.join("mod.rs")];
        let found = candidates.into_iter().find(|path| path.is_file());
        let found = found
            .ok_or_else(|| format!("{}: the file of module `{name}` is missing", file.display()))?;
        self.read_file(&found, &inner, Some(parent))
    }
}

/// Collects what the items of one module bind and mention.
#[derive(Default)]
struct Collector {
    names: BTreeMap<String, Vec<Binding>>,
    globs: Vec<Vec<String>>,
    mentions: Vec<Mention>,
}

impl Collector {
    fn bind(&mut self, name: String, binding: Binding) {
        self.names.entry(name).or_default().push(binding);
    }

    fn mention(&mut self, path: Vec<String>, span: Span, kind: MentionKind) {
        self.mentions.push(Mention {
            path,
            line: span.start().line,
            kind,
        });
    }

    fn import(&mut self, prefix: &[String], tree: &UseTree, kind: MentionKind) {
        let with = |name: &Ident| {
            let mut path = prefix.to_vec();
            // `use foo::{self}` imports `foo`.
            if prefix.is_empty() || name != "self" {
                path.push(name.to_string());
            }
            path
        };
        match tree {
            UseTree::Path(tree) => self.import(&with(&tree.ident), &tree.tree, kind),
            UseTree::Group(tree) => {
                for tree in &tree.items {
                    self.import(prefix, tree, kind);
                }
            }
            UseTree::Name(tree) => {
                let path = with(&tree.ident);
                if let Some(name) = path.last() {
                    self.bind(name.clone(), Binding::Import(path.clone()));
                }
                self.mention(path, tree.ident.span(), kind);
            }
            UseTree::Rename(tree) => {
                let path = with(&tree.ident);
                self.bind(tree.rename.to_string(), Binding::Import(path.clone()));
                self.mention(path, tree.ident.span(), kind);
            }
            UseTree::Glob(tree) => {
                self.globs.push(prefix.to_vec());
                self.mention(prefix.to_vec(), tree.star_token.span, kind);
            }
        }
    }

    /// Mentions every path among the tokens of a macro. A macro's tokens are
    /// not parsed, because only the macro knows their grammar.
    fn tokens(&mut self, tokens: TokenStream) {
        let mut path: Vec<String> = Vec::new();
        let mut start = Span::call_site();
        // The punctuation since the last name.
        let mut signs = String::new();
        for token in tokens {
            match token {
                TokenTree::Punct(punct) => signs.push(punct.as_char()),
                TokenTree::Ident(ident) => {
                    if signs != "::" {
                        self.mention_tokens(&mut path, start, &signs);
                        start = ident.span();
                    }
                    // A field or a method is not found by name.
                    if !signs.ends_with('.') || signs.ends_with("..") {
                        path.push(ident.to_string());
                    }
                    signs.clear();
                }
                TokenTree::Group(group) => {
                    self.mention_tokens(&mut path, start, &signs);
                    self.tokens(group.stream());
                    signs.clear();
                }
                TokenTree::Literal(_) => {
                    self.mention_tokens(&mut path, start, &signs);
                    signs.clear();
                }
            }
        }
        self.mention_tokens(&mut path, start, &signs);
    }

    /// Mentions a path that `signs` follow, if there is one.
    fn mention_tokens(&mut self, path: &mut Vec<String>, span: Span, signs: &str) {
        let kind = match signs {
            "!" => MentionKind::Macro,
            _ => MentionKind::Code,
        };
        if !path.is_empty() {
            self.mention(std::mem::take(path), span, kind);
        }
    }
}

impl<'ast> Visit<'ast> for Collector {
    fn visit_item(&mut self, item: &'ast Item) {
        if !is_test(head(item).0) {
            visit::visit_item(self, item);
        }
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        // A path with leading colons leads to another crate.
        if item.leading_colon.is_none() {
            let kind = match item.vis {
                Visibility::Inherited => MentionKind::Import,
                _ => MentionKind::Reexport,
            };
            self.import(&[], &item.tree, kind);
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        if path.leading_colon.is_none()
            && let Some(first) = path.segments.first()
        {
            self.mention(names(path), first.ident.span(), MentionKind::Code);
        }
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        let path = names(&call.path);
        let is_quoting = path
            .last()
            .is_some_and(|name| QUOTING_MACROS.contains(&name.as_str()));
        if call.path.leading_colon.is_none() {
            self.mention(path, call.bang_token.span, MentionKind::Macro);
        }
        if !is_quoting {
            self.tokens(call.tokens.clone());
        }
    }

    // A visibility and an attribute use nothing.
    fn visit_vis_restricted(&mut self, _: &'ast syn::VisRestricted) {}

    fn visit_attribute(&mut self, _: &'ast Attribute) {}
}

/// Returns whether an item is a test, or is compiled for tests only.
fn is_test(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let condition = match attribute.meta.require_list() {
            Ok(list) if list.path.is_ident("cfg") => list.tokens.to_string(),
            _ => String::new(),
        };
        attribute.path().is_ident("test")
            || condition == "test"
            || condition.starts_with("all (test")
    })
}

fn names(path: &syn::Path) -> Vec<String> {
    let segments = path.segments.iter();
    segments.map(|segment| segment.ident.to_string()).collect()
}

/// Returns the attributes of an item, and the name that it defines.
fn head(item: &Item) -> (&[Attribute], Option<&Ident>) {
    match item {
        Item::Const(item) => (&item.attrs, Some(&item.ident)),
        Item::Enum(item) => (&item.attrs, Some(&item.ident)),
        Item::Fn(item) => (&item.attrs, Some(&item.sig.ident)),
        Item::Impl(item) => (&item.attrs, None),
        Item::Macro(item) => (&item.attrs, item.ident.as_ref()),
        Item::Mod(item) => (&item.attrs, None),
        Item::Static(item) => (&item.attrs, Some(&item.ident)),
        Item::Struct(item) => (&item.attrs, Some(&item.ident)),
        Item::Trait(item) => (&item.attrs, Some(&item.ident)),
        Item::Type(item) => (&item.attrs, Some(&item.ident)),
        Item::Union(item) => (&item.attrs, Some(&item.ident)),
        Item::Use(item) => (&item.attrs, None),
        _ => (&[], None),
    }
}
