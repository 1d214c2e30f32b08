//! `qapi-gen explain`.
//!
//! In: the code of a change or a finding, or a rule. Out: its meaning.

use std::process::ExitCode;
use std::str::FromStr;

use clap::Args;
use qapi_gen::compare::{Code, Direction};
use qapi_gen::lint::Rule;
use qapi_gen::validate::FindingCode;

use super::output;

/// Explains the codes of changes and findings and the rules of advice; without CODE,
/// lists all.
#[derive(Debug, Args)]
pub(super) struct Explain {
    /// The code of a change (`diff`), of a finding (`validate`), or a rule (`lint`)
    code: Option<Topic>,
}

impl Explain {
    /// Prints the explanation.
    pub(super) fn run(&self) -> ExitCode {
        let topics: Vec<Topic> = match self.code {
            Some(topic) => vec![topic],
            None => Topic::all().collect(),
        };
        let text: String = topics.into_iter().map(Topic::text).collect();
        output::finish(output::print(&text).map(|()| ExitCode::SUCCESS))
    }
}

/// Something to explain.
#[derive(Clone, Copy, Debug)]
enum Topic {
    Code(Code),
    Rule(Rule),
    Finding(FindingCode),
}

impl Topic {
    fn all() -> impl Iterator<Item = Self> {
        let codes = Code::ALL.iter().copied().map(Self::Code);
        let rules = Rule::ALL.iter().copied().map(Self::Rule);
        codes
            .chain(rules)
            .chain(FindingCode::ALL.iter().copied().map(Self::Finding))
    }

    fn name(self) -> &'static str {
        match self {
            Self::Code(code) => code.name(),
            Self::Rule(rule) => rule.name(),
            Self::Finding(code) => code.name(),
        }
    }

    fn text(self) -> String {
        let (what, reason) = match self {
            Self::Code(code) => {
                let sent = code.level(Some(Direction::Send));
                let received = code.level(Some(Direction::Receive));
                let levels = if sent == received {
                    sent.to_string()
                } else {
                    format!("{sent} where a client sends, {received} where it receives")
                };
                (format!("a change, {levels}"), code.reason())
            }
            Self::Rule(rule) => ("advice about a schema".to_owned(), rule.reason()),
            Self::Finding(code) => ("a finding of validate".to_owned(), code.reason()),
        };
        format!("{}: {what}\n    {reason}\n", self.name())
    }
}

impl FromStr for Topic {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let topic = Self::all().find(|topic| topic.name() == name);
        topic.ok_or_else(|| "`qapi-gen explain` lists what can be explained".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_of_topics_differ() {
        let names: BTreeSet<&str> = Topic::all().map(Topic::name).collect();
        assert_eq!(names.len(), Topic::all().count());
    }
}
