//! The arguments of a human monitor's line.
//!
//! In: the rest of a line after the command. Out: strings, integers, or errors
//! in the words of QEMU's `monitor/hmp.c`. This file knows no command.

use qapi_stats::wire::Error;

/// An error in a line's arguments. The answer also names the command's help.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Usage(pub(super) String);

/// Returns QEMU's text for a command that has failed.
pub(super) fn error_text(error: &Error) -> String {
    format!("Error: {}\r\n", error.desc())
}

/// The part of a line after the command that has not been read yet.
#[derive(Debug)]
pub(super) struct Arguments<'a> {
    command: &'static str,
    rest: &'a str,
}

/// Returns whether C's `isspace` is true for the character.
pub(super) fn is_space(character: char) -> bool {
    matches!(character, ' ' | '\t'..='\r')
}

impl<'a> Arguments<'a> {
    /// Creates a reader of `rest`. `command` has all names of the command, for
    /// error texts.
    pub(super) fn new(command: &'static str, rest: &'a str) -> Self {
        Self { command, rest }
    }

    /// Returns the command's first name.
    pub(super) fn command(&self) -> &'static str {
        first_name(self.command)
    }

    /// Reads a string.
    ///
    /// # Errors
    ///
    /// Fails if the line has ended or the string is malformed.
    pub(super) fn string(&mut self) -> Result<String, Usage> {
        word(&mut self.rest).ok_or_else(|| self.usage("string expected"))
    }

    /// Reads a string. Returns `None` if the line has ended.
    ///
    /// # Errors
    ///
    /// Fails if the string is malformed.
    pub(super) fn optional_string(&mut self) -> Result<Option<String>, Usage> {
        self.rest = self.rest.trim_start_matches(is_space);
        if self.rest.is_empty() {
            return Ok(None);
        }
        self.string().map(Some)
    }

    /// Reads an integer of up to 32 bits: a number as in C, after any signs.
    /// QEMU also accepts expressions and registers.
    ///
    /// # Errors
    ///
    /// Fails if the line has ended, or the integer is malformed or too large.
    pub(super) fn integer(&mut self) -> Result<u32, Usage> {
        let number = integer(&mut self.rest).map_err(Usage)?;
        u32::try_from(number).map_err(|_| {
            let command = self.command;
            Usage(format!(
                "'{command}' has failed: integer is for 32-bit values"
            ))
        })
    }

    /// Reads the rest of the line.
    pub(super) fn all(&mut self) -> &'a str {
        std::mem::take(&mut self.rest).trim_start_matches(is_space)
    }

    /// Checks that the line has ended.
    ///
    /// # Errors
    ///
    /// Fails if there are further arguments.
    pub(super) fn end(&self) -> Result<(), Usage> {
        if self.rest.trim_start_matches(is_space).is_empty() {
            Ok(())
        } else {
            Err(self.usage("extraneous characters at the end of line"))
        }
    }

    fn usage(&self, what: &str) -> Usage {
        Usage(format!("{}: {what}", self.command))
    }
}

/// Returns the first of several names that are separated by `|`.
pub(super) fn first_name(names: &'static str) -> &'static str {
    names.split('|').next().unwrap_or_default()
}

/// Returns all words of a line, or `None` if a word is malformed.
pub(super) fn words(line: &str) -> Option<Vec<String>> {
    let mut rest = line;
    let mut words = Vec::new();
    while !rest.trim_start_matches(is_space).is_empty() {
        words.push(word(&mut rest)?);
    }
    Some(words)
}

/// Reads the next word: the characters up to a blank, or a string in double
/// quotes with escapes. Returns `None` if the line has ended, a quote is not
/// closed, or an escape is unknown.
fn word(rest: &mut &str) -> Option<String> {
    let line = rest.trim_start_matches(is_space);
    let Some(quoted) = line.strip_prefix('"') else {
        let end = line.find(is_space).unwrap_or(line.len());
        let (word, after) = line.split_at(end);
        *rest = after;
        return (!word.is_empty()).then(|| word.to_owned());
    };
    let mut word = String::new();
    let mut characters = quoted.chars();
    while let Some(character) = characters.next() {
        match character {
            '"' => {
                *rest = characters.as_str();
                return Some(word);
            }
            '\\' => match characters.next()? {
                'n' => word.push('\n'),
                'r' => word.push('\r'),
                escaped @ ('\\' | '\'' | '"') => word.push(escaped),
                _ => return None,
            },
            _ => word.push(character),
        }
    }
    None
}

/// Reads signs, and then a number as `strtoull` does with base 0.
fn integer(rest: &mut &str) -> Result<u64, String> {
    let (mut negative, mut inverted) = (false, false);
    let mut line = rest.trim_start_matches(is_space);
    while let Some(sign) = line.chars().next().filter(|sign| "+-~".contains(*sign)) {
        // Reject mixed signs, because -(~x) differs from ~(-x) and the two flags
        // do not keep the order.
        if (sign == '-' && inverted) || (sign == '~' && negative) {
            return Err(format!("invalid char '{sign}' in expression"));
        }
        negative ^= sign == '-';
        inverted ^= sign == '~';
        line = line.get(1..).unwrap_or_default();
        line = line.trim_start_matches(is_space);
    }
    let hexadecimal = line.strip_prefix("0x").or_else(|| line.strip_prefix("0X"));
    let hexadecimal =
        hexadecimal.filter(|digits| digits.starts_with(|c: char| c.is_ascii_hexdigit()));
    let (digits, radix) = match hexadecimal {
        Some(digits) => (digits, 16),
        None if line.starts_with('0') => (line, 8),
        None => (line, 10),
    };
    let end = digits.find(|digit: char| !digit.is_digit(radix));
    let (number, after) = digits.split_at(end.unwrap_or(digits.len()));
    if number.is_empty() {
        return Err(match line.chars().next() {
            None => "unexpected end of expression".to_owned(),
            Some('$') => "unknown register".to_owned(),
            Some(other) => format!("invalid char '{other}' in expression"),
        });
    }
    let number = u64::from_str_radix(number, radix).map_err(|_| "number too large".to_owned())?;
    *rest = after;
    let number = if inverted { !number } else { number };
    Ok(if negative {
        number.wrapping_neg()
    } else {
        number
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_end_at_blanks_unless_they_are_quoted() {
        let check = |line: &str, expected: Option<&[&str]>| {
            let expected =
                expected.map(|words| words.iter().map(|&word| word.to_owned()).collect());
            assert_eq!(words(line), expected, "{line}");
        };
        check("", Some(&[]));
        check("  info \t stats vm ", Some(&["info", "stats", "vm"]));
        check(r#"a "b c" "" d"#, Some(&["a", "b c", "", "d"]));
        check(r#""v\"m\\""#, Some(&["v\"m\\"]));
        check(r#""a\nb""#, Some(&["a\nb"]));
        check(r#"a "b"#, None);
        check(r#""\q" b"#, None);
        check("a\u{a0}b", Some(&["a\u{a0}b"]));
    }

    /// The error texts are those of QEMU 7.2 for `cpu`.
    #[test]
    fn integer_reads_what_c_reads() {
        let check = |line: &str, expected: Result<u32, &str>| {
            let found = Arguments::new("cpu", line).integer();
            let expected = expected.map_err(|text| Usage(text.to_owned()));
            assert_eq!(found, expected, "{line}");
        };
        check("1", Ok(1));
        check("  0x1F", Ok(31));
        check("010", Ok(8));
        check("+ 2", Ok(2));
        check("--2", Ok(2));
        check("~~3", Ok(3));
        check("0xg", Ok(0));
        check("4294967295", Ok(u32::MAX));
        let too_wide = Err("'cpu' has failed: integer is for 32-bit values");
        check("4294967296", too_wide);
        check("-1", too_wide);
        check("~0", too_wide);
        check("99999999999999999999", Err("number too large"));
        check("", Err("unexpected end of expression"));
        check("x", Err("invalid char 'x' in expression"));
        check("\"1\"", Err("invalid char '\"' in expression"));
        check("$pc", Err("unknown register"));
    }
}
