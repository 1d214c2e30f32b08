//! Line ends other than `\n`.
//!
//! In: a file's text. Out: the text with one `\n` after each line, and a
//! conversion from offsets in the text to offsets in the file.

/// The changes that normalizing made to a file's line ends.
#[derive(Debug)]
pub(super) struct LineEnds {
    /// The offsets in the text of the line ends that were `\r\n` in the file,
    /// where the `\r` was dropped.
    dropped: Box<[u32]>,
    /// The length of the file in bytes.
    file_bytes: u32,
}

impl LineEnds {
    /// Replaces all line ends of a text by `\n`, and adds one to the last line
    /// if it has none.
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

    /// Converts an offset in the text to one in the file.
    pub(super) fn file_offset(&self, offset: u32) -> u32 {
        let before = self.dropped.partition_point(|&end| end < offset);
        let before = u32::try_from(before).unwrap_or(u32::MAX);
        offset.saturating_add(before).min(self.file_bytes)
    }
}

/// Returns the offsets in the normalized text of the line ends that are
/// `\r\n` in `text`.
fn dropped(text: &str) -> Box<[u32]> {
    text.match_indices("\r\n")
        .zip(0u32..)
        // `before` counts the `\r` already dropped, by which offsets in the
        // text are smaller than offsets in the file.
        .filter_map(|((at, _), before)| u32::try_from(at).ok()?.checked_sub(before))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Checks the normalized text of a file, and for each offset in it the
    /// offset in the file.
    fn check(file: &str, text: &str, offsets: &[u32]) {
        let (normal, ends) = LineEnds::normalize(file.to_owned());
        assert_eq!(normal, text);
        let found: Vec<u32> = (0..=u32::try_from(normal.len()).unwrap())
            .map(|offset| ends.file_offset(offset))
            .collect();
        assert_eq!(found, offsets);
    }

    #[test]
    fn file_offset_counts_dropped_carriage_returns() {
        check("a\nb\n", "a\nb\n", &[0, 1, 2, 3, 4]);
        check("a\r\nb\r\n", "a\nb\n", &[0, 1, 3, 4, 6]);
        check("a\rb", "a\nb\n", &[0, 1, 2, 3, 3]);
        check("\r\r\n\n\r\nc", "\n\n\n\nc\n", &[0, 1, 3, 4, 6, 7, 7]);
        check("", "\n", &[0, 0]);
    }
}
