//! Unions: a struct for the base, and an enum that holds the branches.
//!
//! In: a `UnionPlan`. Out: both types and their traits. The enum has a variant
//! for every value of the discriminator, so that no state which the schema
//! forbids can be built.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};

use super::features::deprecated;
use super::structs::{self, Access};
use super::{attributes, docs};
use crate::rust::Prelude;
use crate::rust::plan::{UnionField, UnionPlan};

pub(super) fn union(plan: &UnionPlan, std: &Prelude) -> TokenStream {
    let ident = &plan.head.ident;
    let definition = definition(plan);
    let branch_definition = branch_definition(plan, std);
    let members = members(plan);
    let branch_codec = branch_codec(plan);
    quote! {
        #definition
        #branch_definition
        #members
        #branch_codec
        wire::object!(#ident);
    }
}

fn definition(plan: &UnionPlan) -> TokenStream {
    let attributes = attributes(&plan.head, &quote!());
    let (ident, branch_ident) = (&plan.head.ident, &plan.branch_ident);
    let fields = plan.fields.iter().map(|field| match field {
        UnionField::Plain(plan) => structs::field(plan),
        UnionField::Tag {
            ident,
            docs,
            features,
            ..
        } => {
            let (docs, deprecated) = (self::docs(*docs), deprecated(features));
            quote!(#docs #deprecated pub #ident: #branch_ident,)
        }
    });
    quote! {
        #attributes
        pub struct #ident {
            #(#fields)*
        }
    }
}

fn branch_definition(plan: &UnionPlan, std: &Prelude) -> TokenStream {
    let box_ = &std.box_;
    let branch_ident = &plan.branch_ident;
    let summary = format!(
        " What the discriminator of [`{}`] chooses.",
        plan.head.ident
    );
    let exact = if plan.head.exact {
        quote!(Eq, Hash)
    } else {
        quote!()
    };
    let variants = plan.branches.iter().map(|branch| {
        let (ident, docs) = (&branch.ident, docs(branch.docs));
        let deprecated = deprecated(&branch.features);
        let carried = branch.ty.iter();
        quote!(#docs #deprecated #ident #((#carried))*,)
    });
    let unknown = plan.unknown.iter().map(|unknown| {
        quote! {
            /// A value that the schema does not list.
            #unknown {
                /// The discriminator.
                tag: #box_<str>,
                /// The members besides the base's.
                members: wire::Dict,
            },
        }
    });
    let names = plan.branches.iter().map(|branch| {
        let (ident, wire_name) = (&branch.ident, &branch.wire);
        let carried = branch.ty.iter().map(|_| quote!((_)));
        quote!(Self::#ident #(#carried)* => #wire_name,)
    });
    let unknown_name = plan
        .unknown
        .iter()
        .map(|unknown| quote!(Self::#unknown { tag, .. } => tag,));
    let tag_ty = &plan.tag_ty;
    let tags = plan.branches.iter().map(|branch| {
        let ident = &branch.ident;
        let carried = branch.ty.iter().map(|_| quote!((_)));
        quote!(Self::#ident #(#carried)* => #tag_ty::#ident,)
    });
    let unknown_tag = plan
        .unknown
        .iter()
        .map(|unknown| quote!(Self::#unknown { tag, .. } => #tag_ty::#unknown(tag.clone()),));
    quote! {
        #[doc = #summary]
        #[derive(Clone, Debug, PartialEq, #exact)]
        pub enum #branch_ident {
            #(#variants)*
            #(#unknown)*
        }

        impl #branch_ident {
            /// The name on the wire.
            #[must_use]
            pub fn name(&self) -> &str {
                match self { #(#names)* #(#unknown_name)* }
            }

            /// The discriminator.
            #[must_use]
            pub fn tag(&self) -> #tag_ty {
                match self { #(#tags)* #(#unknown_tag)* }
            }
        }
    }
}

/// The union's members: the base's, then the branch's.
fn members(plan: &UnionPlan) -> TokenStream {
    let (ident, branch_ident, tag_ty) = (&plan.head.ident, &plan.branch_ident, &plan.tag_ty);
    // Fields may have any name, so what is decoded is held under numbers.
    let held: Vec<_> = (0..plan.fields.len())
        .map(|n| format_ident!("member_{n}"))
        .collect();
    let mut idents = Vec::new();
    let mut decoded = Vec::new();
    let mut encoded = Vec::new();
    let mut branch = quote!();
    let mut tag_ident = None;
    for (field, held) in plan.fields.iter().zip(&held) {
        match field {
            UnionField::Plain(field) => {
                let ident = &field.ident;
                let (ty, access) = (&field.ty, Access::field(field));
                let value = access.decoded;
                idents.push(ident);
                decoded.push(quote!(let #held: #ty = #value;));
                encoded.push(access.encoded);
            }
            UnionField::Tag {
                ident,
                wire,
                features,
                ..
            } => {
                idents.push(ident);
                let access = Access::new(wire, false, features, &quote!(self.#ident.name()));
                let value = access.decoded;
                decoded.push(quote!(let #held: #tag_ty = #value;));
                encoded.push(access.encoded);
                branch = quote!(let #held = #branch_ident::decode_branch(#held, members)?;);
                tag_ident = Some(ident);
            }
        }
    }
    let tag_ident = tag_ident.into_iter().collect::<Vec<_>>();
    quote! {
        impl wire::DecodeMembers for #ident {
            fn decode_members(members: &mut wire::Members<'_>) -> wire::Result<Self> {
                #(#decoded)*
                #branch
                Ok(Self { #(#idents: #held,)* })
            }
        }

        impl wire::EncodeMembers for #ident {
            fn encode_members(&self, out: &mut wire::ObjectWriter<'_, '_>) {
                #(#encoded)*
                #(self.#tag_ident.encode_branch(out);)*
            }
        }
    }
}

/// How the branch is taken out of, and put among, the base's members.
fn branch_codec(plan: &UnionPlan) -> TokenStream {
    let (branch_ident, tag_ty) = (&plan.branch_ident, &plan.tag_ty);
    let carrying: Vec<_> = plan
        .branches
        .iter()
        .filter(|b| b.ty.is_some())
        .map(|b| &b.ident)
        .collect();
    let plain: Vec<_> = plan
        .branches
        .iter()
        .filter(|b| b.ty.is_none())
        .map(|b| &b.ident)
        .collect();
    let unknown: Vec<_> = plan.unknown.iter().collect();
    // Without a branch that carries anything the argument goes unused.
    let unused = carrying.is_empty() && unknown.is_empty();
    let (members, out) = if unused {
        (quote!(_), quote!(_))
    } else {
        (quote!(members), quote!(out))
    };
    quote! {
        impl #branch_ident {
            fn decode_branch(tag: #tag_ty, #members: &mut wire::Members<'_>) -> wire::Result<Self> {
                Ok(match tag {
                    #(#tag_ty::#plain => Self::#plain,)*
                    #(#tag_ty::#carrying => Self::#carrying(
                        wire::DecodeMembers::decode_members(members)?
                    ),)*
                    #(#tag_ty::#unknown(tag) => Self::#unknown { tag, members: members.rest() },)*
                })
            }

            fn encode_branch(&self, #out: &mut wire::ObjectWriter<'_, '_>) {
                match self {
                    #(Self::#plain => {})*
                    #(Self::#carrying(branch) => {
                        wire::EncodeMembers::encode_members(branch, out);
                    })*
                    #(Self::#unknown { members, .. } => {
                        wire::EncodeMembers::encode_members(members, out);
                    })*
                }
            }
        }
    }
}
