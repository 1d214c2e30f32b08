//! Formats tokens for people.
//!
//! In: the tokens of items. Out: their text, much as rustfmt formats it. This
//! needs a parser for all of Rust and a printer, which take long to compile, so
//! a build script can leave them out: feature `format`.

use proc_macro2::TokenStream;

/// Returns the text of each item. Returns `None` if the tokens are not items, or
/// without feature `format`.
#[cfg(feature = "format")]
pub(crate) fn items(tokens: TokenStream) -> Option<Vec<String>> {
    let tree: syn::File = syn::parse2(tokens).ok()?;
    let items = tree.items.into_iter().map(|item| {
        // Format one item at a time, because the caller separates items with
        // blank lines.
        prettyplease::unparse(&syn::File {
            shebang: None,
            frontmatter: None,
            attrs: Vec::new(),
            items: vec![item],
        })
    });
    Some(items.collect())
}

/// Returns `None`, because this library was built without feature `format`.
#[cfg(not(feature = "format"))]
pub(crate) fn items(_: TokenStream) -> Option<Vec<String>> {
    None
}
