//! The openings and words that make a comment hard to read.
//!
//! In: the text of a comment. Out: each expression that the rules refuse, with
//! a better one.

use std::sync::LazyLock;

use regex_lite::{Regex, RegexBuilder};

/// An expression that the rules refuse.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Refusal {
    /// The expression, in lower case.
    pub(super) words: String,
    pub(super) advice: &'static str,
}

const NEGATION_ADVICE: &str = "state it positively";

/// Expressions with their advice. The last word of an expression that ends with
/// `longer` is accepted.
const RULES: &[(&str, &str)] = &[
    (
        r"^(how it|of|that which|the same|those|what|whether it|who|whoever|whom|whose)\b",
        "begin with a verb (of a function) or a noun with its article",
    ),
    // A comment of one short clause has no verb after these.
    (
        r"^(after|because|before|behind|not|nothing|until|whether|with|without)\b[^,.:]{0,70}\.$",
        "write a sentence with a subject and a verb",
    ),
    (r"\b(is|are|was|were) none\b", NEGATION_ADVICE),
    (r"\b(is|are|was|were) no \(?[a-z-]+", NEGATION_ADVICE),
    (r"\bstands?\b", "is"),
    (r"\bbehind\b", "after, or with"),
    (r"\b(tells?|told) of\b", "reports"),
    (r"\bat hand\b", "current"),
    (r"\banew\b", "again"),
    (r"\bwhence\b", "from which"),
    (r"\bwhoever\b", "any caller"),
    (r"\blets? go\b", "releases"),
    (r"\b(is|are) to [a-z-]+", "must, or will"),
    (r"`(None|Some|false|true)`: ", "returns `...` if ..."),
];
/// A negation that reads well.
const PLAIN_NEGATION: &str = " no longer";

static COMPILED: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
    let compile = |(rule, advice): &(&str, &'static str)| {
        let regex = RegexBuilder::new(rule).case_insensitive(true).build();
        #[expect(clippy::expect_used, reason = "the rules are constants")]
        (regex.expect("a rule is a regular expression"), *advice)
    };
    RULES.iter().map(compile).collect()
});

/// Returns what the rules refuse in the text of one comment.
pub(super) fn refusals(text: &str) -> Vec<Refusal> {
    // The words of quoted code are not English; a value before a colon is part
    // of a rule.
    let words = text.split('`').enumerate().map(|(index, part)| {
        let is_code = index % 2 == 1 && !["None", "Some", "false", "true"].contains(&part);
        if is_code { "code" } else { part }
    });
    let prose = words.collect::<Vec<_>>().join("`");
    let mut refusals = Vec::new();
    for (rule, advice) in COMPILED.iter() {
        for found in rule.find_iter(&prose) {
            let words = found.as_str().trim_end().to_lowercase();
            if !words.ends_with(PLAIN_NEGATION) {
                refusals.push(Refusal { words, advice });
            }
        }
    }
    refusals
}
