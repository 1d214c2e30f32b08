//! Texts for labels.
//!
//! In: what monitors tell. Out: texts that are fit for a label. What a monitor tells is never
//! the identity of its virtual machine: a name changes, and two machines may have the same.

use std::collections::HashSet;

use super::answer::VmState;
use crate::printable::printable;

/// The longest text that a monitor tells, in characters.
const CHARACTERS_MAX: usize = 200;

/// Returns the number of virtual machines that share their name with one found before.
pub(super) fn duplicates(vms: &[VmState]) -> usize {
    let names = vms.iter().filter_map(|vm| vm.identity()?.name.as_deref());
    let mut seen = HashSet::new();
    names.filter(|name| !seen.insert(*name)).count()
}

/// Makes a text of a monitor fit for a label.
pub(super) fn text(text: &str) -> String {
    let text = printable(text);
    match text.char_indices().nth(CHARACTERS_MAX) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_short_and_has_no_control_characters() {
        assert_eq!(text("a\nb\u{1b}"), "a\\nb\\u{1b}");
        assert_eq!(text(&"ü".repeat(300)), "ü".repeat(200) + "…");
    }
}
