//! Code for enums and functions that may be empty in some configuration.
//!
//! In: the presence of variants. Out: statements and match arms that keep the
//! code free of errors and warnings.

use proc_macro2::{Ident, Span, TokenStream};
use quote::quote;

use crate::backend::rust::cfg::Presence;

/// Returns a statement that uses a parameter, if some configuration may leave out
/// everything else that uses it.
pub(super) fn unused(parameter: &str, can_be: bool) -> TokenStream {
    if !can_be {
        return TokenStream::new();
    }
    let parameter = Ident::new(parameter, Span::call_site());
    quote!(let _ = #parameter;)
}

/// Returns the arm of `match self` for the configurations in which the enum has
/// no variant. Matching `self` without an arm does not compile there, because a
/// reference is not known to be uninhabited; matching `*self` does.
pub(super) fn nothing(vacant: &Presence) -> TokenStream {
    match vacant {
        Presence::Never => TokenStream::new(),
        Presence::Always | Presence::When(_) => quote!(#vacant _ => match *self {},),
    }
}
