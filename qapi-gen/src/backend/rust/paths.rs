//! Where in the generated code things stand.
//!
//! In: the schema's modules, and which of them another crate has. Out: the path
//! to each from any place. It knows no types.

use std::collections::{BTreeMap, BTreeSet};

use proc_macro2::{Ident, TokenStream};
use quote::quote;

use super::name;
use super::options::Options;
use super::problem::RustProblem;
use crate::diag::Diagnostics;
use crate::schema::{CheckedSchema, Entity, ModuleId, ObjectOrigin, TypeKind};

/// Where in generated code that which a definition became stands, as a path
/// from the generated root: `stats::StatsFilter`, and for a command or an event
/// the struct of its arguments or data, `stats::commands::QueryStats`. `None`:
/// it has no Rust type of its own, as lists, built-in and implicit types.
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

/// Where in the generated code a type is named.
#[derive(Clone, Copy)]
pub(super) enum Place {
    /// In the module that the file became.
    Module(ModuleId),
    /// One level below, in its `commands` or `events`.
    Submodule(ModuleId),
}

/// What each schema module is called in the generated code.
pub(super) struct ModulePaths {
    idents: BTreeMap<ModuleId, Ident>,
    /// The whole paths of those that another crate has.
    external: BTreeMap<ModuleId, TokenStream>,
}

impl ModulePaths {
    /// Finds the modules of other crates among the schema's; what is said of
    /// no module, or is no path, is reported.
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

    /// The name of a module.
    pub(super) fn ident(&self, module: ModuleId) -> Option<&Ident> {
        self.idents.get(&module)
    }

    /// Whether another crate has the module.
    pub(super) fn is_external(&self, module: ModuleId) -> bool {
        self.external.contains_key(&module)
    }

    /// The path to a module from the root.
    pub(super) fn root_path(&self, module: ModuleId) -> TokenStream {
        match (self.external.get(&module), self.ident(module)) {
            (Some(path), _) => path.clone(),
            (None, ident) => quote!(#ident),
        }
    }

    /// The path in front of a type of `module`, as seen from `place`.
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

/// The tokens of a path that means the same in every module.
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
