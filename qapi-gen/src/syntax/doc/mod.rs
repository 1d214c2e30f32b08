//! Documentation comments.
//!
//! In: the comment lines of a block. Out: the block, cut into sections. It
//! does not know what is documented, nor whether it exists.

use super::Twice;
use super::lexer::is_space;
use super::parser::{Parser, Reported};
use crate::diag::{Diagnostics, Problem, Site};
use crate::rules::{Rules, Style};

mod block;
mod format;
mod markup;
mod old;
mod reader;

pub use block::DocText;
pub(crate) use block::{DocBlock, Draft, Section, SectionKind};
use format::{Fault, Format};
use markup::{advice, described, indentation, tagged};
use old::OldLines;
use reader::Reader;

/// Whether a line goes on with text and begins nothing.
fn is_text(line: &str) -> bool {
    !line.is_empty() && line != "Features:" && described(line).is_none() && tagged(line).is_none()
}

/// Reads the lines of a block.
struct Lines<'p, 's> {
    reader: Reader<'p, 's>,
    format: Format,
    /// The line at hand without its marker; `None` after the last.
    line: Option<&'s str>,
}

impl<'s> Lines<'_, 's> {
    fn advance(&mut self) -> Result<(), Reported> {
        self.line = self
            .reader
            .next_line()?
            .map(|line| line.trim_end_matches(is_space));
        if let Some(Err(fault)) = self.line.map(|line| self.format.check(line)) {
            self.reject_line(fault)?;
        }
        Ok(())
    }

    fn reject_line(&mut self, fault: Fault) -> Result<(), Reported> {
        let Fault::SingleSpace(column) = fault else {
            return self.reader.fault(Problem::DocLineTooLong);
        };
        let parser = &mut *self.reader.parser;
        let span = parser.span;
        let source = parser.source;
        let line = source.line_start(span.start) as usize;
        let text = source.text().get(line..).unwrap_or_default();
        // The marker counts as two characters at the start of the line, also
        // where the comment is indented.
        let offset = text.char_indices().nth(column + 2);
        let at = line + offset.map_or(0, |(offset, _)| offset);
        parser.span = parser.place(at, at);
        let rejected = self.reader.fault(Problem::DocSingleSpace);
        self.reader.parser.span = span;
        rejected
    }

    fn skip_blank(&mut self) -> Result<(), Reported> {
        while self.line == Some("") {
            self.advance()?;
        }
        Ok(())
    }

    /// The rest of a section, whose lines are indented as its first one is.
    fn indented(&mut self) -> Result<(), Reported> {
        self.advance()?;
        if self.is_older_section() {
            return self.older_section();
        }
        while self.line == Some("") {
            self.reader.append("");
            self.advance()?;
        }
        let Some(first) = self.line else {
            return Ok(());
        };
        let mut expected = indentation(first);
        if expected == 0 {
            return Ok(());
        }
        self.reader.append(first);
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
                self.reader.fault(Problem::DocDeIndent { expected })?;
                expected = indentation(line);
                if expected == 0 {
                    return Ok(());
                }
            }
            self.reader.append(line);
            second = false;
        }
    }

    /// Whether the section that begins here goes on as sections did once: with
    /// lines that are not indented, since its first line has no text.
    fn is_older_section(&self) -> bool {
        let (Style::Warn, Some(line), Some((kind, _))) = (
            self.reader.diagnostics.style(),
            self.line,
            self.reader.draft().last(),
        ) else {
            return false;
        };
        let is_older = matches!(kind, SectionKind::Older(_));
        self.reader.draft().is_section_empty()
            && (is_older || indentation(line) == 0 && is_text(line))
    }

    /// The rest of such a section: all up to the next one, but the
    /// description of a member or a feature ends with its paragraph.
    fn older_section(&mut self) -> Result<(), Reported> {
        let Some((kind, begin)) = self.reader.draft().last() else {
            return Ok(());
        };
        if !matches!(kind, SectionKind::Older(_)) {
            let span = begin.within(self.reader.span().file);
            self.reader
                .complain(Problem::DocEmptySection(kind.tag()), span);
        }
        let is_paragraph = matches!(kind, SectionKind::Member | SectionKind::Feature);
        while let Some(line) = self.line {
            let ends = if line.is_empty() {
                is_paragraph
            } else {
                !is_text(line)
            };
            if ends {
                break;
            }
            self.reader.append(line);
            self.advance()?;
        }
        Ok(())
    }

    fn paragraph(&mut self) -> Result<(), Reported> {
        self.reader.begin_plain();
        while let Some(line) = self.line {
            if line.is_empty() {
                break;
            }
            self.reader.append(line);
            self.advance()?;
        }
        Ok(())
    }

    /// Descriptions of members or features, as long as there are any.
    fn descriptions(&mut self, kind: SectionKind) -> Result<bool, Reported> {
        let mut twice = Twice::default();
        let first = self.reader.draft().count();
        let mut any = false;
        while let Some((name, text)) = self.line.and_then(described) {
            let span = self.reader.span();
            if name.is_empty() {
                self.reader.complain(Problem::DocEmptyName, span);
            } else if twice.is_among(name, self.reader.names(kind, first)) {
                self.reader
                    .complain(Problem::DocDuplicateName(name.to_owned()), span);
            }
            self.reader.begin(kind, name);
            if !text.is_empty() {
                self.reader.append(text);
            }
            self.indented()?;
            any = true;
        }
        Ok(any)
    }

    fn features(&mut self) -> Result<(), Reported> {
        if self.reader.draft().has(SectionKind::Feature) {
            self.reader.fault(Problem::DocDuplicateFeatures)?;
        }
        self.advance()?;
        self.skip_blank()?;
        if self.descriptions(SectionKind::Feature)? {
            Ok(())
        } else {
            self.reader.fault(Problem::DocFeaturesExpected)
        }
    }

    fn section(&mut self, kind: SectionKind, text: &str) -> Result<(), Reported> {
        let span = self.reader.span();
        if let SectionKind::Older(tag) = kind {
            self.reader.fault(Problem::DocObsoleteSection {
                tag: kind.tag().to_owned(),
                advice: advice(tag),
            })?;
        } else if kind != SectionKind::Todo && self.reader.draft().has(kind) {
            self.reader
                .complain(Problem::DocDuplicateSection(kind.tag()), span);
        }
        self.reader.begin(kind, "");
        if !text.is_empty() {
            self.reader.append(text);
        }
        self.indented()
    }

    /// A block that documents a definition, whose name it returns.
    fn definition(&mut self, line: &'s str) -> Result<&'s str, Reported> {
        let Some(symbol) = line
            .strip_prefix('@')
            .and_then(|line| line.strip_suffix(':'))
        else {
            return self.reader.fail(Problem::DocSymbolColon);
        };
        if symbol.is_empty() {
            return self.reader.fail(Problem::DocSymbolMissing);
        }
        let mut members_done = false;
        self.advance()?;
        loop {
            self.skip_blank()?;
            let Some(line) = self.line else {
                return Ok(symbol);
            };
            if line == "Features:" {
                self.features()?;
                members_done = true;
            } else if let Some((name, _)) = described(line) {
                if members_done {
                    self.reader
                        .fault(Problem::DocDescriptionAfterSection(name.to_owned()))?;
                }
                self.descriptions(SectionKind::Member)?;
                members_done = true;
            } else if let Some((kind, text)) = tagged(line) {
                self.section(kind, text)?;
                members_done = true;
            } else {
                if line.starts_with('=') && self.reader.parser.rules == Rules::V10_0 {
                    self.reader.fault(Problem::DocHeadingInDefinition)?;
                }
                self.paragraph()?;
            }
        }
    }

    fn free_form(&mut self) -> Result<(), Reported> {
        self.reader.begin_plain();
        let mut first = true;
        while let Some(line) = self.line {
            if let Some((name, _)) = described(line) {
                self.reader
                    .fault(Problem::DocDescriptionInFreeForm(name.to_owned()))?;
            }
            if line.starts_with('=') && !first && self.reader.parser.rules == Rules::V10_0 {
                self.reader.fault(Problem::DocHeadingNotFirst)?;
            }
            self.reader.append(line);
            self.advance()?;
            first = false;
        }
        Ok(())
    }

    fn block(&mut self) -> Result<DocBlock, Reported> {
        self.reader.opening()?;
        self.advance()?;
        let symbol = match self.line {
            Some(line) if line.starts_with('@') => Some(self.definition(line)?),
            _ => {
                self.free_form()?;
                None
            }
        };
        Ok(self.reader.finish(symbol))
    }
}

impl Parser<'_> {
    /// The documentation block that comes next; `None` if it is wrong, which
    /// has been reported then.
    pub(crate) fn doc(&mut self, diagnostics: &mut Diagnostics) -> Option<DocBlock> {
        let is_old = self.rules == Rules::V7_2;
        let format = Format::new(self.rules);
        let reader = Reader::new(self, diagnostics);
        let (block, open) = if is_old {
            OldLines::new(reader).read()
        } else {
            let mut lines = Lines {
                reader,
                format,
                line: None,
            };
            (lines.block(), lines.reader.open)
        };
        let Ok(doc) = block else {
            if open {
                self.lexer.leave_comment();
            } else {
                self.lexer.resynchronize();
            }
            self.advance_to_item(diagnostics);
            return None;
        };
        self.advance_to_item(diagnostics);
        for section in doc.sections() {
            // The older rules have looked at this earlier.
            if !is_old && section.kind != SectionKind::Plain && section.text.is_empty() {
                let problem = Problem::DocEmptySection(section.kind.tag());
                diagnostics.report_at(problem, Some(Site::line(section.span)));
            }
        }
        Some(doc)
    }
}
