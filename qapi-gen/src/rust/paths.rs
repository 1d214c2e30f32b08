//! Where in the generated code things stand.
//!
//! In: the schema's modules. Out: the path to each from any place. It knows no
//! types.

use std::collections::BTreeMap;

use proc_macro2::{Ident, TokenStream};
use quote::quote;

use super::{Options, name};
use crate::schema::{CheckedSchema, ModuleId};

/// Where in the generated code a type is named.
#[derive(Clone, Copy)]
pub(super) enum Place {
    /// In the module that the file became.
    Module(ModuleId),
    /// One level below, in its `commands` or `events`.
    Submodule(ModuleId),
}

/// Where each schema module's types are to be found in the generated code.
pub(super) struct ModulePaths {
    paths: BTreeMap<ModuleId, ModulePath>,
}

enum ModulePath {
    /// A sibling of the other generated modules.
    Generated(Ident),
    /// A module of another crate.
    Extern(TokenStream),
}

impl ModulePaths {
    pub(super) fn new(schema: &CheckedSchema, options: &Options) -> Self {
        let path = |file: &str| match options.extern_modules.get(file) {
            Some(path) => ModulePath::Extern(path.parse().unwrap_or_default()),
            None => ModulePath::Generated(name::module(file)),
        };
        let paths = schema
            .modules()
            .map(|(id, module)| (id, path(&module.name)))
            .collect();
        Self { paths }
    }

    /// The module that is generated for `module`; `None` if another crate has
    /// it.
    pub(super) fn generated(&self, module: ModuleId) -> Option<&Ident> {
        match self.paths.get(&module)? {
            ModulePath::Generated(ident) => Some(ident),
            ModulePath::Extern(_) => None,
        }
    }

    /// The path in front of a type of `module`, as seen from `place`.
    pub(super) fn path(&self, module: ModuleId, place: Place) -> TokenStream {
        let (here, up) = match place {
            Place::Module(here) => (here, quote!()),
            Place::Submodule(here) => (here, quote!(super::)),
        };
        match self.paths.get(&module) {
            _ if module == here => up,
            Some(ModulePath::Generated(ident)) => quote!(#up super::#ident::),
            Some(ModulePath::Extern(path)) => quote!(#path::),
            None => quote!(),
        }
    }
}
