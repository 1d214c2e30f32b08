//! Other ways to end a line than `\n`.
//!
//! In: a file's text. Out: the text with one `\n` after each line, and what
//! its offsets are in the file. A file without `\r` costs nothing.

/// What has been changed about the ends of a file's lines.
#[derive(Debug)]
pub(super) struct LineEnds {
    /// The offsets in the text of line ends before which a `\r` was dropped.
    dropped: Box<[u32]>,
    /// The length of the file.
    file_bytes: u32,
}

impl LineEnds {
    /// Makes all line ends of a text `\n` and gives the last line one.
    pub(super) fn normalize(text: String) -> (String, Self) {
        let ends = Self {
            dropped: dropped(&text),
            file_bytes: u32::try_from(text.len()).unwrap_or(u32::MAX),
        };
        let mut text = if text.contains('\r') {
            text.replace("\r\n", "\n").replace('\r', "\n")
        } else {
            text
        };
        if !text.ends_with('\n') {
            text.push('\n');
        }
        (text, ends)
    }

    /// The offset in the file of an offset in the text.
    pub(super) fn file_offset(&self, offset: u32) -> u32 {
        let before = self.dropped.partition_point(|&end| end < offset);
        let before = u32::try_from(before).unwrap_or(u32::MAX);
        offset.saturating_add(before).min(self.file_bytes)
    }
}

fn dropped(text: &str) -> Box<[u32]> {
    text.match_indices("\r\n")
        .zip(0u32..)
        // So many have been dropped before.
        .filter_map(|((at, _), before)| u32::try_from(at).ok()?.checked_sub(before))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The text of a file and where each of its offsets is in the file.
    fn check(file: &str, text: &str, offsets: &[u32]) {
        let (normal, ends) = LineEnds::normalize(file.to_owned());
        assert_eq!(normal, text);
        let found: Vec<u32> = (0..=u32::try_from(normal.len()).unwrap())
            .map(|offset| ends.file_offset(offset))
            .collect();
        assert_eq!(found, offsets);
    }

    #[test]
    fn offsets_are_those_of_the_file() {
        check("a\nb\n", "a\nb\n", &[0, 1, 2, 3, 4]);
        check("a\r\nb\r\n", "a\nb\n", &[0, 1, 3, 4, 6]);
        check("a\rb", "a\nb\n", &[0, 1, 2, 3, 3]);
        check("\r\r\n\n\r\nc", "\n\n\n\nc\n", &[0, 1, 3, 4, 6, 7, 7]);
        check("", "\n", &[0, 0]);
    }
}
