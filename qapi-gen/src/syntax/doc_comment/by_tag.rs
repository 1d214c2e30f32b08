//! Documentation comments by the rules of QEMU 8.2 and earlier.
//!
//! In: the comment lines of a block. Out: the block, cut into sections: a
//! section continues until something else begins, and its lines are indented
//! as far as its first or second line says. It does not know the newer rules.

use super::block::{DocBlock, SectionKind};
use super::line_reader::LineReader;
use super::markup::{self, indentation, tag, unindented};
use crate::diag::{Problem, Reported};
use crate::rules::Fact;
use crate::syntax::duplicate_names::DuplicateNames;
use crate::syntax::lexer::is_space;

/// Reads the block whose first line is the current token.
pub(super) fn read(reader: &mut LineReader<'_, '_>) -> Result<DocBlock, Reported> {
    let first_line_indents = reader.cursor.rules.have(Fact::FirstLineIndents);
    let mut block = BlockReader {
        first_line_indents,
        reader,
        symbol: None,
        part: BlockPart::Overview,
        indent: Some(0),
        name: None,
        first_section: None,
        members: DuplicateNames::default(),
        features: DuplicateNames::default(),
    };
    block.block()?;
    Ok(block.reader.finish(block.symbol))
}

/// The part of a block that is being read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum BlockPart {
    Overview,
    Members,
    Features,
    Sections,
}

/// A reader of one block.
struct BlockReader<'r, 'p, 's> {
    /// True if the first word of a line can begin a section, and the text after
    /// the word determines the section's indentation.
    first_line_indents: bool,
    reader: &'r mut LineReader<'p, 's>,
    symbol: Option<&'s str>,
    part: BlockPart,
    /// The number of characters by which the current section's lines are
    /// indented, or `None` until a line after the first says that.
    indent: Option<usize>,
    /// The name by which messages refer to the current section, or `None` if
    /// the section may be empty.
    name: Option<&'s str>,
    /// The tag of the first section that describes no member or feature. The
    /// inner `None` is a section without a tag.
    first_section: Option<Option<&'static str>>,
    members: DuplicateNames<&'s str>,
    features: DuplicateNames<&'s str>,
}

/// Returns the first word of a line. Only a space ends a word, no other white
/// space.
fn first_word(line: &str) -> &str {
    line.split_once(' ').map_or(line, |(word, _)| word)
}

/// Returns the name if the line begins with `@name:`, even without a space
/// after it.
fn mentioned(line: &str) -> Option<&str> {
    let word = line.strip_prefix('@')?.split(is_space).next()?;
    let (name, _) = word.rsplit_once(':')?;
    (!name.is_empty()).then_some(name)
}

impl<'s> BlockReader<'_, '_, 's> {
    /// Returns the name that a line begins to describe.
    fn described(&self, line: &'s str) -> Option<&'s str> {
        if self.first_line_indents {
            return first_word(line).strip_prefix('@')?.strip_suffix(':');
        }
        let (name, _) = markup::described(line)?;
        Some(name)
    }

    /// Returns the tag and its kind of section if a line begins with one.
    fn tagged(&self, line: &str) -> Option<(&'static str, SectionKind)> {
        let word = match self.first_line_indents {
            true => first_word(line).strip_suffix(':')?,
            false => line.split_once(':')?.0,
        };
        let (word, kind) = tag(word)?;
        // `Errors` is a tag only in newer releases.
        (kind != SectionKind::Errors).then_some((word, kind))
    }

    fn block(&mut self) -> Result<(), Reported> {
        self.reader.opening()?;
        while let Some(line) = self.reader.next_line()? {
            if line.starts_with('=') && self.symbol.is_some() {
                self.reader.fault(Problem::DocHeadingInDefinition);
            }
            self.line(line)?;
        }
        self.leave_section();
        Ok(())
    }

    fn line(&mut self, line: &'s str) -> Result<(), Reported> {
        match self.part {
            BlockPart::Overview => return self.overview(line),
            BlockPart::Members | BlockPart::Features => self.description(line),
            BlockPart::Sections => self.section(line),
        }
        Ok(())
    }

    /// Reads a line before the first description or section.
    fn overview(&mut self, line: &'s str) -> Result<(), Reported> {
        let is_first = self.reader.draft().is_section_empty();
        if self.symbol.is_none() {
            match line.strip_prefix('@').filter(|_| is_first) {
                Some(rest) => self.symbol = Some(self.reader.symbol(rest)?),
                None => self.text(line),
            }
        } else if self.described(line).is_some() {
            self.part = BlockPart::Members;
            self.description(line);
        } else if line == "Features:" {
            self.part = BlockPart::Features;
        } else if self.tagged(line).is_some() {
            self.section(line);
        } else {
            self.text(line);
        }
        Ok(())
    }

    /// Reads a line among the descriptions of members or features.
    fn description(&mut self, line: &'s str) {
        if let Some(name) = self.described(line) {
            return self.begin_description(name, line);
        }
        if self.tagged(line).is_some() {
            return self.section(line);
        }
        let after_blank = matches!(
            self.reader.draft().section_lines(),
            [.., _, last] if last.range().is_empty()
        );
        if !after_blank || line.is_empty() || line.starts_with(is_space) {
            return self.text(line);
        }
        if line == "Features:" && self.part == BlockPart::Members {
            self.part = BlockPart::Features;
            return;
        }
        self.begin(SectionKind::Plain, "", None);
        self.first_section.get_or_insert(None);
        self.section(line);
    }

    /// Begins the description of a member or feature.
    fn begin_description(&mut self, name: &'s str, line: &'s str) {
        let (earlier, kind) = match self.part {
            BlockPart::Features => (&mut self.features, SectionKind::Feature),
            _ => (&mut self.members, SectionKind::Member),
        };
        if name.is_empty() {
            self.reader.fault(Problem::DocEmptyName);
        } else if earlier.is_duplicate(name, self.reader.names(kind, 0)) {
            self.reader
                .fault(Problem::DocDuplicateName(name.to_owned()));
        }
        self.begin(kind, name, Some(name));
        self.first_line(line);
    }

    /// Reads a line among the sections that begin with a tag.
    fn section(&mut self, line: &'s str) {
        self.part = BlockPart::Sections;
        if let Some(name) = self.described(line) {
            let name_of_section = self.reader.cursor.rules.have(Fact::MessagesNameSection);
            self.reader.fault(match name_of_section {
                true => Problem::OldDocCannotFollow {
                    name: name.to_owned(),
                    section: self.first_section.flatten(),
                },
                false => Problem::DocDescriptionAfterSection(name.to_owned()),
            });
            self.part = BlockPart::Members;
            return self.begin_description(name, line);
        }
        let Some((tag, kind)) = self.tagged(line) else {
            return self.text(line);
        };
        let once = matches!(kind, SectionKind::Returns | SectionKind::Since);
        if once && self.reader.draft().has(kind) {
            self.reader.fault(Problem::DocDuplicateSection(kind.tag()));
        }
        self.begin(kind, "", Some(tag));
        self.first_section.get_or_insert(Some(tag));
        self.first_line(line);
    }

    /// Begins a section of what is `described`; `name` is how messages refer to
    /// the section.
    fn begin(&mut self, kind: SectionKind, described: &'s str, name: Option<&'s str>) {
        self.leave_section();
        self.reader.begin(kind, described);
        self.name = name;
        self.indent = (self.first_line_indents || name.is_none()).then_some(0);
    }

    /// Checks the current section before another one begins.
    fn leave_section(&mut self) {
        let is_empty = self.reader.is_section_blank();
        if let Some(name) = self.name.filter(|_| is_empty) {
            self.reader
                .fault(Problem::OldDocEmptySection(name.to_owned()));
        }
    }

    /// Reads the first line of a section. In older releases its text begins where
    /// the lines that follow must be indented to.
    fn first_line(&mut self, line: &str) {
        if !self.first_line_indents {
            let text = line.split_once(':').map_or("", |(_, text)| text);
            let text = text.trim_start_matches(' ');
            self.refuse_mention(text);
            self.reader.append(text.trim_end_matches(is_space));
            return;
        }
        let word = first_word(line);
        let (_, rest) = line.split_at(word.len());
        let text = rest.trim_start_matches(is_space);
        if !text.is_empty() {
            self.indent = Some(word.chars().count() + indentation(rest));
        }
        self.reader.append(text.trim_end_matches(is_space));
    }

    /// Reports text that begins as a description does.
    fn refuse_mention(&mut self, text: &str) {
        if let Some(name) = mentioned(text) {
            self.reader
                .fault(Problem::DocDescriptionInFreeForm(name.to_owned()));
        }
    }

    /// Reads a line of text.
    fn text(&mut self, line: &str) {
        self.refuse_mention(line);
        let line = match self.first_line_indents {
            true => line,
            false => line.trim_end_matches(is_space),
        };
        let expected = match (self.indent, line) {
            (Some(expected), _) => expected,
            (None, "") => 0,
            (None, line) => *self.indent.insert(indentation(line)),
        };
        if !line.is_empty() && indentation(line) < expected {
            self.reader.fault(Problem::DocDeIndent { expected });
        }
        let text = unindented(line, expected);
        self.reader.append(text.trim_end_matches(is_space));
    }
}
