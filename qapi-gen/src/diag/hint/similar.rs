//! Suggestions for unknown names.
//!
//! In: an unknown name and the known names. Out: the known name that is most
//! similar, if it is similar enough. The definitions with these names are
//! not known here.

/// The length up to which names are compared.
const NAME_BYTES_MAX: usize = 64;
/// The number of characters by which similar names may differ.
const DISTANCE_MAX: usize = 3;

/// Returns the name that was most likely meant, or `None` if no name is similar.
/// The result does not depend on the order of the names.
pub(crate) fn similar<'a>(name: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
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

/// Returns the number of bytes that must be inserted, deleted, changed or swapped
/// with their neighbour to turn one name into the other, or `None` if the number
/// exceeds `max`.
fn distance(from: &str, to: &str, max: usize) -> Option<usize> {
    // The distances between the part of `from` read so far and each prefix of
    // `to`; `before` has those of one byte less.
    let mut row: Vec<usize> = (0..=to.len()).collect();
    let mut before: Vec<usize> = Vec::new();
    let mut last = None;
    for (read, x) in from.bytes().enumerate() {
        let mut next = Vec::with_capacity(row.len());
        let mut left = read + 1;
        next.push(left);
        let mut last_to = None;
        for ((index, y), (&diagonal, &above)) in to
            .bytes()
            .enumerate()
            .zip(row.iter().zip(row.iter().skip(1)))
        {
            left = (diagonal + usize::from(x != y))
                .min(above + 1)
                .min(left + 1);
            if last == Some(y)
                && last_to == Some(x)
                && let Some(swapped) = index.checked_sub(1).and_then(|at| before.get(at))
            {
                left = left.min(swapped + 1);
            }
            last_to = Some(y);
            next.push(left);
        }
        if next.iter().min() > Some(&max) {
            return None;
        }
        last = Some(x);
        before = std::mem::replace(&mut row, next);
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
            ("itn", Some("int")),
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
