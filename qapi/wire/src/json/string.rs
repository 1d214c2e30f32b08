//! JSON strings: reading and writing the text between two quotes.
//!
//! In: the raw bytes of a string, or a string. Out: the string, or ASCII text.

use super::error::SyntaxError;

const HEX_DIGITS: &[u8; 16] = b"0123456789ABCDEF";

/// Returns how many bytes at the beginning of `bytes` mean themselves in a string
/// with these quotes: ASCII except the quote, backslashes and control
/// characters.
#[cfg_attr(not(debug_assertions), inline(always))]
pub(super) fn plain_length(bytes: &[u8], quote: u8) -> usize {
    let mut length = 0;
    let mut rest = bytes;
    while let Some((word, tail)) = rest.split_first_chunk() {
        let marks = unplain(u64::from_le_bytes(*word), quote);
        if marks != 0 {
            // The lowest mark is always right; only marks above it can be wrong.
            return length + (marks.trailing_zeros() / 8) as usize;
        }
        length += 8;
        rest = tail;
    }
    let is_plain = |byte: &u8| matches!(byte, 0x20..=0x7F) && *byte != quote && *byte != b'\\';
    length + rest.iter().take_while(|byte| is_plain(byte)).count()
}

const EACH_LOW_BIT: u64 = u64::from_ne_bytes([0x01; 8]);
const EACH_HIGH_BIT: u64 = u64::from_ne_bytes([0x80; 8]);

/// Marks, in the high bit of each of eight bytes, the bytes that are outside
/// ASCII, control characters, backslashes or this quote. Only the lowest mark is
/// reliable: the subtraction in a marked byte may borrow from the byte above and
/// mark it wrongly.
#[inline]
fn unplain(word: u64, quote: u8) -> u64 {
    let zero_if = |byte: u8| word ^ (EACH_LOW_BIT * u64::from(byte));
    let marks = zero_if(quote).wrapping_sub(EACH_LOW_BIT)
        | zero_if(b'\\').wrapping_sub(EACH_LOW_BIT)
        | word.wrapping_sub(EACH_LOW_BIT * 0x20)
        | word;
    marks & EACH_HIGH_BIT
}

/// Returns whether a string is written verbatim: printable ASCII, but for quotes
/// and backslashes.
#[inline]
fn is_verbatim(bytes: &[u8]) -> bool {
    let Some(last) = bytes.last_chunk() else {
        return bytes
            .iter()
            .all(|byte| matches!(byte, b' '..=b'~') && !b"\"\\".contains(byte));
    };
    // The last word overlaps the one before, so that no rest has to be looked at
    // byte by byte.
    let (words, _) = bytes.as_chunks();
    words.iter().chain([last]).all(|word| {
        let word = u64::from_le_bytes(*word);
        // 0x7F is the one byte of ASCII above the printable ones.
        let delete = word.wrapping_add(EACH_LOW_BIT) & EACH_HIGH_BIT;
        unplain(word, b'"') | delete == 0
    })
}

/// Replaces the bytes between two quotes by the string that they mean, and
/// returns its length. The string is never longer; blanks fill the rest.
///
/// QEMU reads modified UTF-8: `C0 80` is U+0000, and surrogates,
/// noncharacters and overlong forms are refused.
pub(super) fn unescape(raw: &mut [u8]) -> Result<usize, SyntaxError> {
    let (mut read, mut written) = (0, 0);
    while let Some(rest @ [first, tail @ ..]) = raw.get(read..) {
        let (character, left) = match first {
            b'\\' => escape(rest, tail)?,
            _ => code_point(rest)
                .ok_or_else(|| SyntaxError::parse("invalid UTF-8 sequence in string"))?,
        };
        read = raw.len() - left.len();
        let mut buffer = [0; 4];
        let encoded = character.encode_utf8(&mut buffer).as_bytes();
        // An escape is longer than the character that it means, so that unread
        // bytes are never overwritten.
        let end = written + encoded.len();
        raw.get_mut(written..end)
            .unwrap_or_default()
            .copy_from_slice(encoded);
        written = end;
    }
    raw.get_mut(written..).unwrap_or_default().fill(b' ');
    Ok(written)
}

/// Reads an escape. `sequence` begins with the backslash, and `tail` after it.
/// Returns the character and the bytes after the escape.
fn escape<'a>(sequence: &'a [u8], tail: &'a [u8]) -> Result<(char, &'a [u8]), SyntaxError> {
    let invalid = || SyntaxError::parse("invalid escape sequence in string");
    let [letter, rest @ ..] = tail else {
        return Err(invalid());
    };
    let character = match letter {
        b'"' | b'\'' | b'\\' | b'/' => char::from(*letter),
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        b'u' => return unicode_escape(sequence, rest),
        _ => return Err(invalid()),
    };
    Ok((character, rest))
}

fn unicode_escape<'a>(
    sequence: &'a [u8],
    digits: &'a [u8],
) -> Result<(char, &'a [u8]), SyntaxError> {
    let invalid = |length: usize| {
        let shown = String::from_utf8_lossy(sequence.get(..length).unwrap_or(sequence));
        SyntaxError::parse(format_args!("{shown} is not a valid Unicode character"))
    };
    let (unit, rest) = four_hex_digits(digits).ok_or_else(|| invalid(6))?;
    if (0xD800..0xDC00).contains(&unit) {
        let trailing = rest
            .strip_prefix(b"\\u")
            .and_then(four_hex_digits)
            .filter(|(trailing, _)| (0xDC00..0xE000).contains(trailing));
        let (trailing, rest) = trailing.ok_or_else(|| invalid(6))?;
        let code = 0x10000 + ((unit & 0x3FF) << 10) + (trailing & 0x3FF);
        return match valid(code) {
            Some(character) => Ok((character, rest)),
            None => Err(invalid(12)),
        };
    }
    valid(unit)
        .map(|character| (character, rest))
        .ok_or_else(|| invalid(6))
}

fn four_hex_digits(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let (digits, rest) = bytes.split_at_checked(4)?;
    let mut unit = 0;
    for digit in digits {
        unit = unit * 16 + char::from(*digit).to_digit(16)?;
    }
    Some((unit, rest))
}

/// Returns the first character of modified UTF-8 and the bytes after it; `None`
/// if the bytes are invalid.
fn code_point(bytes: &[u8]) -> Option<(char, &[u8])> {
    if let [0xC0, 0x80, rest @ ..] = bytes {
        return Some(('\0', rest));
    }
    let length = match bytes.first()? {
        0..=0x7F => 1,
        0xC2..=0xDF => 2,
        0xE0..=0xEF => 3,
        0xF0..=0xF4 => 4,
        _ => return None,
    };
    let (head, rest) = bytes.split_at_checked(length)?;
    let character = str::from_utf8(head).ok()?.chars().next()?;
    Some((valid(u32::from(character))?, rest))
}

/// Returns the character of a code point; `None` for surrogates and
/// noncharacters, which QEMU refuses.
fn valid(code: u32) -> Option<char> {
    let noncharacter = (0xFDD0..=0xFDEF).contains(&code) || code & 0xFFFE == 0xFFFE;
    if noncharacter {
        None
    } else {
        char::from_u32(code)
    }
}

/// Writes a string in quotes. Everything outside printable ASCII is escaped,
/// with surrogate pairs and upper-case digits; `/` is not.
pub(crate) fn write(string: &str, out: &mut Vec<u8>) {
    out.reserve(string.len() + 2);
    out.push(b'"');
    if is_verbatim(string.as_bytes()) {
        out.extend_from_slice(string.as_bytes());
    } else {
        for character in string.chars() {
            write_character(character, out);
        }
    }
    out.push(b'"');
}

fn write_character(character: char, out: &mut Vec<u8>) {
    match character {
        '"' => out.extend_from_slice(b"\\\""),
        '\\' => out.extend_from_slice(b"\\\\"),
        '\u{8}' => out.extend_from_slice(b"\\b"),
        '\u{c}' => out.extend_from_slice(b"\\f"),
        '\n' => out.extend_from_slice(b"\\n"),
        '\r' => out.extend_from_slice(b"\\r"),
        '\t' => out.extend_from_slice(b"\\t"),
        ' '..='~' => out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes()),
        _ => {
            for unit in character.encode_utf16(&mut [0; 2]) {
                out.extend_from_slice(b"\\u");
                for shift in [12, 8, 4, 0] {
                    let digit = usize::from((*unit >> shift) & 0xF);
                    out.extend(HEX_DIGITS.get(digit));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::write;

    #[test]
    fn strings_are_written_whatever_their_length() {
        for length in 0..40 {
            let plain = " ~a[]{}^!#]Z".chars().cycle().take(length);
            let plain: String = plain.collect();
            for odd in ["", "\u{1f}", "\u{7f}", "\"", "\\", "\u{80}", "\u{ffff}"] {
                for at in 0..=length {
                    let (before, behind) = plain.split_at(at);
                    let escaped = match odd {
                        "" => String::new(),
                        "\"" | "\\" => format!("\\{odd}"),
                        _ => format!("\\u{:04X}", odd.chars().next().map_or(0, u32::from)),
                    };
                    let mut text = Vec::new();
                    write(&format!("{before}{odd}{behind}"), &mut text);
                    let expected = format!("\"{before}{escaped}{behind}\"");
                    assert_eq!(String::from_utf8(text), Ok(expected));
                }
            }
        }
    }
}
