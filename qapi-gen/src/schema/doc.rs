//! The documentation in a schema.
//!
//! In: documentation blocks, cut into sections. Out: what the dump and the
//! Rust back end show of them. What is documented, it does not know.

use crate::source::Span;

/// A documentation block that belongs to no definition.
#[derive(Clone, Debug)]
pub struct FreeFormDoc {
    /// The text, without the comment markers.
    pub text: String,
    /// Where the block begins.
    pub span: Span,
}

/// The documentation of a definition, cut into its parts.
#[derive(Clone, Debug, Default)]
pub struct Doc {
    /// Where the block begins.
    pub span: Option<Span>,
    /// What stands before the first section.
    pub body: String,
    /// The members, arguments or values described, in documentation order.
    pub members: Vec<DocArg>,
    /// The features described, in documentation order.
    pub features: Vec<DocArg>,
    /// `Returns`, `Errors`, `Since`, `TODO`, of older schemas also `Note` and
    /// `Example`, with plain text between sections under an empty tag, in
    /// order.
    pub sections: Vec<DocSection>,
}

/// The description of one member or feature.
#[derive(Clone, Debug)]
pub struct DocArg {
    /// Which one.
    pub name: String,
    /// The text, with the indentation of the comment removed.
    pub text: String,
    /// Where the description begins; `None` if the block leaves the member
    /// out.
    pub span: Option<Span>,
}

/// A section of a documentation block.
#[derive(Clone, Debug)]
pub struct DocSection {
    /// `Returns`, `Errors`, `Since`, ...; empty for plain text.
    pub tag: String,
    /// The text, with the indentation of the comment removed.
    pub text: String,
    /// Where the section begins.
    pub span: Span,
}
