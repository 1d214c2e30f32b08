//! The one mapping from QAPI types to Rust types.
//!
//! In: a type of the schema, and where in the generated code it is named. Out:
//! the Rust type as tokens. It decides nothing but spelling.

use std::collections::BTreeSet;

use proc_macro2::TokenStream;
use quote::quote;

use super::name;
use super::plan::ModulePaths;
use crate::schema::{Builtin, CheckedSchema, ModuleId, TypeId, TypeKind};

/// Where in the generated code a type is named.
#[derive(Clone, Copy)]
pub(super) enum Place {
    /// In the module that the file became.
    Module(ModuleId),
    /// One level below, in its `commands` or `events`.
    Submodule(ModuleId),
}

/// Spells types.
pub(super) struct TypeNames<'s> {
    schema: &'s CheckedSchema,
    paths: &'s ModulePaths,
    /// Names of the standard prelude that the schema defines anew.
    shadowed: BTreeSet<&'static str>,
}

const PRELUDE: &[&str] = &["Box", "Option", "String", "Vec", "Result", "Ok", "Err", "Some", "None"];

impl<'s> TypeNames<'s> {
    pub(super) fn new(schema: &'s CheckedSchema, paths: &'s ModulePaths) -> Self {
        let shadowed = PRELUDE
            .iter()
            .copied()
            .filter(|prelude| {
                schema.types().any(|(_, ty)| name::camel(&ty.common.name) == *prelude)
            })
            .collect();
        Self { schema, paths, shadowed }
    }

    /// The Rust type for a QAPI type.
    pub(super) fn ty(&self, id: TypeId, place: Place) -> TokenStream {
        let ty = self.schema.ty(id);
        match &ty.kind {
            TypeKind::Builtin(builtin) => self.builtin(*builtin),
            TypeKind::Array(element) => {
                let (vec, element) = (self.prelude("Vec"), self.ty(*element, place));
                quote!(#vec<#element>)
            }
            TypeKind::Object(_) if ty.common.name == "q_empty" => quote!(::qapi_wire::command::Empty),
            TypeKind::Enum(_) | TypeKind::Object(_) | TypeKind::Alternate(_) => {
                let path = self.paths.path(ty.common.module, place);
                let ident = name::camel(&ty.common.name);
                quote!(#path #ident)
            }
        }
    }

    /// The type of an optional value.
    pub(super) fn option(&self, ty: &TokenStream) -> TokenStream {
        let option = self.prelude("Option");
        quote!(#option<#ty>)
    }

    /// The type of a boxed value.
    pub(super) fn boxed(&self, ty: &TokenStream) -> TokenStream {
        let box_ = self.prelude("Box");
        quote!(#box_<#ty>)
    }

    fn builtin(&self, builtin: Builtin) -> TokenStream {
        match builtin {
            Builtin::Str => self.prelude("String"),
            Builtin::Number => quote!(f64),
            Builtin::Int | Builtin::Int64 => quote!(i64),
            Builtin::Int8 => quote!(i8),
            Builtin::Int16 => quote!(i16),
            Builtin::Int32 => quote!(i32),
            Builtin::Uint8 => quote!(u8),
            Builtin::Uint16 => quote!(u16),
            Builtin::Uint32 => quote!(u32),
            Builtin::Uint64 | Builtin::Size => quote!(u64),
            Builtin::Bool => quote!(bool),
            Builtin::Any => quote!(::qapi_wire::Value),
            Builtin::Null => quote!(()),
        }
    }

    fn prelude(&self, name: &'static str) -> TokenStream {
        let shadowed = self.shadowed.contains(name);
        match name {
            "Box" if shadowed => quote!(::std::boxed::Box),
            "Option" if shadowed => quote!(::std::option::Option),
            "String" if shadowed => quote!(::std::string::String),
            "Vec" if shadowed => quote!(::std::vec::Vec),
            _ => {
                let ident = name::camel(name);
                quote!(#ident)
            }
        }
    }
}
