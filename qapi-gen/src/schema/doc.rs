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
            kind: section.kind,
            tag: section.kind.tag(),
            text: section.text,
            span: section.span,
        })
    }

    /// Iterates over all sections in the order in which QEMU's generator prints
    /// them since 11.1, each with its name if it describes something. Empty ones
    /// are included for members that the block does not describe, and for the
    /// reply if `has_reply` is true and the block does not describe it.
    pub(crate) fn in_order(&self, has_reply: bool) -> Vec<(SectionKind, &str, DocText<'_>)> {
        let mut sections = vec![];
        for section in self.block.sections() {
            let is_first = sections.is_empty();
            if is_first && section.kind == SectionKind::Plain {
                sections.push((SectionKind::Intro, "", DocText::EMPTY));
            }
            if !is_first || !section.text.is_empty() || section.kind == SectionKind::Intro {
                sections.push((section.kind, section.name, section.text));
            }
        }
        let is_intro = |kind| matches!(kind, SectionKind::Plain | SectionKind::Intro);
        let intro = sections.iter().take_while(|(kind, ..)| is_intro(*kind));
        let intro = intro.count();
        let last = |sections: &[(SectionKind, &str, DocText<'_>)], wanted| {
            sections.iter().rposition(|(kind, ..)| *kind == wanted)
        };
        let members = last(&sections, SectionKind::Member).map_or(intro, |last| last + 1);
        let undescribed = self.undescribed.iter();
        let stubs = undescribed.map(|name| (SectionKind::Member, name.as_str(), DocText::EMPTY));
        sections.splice(members..members, stubs);
        if has_reply && last(&sections, SectionKind::Returns).is_none() {
            let at = last(&sections, SectionKind::Member)
                .map(|last| last + 1)
                .or_else(|| last(&sections, SectionKind::Errors))
                .or_else(|| last(&sections, SectionKind::Feature))
                .unwrap_or(intro);
            sections.insert(at, (SectionKind::Returns, "", DocText::EMPTY));
        }
        sections
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
    pub(crate) kind: SectionKind,
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
