//! Names that were perhaps meant.
//!
//! In: a name that nothing has, the names that there are. Out: the nearest of
//! these, if it is near. It does not know what the names stand for.

/// What other languages call the built-in types.
const ELSEWHERE: [(&str, &str); 5] = [
    ("string", "str"),
    ("integer", "int"),
    ("boolean", "bool"),
    ("float", "number"),
    ("double", "number"),
];

/// Longer names are not compared.
const NAME_BYTES_MAX: usize = 64;
/// At most so many characters are different.
const DISTANCE_MAX: usize = 3;

/// The name that was most likely meant, the same in whatever order the names
/// are given.
pub(super) fn similar<'a>(name: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let elsewhere = |(word, _): &&(&str, &str)| word.eq_ignore_ascii_case(name);
    if let Some(&(_, builtin)) = ELSEWHERE.iter().find(elsewhere) {
        return Some(builtin);
    }
    if name.len() > NAME_BYTES_MAX {
        return None;
    }
    // A third of the characters may be wrong: more makes another word of it.
    let max = (name.len() / 3).min(DISTANCE_MAX);
    let lower = name.to_ascii_lowercase();
    names
        .filter(|other| other.len().abs_diff(name.len()) <= max)
        .filter_map(|other| {
            let far = distance(&lower, &other.to_ascii_lowercase(), max)?;
            // Of several that differ in case, the one that does so least.
            let case = name.bytes().zip(other.bytes()).filter(|(a, b)| a != b);
            Some((far, case.count(), other))
        })
        .min()
        .map(|(_, _, other)| other)
}

/// How many characters are to be inserted, deleted or changed to make one name
/// of the other, if these are no more than `max`.
fn distance(from: &str, to: &str, max: usize) -> Option<usize> {
    // The distances of what is read of `from` to each beginning of `to`.
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
    fn near_names_are_found_and_others_are_not() {
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
