//! Documentation comments by the rules of QEMU 9.0 and later.
//!
//! In: the comment lines of a block. Out: the block, cut into sections: a
//! section's lines are indented, and a line at the margin begins something
//! else. Older markup is also read, after it was reported.

use super::block::{DocBlock, SectionKind};
use super::line_format::{Fault, LineFormat};
use super::line_reader::LineReader;
use super::markup::{advice, described, indentation, tagged, unindented};
use crate::diag::{Problem, Reported};
use crate::rules::{Fact, Rules};
use crate::syntax::duplicate_names::DuplicateNames;
use crate::syntax::lexer::is_space;

/// Reads the block whose first line is the current token.
pub(super) fn read(reader: &mut LineReader<'_, '_>) -> Result<DocBlock, Reported> {
    let rules = reader.cursor.rules;
    let mut block = BlockReader {
        rules,
        format: LineFormat::new(rules),
        reader,
        line: None,
    };
    block.block()
}

/// Returns whether a line is plain text, and so does not begin a description
/// or a section.
fn is_text(line: &str, rules: Rules) -> bool {
    !line.is_empty()
        && line != "Features:"
        && described(line).is_none()
        && tagged(line, rules).is_none()
}

/// A reader of one block.
struct BlockReader<'r, 'p, 's> {
    rules: Rules,
    reader: &'r mut LineReader<'p, 's>,
    format: LineFormat,
    /// The current line without its `# `, or `None` after the last line.
    line: Option<&'s str>,
}

impl<'s> BlockReader<'_, '_, 's> {
    /// Advances to the next line and checks how it is written.
    fn advance(&mut self) -> Result<(), Reported> {
        self.line = self
            .reader
            .next_line()?
            .map(|line| line.trim_end_matches(is_space));
        if let Some(Err(fault)) = self.line.map(|line| self.format.check(line)) {
            self.reject_line(fault);
        }
        Ok(())
    }

    fn reject_line(&mut self, fault: Fault) {
        let Fault::SingleSpace(column) = fault else {
            self.reader.fault(Problem::DocLineTooLong);
            return;
        };
        let cursor = &*self.reader.cursor;
        let source = cursor.source;
        let line = source.line_start(cursor.span.start) as usize;
        let (_, text) = source.text().split_at(line);
        // QEMU adds two characters for the `# ` and counts from the start of
        // the line, even where the comment is indented.
        let offset = text.char_indices().nth(column + 2);
        let at = line + offset.map_or(0, |(offset, _)| offset);
        let place = cursor.place(at, at);
        self.reader.fault_at(Problem::DocSingleSpace, place);
    }

    fn skip_blank(&mut self) -> Result<(), Reported> {
        while self.line == Some("") {
            self.advance()?;
        }
        Ok(())
    }

    /// Reads the rest of a section: lines indented as far as the first of
    /// them.
    fn indented(&mut self) -> Result<(), Reported> {
        self.advance()?;
        if self.is_unindented_section() {
            return self.unindented_section();
        }
        self.indented_lines()
    }

    /// Reads lines that are indented as far as the first of them, from the current
    /// line on.
    fn indented_lines(&mut self) -> Result<(), Reported> {
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
        self.append_indented(first, expected);
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
                // Like QEMU's generator, refuse only the second line of a
                // section. Any later line ends the section instead.
                if !second {
                    return Ok(());
                }
                self.reader.fault(Problem::DocDeIndent { expected });
                expected = indentation(line);
                if expected == 0 {
                    return Ok(());
                }
            }
            self.append_indented(line, expected);
            second = false;
        }
    }

    /// Adds a line of a section that is indented by so many characters.
    fn append_indented(&mut self, line: &'s str, indent: usize) {
        let line = match self.rules.have(Fact::SectionTextUnindented) {
            true => unindented(line, indent),
            false => line,
        };
        self.reader.append(line);
    }

    /// Returns whether the section that begins here has lines that are not
    /// indented, as QEMU 7.2 allows if the tag's line has no text.
    fn is_unindented_section(&self) -> bool {
        let (true, Some(line), Some((kind, ..))) = (
            self.reader.diagnostics.is_lenient(),
            self.line,
            self.reader.draft().last(),
        ) else {
            return false;
        };
        let is_obsolete = self.is_obsolete(kind);
        self.reader.draft().is_section_empty()
            && (is_obsolete || indentation(line) == 0 && is_text(line, self.rules))
    }

    /// Returns whether sections of a kind are reported, whatever their text.
    fn is_obsolete(&self, kind: SectionKind) -> bool {
        matches!(kind, SectionKind::Obsolete(_)) && self.rules.have(Fact::MarkupReplacesTags)
    }

    /// Reads the rest of a section whose lines are not indented: all lines up
    /// to the next section, or up to the next blank line if the section
    /// describes a member or feature.
    fn unindented_section(&mut self) -> Result<(), Reported> {
        let Some((kind, _, begin)) = self.reader.draft().last() else {
            return Ok(());
        };
        if !self.is_obsolete(kind) {
            let span = begin.within(self.reader.span().file);
            let title = self.reader.title();
            self.reader
                .report_line(Problem::DocEmptySection(title), span);
        }
        let is_paragraph = matches!(kind, SectionKind::Member | SectionKind::Feature);
        while let Some(line) = self.line {
            let ends = if line.is_empty() {
                is_paragraph
            } else {
                !is_text(line, self.rules)
            };
            if ends {
                break;
            }
            self.reader.append(line);
            self.advance()?;
        }
        Ok(())
    }

    /// Reads plain text up to the next blank line.
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

    /// Reads consecutive descriptions of members or features. Returns whether
    /// there is at least one.
    fn descriptions(&mut self, kind: SectionKind) -> Result<bool, Reported> {
        let mut earlier = DuplicateNames::default();
        let first = self.reader.draft().count();
        let mut any = false;
        while let Some((name, text)) = self.line.and_then(described) {
            let span = self.reader.span();
            if name.is_empty() {
                self.reader.report_line(Problem::DocEmptyName, span);
            } else if earlier.is_duplicate(name, self.reader.names(kind, first)) {
                self.reader
                    .report_line(Problem::DocDuplicateName(name.to_owned()), span);
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

    /// Reads the descriptions that follow `Features:`.
    fn features(&mut self) -> Result<(), Reported> {
        if self.reader.draft().has(SectionKind::Feature) {
            self.reader.fault(Problem::DocDuplicateFeatures);
        }
        self.advance()?;
        self.skip_blank()?;
        if !self.descriptions(SectionKind::Feature)? {
            self.reader.fault(Problem::DocFeaturesExpected);
        }
        Ok(())
    }

    /// Reads a section that begins with a tag and `text` on the current line.
    fn section(&mut self, kind: SectionKind, text: &str) -> Result<(), Reported> {
        let span = self.reader.span();
        match kind {
            SectionKind::Obsolete(tag) if self.is_obsolete(kind) => {
                self.reader.fault(Problem::DocObsoleteSection {
                    tag: kind.tag().to_owned(),
                    advice: advice(tag),
                });
            }
            SectionKind::Obsolete(_) | SectionKind::Todo => {}
            _ if self.reader.draft().has(kind) => {
                let problem = Problem::DocDuplicateSection(kind.tag());
                self.reader.report_line(problem, span);
            }
            _ => {}
        }
        self.reader.begin(kind, "");
        if !text.is_empty() {
            self.reader.append(text);
        }
        self.indented()
    }

    /// Reads the introduction of a definition, if indented lines begin it.
    fn intro(&mut self) -> Result<(), Reported> {
        self.skip_blank()?;
        let is_indented = self.line.is_some_and(|line| indentation(line) > 0);
        if is_indented && self.rules.have(Fact::IntroIndented) {
            self.reader.begin_intro();
            self.indented_lines()?;
        }
        Ok(())
    }

    /// Reads the rest of a block that documents a definition; `rest` follows
    /// the `@` in the line that names the definition. Returns the name.
    fn definition(&mut self, rest: &'s str) -> Result<&'s str, Reported> {
        let symbol = self.reader.symbol(rest)?;
        let mut members_done = false;
        self.advance()?;
        self.intro()?;
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
                        .fault(Problem::DocDescriptionAfterSection(name.to_owned()));
                }
                self.descriptions(SectionKind::Member)?;
                members_done = true;
            } else if let Some((kind, text)) = tagged(line, self.rules) {
                self.section(kind, text)?;
                members_done = true;
            } else {
                if line.starts_with('=') && self.rules.have(Fact::HeadingsRestricted) {
                    self.reader.fault(Problem::DocHeadingInDefinition);
                }
                self.paragraph()?;
            }
        }
    }

    /// Reads the rest of a block that documents no definition.
    fn free_form(&mut self) -> Result<(), Reported> {
        self.reader.begin_plain();
        let mut first = true;
        while let Some(line) = self.line {
            if let Some((name, _)) = described(line) {
                self.reader
                    .fault(Problem::DocDescriptionInFreeForm(name.to_owned()));
            }
            if line.starts_with('=') && !first && self.rules.have(Fact::HeadingsRestricted) {
                self.reader.fault(Problem::DocHeadingNotFirst);
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
        let symbol = match self.line.and_then(|line| line.strip_prefix('@')) {
            Some(rest) => Some(self.definition(rest)?),
            None => {
                self.free_form()?;
                None
            }
        };
        Ok(self.reader.finish(symbol))
    }
}
