//! Where in the generated code things stand.
//!
//! In: the schema's modules. Out: the path to each from any place. It knows no
//! types.

use std::collections::BTreeMap;

use proc_macro2::{Ident, TokenStream};
use quote::quote;

use super::name;
use crate::schema::{CheckedSchema, ModuleId};

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
