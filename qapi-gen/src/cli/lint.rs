//! `qapi-gen lint`.
//!
//! In: a schema. Out: advice, without that which a baseline accepts.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use qapi_gen::lint::{Advice, Context, DefinitionHistory, Report, Rule, lint};
use serde_json::json;

use super::fix;
use super::history::release;
use super::input::Reading;
use super::output;

/// Gives advice about a schema that is correct: examples, releases, what nobody needs.
///
/// A line is FILE:LINE: RULE: SUBJECT: MESSAGE. `explain` has the reason for each rule.
/// The exit status is 0 without advice, 1 with advice, and 2 if the schema has errors.
#[derive(Debug, Args)]
pub(super) struct Lint {
    /// The main file of a schema, or GIT-REV:path of one
    schema: String,

    /// The earlier releases, the oldest first, for the rules about `Since`
    #[arg(long, value_name = "RELEASE=SOURCE", value_parser = release, num_args = 1..)]
    history: Vec<(String, String)>,

    /// The schema to which a downstream schema adds
    #[arg(long, value_name = "SOURCE")]
    upstream: Option<String>,

    /// Leave out a rule; may be repeated
    #[arg(long, value_name = "RULE")]
    off: Vec<Rule>,

    /// Only this rule; may be repeated
    #[arg(long, value_name = "RULE", conflicts_with = "off")]
    only: Vec<Rule>,

    /// The file of accepted advice, of which later runs name what no longer occurs
    #[arg(long, value_name = "FILE")]
    baseline: Option<PathBuf>,

    /// Accept all advice of today: write the file of --baseline
    #[arg(long, requires = "baseline", conflicts_with_all = ["only", "off"])]
    write_baseline: bool,

    /// First correct the files: insert the second space between sentences of
    /// documentation where the line has room
    #[arg(long)]
    fix: bool,

    /// The form of the output
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,

    #[command(flatten)]
    reading: Reading,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// A line for each piece of advice.
    Text,
    /// A JSON object for each piece of advice and line: `rule`, `subject`, `message`,
    /// `where`.
    Json,
}

impl Lint {
    /// Prints the advice.
    pub(super) fn run(&self) -> ExitCode {
        output::finish(self.lint())
    }

    fn lint(&self) -> Result<ExitCode, String> {
        if self.fix {
            self.correct()?;
        }
        let mut history = DefinitionHistory::default();
        for (name, source) in &self.history {
            let interface = self.reading.interface(source)?;
            if !interface.is_of_schema() {
                return Err(format!(
                    "{source} is a reply to query-qmp-schema, which does not name types; give a \
                     schema"
                ));
            }
            history.add(name, &interface);
        }
        let upstream = self.upstream.as_deref();
        let upstream = upstream
            .map(|source| self.reading.interface(source))
            .transpose()?;
        let (schema, sources) = self.reading.checked(&self.schema)?;
        let context = Context {
            history: (!self.history.is_empty()).then_some(&history),
            upstream: upstream.as_ref(),
        };
        let mut report = lint(&schema, &sources, context);
        report.advice.retain(|advice| self.wants(advice.rule));
        self.finish(&report)
    }

    /// Corrects the files, until a check finds nothing more to correct.
    fn correct(&self) -> Result<(), String> {
        let mut count = 0;
        loop {
            let outcome = self.reading.outcome_on_disk(&self.schema)?;
            match fix::correct(&outcome) {
                Ok(0) => break,
                Ok(corrected) => count += corrected,
                Err(error) => return Err(format!("cannot correct {}: {error}", self.schema)),
            }
        }
        eprintln!("qapi-gen: {count} corrections");
        Ok(())
    }

    fn wants(&self, rule: Rule) -> bool {
        !self.off.contains(&rule) && (self.only.is_empty() || self.only.contains(&rule))
    }

    fn finish(&self, report: &Report) -> Result<ExitCode, String> {
        let mut baseline = Baseline::default();
        if let Some(file) = &self.baseline {
            if self.write_baseline {
                return write_baseline(file, &report.advice);
            }
            baseline = Baseline::read(file, |rule| self.wants(rule))?;
        }
        let advice: Vec<&Advice> = report
            .advice
            .iter()
            .filter(|advice| !baseline.accepts(advice))
            .collect();
        let text: String = advice
            .iter()
            .map(|advice| self.format.line(advice) + "\n")
            .collect();
        output::print(&text)?;
        for unused in baseline.unused() {
            eprintln!("qapi-gen: the baseline has advice that is no longer given: {unused}");
        }
        let accepted = report.advice.len() - advice.len();
        let (examples, abridged) = (report.examples, report.abridged);
        eprintln!(
            "qapi-gen: {}: {} pieces of advice, {accepted} accepted; {examples} example messages, \
             of which {abridged} are abridged and not checked",
            self.schema,
            advice.len(),
        );
        Ok(ExitCode::from(u8::from(!advice.is_empty())))
    }
}

impl Format {
    fn line(self, advice: &Advice) -> String {
        match self {
            Self::Text => advice.to_string(),
            Self::Json => json!({
                "rule": advice.rule.name(),
                "subject": advice.subject,
                "message": advice.message,
                "where": advice.place.as_ref().map(ToString::to_string),
            })
            .to_string(),
        }
    }
}

/// The advice that is accepted, by rule, subject and message, with how often.
#[derive(Debug, Default)]
struct Baseline(BTreeMap<String, usize>);

impl Baseline {
    fn read(file: &Path, wants: impl Fn(Rule) -> bool) -> Result<Self, String> {
        let name = file.display();
        let text = fs::read_to_string(file).map_err(|error| {
            format!("cannot read {name}: {error}; --write-baseline makes the file")
        })?;
        let mut accepted = BTreeMap::new();
        for line in text.lines() {
            // Advice of a rule that is left out today is neither given nor stale.
            let rule = line.split(':').next().and_then(|name| name.parse().ok());
            if line.starts_with('#') || line.is_empty() || rule.is_some_and(|rule| !wants(rule)) {
                continue;
            }
            *accepted.entry(line.to_owned()).or_default() += 1;
        }
        Ok(Self(accepted))
    }

    fn accepts(&mut self, advice: &Advice) -> bool {
        match self.0.get_mut(&key(advice)) {
            Some(count) if *count > 0 => {
                *count -= 1;
                true
            }
            _ => false,
        }
    }

    fn unused(&self) -> impl Iterator<Item = &str> {
        let unused = self.0.iter().filter(|(_, count)| **count > 0);
        unused.map(|(line, _)| line.as_str())
    }
}

/// Returns what stays of a piece of advice when lines move.
fn key(advice: &Advice) -> String {
    format!("{}: {}: {}", advice.rule, advice.subject, advice.message)
}

fn write_baseline(file: &Path, advice: &[Advice]) -> Result<ExitCode, String> {
    let mut lines: Vec<String> = advice.iter().map(key).collect();
    lines.sort();
    let lines: String = lines.iter().map(|line| format!("{line}\n")).collect();
    let text = format!("# Advice of `qapi-gen lint` that is accepted.\n{lines}");
    let name = file.display();
    fs::write(file, text).map_err(|error| format!("cannot write {name}: {error}"))?;
    eprintln!("qapi-gen: {name} accepts {} pieces of advice", advice.len());
    Ok(ExitCode::SUCCESS)
}
