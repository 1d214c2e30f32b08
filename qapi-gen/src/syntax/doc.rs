//! Documentation comments.
//!
//! In: the comment lines of a block. Out: the block, cut into sections. It
//! does not know what is documented, nor whether it exists.

use super::Seen;
use super::lexer::{Token, is_space};
use super::parser::{Parser, Reported};
use crate::diag::{Diagnostics, Problem, Severity, Site};
use crate::rules::{Rules, Style};
use crate::source::Span;

mod block;
mod format;
mod markup;
mod old;

use block::Section;
pub(crate) use block::{DocBlock, SectionKind};
use format::{Fault, Format};
use markup::{advice, described, indentation, tagged};
use old::OldLines;

/// Whether a line goes on with text and begins nothing.
fn is_text(line: &str) -> bool {
    !line.is_empty() && line != "Features:" && described(line).is_none() && tagged(line).is_none()
}

/// Reads the lines of a block.
struct Lines<'p, 's> {
    parser: &'p mut Parser<'s>,
    diagnostics: &'p mut Diagnostics,
    format: Format,
    /// The line at hand without its marker; `None` after the last.
    line: Option<&'s str>,
    /// Whether the line that ends the block is still to come.
    open: bool,
}

impl<'s> Lines<'_, 's> {
    fn advance(&mut self) -> Result<(), Reported> {
        self.parser.advance(true, self.diagnostics)?;
        let Token::Comment(comment) = self.parser.token else {
            return self.fail(Problem::DocUnterminated);
        };
        self.line = if comment.starts_with("##") {
            self.open = false;
            if comment != "##" {
                return self.fail(Problem::DocJunkAtEnd);
            }
            None
        } else if comment == "#" {
            Some("")
        } else {
            let Some(line) = comment.strip_prefix("# ") else {
                return self.fail(Problem::DocMissingSpace);
            };
            let line = line.trim_end_matches(is_space);
            if let Err(fault) = self.format.check(line) {
                self.reject_line(fault)?;
            }
            Some(line)
        };
        Ok(())
    }

    fn fail<T>(&mut self, problem: Problem) -> Result<T, Reported> {
        Err(self.parser.fail(problem, self.diagnostics))
    }

    /// Reports a fault of style. If this is only a warning, the block goes on,
    /// and what is at fault is read for what it must mean.
    fn fault(&mut self, problem: Problem) -> Result<(), Reported> {
        let site = Site::exact(self.parser.span);
        match self.diagnostics.report_at(problem, Some(site)) {
            Severity::Warning => Ok(()),
            Severity::Error => Err(Reported),
        }
    }

    fn reject_line(&mut self, fault: Fault) -> Result<(), Reported> {
        let Fault::SingleSpace(column) = fault else {
            return self.fault(Problem::DocLineTooLong);
        };
        let span = self.parser.span;
        let source = self.parser.source;
        let line = source.line_start(self.parser.span.start) as usize;
        let text = source.text().get(line..).unwrap_or_default();
        // The marker counts as two characters at the start of the line, also
        // where the comment is indented.
        let offset = text.char_indices().nth(column + 2);
        let at = line + offset.map_or(0, |(offset, _)| offset);
        self.parser.span = self.parser.place(at, at);
        let rejected = self.fault(Problem::DocSingleSpace);
        self.parser.span = span;
        rejected
    }

    /// Reports a problem of which QEMU tells only the line; the block goes on.
    fn complain(&mut self, problem: Problem, span: Span) {
        self.diagnostics.report_at(problem, Some(Site::line(span)));
    }

    fn skip_blank(&mut self) -> Result<(), Reported> {
        while self.line == Some("") {
            self.advance()?;
        }
        Ok(())
    }

    /// The rest of a section, whose lines are indented as its first one is.
    fn indented(&mut self, doc: &mut DocBlock<'s>) -> Result<(), Reported> {
        self.advance()?;
        if self.is_older_section(doc) {
            return self.older_section(doc);
        }
        while self.line == Some("") {
            doc.append("");
            self.advance()?;
        }
        let Some(first) = self.line else {
            return Ok(());
        };
        let mut expected = indentation(first);
        if expected == 0 {
            return Ok(());
        }
        doc.append(first);
        let mut second = true;
        loop {
            self.advance()?;
            let Some(line) = self.line else {
                return Ok(());
            };
            if described(line).is_some() {
                return Ok(());
            }
            if !line.is_empty() && indentation(line) < expected {
                // Only a section's second line is refused for this, which is
                // all that QEMU's generator refuses.
                if !second {
                    return Ok(());
                }
                self.fault(Problem::DocDeIndent { expected })?;
                expected = indentation(line);
                if expected == 0 {
                    return Ok(());
                }
            }
            doc.append(line);
            second = false;
        }
    }

    /// Whether the section that begins here goes on as sections did once: with
    /// lines that are not indented, since its first line has no text.
    fn is_older_section(&self, doc: &DocBlock<'s>) -> bool {
        let (Style::Warn, Some(line), Some(section)) =
            (self.diagnostics.style(), self.line, doc.sections.last())
        else {
            return false;
        };
        let is_older = matches!(section.kind, SectionKind::Older(_));
        section.text.is_empty() && (is_older || indentation(line) == 0 && is_text(line))
    }

    /// The rest of such a section: all up to the next one, but the
    /// description of a member or a feature ends with its paragraph.
    fn older_section(&mut self, doc: &mut DocBlock<'s>) -> Result<(), Reported> {
        let Some((kind, span)) = doc.sections.last().map(|last| (last.kind, last.span)) else {
            return Ok(());
        };
        if !matches!(kind, SectionKind::Older(_)) {
            self.complain(Problem::DocEmptySection(kind.tag()), span);
        }
        let is_paragraph = matches!(kind, SectionKind::Member(_) | SectionKind::Feature(_));
        while let Some(line) = self.line {
            let ends = if line.is_empty() {
                is_paragraph
            } else {
                !is_text(line)
            };
            if ends {
                break;
            }
            doc.append(line);
            self.advance()?;
        }
        Ok(())
    }

    fn paragraph(&mut self, doc: &mut DocBlock<'s>) -> Result<(), Reported> {
        doc.begin_plain(self.parser.span);
        while let Some(line) = self.line {
            if line.is_empty() {
                break;
            }
            doc.append(line);
            self.advance()?;
        }
        Ok(())
    }

    /// Descriptions of members or features, as long as there are any.
    fn descriptions(
        &mut self,
        doc: &mut DocBlock<'s>,
        kind: fn(&'s str) -> SectionKind<'s>,
    ) -> Result<bool, Reported> {
        let mut seen = Seen::default();
        let mut any = false;
        while let Some((name, text)) = self.line.and_then(described) {
            let span = self.parser.span;
            if name.is_empty() {
                self.complain(Problem::DocEmptyName, span);
            } else if !seen.add(name.into()) {
                self.complain(Problem::DocDuplicateName(name.to_owned()), span);
            }
            doc.begin(kind(name), span);
            if !text.is_empty() {
                doc.append(text);
            }
            self.indented(doc)?;
            any = true;
        }
        Ok(any)
    }

    fn features(&mut self, doc: &mut DocBlock<'s>) -> Result<(), Reported> {
        let is_feature = |section: &Section<'_>| matches!(section.kind, SectionKind::Feature(_));
        if doc.sections.iter().any(is_feature) {
            self.fault(Problem::DocDuplicateFeatures)?;
        }
        self.advance()?;
        self.skip_blank()?;
        if self.descriptions(doc, SectionKind::Feature)? {
            Ok(())
        } else {
            self.fault(Problem::DocFeaturesExpected)
        }
    }

    fn section(
        &mut self,
        doc: &mut DocBlock<'s>,
        kind: SectionKind<'static>,
        text: &str,
    ) -> Result<(), Reported> {
        let span = self.parser.span;
        if let SectionKind::Older(tag) = kind {
            self.fault(Problem::DocObsoleteSection {
                tag: tag.to_owned(),
                advice: advice(tag),
            })?;
        } else if kind != SectionKind::Todo && doc.section(kind).is_some() {
            self.complain(Problem::DocDuplicateSection(kind.tag()), span);
        }
        doc.begin(kind, span);
        if !text.is_empty() {
            doc.append(text);
        }
        self.indented(doc)
    }

    fn definition(&mut self, line: &'s str, span: Span) -> Result<DocBlock<'s>, Reported> {
        let Some(symbol) = line
            .strip_prefix('@')
            .and_then(|line| line.strip_suffix(':'))
        else {
            return self.fail(Problem::DocSymbolColon);
        };
        if symbol.is_empty() {
            return self.fail(Problem::DocSymbolMissing);
        }
        let mut doc = DocBlock::new(span, Some(symbol));
        let mut members_done = false;
        self.advance()?;
        loop {
            self.skip_blank()?;
            let Some(line) = self.line else {
                return Ok(doc);
            };
            if line == "Features:" {
                self.features(&mut doc)?;
                members_done = true;
            } else if let Some((name, _)) = described(line) {
                if members_done {
                    self.fault(Problem::DocDescriptionAfterSection(name.to_owned()))?;
                }
                self.descriptions(&mut doc, SectionKind::Member)?;
                members_done = true;
            } else if let Some((kind, text)) = tagged(line) {
                self.section(&mut doc, kind, text)?;
                members_done = true;
            } else {
                if line.starts_with('=') && self.parser.rules == Rules::V10_0 {
                    self.fault(Problem::DocHeadingInDefinition)?;
                }
                self.paragraph(&mut doc)?;
            }
        }
    }

    fn free_form(&mut self, span: Span) -> Result<DocBlock<'s>, Reported> {
        let mut doc = DocBlock::new(span, None);
        doc.begin_plain(self.parser.span);
        let mut first = true;
        while let Some(line) = self.line {
            if let Some((name, _)) = described(line) {
                self.fault(Problem::DocDescriptionInFreeForm(name.to_owned()))?;
            }
            if line.starts_with('=') && !first && self.parser.rules == Rules::V10_0 {
                self.fault(Problem::DocHeadingNotFirst)?;
            }
            doc.append(line);
            self.advance()?;
            first = false;
        }
        Ok(doc)
    }

    fn block(&mut self) -> Result<DocBlock<'s>, Reported> {
        let span = self.parser.span;
        if self.parser.token != Token::Comment("##") {
            return self.fail(Problem::DocJunkAtStart);
        }
        self.advance()?;
        match self.line {
            Some(line) if line.starts_with('@') => self.definition(line, span),
            _ => self.free_form(span),
        }
    }
}

impl<'s> Parser<'s> {
    /// The documentation block that comes next; `None` if it is wrong, which
    /// has been reported then.
    pub(crate) fn doc(&mut self, diagnostics: &mut Diagnostics) -> Option<DocBlock<'s>> {
        let is_old = self.rules == Rules::V7_2;
        let (block, open) = if is_old {
            OldLines::new(self, diagnostics).read()
        } else {
            let mut lines = Lines {
                format: Format::new(self.rules),
                parser: self,
                diagnostics,
                line: None,
                open: true,
            };
            (lines.block(), lines.open)
        };
        let Ok(mut doc) = block else {
            if open {
                self.lexer.leave_comment();
            } else {
                self.lexer.resynchronize();
            }
            self.advance_to_item(diagnostics);
            return None;
        };
        self.advance_to_item(diagnostics);
        // Newer rules leave the first line's indentation as it is.
        let is_blank = if is_old {
            is_space
        } else {
            |c: char| c == '\n'
        };
        for section in &mut doc.sections {
            section.trim(is_blank);
            // The older rules have looked at this earlier.
            if !is_old && section.kind != SectionKind::Plain && section.text.is_empty() {
                let problem = Problem::DocEmptySection(section.kind.tag());
                diagnostics.report_at(problem, Some(Site::line(section.span)));
            }
        }
        Some(doc)
    }
}
