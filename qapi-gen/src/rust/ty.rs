//! The one mapping from QAPI types to Rust types.
//!
//! In: a type of the schema, and where in the generated code it is named. Out:
//! the Rust type as tokens. It decides nothing but spelling.

use std::collections::BTreeSet;

use proc_macro2::TokenStream;
use quote::quote;

use super::name;
use super::paths::{ModulePaths, Place};
use crate::schema::{Builtin, CheckedSchema, TypeId, TypeKind};

/// The names of the standard prelude's types, in full where the schema defines
/// a type of the same name.
#[derive(Clone)]
pub(crate) struct Prelude {
    pub(crate) box_: TokenStream,
    pub(crate) option: TokenStream,
    pub(crate) string: TokenStream,
    pub(crate) vec: TokenStream,
}

impl Prelude {
    fn new(schema: &CheckedSchema) -> Self {
        let defined: BTreeSet<String> = schema
            .types()
            .map(|(_, ty)| name::camel(&ty.common.name).to_string())
            .collect();
        let choose = |short: &str, plain, full| if defined.contains(short) { full } else { plain };
        Self {
            box_: choose("Box", quote!(Box), quote!(::std::boxed::Box)),
            option: choose("Option", quote!(Option), quote!(::core::option::Option)),
            string: choose("String", quote!(String), quote!(::std::string::String)),
            vec: choose("Vec", quote!(Vec), quote!(::std::vec::Vec)),
        }
    }
}

/// Spells types.
pub(super) struct TypeNames<'s> {
    schema: &'s CheckedSchema,
    paths: &'s ModulePaths,
    pub(super) prelude: Prelude,
}

impl<'s> TypeNames<'s> {
    pub(super) fn new(schema: &'s CheckedSchema, paths: &'s ModulePaths) -> Self {
        Self {
            schema,
            paths,
            prelude: Prelude::new(schema),
        }
    }

    /// The Rust type for a QAPI type.
    pub(super) fn ty(&self, id: TypeId, place: Place) -> TokenStream {
        let ty = self.schema.ty(id);
        match &ty.kind {
            TypeKind::Builtin(builtin) => self.builtin(*builtin),
            TypeKind::Array(element) => {
                let (vec, element) = (&self.prelude.vec, self.ty(*element, place));
                quote!(#vec<#element>)
            }
            TypeKind::Object(_) if ty.common.name == "q_empty" => {
                quote!(::qapi_wire::command::Empty)
            }
            TypeKind::Enum(_) | TypeKind::Object(_) | TypeKind::Alternate(_) => {
                let path = self.paths.path(ty.common.module, place);
                let ident = name::camel(&ty.common.name);
                quote!(#path #ident)
            }
        }
    }

    /// The type of an optional value.
    pub(super) fn option(&self, ty: &TokenStream) -> TokenStream {
        let option = &self.prelude.option;
        quote!(#option<#ty>)
    }

    /// The type of a boxed value.
    pub(super) fn boxed(&self, ty: &TokenStream) -> TokenStream {
        let box_ = &self.prelude.box_;
        quote!(#box_<#ty>)
    }

    fn builtin(&self, builtin: Builtin) -> TokenStream {
        match builtin {
            Builtin::Str => self.prelude.string.clone(),
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
}
