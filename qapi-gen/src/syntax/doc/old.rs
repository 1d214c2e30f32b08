//! Documentation comments by the rules of QEMU 7.2.
//!
//! In: the comment lines of a block. Out: the block, cut into sections: there
//! a section goes on until something else begins, and what follows the first
//! line is indented as far as its text. It does not know the newer rules.

use super::block::{DocBlock, Section, SectionKind};
use super::markup::{indentation, tag};
use crate::diag::{Diagnostics, Problem, Severity, Site};
use crate::syntax::Seen;
use crate::syntax::lexer::{Token, is_space};
use crate::syntax::parser::{Parser, Reported};

/// What kind of section is being read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Overview,
    Members,
    Features,
    Sections,
}

/// Reads the lines of a block.
pub(super) struct OldLines<'p, 's> {
    parser: &'p mut Parser<'s>,
    diagnostics: &'p mut Diagnostics,
    doc: DocBlock<'s>,
    part: Part,
    /// How far the lines of the section at hand are indented.
    indent: usize,
    /// What messages call the section at hand, if it needs text.
    name: Option<&'s str>,
    /// The first section that describes no member or feature: its tag.
    first_section: Option<Option<&'static str>>,
    members: Seen<'s>,
    features: Seen<'s>,
    /// Whether the line that ends the block is still to come.
    open: bool,
}

/// The first word, ended by a space only.
fn first_word(line: &str) -> &str {
    line.split_once(' ').map_or(line, |(word, _)| word)
}

/// The name in a first word `@name:`.
fn described(line: &str) -> Option<&str> {
    first_word(line).strip_prefix('@')?.strip_suffix(':')
}

/// The name in `@name:` with which a line begins, whatever follows.
fn mentioned(line: &str) -> Option<&str> {
    let word = line.strip_prefix('@')?.split(is_space).next()?;
    let (name, _) = word.rsplit_once(':')?;
    (!name.is_empty()).then_some(name)
}

/// The tag in a first word `Tag:`.
fn tagged(line: &str) -> Option<(&'static str, SectionKind<'static>)> {
    let (word, kind) = tag(first_word(line).strip_suffix(':')?)?;
    // This is younger.
    (kind != SectionKind::Errors).then_some((word, kind))
}

impl<'p, 's> OldLines<'p, 's> {
    pub(super) fn new(parser: &'p mut Parser<'s>, diagnostics: &'p mut Diagnostics) -> Self {
        let doc = DocBlock::new(parser.span, None);
        Self {
            parser,
            diagnostics,
            doc,
            part: Part::Overview,
            indent: 0,
            name: None,
            first_section: None,
            members: Seen::default(),
            features: Seen::default(),
            open: true,
        }
    }

    /// Reads the block whose first line is the token at hand. The second part
    /// is whether the line that ends the block is still to come.
    pub(super) fn read(mut self) -> (Result<DocBlock<'s>, Reported>, bool) {
        let block = self.block();
        (block.map(|()| self.doc), self.open)
    }

    fn block(&mut self) -> Result<(), Reported> {
        if self.parser.token != Token::Comment("##") {
            return self.fail(Problem::DocJunkAtStart);
        }
        loop {
            self.parser.advance(true, self.diagnostics)?;
            let Token::Comment(comment) = self.parser.token else {
                return self.fail(Problem::DocUnterminated);
            };
            if comment.starts_with("##") {
                self.open = false;
                if comment != "##" {
                    return self.fail(Problem::DocJunkAtEnd);
                }
                return self.leave_section();
            }
            if comment.starts_with("# =") {
                self.heading()?;
            }
            let Some(line) = comment.strip_prefix("# ") else {
                if comment != "#" {
                    return self.fail(Problem::DocMissingSpace);
                }
                self.text("")?;
                continue;
            };
            self.line(line)?;
        }
    }

    fn fail<T>(&mut self, problem: Problem) -> Result<T, Reported> {
        Err(self.parser.fail(problem, self.diagnostics))
    }

    /// Reports a fault of style, which may be only a warning.
    fn fault(&mut self, problem: Problem) -> Result<(), Reported> {
        let site = Site::exact(self.parser.span);
        match self.diagnostics.report_at(problem, Some(site)) {
            Severity::Warning => Ok(()),
            Severity::Error => Err(Reported),
        }
    }

    /// A heading begins a section where it may stand.
    fn heading(&mut self) -> Result<(), Reported> {
        if self.doc.symbol.is_some() {
            return self.fault(Problem::DocHeadingInDefinition);
        }
        if self.last().is_some_and(|last| !last.text.is_empty()) {
            self.doc.begin(SectionKind::Plain, self.doc.span);
        }
        Ok(())
    }

    fn line(&mut self, line: &'s str) -> Result<(), Reported> {
        match self.part {
            Part::Overview => self.overview(line),
            Part::Members | Part::Features => self.description(line),
            Part::Sections => self.section(line),
        }
    }

    fn overview(&mut self, line: &'s str) -> Result<(), Reported> {
        let is_first = self.last().is_none_or(|overview| overview.text.is_empty());
        if self.doc.symbol.is_none() {
            return match line.strip_prefix('@').filter(|_| is_first) {
                Some(rest) => self.symbol(rest),
                None => self.text(line),
            };
        }
        if described(line).is_some() {
            self.part = Part::Members;
            self.description(line)
        } else if line == "Features:" {
            self.part = Part::Features;
            Ok(())
        } else if tagged(line).is_some() {
            self.section(line)
        } else {
            self.text(line)
        }
    }

    fn symbol(&mut self, rest: &'s str) -> Result<(), Reported> {
        let Some(symbol) = rest.strip_suffix(':') else {
            return self.fail(Problem::DocSymbolColon);
        };
        if symbol.is_empty() {
            return self.fail(Problem::DocSymbolMissing);
        }
        self.doc.symbol = Some(symbol);
        Ok(())
    }

    /// A line among the descriptions of members or features.
    fn description(&mut self, line: &'s str) -> Result<(), Reported> {
        if let Some(name) = described(line) {
            return self.begin_description(name, line);
        }
        if tagged(line).is_some() {
            return self.section(line);
        }
        let after_blank = self.last().is_some_and(|last| last.text.ends_with("\n\n"));
        if !after_blank || line.is_empty() || line.starts_with(is_space) {
            return self.text(line);
        }
        if line == "Features:" && self.part == Part::Members {
            self.part = Part::Features;
            return Ok(());
        }
        self.begin(SectionKind::Plain, None)?;
        self.first_section.get_or_insert(None);
        self.section(line)
    }

    fn begin_description(&mut self, name: &'s str, line: &'s str) -> Result<(), Reported> {
        let (seen, kind) = match self.part {
            Part::Features => (&mut self.features, SectionKind::Feature(name)),
            _ => (&mut self.members, SectionKind::Member(name)),
        };
        if name.is_empty() {
            return self.fail(Problem::DocEmptyName);
        }
        if !seen.add(name.into()) {
            return self.fail(Problem::DocDuplicateName(name.to_owned()));
        }
        self.begin(kind, Some(name))?;
        self.first_line(line);
        Ok(())
    }

    /// A line among the other sections.
    fn section(&mut self, line: &'s str) -> Result<(), Reported> {
        self.part = Part::Sections;
        if let Some(name) = described(line) {
            self.fault(Problem::OldDocCannotFollow {
                name: name.to_owned(),
                section: self.first_section.flatten(),
            })?;
            self.part = Part::Members;
            return self.begin_description(name, line);
        }
        let Some((tag, kind)) = tagged(line) else {
            return self.text(line);
        };
        let once = matches!(kind, SectionKind::Returns | SectionKind::Since);
        if once && self.doc.section(kind).is_some() {
            self.fault(Problem::DocDuplicateSection(kind.tag()))?;
        }
        self.begin(kind, Some(tag))?;
        self.first_section.get_or_insert(Some(tag));
        self.first_line(line);
        Ok(())
    }

    fn begin(&mut self, kind: SectionKind<'s>, name: Option<&'s str>) -> Result<(), Reported> {
        self.leave_section()?;
        self.doc.begin(kind, self.parser.span);
        self.name = name;
        self.indent = 0;
        Ok(())
    }

    fn leave_section(&mut self) -> Result<(), Reported> {
        let is_empty = self.last().is_none_or(|last| last.text.trim().is_empty());
        match self.name.filter(|_| is_empty) {
            Some(name) => self.fault(Problem::OldDocEmptySection(name.to_owned())),
            None => Ok(()),
        }
    }

    /// The line that names the section at hand. The text that follows the
    /// name tells how far the others are indented.
    fn first_line(&mut self, line: &str) {
        let word = first_word(line);
        let rest = line.strip_prefix(word).unwrap_or_default();
        let text = rest.trim_start_matches(is_space);
        if !text.is_empty() {
            self.indent = word.chars().count() + indentation(rest);
        }
        self.doc.append(text.trim_end_matches(is_space));
    }

    /// A line of text.
    fn text(&mut self, line: &str) -> Result<(), Reported> {
        if let Some(name) = mentioned(line) {
            self.fault(Problem::DocDescriptionInFreeForm(name.to_owned()))?;
        }
        let expected = self.indent;
        if !line.is_empty() && indentation(line) < expected {
            self.fault(Problem::DocDeIndent { expected })?;
        }
        let end = line
            .char_indices()
            .take_while(|(_, c)| is_space(*c))
            .take(expected)
            .last()
            .map_or(0, |(at, c)| at + c.len_utf8());
        let text = line.get(end..).unwrap_or_default();
        self.doc.append(text.trim_end_matches(is_space));
        Ok(())
    }

    fn last(&self) -> Option<&Section<'s>> {
        self.doc.sections.last()
    }
}
