//! Tokens laid out for people to read.
//!
//! In: the tokens of items. Out: their text, as rustfmt would have it. It is
//! what takes the parser of all of Rust and the printer, which a build script
//! had better not wait for: feature `format`.

use proc_macro2::TokenStream;

/// Each item's text; `None`: the tokens are no items, or this library was built
/// without what it takes.
#[cfg(feature = "format")]
pub(crate) fn items(tokens: TokenStream) -> Option<Vec<String>> {
    let tree: syn::File = syn::parse2(tokens).ok()?;
    let items = tree.items.into_iter().map(|item| {
        // One at a time: who takes them puts blank lines between them.
        prettyplease::unparse(&syn::File {
            shebang: None,
            frontmatter: None,
            attrs: Vec::new(),
            items: vec![item],
        })
    });
    Some(items.collect())
}

/// `None`: this library was built without what it takes.
#[cfg(not(feature = "format"))]
pub(crate) fn items(_: TokenStream) -> Option<Vec<String>> {
    None
}
