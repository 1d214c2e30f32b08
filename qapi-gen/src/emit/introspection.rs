//! The schema as data: the static that `query-qmp-schema` is answered from.
//!
//! In: the planned entries. Out: one table, as short as it can be written:
//! QEMU's has more than a thousand entries.

use proc_macro2::TokenStream;
use quote::quote;

use crate::rust::plan::{EnumMemberPlan, InfoPlan, MemberPlan, MetaPlan};

pub(super) fn introspection(infos: &[InfoPlan]) -> TokenStream {
    let infos = infos.iter().map(info);
    quote! {
        #[allow(unused_imports, reason = "not every schema has entries of every kind")]
        use ::qapi_wire::introspect::{EnumMember, Member, Meta, SchemaInfo, Variant};

        /// The schema as `query-qmp-schema` tells it: commands and events by
        /// their names, types by number.
        pub static SCHEMA: &[SchemaInfo] = &[#(#infos,)*];
    }
}

fn info(plan: &InfoPlan) -> TokenStream {
    let (name, meta, features) = (&plan.name, meta(&plan.meta), &plan.features);
    quote! {
        SchemaInfo {
            name: #name,
            meta: #meta,
            features: &[#(#features),*],
        }
    }
}

fn meta(plan: &MetaPlan) -> TokenStream {
    match plan {
        MetaPlan::Builtin { json_type } => quote!(Meta::Builtin { json_type: #json_type }),
        MetaPlan::Enum { open, members } => {
            let (open, members) = (option(open.as_ref()), members.iter().map(enum_member));
            quote!(Meta::Enum { open: #open, members: &[#(#members),*] })
        }
        MetaPlan::Array { element } => quote!(Meta::Array { element_type: #element }),
        MetaPlan::Object {
            members,
            tag,
            variants,
        } => {
            let (members, tag) = (members.iter().map(member), option(tag.as_ref()));
            let variants = variants.iter().map(variant);
            quote! {
                Meta::Object {
                    members: &[#(#members),*],
                    tag: #tag,
                    variants: &[#(#variants),*],
                }
            }
        }
        MetaPlan::Alternate { types } => quote!(Meta::Alternate { members: &[#(#types),*] }),
        MetaPlan::Command {
            arg,
            ret,
            allow_oob,
        } => quote! {
            Meta::Command { arg_type: #arg, ret_type: #ret, allow_oob: #allow_oob }
        },
        MetaPlan::Event { arg } => quote!(Meta::Event { arg_type: #arg }),
    }
}

fn enum_member(plan: &EnumMemberPlan) -> TokenStream {
    let EnumMemberPlan { name, features } = plan;
    if features.is_empty() {
        quote!(EnumMember::Plain(#name))
    } else {
        quote!(EnumMember::Featured(#name, &[#(#features),*]))
    }
}

fn member(plan: &MemberPlan) -> TokenStream {
    let MemberPlan {
        name, ty, features, ..
    } = plan;
    let member = if plan.optional {
        quote!(Member::Optional(#name, #ty))
    } else {
        quote!(Member::Required(#name, #ty))
    };
    if features.is_empty() {
        member
    } else {
        quote!(Member::Featured(&#member, &[#(#features),*]))
    }
}

fn variant(plan: &MemberPlan) -> TokenStream {
    let (name, ty) = (&plan.name, &plan.ty);
    quote!(Variant(#name, #ty))
}

fn option(text: Option<&String>) -> TokenStream {
    match text {
        Some(text) => quote!(Some(#text)),
        None => quote!(None),
    }
}
