//! The mapping from QAPI types to Rust types.
//!
//! In: a type of the schema, and the place that refers to it. Out: the Rust type
//! as tokens. Only the spelling is decided here.

use std::collections::{BTreeMap, BTreeSet};

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};

use super::name;
use super::paths::{ModulePaths, Place};
use super::placeholder;
use super::problem::RustProblem;
use crate::analysis::option_names::OptionNames;
use crate::diag::Diagnostics;
use crate::schema::{Builtin, CheckedSchema, TypeId, TypeKind};

/// The spelling of types of the standard prelude: a full path where the schema
/// defines a type, a command or an event of the same name.
#[derive(Clone)]
pub(crate) struct Prelude {
    pub(crate) box_: TokenStream,
    pub(crate) option: TokenStream,
    pub(crate) string: TokenStream,
    pub(crate) vec: TokenStream,
}

impl Prelude {
    fn new(schema: &CheckedSchema) -> Self {
        let names = schema.entities().iter();
        let names = names.map(|entity| &schema.common(*entity).name);
        // Skip long names, because converting all names takes time.
        let longest = "Option".len();
        let letters = |name: &str| name.bytes().filter(u8::is_ascii_alphanumeric).count();
        let defined: BTreeSet<String> = names
            .filter(|name| letters(name) <= longest)
            .map(|name| name::camel(name).to_string())
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

/// The types of the schema that the caller replaces with Rust types.
pub(super) struct Replacements {
    by_type: BTreeMap<TypeId, TokenStream>,
}

impl Replacements {
    /// Resolves option `replaced`. Reports names and types that do not fit.
    pub(super) fn new(
        schema: &CheckedSchema,
        options: &BTreeMap<String, String>,
        paths: &ModulePaths,
        diagnostics: &mut Diagnostics,
    ) -> Self {
        let mut by_type = BTreeMap::new();
        let mut names = OptionNames {
            schema,
            option: "replace",
            diagnostics,
        };
        for (name, text) in options {
            let Some(id) = names.ty(name) else { continue };
            // Report an external type, because the code in the other crate
            // would still use the original one.
            let module = schema.ty(id).common.module;
            if paths.is_external(module) {
                let module = &schema.module(module).name;
                names.report_idle(name, format!("another crate has the code of '{module}'"));
            }
            let parsed = placeholder::require_free(text);
            match parsed.and_then(|()| syn::parse_str::<syn::Type>(text)) {
                Ok(ty) => {
                    by_type.insert(id, ty.into_token_stream());
                }
                Err(error) => names.report_syntax(text, "type", &error),
            }
        }
        // Report a replaced type that is a union's discriminator, because the code
        // of the union names the enum's variants.
        for (_, ty) in schema.types() {
            if let TypeKind::Object(object) = &ty.kind
                && let Some(branches) = &object.branches
                && by_type.contains_key(&branches.tag_type)
            {
                let problem = RustProblem::ReplacedDiscriminator {
                    ty: schema.ty(branches.tag_type).common.name.to_string(),
                    union: ty.common.name.to_string(),
                };
                diagnostics.report(problem.into(), None);
            }
        }
        Self { by_type }
    }

    /// Returns whether the caller replaces a type.
    pub(super) fn contains(&self, id: TypeId) -> bool {
        self.by_type.contains_key(&id)
    }
}

/// The spelling of all types.
pub(super) struct TypeNames<'s> {
    schema: &'s CheckedSchema,
    paths: &'s ModulePaths,
    replaced: &'s Replacements,
    pub(super) prelude: Prelude,
}

impl<'s> TypeNames<'s> {
    pub(super) fn new(
        schema: &'s CheckedSchema,
        paths: &'s ModulePaths,
        replaced: &'s Replacements,
    ) -> Self {
        Self {
            schema,
            paths,
            replaced,
            prelude: Prelude::new(schema),
        }
    }

    /// Returns the Rust type for a QAPI type.
    pub(super) fn ty(&self, id: TypeId, place: Place) -> TokenStream {
        if let Some(replacement) = self.replaced.by_type.get(&id) {
            return replacement.clone();
        }
        let ty = self.schema.ty(id);
        match &ty.kind {
            TypeKind::Builtin(builtin) => self.builtin(*builtin),
            TypeKind::Array(element) => {
                let vec = &self.prelude.vec;
                let element = self.ty(*element, place);
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

    /// Returns the type of an optional value.
    pub(super) fn option(&self, ty: TokenStream) -> TokenStream {
        let (option, ty) = (&self.prelude.option, ty);
        quote!(#option<#ty>)
    }

    /// Returns the type of a boxed value.
    pub(super) fn boxed(&self, ty: TokenStream) -> TokenStream {
        let (box_, ty) = (&self.prelude.box_, ty);
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
