//! `qapi-gen explain`.
//!
//! In: the code of a change, or a rule. Out: its level in each direction, and the reason.

use std::process::ExitCode;
use std::str::FromStr;

use clap::Args;
use qapi_gen::compare::{Code, Direction, UnknownCode};
use qapi_gen::lint::Rule;

use super::output;

/// Explains the codes of changes and the rules of advice; without CODE, lists all.
#[derive(Debug, Args)]
pub(super) struct Explain {
    /// The code of a change, as `diff` prints it, or the rule of a piece of advice, as
    /// `lint` prints it
    code: Option<Topic>,
}

impl Explain {
    /// Prints the explanation.
    pub(super) fn run(&self) -> ExitCode {
        let codes = Code::ALL.iter().copied().map(Topic::Code);
        let rules = Rule::ALL.iter().copied().map(Topic::Rule);
        let topics: Vec<Topic> = match self.code {
            Some(topic) => vec![topic],
            None => codes.chain(rules).collect(),
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
}

impl FromStr for Topic {
    type Err = UnknownCode;

    fn from_str(name: &str) -> Result<Self, UnknownCode> {
        let rule = name.parse().map(Self::Rule);
        rule.or_else(|_| name.parse().map(Self::Code))
    }
}

impl Topic {
    fn text(self) -> String {
        match self {
            Self::Code(code) => {
                let sent = code.level(Some(Direction::Send));
                let received = code.level(Some(Direction::Receive));
                let levels = if sent == received {
                    sent.to_string()
                } else {
                    format!("{sent} where a client sends, {received} where it receives")
                };
                format!("{code}: {levels}\n    {}\n", code.reason())
            }
            Self::Rule(rule) => format!("{rule}: advice\n    {}\n", rule.reason()),
        }
    }
}
