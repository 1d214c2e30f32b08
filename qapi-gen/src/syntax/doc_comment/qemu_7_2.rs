//! Documentation comments by the rules of QEMU 7.2.
//!
//! In: the comment lines of a block. Out: the block, cut into sections: a
//! section continues until something else begins, and its lines are indented
//! as far as the text on its first line. It does not know the newer rules.

use super::block::{DocBlock, SectionKind};
use super::line_reader::LineReader;
use super::markup::{indentation, tag};
use crate::diag::{Problem, Reported};
use crate::syntax::duplicate_names::DuplicateNames;
use crate::syntax::lexer::is_space;

/// Reads the block whose first line is the current token. The second result
/// says whether the line that ends the block has not been read yet.
pub(super) fn read(reader: LineReader<'_, '_>) -> (Result<DocBlock, Reported>, bool) {
    let mut block = BlockReader {
        reader,
        symbol: None,
        part: BlockPart::Overview,
        indent: 0,
        name: None,
        first_section: None,
        members: DuplicateNames::default(),
        features: DuplicateNames::default(),
    };
    let read = block.block();
    let read = read.map(|()| block.reader.finish(block.symbol));
    (read, block.reader.is_open)
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
struct BlockReader<'p, 's> {
    reader: LineReader<'p, 's>,
    symbol: Option<&'s str>,
    part: BlockPart,
    /// The number of characters by which the current section's lines are
    /// indented.
    indent: usize,
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

/// Returns the name if the line's first word is `@name:`.
fn described(line: &str) -> Option<&str> {
    first_word(line).strip_prefix('@')?.strip_suffix(':')
}

/// Returns the name if the line begins with `@name:`, even without a space
/// after it.
fn mentioned(line: &str) -> Option<&str> {
    let word = line.strip_prefix('@')?.split(is_space).next()?;
    let (name, _) = word.rsplit_once(':')?;
    (!name.is_empty()).then_some(name)
}

/// Returns the tag and its kind of section if the line's first word is `Tag:`.
fn tagged(line: &str) -> Option<(&'static str, SectionKind)> {
    let (word, kind) = tag(first_word(line).strip_suffix(':')?)?;
    // QEMU 7.2 does not know `Errors`.
    (kind != SectionKind::Errors).then_some((word, kind))
}

impl<'s> BlockReader<'_, 's> {
    fn block(&mut self) -> Result<(), Reported> {
        self.reader.opening()?;
        while let Some(line) = self.reader.next_line()? {
            if line.starts_with('=') && self.symbol.is_some() {
                self.reader.style_fault(Problem::DocHeadingInDefinition)?;
            }
            self.line(line)?;
        }
        self.leave_section()
    }

    fn line(&mut self, line: &'s str) -> Result<(), Reported> {
        match self.part {
            BlockPart::Overview => self.overview(line),
            BlockPart::Members | BlockPart::Features => self.description(line),
            BlockPart::Sections => self.section(line),
        }
    }

    /// Reads a line before the first description or section.
    fn overview(&mut self, line: &'s str) -> Result<(), Reported> {
        let is_first = self.reader.draft().is_section_empty();
        if self.symbol.is_none() {
            return match line.strip_prefix('@').filter(|_| is_first) {
                Some(rest) => self.symbol(rest),
                None => self.text(line),
            };
        }
        if described(line).is_some() {
            self.part = BlockPart::Members;
            self.description(line)
        } else if line == "Features:" {
            self.part = BlockPart::Features;
            Ok(())
        } else if tagged(line).is_some() {
            self.section(line)
        } else {
            self.text(line)
        }
    }

    /// Reads the name of the definition, which `rest` begins with.
    fn symbol(&mut self, rest: &'s str) -> Result<(), Reported> {
        let Some(symbol) = rest.strip_suffix(':') else {
            return self.reader.fail(Problem::DocSymbolColon);
        };
        if symbol.is_empty() {
            return self.reader.fail(Problem::DocSymbolMissing);
        }
        self.symbol = Some(symbol);
        Ok(())
    }

    /// Reads a line among the descriptions of members or features.
    fn description(&mut self, line: &'s str) -> Result<(), Reported> {
        if let Some(name) = described(line) {
            return self.begin_description(name, line);
        }
        if tagged(line).is_some() {
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
            return Ok(());
        }
        self.begin(SectionKind::Plain, "", None)?;
        self.first_section.get_or_insert(None);
        self.section(line)
    }

    /// Begins the description of a member or feature.
    fn begin_description(&mut self, name: &'s str, line: &'s str) -> Result<(), Reported> {
        let (earlier, kind) = match self.part {
            BlockPart::Features => (&mut self.features, SectionKind::Feature),
            _ => (&mut self.members, SectionKind::Member),
        };
        if name.is_empty() {
            return self.reader.fail(Problem::DocEmptyName);
        }
        if earlier.is_duplicate(name, self.reader.names(kind, 0)) {
            return self.reader.fail(Problem::DocDuplicateName(name.to_owned()));
        }
        self.begin(kind, name, Some(name))?;
        self.first_line(line);
        Ok(())
    }

    /// Reads a line among the sections that begin with a tag.
    fn section(&mut self, line: &'s str) -> Result<(), Reported> {
        self.part = BlockPart::Sections;
        if let Some(name) = described(line) {
            self.reader.style_fault(Problem::OldDocCannotFollow {
                name: name.to_owned(),
                section: self.first_section.flatten(),
            })?;
            self.part = BlockPart::Members;
            return self.begin_description(name, line);
        }
        let Some((tag, kind)) = tagged(line) else {
            return self.text(line);
        };
        let once = matches!(kind, SectionKind::Returns | SectionKind::Since);
        if once && self.reader.draft().has(kind) {
            self.reader
                .style_fault(Problem::DocDuplicateSection(kind.tag()))?;
        }
        self.begin(kind, "", Some(tag))?;
        self.first_section.get_or_insert(Some(tag));
        self.first_line(line);
        Ok(())
    }

    /// Begins a section of what is `described`; `name` is how messages refer to
    /// the section.
    fn begin(
        &mut self,
        kind: SectionKind,
        described: &'s str,
        name: Option<&'s str>,
    ) -> Result<(), Reported> {
        self.leave_section()?;
        self.reader.begin(kind, described);
        self.name = name;
        self.indent = 0;
        Ok(())
    }

    /// Checks the current section before another one begins.
    fn leave_section(&mut self) -> Result<(), Reported> {
        let is_empty = self.reader.is_section_blank();
        match self.name.filter(|_| is_empty) {
            Some(name) => self
                .reader
                .style_fault(Problem::OldDocEmptySection(name.to_owned())),
            None => Ok(()),
        }
    }

    /// Reads the first line of a section. Its text begins where the lines that
    /// follow must be indented to.
    fn first_line(&mut self, line: &str) {
        let word = first_word(line);
        let (_, rest) = line.split_at(word.len());
        let text = rest.trim_start_matches(is_space);
        if !text.is_empty() {
            self.indent = word.chars().count() + indentation(rest);
        }
        self.reader.append(text.trim_end_matches(is_space));
    }

    /// Reads a line of text.
    fn text(&mut self, line: &str) -> Result<(), Reported> {
        if let Some(name) = mentioned(line) {
            self.reader
                .style_fault(Problem::DocDescriptionInFreeForm(name.to_owned()))?;
        }
        let expected = self.indent;
        if !line.is_empty() && indentation(line) < expected {
            self.reader.style_fault(Problem::DocDeIndent { expected })?;
        }
        let end = line
            .char_indices()
            .take_while(|(_, c)| is_space(*c))
            .take(expected)
            .last()
            .map_or(0, |(at, c)| at + c.len_utf8());
        let (_, text) = line.split_at(end);
        self.reader.append(text.trim_end_matches(is_space));
        Ok(())
    }
}
