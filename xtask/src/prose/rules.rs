//! The openings and words that make a comment hard to read.
//!
//! In: the text of a comment. Out: each expression that the rules refuse, with
//! a better one.

/// An expression that the rules refuse.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Refusal {
    /// The expression, in lower case.
    pub(super) words: String,
    pub(super) advice: &'static str,
}

/// Openings of sentences that lack a subject.
const OPENINGS: &[&str] = &[
    "how it",
    "of",
    "that which",
    "the same",
    "those",
    "what",
    "whether it",
    "who",
    "whoever",
    "whom",
    "whose",
];
const OPENING_ADVICE: &str = "begin with a verb (of a function) or a noun with its article";

/// Openings of comments that have no verb, if the comment is one short clause.
const VERBLESS_OPENINGS: &[&str] = &[
    "after", "because", "before", "behind", "not", "nothing", "until", "whether", "with", "without",
];
const VERBLESS_ADVICE: &str = "write a sentence with a subject and a verb";
/// The length up to which a comment is one short clause.
const CLAUSE_BYTES_MAX: usize = 72;

/// Expressions with their advice. A bar separates alternatives; a star is any
/// word.
const EXPRESSIONS: &[(&str, &str)] = &[
    ("is|are|was|were none", "state it positively"),
    ("is|are|was|were no *", "state it positively"),
    ("stand|stands", "is"),
    ("behind", "after, or with"),
    ("tell|tells|told of", "reports"),
    ("at hand", "current"),
    ("anew", "again"),
    ("whence", "from which"),
    ("whoever", "any caller"),
    ("let|lets go", "releases"),
    ("is|are to *", "must, or will"),
];
/// Words after which `is no` reads well.
const PLAIN_NEGATIONS: &[&str] = &["longer"];

/// Values of which a doc has to say that they are returned.
const TELEGRAMS: &[&str] = &["`None`: ", "`Some`: ", "`false`: ", "`true`: "];
const TELEGRAM_ADVICE: &str = "returns `...` if ...";

/// Returns what the rules refuse in the text of one comment.
pub(super) fn refusals(text: &str) -> Vec<Refusal> {
    let words: Vec<String> = text.split_whitespace().map(bare).collect();
    let mut refusals = Vec::new();
    let mut refuse = |words: &str, advice| {
        refusals.push(Refusal {
            words: words.to_lowercase(),
            advice,
        });
    };
    for opening in OPENINGS {
        if expression(opening, &words).is_some() {
            refuse(opening, OPENING_ADVICE);
        }
    }
    if let Some(first) = words.first()
        && VERBLESS_OPENINGS.contains(&first.as_str())
        && is_one_clause(text)
    {
        refuse(text, VERBLESS_ADVICE);
    }
    for (pattern, advice) in EXPRESSIONS {
        for start in 0..words.len() {
            if let Some(found) = expression(pattern, words.get(start..).unwrap_or_default()) {
                refuse(&found, advice);
            }
        }
    }
    for telegram in TELEGRAMS {
        if text.contains(telegram) {
            refuse(telegram.trim_end(), TELEGRAM_ADVICE);
        }
    }
    refusals
}

/// Returns a word in lower case without the punctuation around it. A quotation
/// of code stays as it is: its words are not English.
fn bare(word: &str) -> String {
    let is_outer = |sign: char| sign.is_ascii_punctuation() && sign != '`';
    word.trim_matches(is_outer).to_lowercase()
}

/// Returns the words that match `pattern` at the beginning of `words`.
fn expression(pattern: &str, words: &[String]) -> Option<String> {
    let mut found = Vec::new();
    let mut words = words.iter();
    for wanted in pattern.split(' ') {
        let word = words.next()?;
        let is_word = word
            .chars()
            .all(|letter| letter.is_ascii_alphabetic() || letter == '-');
        let fits = match wanted {
            "*" => is_word && !word.is_empty() && !PLAIN_NEGATIONS.contains(&word.as_str()),
            _ => wanted.split('|').any(|wanted| wanted == word),
        };
        if !fits {
            return None;
        }
        found.push(word.as_str());
    }
    Some(found.join(" "))
}

fn is_one_clause(text: &str) -> bool {
    let clause = text.strip_suffix('.');
    clause.is_some_and(|clause| !clause.contains([',', '.', ':']) && text.len() <= CLAUSE_BYTES_MAX)
}
