//! Writes unions: a struct for the base, and an enum for the branches.
//!
//! In: a `UnionPlan`. Out: both types and their traits. The enum has a variant
//! for each value of the discriminator, so that a state that the schema forbids
//! does not compile.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens as _, format_ident, quote};

use super::attributes::attributes;
use super::structs::{self, Access};
use super::vacancy::{nothing, unused};
use crate::backend::rust::cfg::Presence;
use crate::backend::rust::plan::{BranchPlan, Head, UnionField, UnionPlan};
use crate::backend::rust::ty::Prelude;

pub(super) fn union(plan: &UnionPlan, std: &Prelude) -> TokenStream {
    let (ident, cfg) = (&plan.head.ident, &plan.head.cfg);
    let definition = definition(plan);
    let branch_definition = branch_definition(plan, std);
    let members = members(plan);
    let branch_codec = branch_codec(plan);
    quote! {
        #definition
        #branch_definition
        #members
        #branch_codec
        #cfg
        wire::object!(#ident);
    }
}

/// Writes the struct of the base.
fn definition(plan: &UnionPlan) -> TokenStream {
    let attributes = attributes(&plan.head);
    let (ident, branch_ident) = (&plan.head.ident, &plan.branch_ident);
    let fields = plan.fields.iter().map(|field| match field {
        UnionField::Plain(plan) => structs::field(plan),
        UnionField::Tag(head) => {
            let (ident, attributes) = (&head.ident, self::attributes(head));
            quote!(#attributes pub #ident: #branch_ident,)
        }
    });
    quote! {
        #attributes
        pub struct #ident {
            #(#fields)*
        }
    }
}

/// Writes the enum of the branches, and the methods that return its
/// discriminator.
fn branch_definition(plan: &UnionPlan, std: &Prelude) -> TokenStream {
    let box_ = &std.box_;
    let branch_ident = &plan.branch_ident;
    let summary = format!(" The branches of [`{}`].", plan.head.ident);
    let Head {
        cfg,
        derives,
        attributes,
        ..
    } = &plan.head;
    let variants = plan.branches.iter().map(|branch| {
        let BranchPlan { head, ty } = branch;
        let (ident, attributes) = (&head.ident, self::attributes(head));
        let carried = ty.iter();
        quote!(#attributes #ident #((#carried))*,)
    });
    let nothing = nothing(&vacant(plan));
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
        let (ident, wire_name, cfg) = (&branch.head.ident, &branch.head.wire, &branch.head.cfg);
        let carried = branch.ty.iter().map(|_| quote!((_)));
        quote!(#cfg Self::#ident #(#carried)* => #wire_name,)
    });
    let unknown_name = plan
        .unknown
        .iter()
        .map(|unknown| quote!(Self::#unknown { tag, .. } => tag,));
    let tag_ty = &plan.tag_ty;
    let tags = plan.branches.iter().map(|branch| {
        let (ident, cfg) = (&branch.head.ident, &branch.head.cfg);
        let carried = branch.ty.iter().map(|_| quote!((_)));
        quote!(#cfg Self::#ident #(#carried)* => #tag_ty::#ident,)
    });
    let unknown_tag = plan
        .unknown
        .iter()
        .map(|unknown| quote!(Self::#unknown { tag, .. } => #tag_ty::#unknown(tag.clone()),));
    quote! {
        #[doc = #summary]
        #cfg
        #derives
        #attributes
        pub enum #branch_ident {
            #(#variants)*
            #(#unknown)*
        }

        #cfg
        impl #branch_ident {
            /// The name on the wire.
            #[must_use]
            pub fn name(&self) -> &str {
                match self { #(#names)* #(#unknown_name)* #nothing }
            }

            /// The discriminator.
            #[must_use]
            pub fn tag(&self) -> #tag_ty {
                match self { #(#tags)* #(#unknown_tag)* #nothing }
            }
        }
    }
}

/// Writes the traits that decode and encode the members of the base, then those
/// of the branch.
fn members(plan: &UnionPlan) -> TokenStream {
    let (ident, cfg) = (&plan.head.ident, &plan.head.cfg);
    let (branch_ident, tag_ty) = (&plan.branch_ident, &plan.tag_ty);
    // Variables have numbers, because a field may have any name, such as
    // `members`.
    let held: Vec<_> = (0..plan.fields.len())
        .map(|n| format_ident!("member_{n}"))
        .collect();
    let mut cfgs = Vec::new();
    let mut idents = Vec::new();
    let mut decoded = Vec::new();
    let mut encoded = Vec::new();
    let mut branch = quote!();
    let mut tag_ident = None;
    for (field, held) in plan.fields.iter().zip(&held) {
        match field {
            UnionField::Plain(field) => {
                let Head { ident, cfg, .. } = &field.head;
                let (ty, access) = (&field.ty, Access::field(field));
                let (value, statement) = (access.decoded, access.encoded);
                cfgs.push(cfg);
                idents.push(ident);
                decoded.push(quote!(#cfg let #held: #ty = #value;));
                encoded.push(quote!(#cfg #statement));
            }
            UnionField::Tag(head) => {
                let ident = &head.ident;
                let name = quote!(self.#ident.name());
                let access = Access::new(&head.wire, false, &head.features, &name);
                let value = access.decoded;
                cfgs.push(&Presence::ALWAYS);
                idents.push(ident);
                decoded.push(quote!(let #held: #tag_ty = #value;));
                encoded.push(access.encoded);
                branch = quote!(let #held = #branch_ident::decode_branch(#held, members)?;);
                tag_ident = Some(ident);
            }
        }
    }
    let tag_ident = tag_ident.into_iter().collect::<Vec<_>>();
    quote! {
        #cfg
        impl wire::DecodeMembers for #ident {
            fn decode_members(members: &mut wire::Members<'_>) -> wire::Result<Self> {
                #(#decoded)*
                #branch
                Ok(Self { #(#cfgs #idents: #held,)* })
            }
        }

        #cfg
        impl wire::EncodeMembers for #ident {
            fn encode_members(&self, out: &mut wire::ObjectWriter<'_, '_>) {
                #(#encoded)*
                #(self.#tag_ident.encode_branch(out);)*
            }
        }
    }
}

/// Writes the methods that decode and encode the members of a branch.
fn branch_codec(plan: &UnionPlan) -> TokenStream {
    let (branch_ident, tag_ty, cfg) = (&plan.branch_ident, &plan.tag_ty, &plan.head.cfg);
    let (carrying, plain): (Vec<_>, Vec<_>) = plan.branches.iter().partition(|b| b.ty.is_some());
    let cfgs: Vec<_> = carrying.iter().map(|branch| &branch.head.cfg).collect();
    let carrying: Vec<_> = carrying.iter().map(|branch| &branch.head.ident).collect();
    let plain_cfgs: Vec<_> = plain.iter().map(|branch| &branch.head.cfg).collect();
    let plain: Vec<_> = plain.iter().map(|branch| &branch.head.ident).collect();
    let unknown: Vec<_> = plan.unknown.iter().collect();
    // The argument is unused if no branch has members.
    let is_unused = carrying.is_empty() && unknown.is_empty();
    let can_be_unused =
        !is_unused && unknown.is_empty() && !Presence::none_of(cfgs.iter().copied()).is_never();
    let [members, out] = ["members", "out"].map(|name| match is_unused {
        true => quote!(_),
        false => Ident::new(name, Span::call_site()).into_token_stream(),
    });
    let [no_members, no_out] = ["members", "out"].map(|name| unused(name, can_be_unused));
    let vacant = vacant(plan);
    let nothing = nothing(&vacant);
    let unreachable = (!vacant.is_never())
        .then(|| quote!(#[allow(unreachable_code, reason = "there may be no value to decode")]));
    quote! {
        #cfg
        impl #branch_ident {
            #unreachable
            fn decode_branch(tag: #tag_ty, #members: &mut wire::Members<'_>) -> wire::Result<Self> {
                #no_members
                Ok(match tag {
                    #(#plain_cfgs #tag_ty::#plain => Self::#plain,)*
                    #(#cfgs #tag_ty::#carrying => Self::#carrying(
                        wire::DecodeMembers::decode_members(members)?
                    ),)*
                    #(#tag_ty::#unknown(tag) => Self::#unknown { tag, members: members.rest() },)*
                })
            }

            fn encode_branch(&self, #out: &mut wire::ObjectWriter<'_, '_>) {
                #no_out
                match self {
                    #(#plain_cfgs Self::#plain => {})*
                    #(#cfgs Self::#carrying(branch) => {
                        wire::EncodeMembers::encode_members(branch, out);
                    })*
                    #(Self::#unknown { members, .. } => {
                        wire::EncodeMembers::encode_members(members, out);
                    })*
                    #nothing
                }
            }
        }
    }
}

/// Returns the configurations in which the branch enum has no variant.
fn vacant(plan: &UnionPlan) -> Presence {
    match plan.unknown {
        Some(_) => Presence::Never,
        None => Presence::none_of(plan.branches.iter().map(|branch| &branch.head.cfg)),
    }
}
