//! Paths in the generated code.
//!
//! In: the modules of the schema, and those whose code is in another crate. Out:
//! the path to a module from any place. This module must not know types.

use std::collections::{BTreeMap, BTreeSet};

use proc_macro2::{Ident, TokenStream};
use quote::quote;

use super::name;
use super::options::Options;
use super::problem::RustProblem;
use crate::diag::Diagnostics;
use crate::schema::{CheckedSchema, Entity, ModuleId, ObjectOrigin, TypeKind};

/// Returns the path of the Rust type for a definition from the generated root:
/// for example `stats::StatsFilter`, or for a command or an event the struct of
/// its arguments or data, `stats::commands::QueryStats`.
///
/// Returns `None` for lists, built-in and implicit types, which have no Rust type
/// of their own.
///
/// ```
/// use qapi_gen::{MemoryLoader, check, rust_path};
///
/// let files = MemoryLoader::from_iter([("a.json", "{ 'event': 'STOP' }")]);
/// let schema = check("a.json", &files).schema.unwrap();
/// let path = rust_path(&schema, schema.entity_named("STOP").unwrap());
/// assert_eq!(path.unwrap(), "a::events::Stop");
/// ```
#[must_use]
pub fn rust_path(schema: &CheckedSchema, entity: Entity) -> Option<String> {
    let inner = match entity {
        Entity::Command(_) => "commands::",
        Entity::Event(_) => "events::",
        Entity::Type(id) => match &schema.ty(id).kind {
            TypeKind::Enum(_) | TypeKind::Alternate(_) => "",
            TypeKind::Object(object) => match object.origin {
                ObjectOrigin::Struct | ObjectOrigin::Union => "",
                _ => return None,
            },
            TypeKind::Builtin(_) | TypeKind::Array(_) => return None,
        },
    };
    let common = schema.common(entity);
    common.span?;
    let module = name::module(&schema.module(common.module).name);
    Some(format!("{module}::{inner}{}", name::camel(&common.name)))
}

/// A place in the generated code that refers to a type.
#[derive(Clone, Copy)]
pub(super) enum Place {
    /// In the module of a schema file.
    Module(ModuleId),
    /// In the submodule `commands` or `events` of such a module.
    Submodule(ModuleId),
}

/// The names and paths of modules in the generated code.
pub(super) struct ModulePaths {
    idents: BTreeMap<ModuleId, Ident>,
    /// The absolute paths of the modules whose code is in another crate.
    external: BTreeMap<ModuleId, TokenStream>,
}

impl ModulePaths {
    /// Resolves option `extern_modules`. Reports names of unknown modules, and
    /// invalid paths.
    pub(super) fn new(
        schema: &CheckedSchema,
        options: &Options,
        diagnostics: &mut Diagnostics,
    ) -> Self {
        let mut paths = Self {
            idents: BTreeMap::new(),
            external: BTreeMap::new(),
        };
        let mut named = BTreeSet::new();
        for (id, module) in schema.modules() {
            paths.idents.insert(id, name::module(&module.name));
            let Some((name, path)) = options.extern_modules.get_key_value(&module.name) else {
                continue;
            };
            named.insert(name);
            match absolute_path(path) {
                Some(tokens) => {
                    paths.external.insert(id, tokens);
                }
                None => {
                    let (module, path) = (name.clone(), path.clone());
                    let problem = RustProblem::ExternPath { module, path };
                    diagnostics.report(problem.into(), None);
                }
            }
        }
        for name in options.extern_modules.keys() {
            if !named.contains(name) {
                let problem = RustProblem::ExternModuleUnknown { name: name.clone() };
                diagnostics.report(problem.into(), None);
            }
        }
        paths
    }

    /// Returns the name of a module.
    pub(super) fn ident(&self, module: ModuleId) -> Option<&Ident> {
        self.idents.get(&module)
    }

    /// Returns whether the code of a module is in another crate.
    pub(super) fn is_external(&self, module: ModuleId) -> bool {
        self.external.contains_key(&module)
    }

    /// Returns the path of a module from the root.
    pub(super) fn root_path(&self, module: ModuleId) -> TokenStream {
        match (self.external.get(&module), self.ident(module)) {
            (Some(path), _) => path.clone(),
            (None, ident) => quote!(#ident),
        }
    }

    /// Returns the path in front of a type of `module`, as seen from `place`.
    pub(super) fn path(&self, module: ModuleId, place: Place) -> TokenStream {
        if let Some(path) = self.external.get(&module) {
            return quote!(#path::);
        }
        let (here, up) = match place {
            Place::Module(here) => (here, quote!()),
            Place::Submodule(here) => (here, quote!(super::)),
        };
        match self.ident(module) {
            Some(ident) if module != here => quote!(#up super::#ident::),
            _ => up,
        }
    }
}

/// Returns the tokens of a path that means the same in every module, or `None` if
/// the path is relative or invalid.
fn absolute_path(path: &str) -> Option<TokenStream> {
    let parsed: syn::Path = syn::parse_str(path).ok()?;
    let is_absolute = parsed.leading_colon.is_some() || path.trim().starts_with("crate::");
    let is_plain = parsed
        .segments
        .iter()
        .all(|segment| segment.arguments.is_none());
    (is_absolute && is_plain).then(|| quote::ToTokens::into_token_stream(parsed))
}

#[cfg(test)]
mod tests {
    use super::absolute_path;

    #[test]
    fn paths_of_other_crates_are_absolute() {
        for path in [
            "::qapi_stats::stats",
            "crate::shared::stats",
            ":: qapi :: stats",
        ] {
            assert!(absolute_path(path).is_some(), "{path}");
        }
        for path in [
            "qapi_stats::stats",
            "super::stats",
            "",
            "::qapi_stats::",
            "::a<b>",
            "::a; b",
            "crate",
        ] {
            assert!(absolute_path(path).is_none(), "{path}");
        }
    }
}
