//! Comments that the rules refuse and comments that they accept.

use super::comments::comments;
use super::rules::refusals;
use super::{complaints, findings_of};

fn refused(text: &str) -> Vec<String> {
    refusals(text)
        .into_iter()
        .map(|refusal| refusal.words)
        .collect()
}

#[test]
fn comment_is_refused_when_it_lacks_a_subject() {
    assert_eq!(
        refused("Whether it did."),
        ["whether it", "whether it did."]
    );
    assert_eq!(refused("What becomes of a request."), ["what"]);
    assert_eq!(refused("Those whose time has come."), ["those"]);
    assert_eq!(refused("The same without the name."), ["the same"]);
    assert_eq!(refused("Of several."), ["of"]);
}

#[test]
fn comment_is_refused_when_it_is_a_clause_without_a_verb() {
    assert_eq!(refused("Not with TLS."), ["not with tls."]);
    assert_eq!(refused("Behind the lock."), ["behind the lock.", "behind"]);
}

#[test]
fn comment_is_refused_when_it_uses_a_word_of_the_list() {
    assert_eq!(refused("A name that is no name."), ["is no name"]);
    assert_eq!(refused("Returns what is none."), ["is none"]);
    assert_eq!(refused("There are no (other) names."), ["are no (other"]);
    assert_eq!(refused("The name stands there."), ["stands"]);
    assert_eq!(refused("The event that it tells of."), ["tells of"]);
    assert_eq!(refused("Makes the list anew."), ["anew"]);
    assert_eq!(refused("The thread lets go of it."), ["lets go"]);
    assert_eq!(refused("A value that is to be read."), ["is to be"]);
}

#[test]
fn comment_is_refused_when_it_explains_a_value_by_a_colon() {
    assert_eq!(refused("The limit; `None`: there is one."), ["`none`:"]);
}

#[test]
fn plain_sentence_is_accepted() {
    for text in [
        "Returns whether the string was written verbatim.",
        "Whether a name is known depends on the schema, which is read first.",
        "Not every name is known, because a server may be newer.",
        "The lock is no longer needed.",
        "Returns `None` if the schema has no such type.",
        "A path from `is to be` code.",
    ] {
        assert_eq!(refused(text), [""; 0], "{text}");
    }
}

#[test]
fn comment_is_a_run_of_lines_without_examples() {
    let source = "\
//! Head of
//! the file.

/// Returns one:
/// ```
/// // Whether it did.
/// ```
/// always.
fn one() {} // Not read.
// Inline.
#[cfg(test)]
mod tests {
    // Not read either.
}
";
    let found = comments(source);
    let found: Vec<_> = found.iter().map(|it| (it.line, it.text.as_str())).collect();
    assert_eq!(
        found,
        [
            (1, "Head of the file."),
            (4, "Returns one: always."),
            (10, "Inline.")
        ]
    );
}

#[test]
fn finding_is_excused_when_an_exception_names_its_file_and_words() {
    let findings = || findings_of("a/src/lib.rs", "// The name stands there.\n");
    let exceptions = [("a/src/lib.rs", "stands")];
    assert_eq!(complaints(findings(), &exceptions), [""; 0]);
    assert_eq!(
        complaints(findings(), &[]),
        ["a/src/lib.rs:1: `stands`: is"]
    );
    assert_eq!(
        complaints(Vec::new(), &exceptions),
        ["a/src/lib.rs: `stands` needs no exception any more"]
    );
}
