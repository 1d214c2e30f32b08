//! Where in the generated code things stand.
//!
//! In: the schema's modules. Out: the path to each from any place. It knows no
//! types.

use std::collections::BTreeMap;

use proc_macro2::{Ident, TokenStream};
use quote::quote;

use super::name;
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
}

impl ModulePaths {
    pub(super) fn new(schema: &CheckedSchema) -> Self {
        let ident =
            |(id, module): (ModuleId, &crate::schema::Module)| (id, name::module(&module.name));
        Self {
            idents: schema.modules().map(ident).collect(),
        }
    }

    /// The name of a module.
    pub(super) fn ident(&self, module: ModuleId) -> Option<&Ident> {
        self.idents.get(&module)
    }

    /// The path in front of a type of `module`, as seen from `place`.
    pub(super) fn path(&self, module: ModuleId, place: Place) -> TokenStream {
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
