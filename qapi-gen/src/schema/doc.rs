//! The documentation in a schema.
//!
//! In: documentation blocks, cut into sections. Out: what the dump and the
//! Rust back end show of them. What is documented, it does not know.

use crate::source::{Excerpt, Span};
use crate::syntax::{DocBlock, DocText, Section, SectionKind};

/// A documentation block that belongs to no definition.
#[derive(Clone, Debug)]
pub struct FreeFormDoc(pub(super) DocBlock);

impl FreeFormDoc {
    /// The text, without the comment markers.
    #[must_use]
    pub fn text(&self) -> DocText<'_> {
        overview(&self.0)
    }

    /// Where the block begins.
    #[must_use]
    pub fn span(&self) -> Span {
        self.0.span
    }
}

/// The documentation of a definition, cut into its parts.
#[derive(Clone, Debug)]
pub struct Doc {
    block: DocBlock,
    /// The members that the block leaves out.
    pub(super) undescribed: Box<[Excerpt]>,
}

impl Doc {
    /// A block that leaves nothing out.
    pub(super) fn new(block: DocBlock) -> Self {
        Self {
            block,
            undescribed: Box::default(),
        }
    }

    /// Where the block begins.
    #[must_use]
    pub fn span(&self) -> Span {
        self.block.span
    }

    /// What stands before the first section.
    #[must_use]
    pub fn body(&self) -> DocText<'_> {
        overview(&self.block)
    }

    /// The members, arguments or values described, in documentation order,
    /// then those that the block leaves out, with empty descriptions.
    pub fn members(&self) -> impl Iterator<Item = DocArg<'_>> + Clone {
        let undescribed = self.undescribed.iter().map(|name| DocArg {
            name,
            text: DocText::EMPTY,
            span: None,
        });
        self.described(SectionKind::Member).chain(undescribed)
    }

    /// The features described, in documentation order.
    pub fn features(&self) -> impl Iterator<Item = DocArg<'_>> + Clone {
        self.described(SectionKind::Feature)
    }

    /// `Returns`, `Errors`, `Since`, `TODO`, of older schemas also `Note` and
    /// `Example`, with plain text between sections under an empty tag, in
    /// order.
    pub fn sections(&self) -> impl Iterator<Item = DocSection<'_>> + Clone {
        let is_other = |section: &Section<'_>| {
            !matches!(section.kind, SectionKind::Member | SectionKind::Feature)
        };
        // The first is the body.
        let others = self.block.sections().skip(1).filter(is_other);
        others.map(|section| DocSection {
            tag: section.kind.tag(),
            text: section.text,
            span: section.span,
        })
    }

    fn described(&self, kind: SectionKind) -> impl Iterator<Item = DocArg<'_>> + Clone {
        let sections = self.block.sections();
        sections
            .filter(move |section| section.kind == kind)
            .map(|section| DocArg {
                name: section.name,
                text: section.text,
                span: Some(section.span),
            })
    }
}

/// The description of one member or feature.
#[derive(Clone, Copy, Debug)]
pub struct DocArg<'a> {
    /// Which one.
    pub name: &'a str,
    /// The text, with the indentation of the comment removed.
    pub text: DocText<'a>,
    /// Where the description begins; `None` if the block leaves the member
    /// out.
    pub span: Option<Span>,
}

/// A section of a documentation block.
#[derive(Clone, Copy, Debug)]
pub struct DocSection<'a> {
    /// `Returns`, `Errors`, `Since`, ...; empty for plain text.
    pub tag: &'static str,
    /// The text, with the indentation of the comment removed.
    pub text: DocText<'a>,
    /// Where the section begins.
    pub span: Span,
}

fn overview(block: &DocBlock) -> DocText<'_> {
    let overview = block.sections().next();
    overview.map_or(DocText::EMPTY, |overview| overview.text)
}
