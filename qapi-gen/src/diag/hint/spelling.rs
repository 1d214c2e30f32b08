//! Names in the spelling that the conventions require.
//!
//! In: a valid name. Out: the name in its correct spelling. What the name is
//! for is not known here.

/// Returns a name in the spelling of commands, members, values and features,
/// such as `block-job`, or `None` if the spelling is unclear or unchanged.
pub(super) fn lower(name: &str) -> Option<String> {
    let name = name_of_clear_words(name)?;
    spell(name, |words| joined(words, "-", str::to_ascii_lowercase))
}

/// Returns a name in the spelling of events, such as `BLOCK_JOB`, or `None` if
/// the spelling is unclear or unchanged.
pub(super) fn upper(name: &str) -> Option<String> {
    let name = name_of_clear_words(name)?;
    spell(name, |words| joined(words, "_", str::to_ascii_uppercase))
}

/// Returns a name in the spelling of types, such as `BlockJob`, or `None` if the
/// spelling is impossible or unchanged.
pub(super) fn camel(name: &str) -> Option<String> {
    let shouted = !name.contains(|c: char| c.is_ascii_lowercase());
    let capitalized = |word: &str| {
        let mut word = match shouted {
            true => word.to_ascii_lowercase(),
            false => word.to_owned(),
        };
        if let Some(first) = word.get_mut(..1) {
            first.make_ascii_uppercase();
        }
        word
    };
    spell(name, |words| joined(words, "", capitalized))
        // A name of one letter cannot be CamelCase.
        .filter(|name| name.contains(|c: char| c.is_ascii_lowercase()))
}

/// Returns the name, or `None` if it is unclear where its words end, as in
/// `VNCInfo` and `vCPUs`.
fn name_of_clear_words(name: &str) -> Option<&str> {
    let unclear = |bytes: &[u8]| matches!(bytes, [b'A'..=b'Z', b'A'..=b'Z', b'a'..=b'z']);
    (!name.as_bytes().windows(3).any(unclear)).then_some(name)
}

/// Spells each word and joins the words.
fn joined(words: &[&str], between: &str, spelled: impl Fn(&str) -> String) -> String {
    let words: Vec<String> = words.iter().map(|word| spelled(word)).collect();
    words.join(between)
}

/// Spells the part of a name after a downstream prefix and `x-`.
fn spell(name: &str, spelled: impl Fn(&[&str]) -> String) -> Option<String> {
    let rest = match name.strip_prefix("__") {
        Some(rest) => rest.split_once('_')?.1,
        None => name,
    };
    let experimental = rest.strip_prefix("x-").or_else(|| rest.strip_prefix("X-"));
    let rest = experimental.filter(|rest| !rest.is_empty()).unwrap_or(rest);
    let prefix = name.strip_suffix(rest)?;
    let spelled = [prefix, &spelled(&words(rest))].concat();
    (spelled != name).then_some(spelled)
}

/// Returns the words of a name, whatever its spelling. `-` and `_` separate
/// words, and an upper case letter after a lower case one begins a word.
fn words(name: &str) -> Vec<&str> {
    let mut words = Vec::new();
    for part in name.split(['-', '_']).filter(|part| !part.is_empty()) {
        let mut rest = part;
        while let Some(at) = hump(rest) {
            let (word, after) = rest.split_at(at);
            words.push(word);
            rest = after;
        }
        words.push(rest);
    }
    words
}

/// Returns the index at which the second word of a part begins.
fn hump(part: &str) -> Option<usize> {
    let bytes = part.as_bytes();
    let after = bytes
        .windows(2)
        .position(|pair| matches!(pair, [b'a'..=b'z', b'A'..=b'Z']))?;
    Some(after + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_respelled_by_each_convention() {
        let lower = |name| lower(name).unwrap_or_default();
        assert_eq!(lower("Foo_barBaz"), "foo-bar-baz");
        assert_eq!(lower("VNC"), "vnc");
        assert_eq!(lower("x-aB"), "x-a-b");
        assert_eq!(lower("__org.qemu_a_b"), "__org.qemu_a-b");
        assert_eq!(lower("2X"), "2x");
        assert_eq!(lower("a-b"), "");
        assert_eq!(lower("vCPUs"), "");
        let upper = |name| upper(name).unwrap_or_default();
        assert_eq!(upper("blockJob-done"), "BLOCK_JOB_DONE");
        assert_eq!(upper("__org.qemu_x-a"), "__org.qemu_x-A");
        let camel = |name| camel(name).unwrap_or_default();
        assert_eq!(camel("foo_bar"), "FooBar");
        assert_eq!(camel("VNC-info"), "VNCInfo");
        assert_eq!(camel("BLOCK_JOB"), "BlockJob");
        assert_eq!(camel("aB"), "");
        assert_eq!(camel("a"), "");
        assert_eq!(camel("Ab"), "");
    }
}
