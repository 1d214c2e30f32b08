//! Suggestions for unknown names.
//!
//! In: an unknown name and the known names. Out: the known name that is most
//! similar, if it is similar enough. The definitions with these names are
//! not known here.

/// The names of built-in types in other languages.
const FOREIGN_NAMES: [(&str, &str); 5] = [
    ("string", "str"),
    ("integer", "int"),
    ("boolean", "bool"),
    ("float", "number"),
    ("double", "number"),
];

/// The length up to which names are compared.
const NAME_BYTES_MAX: usize = 64;
/// The number of characters by which similar names may differ.
const DISTANCE_MAX: usize = 3;

/// Returns the name that was most likely meant, or `None` if no name is similar.
/// The result does not depend on the order of the names.
pub(super) fn similar<'a>(name: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let is_foreign = |(word, _): &&(&str, &str)| word.eq_ignore_ascii_case(name);
    if let Some(&(_, builtin)) = FOREIGN_NAMES.iter().find(is_foreign) {
        return Some(builtin);
    }
    if name.len() > NAME_BYTES_MAX {
        return None;
    }
    // Allow a third of the characters to differ, because with more it is
    // probably another word.
    let max = (name.len() / 3).min(DISTANCE_MAX);
    let lower = name.to_ascii_lowercase();
    names
        .filter(|other| other.len().abs_diff(name.len()) <= max)
        .filter_map(|other| {
            let distance = distance(&lower, &other.to_ascii_lowercase(), max)?;
            // Among equal distances, prefer the name with the fewest differences
            // in case.
            let case = name.bytes().zip(other.bytes()).filter(|(a, b)| a != b);
            Some((distance, case.count(), other))
        })
        .min()
        .map(|(_, _, other)| other)
}

/// Returns the number of bytes that must be inserted, deleted or changed to turn
/// one name into the other, or `None` if the number exceeds `max`.
fn distance(from: &str, to: &str, max: usize) -> Option<usize> {
    // The distance between the part of `from` read so far and each prefix of
    // `to`.
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (read, x) in from.bytes().enumerate() {
        let (mut diagonal, mut left) = (read, read + 1);
        let mut least = left;
        if let Some(first) = row.first_mut() {
            *first = left;
        }
        for (cell, y) in row.iter_mut().skip(1).zip(to.bytes()) {
            let changed = diagonal + usize::from(x != y);
            diagonal = *cell;
            left = changed.min(diagonal + 1).min(left + 1);
            *cell = left;
            least = least.min(left);
        }
        if least > max {
            return None;
        }
    }
    row.last().copied().filter(|&distance| distance <= max)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn similar_finds_near_names_only() {
        let names = [
            "StatsTarget",
            "StatsType",
            "str",
            "int",
            "VNCInfo",
            "VncInfo",
        ];
        for (name, expected) in [
            ("StatTarget", Some("StatsTarget")),
            ("StatsTypes", Some("StatsType")),
            ("statstype", Some("StatsType")),
            ("Str", Some("str")),
            ("vncInfo", Some("VncInfo")),
            ("String", Some("str")),
            ("integer", Some("int")),
            ("Stats", None),
            ("x", None),
            ("", None),
        ] {
            assert_eq!(similar(name, names.into_iter()), expected, "{name}");
            let reversed = names.into_iter().rev();
            assert_eq!(similar(name, reversed), expected, "{name}");
        }
    }
}
