//! Names spelled as the conventions want them.
//!
//! In: a valid name. Out: the name as it should be; `None` if that is no
//! other name. It does not know where the name stands.

/// As commands, members, values and features: `block-job`.
pub(super) fn lower(name: &str) -> Option<String> {
    let name = name_of_clear_words(name)?;
    spell(name, |words| joined(words, "-", str::to_ascii_lowercase))
}

/// As events: `BLOCK_JOB`.
pub(super) fn upper(name: &str) -> Option<String> {
    let name = name_of_clear_words(name)?;
    spell(name, |words| joined(words, "_", str::to_ascii_uppercase))
}

/// As types: `BlockJob`.
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
        // One letter is no CamelCase, however it is spelled.
        .filter(|name| name.contains(|c: char| c.is_ascii_lowercase()))
}

/// The name unless nobody can say where its words end: `VNCInfo`, `vCPUs`.
fn name_of_clear_words(name: &str) -> Option<&str> {
    let unclear = |bytes: &[u8]| matches!(bytes, [b'A'..=b'Z', b'A'..=b'Z', b'a'..=b'z']);
    (!name.as_bytes().windows(3).any(unclear)).then_some(name)
}

fn joined(words: &[&str], between: &str, spelled: impl Fn(&str) -> String) -> String {
    let words: Vec<String> = words.iter().map(|word| spelled(word)).collect();
    words.join(between)
}

/// Spells what comes after a downstream prefix and `x-`.
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

/// The words of a name, whichever convention it follows: the parts between
/// `-` and `_`, and the parts of these that begin with an upper case letter
/// after a lower case one.
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

/// Where the second word of a part begins.
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
    fn each_convention() {
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
