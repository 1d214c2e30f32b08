//! Tokens that stand in one place only.
//!
//! In: tokens that have been written down. Out: the same, within others. What
//! they mean it does not know.

use std::cell::Cell;

use proc_macro2::TokenStream;
use quote::ToTokens;

/// Tokens that are moved to where they stand first, and nowhere else. A
/// `TokenStream` is copied there, names and all, which is most of what writing
/// tokens down would cost.
pub(crate) struct Part(Cell<TokenStream>);

impl From<TokenStream> for Part {
    fn from(tokens: TokenStream) -> Self {
        Self(Cell::new(tokens))
    }
}

impl ToTokens for Part {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        let part = self.0.take();
        if tokens.is_empty() {
            *tokens = part;
        } else {
            tokens.extend(std::iter::once(part));
        }
    }
}
