//! Writes alternates: enums whose variant depends on the JSON type.
//!
//! In: an `AlternatePlan`. Out: the enum and its traits.

use proc_macro2::TokenStream;
use quote::quote;

use super::attributes::attributes;
use super::vacancy::{nothing, unused};
use crate::backend::rust::cfg::Presence;
use crate::backend::rust::plan::{AlternateBranchPlan, AlternatePlan};

pub(super) fn alternate(plan: &AlternatePlan) -> TokenStream {
    let ident = &plan.head.ident;
    let wire_name = &plan.head.wire;
    let cfg = &plan.head.cfg;
    let attributes = attributes(&plan.head);
    let variants = plan.branches.iter().map(|branch| {
        let AlternateBranchPlan { head, ty, .. } = branch;
        let (ident, attributes) = (&head.ident, self::attributes(head));
        quote!(#attributes #ident(#ty),)
    });
    let idents: Vec<_> = plan
        .branches
        .iter()
        .map(|branch| &branch.head.ident)
        .collect();
    let cfgs: Vec<_> = plan
        .branches
        .iter()
        .map(|branch| &branch.head.cfg)
        .collect();
    let vacant = Presence::none_of(cfgs.iter().copied());
    let no_out = unused("out", !vacant.is_never());
    let nothing = nothing(&vacant);
    let kinds = plan.branches.iter().map(|branch| &branch.kind);
    quote! {
        #attributes
        pub enum #ident {
            #(#variants)*
        }

        #cfg
        impl wire::Decode for #ident {
            fn decode(value: wire::Node<'_>, at: wire::ValuePath<'_>) -> wire::Result<Self> {
                match value.kind() {
                    #(#cfgs wire::Kind::#kinds => wire::Decode::decode(value, at).map(Self::#idents),)*
                    #[allow(unreachable_patterns, reason = "branches may cover all kinds")]
                    _ => Err(at.invalid_alternate(#wire_name)),
                }
            }
        }

        #cfg
        impl wire::Encode for #ident {
            fn encode(&self, out: &mut wire::Writer<'_>) {
                #no_out
                match self {
                    #(#cfgs Self::#idents(value) => value.encode(out),)*
                    #nothing
                }
            }
        }

        #cfg
        wire::impl_serde!(#ident);
    }
}
