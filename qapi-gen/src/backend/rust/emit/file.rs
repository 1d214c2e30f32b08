//! The content of a generated file before it is printed.
//!
//! In: items. Out: items one after the other, because the tokens of a whole file
//! take many times the memory of its text.

use proc_macro2::TokenStream;

/// A generated file.
pub(crate) struct File<'p> {
    /// The name of the file, without a folder.
    pub(crate) name: String,
    /// The schema file from which it is generated, or `None` if it is generated
    /// from all of them.
    pub(crate) schema_file: Option<&'p str>,
    /// The items of the file, which are made when the iterator reaches them.
    pub(crate) items: Box<dyn Iterator<Item = Item> + 'p>,
}

/// A part of a file.
pub(crate) enum Item {
    /// Items to format.
    Tokens(TokenStream),
    /// Items that are formatted already.
    Text(String),
}
