//! Documentation comments.
//!
//! In: the comment lines of a block. Out: the block, cut into sections. It
//! does not know what is documented, nor whether it exists.

use super::Seen;
use super::lexer::{Token, is_space};
use super::parser::{Parser, Reported};
use crate::diag::{Diagnostics, MarkupAdvice, Problem, Site};
use crate::rules::Rules;
use crate::source::Span;

mod block;
mod format;

use block::Section;
pub(crate) use block::{DocBlock, SectionKind};
use format::{Fault, Format};

/// The name and the rest of a line that begins `@name:`.
fn described(line: &str) -> Option<(&str, &str)> {
    let (name, rest) = line.strip_prefix('@')?.split_once(':')?;
    Some((name, rest.trim_start_matches(' ')))
}

/// The tag and the rest of a line that begins `Tag:`, but not `Tag::`, which
/// is reStructuredText.
fn tagged(line: &str) -> Option<(&str, &str)> {
    const TAGS: [&str; 8] = [
        "Returns", "Errors", "Since", "Notes", "Note", "Examples", "Example", "TODO",
    ];
    let (tag, rest) = line.split_once(':')?;
    let known = TAGS.contains(&tag) && !rest.starts_with(':');
    known.then(|| (tag, rest.trim_start_matches(' ')))
}

fn indentation(line: &str) -> usize {
    line.chars().take_while(|&c| is_space(c)).count()
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
                return self.reject_line(fault);
            }
            Some(line)
        };
        Ok(())
    }

    fn fail<T>(&mut self, problem: Problem) -> Result<T, Reported> {
        Err(self.parser.fail(problem, self.diagnostics))
    }

    fn reject_line(&mut self, fault: Fault) -> Result<(), Reported> {
        let Fault::SingleSpace(column) = fault else {
            return self.fail(Problem::DocLineTooLong);
        };
        let source = self.parser.source;
        let line = source.line_start(self.parser.span.start) as usize;
        let text = source.text().get(line..).unwrap_or_default();
        // The marker counts as two characters at the start of the line, also
        // where the comment is indented.
        let offset = text.char_indices().nth(column + 2);
        let at = line + offset.map_or(0, |(offset, _)| offset);
        self.parser.span = self.parser.place(at, at);
        self.fail(Problem::DocSingleSpace)
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
        while self.line == Some("") {
            doc.append("");
            self.advance()?;
        }
        let Some(first) = self.line else {
            return Ok(());
        };
        let expected = indentation(first);
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
                if second {
                    return self.fail(Problem::DocDeIndent { expected });
                }
                return Ok(());
            }
            doc.append(line);
            second = false;
        }
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
            return self.fail(Problem::DocDuplicateFeatures);
        }
        self.advance()?;
        self.skip_blank()?;
        if self.descriptions(doc, SectionKind::Feature)? {
            Ok(())
        } else {
            self.fail(Problem::DocFeaturesExpected)
        }
    }

    fn section(&mut self, doc: &mut DocBlock<'s>, tag: &str, text: &str) -> Result<(), Reported> {
        let obsolete = |advice| Problem::DocObsoleteSection {
            tag: tag.to_owned(),
            advice,
        };
        let kind = match tag {
            "Returns" => SectionKind::Returns,
            "Errors" => SectionKind::Errors,
            "Since" => SectionKind::Since,
            "TODO" => SectionKind::Todo,
            "Note" | "Notes" => return self.fail(obsolete(MarkupAdvice::Note)),
            _ => return self.fail(obsolete(MarkupAdvice::Example)),
        };
        let span = self.parser.span;
        if kind != SectionKind::Todo && doc.section(kind).is_some() {
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
                    return self.fail(Problem::DocDescriptionAfterSection(name.to_owned()));
                }
                self.descriptions(&mut doc, SectionKind::Member)?;
                members_done = true;
            } else if let Some((tag, text)) = tagged(line) {
                self.section(&mut doc, tag, text)?;
                members_done = true;
            } else if line.starts_with('=') && self.parser.rules == Rules::V10_0 {
                return self.fail(Problem::DocHeadingInDefinition);
            } else {
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
                return self.fail(Problem::DocDescriptionInFreeForm(name.to_owned()));
            }
            if line.starts_with('=') && !first && self.parser.rules == Rules::V10_0 {
                return self.fail(Problem::DocHeadingNotFirst);
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
        let mut lines = Lines {
            format: Format::new(self.rules),
            parser: self,
            diagnostics,
            line: None,
            open: true,
        };
        let block = lines.block();
        let open = lines.open;
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
        for section in &mut doc.sections {
            section.trim();
            if section.kind != SectionKind::Plain && section.text.is_empty() {
                let problem = Problem::DocEmptySection(section.kind.tag());
                diagnostics.report_at(problem, Some(Site::line(section.span)));
            }
        }
        Some(doc)
    }
}
