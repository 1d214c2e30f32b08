//! `qapi-gen diff`.
//!
//! In: two interfaces. Out: what changed, and an exit status that says whether it
//! matters.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use qapi_gen::compare::{self, Category, Change, Level};

use super::input::Reading;
use super::output;

mod format;
mod waivers;

use format::{Finding, Format};
use waivers::Waivers;

/// Says what changed between two schemas, and whom it breaks.
///
/// OLD and NEW are each the main file of a schema, GIT-REV:path of one, a file with a
/// reply to query-qmp-schema, or the socket of a monitor (unix:PATH, tcp:HOST:PORT).
///
/// Types are compared by structure, at each place where they are used. A line begins
/// with + (came), - (went) or . (is different). Places are written COMMAND/argument,
/// COMMAND ->/result and EVENT/datum.
///
/// The exit status is 0 if nothing was found at the level of --fail-on or above, 1 if
/// something was, and 2 if the schemas could not be compared.
#[derive(Debug, Args)]
pub(super) struct Diff {
    /// The older interface
    old: String,

    /// The newer interface
    new: String,

    /// The side that is newer: `client` asks whether clients of OLD work with a server
    /// of NEW, `server` whether clients of NEW work with a server of OLD
    #[arg(long = "for", value_enum, default_value_t = Side::Client)]
    side: Side,

    /// The thing to compare: the JSON on the wire, or the generated Rust, which needs two
    /// schemas
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = [Category::Wire])]
    category: Vec<Category>,

    /// The least level that is printed
    #[arg(long, value_enum, default_value_t = Level::Compatible)]
    level: Level,

    /// The least level that makes the exit status 1
    #[arg(long, value_enum, default_value_t = Level::Breaking)]
    fail_on: Level,

    /// The marks of changes that never make the exit status 1: parts that are unstable, and removals that
    /// the older side had announced by the feature `deprecated`
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = [Mark::Unstable])]
    allow: Vec<Mark>,

    /// A TOML file with changes that are accepted, each with code, path and reason
    #[arg(long, value_name = "FILE")]
    waivers: Option<PathBuf>,

    /// The form of the output
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,

    #[command(flatten)]
    reading: Reading,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Side {
    /// Do clients of OLD work with a server of NEW?
    Client,
    /// Do clients of NEW work with a server of OLD?
    Server,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Mark {
    /// Parts that are marked unstable, or with a name that begins with x-.
    Unstable,
    /// Parts that were deprecated before.
    Announced,
    /// No change.
    None,
}

impl Diff {
    /// Compares, and prints the changes.
    pub(super) fn run(&self) -> ExitCode {
        output::finish(self.compare())
    }

    fn compare(&self) -> Result<ExitCode, String> {
        let waivers = self.waivers.as_deref().map(Waivers::read).transpose()?;
        let waivers = waivers.unwrap_or_default();
        let changes = self.changes()?;
        let findings: Vec<Finding<'_>> = changes
            .iter()
            .map(|change| {
                let waived = waivers.reason(change);
                Finding {
                    change,
                    waived,
                    fails: waived.is_none() && self.fails(change),
                }
            })
            .collect();
        let shown = findings.iter().copied();
        let shown: Vec<_> = shown
            .filter(|finding| finding.change.level >= self.level)
            .collect();
        output::print(&self.format.text(&shown))?;
        for unused in waivers.unused() {
            eprintln!("qapi-gen: {unused}");
        }
        eprintln!("qapi-gen: {}", summary(&findings));
        let fails = findings.iter().any(|finding| finding.fails);
        Ok(ExitCode::from(u8::from(fails)))
    }

    fn changes(&self) -> Result<Vec<Change>, String> {
        let old = self.reading.interface(&self.old)?;
        let new = self.reading.interface(&self.new)?;
        let (from, to) = match self.side {
            Side::Client => (&old, &new),
            Side::Server => (&new, &old),
        };
        let mut changes = Vec::new();
        if self.category.contains(&Category::Wire) {
            changes = compare::wire(from, to).map_err(|error| error.to_string())?;
        }
        if self.category.contains(&Category::Rust) {
            for (argument, interface) in [(&self.old, &old), (&self.new, &new)] {
                if !interface.is_of_schema() {
                    return Err(format!(
                        "{argument} is a reply to query-qmp-schema, which does not tell what \
                         Rust is generated; compare schemas, or give --category wire"
                    ));
                }
            }
            changes.extend(compare::rust(from, to));
        }
        Ok(changes)
    }

    fn fails(&self, change: &Change) -> bool {
        let allowed = |mark, is_marked: bool| is_marked && self.allow.contains(&mark);
        change.level >= self.fail_on
            && !allowed(Mark::Unstable, change.unstable)
            && !allowed(Mark::Announced, change.announced)
    }
}

/// Returns the numbers of changes, in one line.
fn summary(findings: &[Finding<'_>]) -> String {
    if findings.is_empty() {
        return "no difference".to_owned();
    }
    let mut parts = Vec::new();
    for level in Level::ALL.into_iter().rev() {
        let at_level = findings
            .iter()
            .filter(|finding| finding.change.level == level);
        let (mut count, mut announced, mut unstable, mut waived) = (0, 0, 0, 0);
        for finding in at_level {
            count += 1;
            announced += usize::from(finding.change.announced);
            unstable += usize::from(finding.change.unstable);
            waived += usize::from(finding.waived.is_some());
        }
        if count == 0 {
            continue;
        }
        let marks = [
            (announced, "announced"),
            (unstable, "unstable"),
            (waived, "waived"),
        ];
        let marks: Vec<String> = marks
            .iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, mark)| format!("{count} {mark}"))
            .collect();
        parts.push(if marks.is_empty() {
            format!("{count} {level}")
        } else {
            format!("{count} {level} ({})", marks.join(", "))
        });
    }
    parts.join(", ")
}
