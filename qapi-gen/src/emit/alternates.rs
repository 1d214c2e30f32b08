//! Alternates: an enum chosen by JSON type.
//!
//! In: an `AlternatePlan`. Out: the enum and its traits.

use proc_macro2::TokenStream;
use quote::quote;

use super::{attributes, docs};
use crate::rust::plan::AlternatePlan;

pub(super) fn alternate(plan: &AlternatePlan) -> TokenStream {
    let ident = &plan.head.ident;
    let wire_name = &plan.head.wire;
    let attributes = attributes(&plan.head, &quote!());
    let variants = plan.branches.iter().map(|branch| {
        let (ident, ty, docs) = (&branch.ident, &branch.ty, docs(branch.docs));
        quote!(#docs #ident(#ty),)
    });
    let idents: Vec<_> = plan.branches.iter().map(|branch| &branch.ident).collect();
    let kinds = plan.branches.iter().map(|branch| &branch.kind);
    quote! {
        #attributes
        pub enum #ident {
            #(#variants)*
        }

        impl wire::Decode for #ident {
            fn decode(value: wire::Node<'_>, at: wire::At<'_>) -> wire::Result<Self> {
                match value.kind() {
                    #(wire::Kind::#kinds => wire::Decode::decode(value, at).map(Self::#idents),)*
                    #[allow(unreachable_patterns)]
                    _ => Err(at.invalid_alternate(#wire_name)),
                }
            }
        }

        impl wire::Encode for #ident {
            fn encode(&self, out: &mut wire::Writer<'_>) {
                match self {
                    #(Self::#idents(value) => value.encode(out),)*
                }
            }
        }

        wire::serde!(#ident);
    }
}
