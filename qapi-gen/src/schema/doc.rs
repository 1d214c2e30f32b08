//! The documentation in a schema.
//!
//! In: documentation blocks, cut into sections. Out: the parts of a block, for
//! back ends. What a block documents is not known here.

use crate::source::{Excerpt, Span};
use crate::syntax::{DocBlock, DocText, Section, SectionKind};

/// A documentation block that belongs to no definition.
#[derive(Clone, Debug)]
pub struct FreeFormDoc(pub(super) DocBlock);

impl FreeFormDoc {
    /// Returns the text, without the comment markers.
    #[must_use]
    pub fn text(&self) -> DocText<'_> {
        overview(&self.0)
    }

    /// Returns the span of the block's first line.
    #[must_use]
    pub fn span(&self) -> Span {
        self.0.span
    }
}

/// The documentation of a definition, cut into its parts.
#[derive(Clone, Debug)]
pub struct Doc {
    block: DocBlock,
    /// The members that the block does not describe.
    pub(super) undescribed: Box<[Excerpt]>,
}

impl Doc {
    /// Creates documentation from a block that describes all members.
    pub(super) fn new(block: DocBlock) -> Self {
        Self {
            block,
            undescribed: Box::default(),
        }
    }

    /// Returns the span of the block's first line.
    #[must_use]
    pub fn span(&self) -> Span {
        self.block.span
    }

    /// Returns the text before the first section.
    #[must_use]
    pub fn body(&self) -> DocText<'_> {
        overview(&self.block)
    }

    /// Iterates over the described members, arguments or values in the block's
    /// order, then over those that the block does not describe, with empty
    /// texts.
    pub fn members(&self) -> impl Iterator<Item = DocArg<'_>> + Clone {
        let undescribed = self.undescribed.iter().map(|name| DocArg {
            name,
            text: DocText::EMPTY,
            span: None,
        });
        self.described(SectionKind::Member).chain(undescribed)
    }

    /// Iterates over the described features in the block's order.
    pub fn features(&self) -> impl Iterator<Item = DocArg<'_>> + Clone {
        self.described(SectionKind::Feature)
    }

    /// Iterates over the other sections in order: `Returns`, `Errors`, `Since`,
    /// `TODO`, and in older schemas `Note` and `Example`. Plain text between
    /// sections has an empty tag.
    pub fn sections(&self) -> impl Iterator<Item = DocSection<'_>> + Clone {
        let is_other = |section: &Section<'_>| {
            !matches!(section.kind, SectionKind::Member | SectionKind::Feature)
        };
        // Skip the first section, which is the body.
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
    /// The name of the member or feature.
    pub name: &'a str,
    /// The text, with the indentation of the comment removed.
    pub text: DocText<'a>,
    /// The span of the description's first line, or `None` if the block does
    /// not describe the member.
    pub span: Option<Span>,
}

/// A section of a documentation block.
#[derive(Clone, Copy, Debug)]
pub struct DocSection<'a> {
    /// The tag, such as `Returns`, or an empty string for plain text.
    pub tag: &'static str,
    /// The text, with the indentation of the comment removed.
    pub text: DocText<'a>,
    /// The span of the section's first line.
    pub span: Span,
}

/// Returns the text of a block's first section.
fn overview(block: &DocBlock) -> DocText<'_> {
    let overview = block.sections().next();
    overview.map_or(DocText::EMPTY, |overview| overview.text)
}
