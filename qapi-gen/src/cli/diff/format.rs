//! The forms of a list of changes.
//!
//! In: changes, some of them waived. Out: text for people, programs, or the review
//! pages of GitHub and GitLab.

use std::fmt::Write as _;
use std::hash::{Hash as _, Hasher as _};

use clap::ValueEnum;
use qapi_gen::compare::{Change, Level};
use serde_json::{Value, json};

/// A change, with the reason why it is accepted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Finding<'a> {
    pub(super) change: &'a Change,
    pub(super) waived: Option<&'a str>,
    /// True if the change makes the exit status 1.
    pub(super) fails: bool,
}

/// The forms of the output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// A line for each change: sign, level, code, place and direction, difference,
    /// marks, line of the schema.
    Text,
    /// A JSON object for each change and line: `code`, `level`, `category`,
    /// `direction` (send, receive, null), `path`, `old`, `new`, `announced`,
    /// `unstable`, `where` (`file:line` or null), and `waived` with the reason.
    Json,
    /// A list for a changelog.
    Markdown,
    /// Annotations of GitHub's workflows.
    Github,
    /// A report for GitLab's code quality.
    Gitlab,
    /// A report of tests, one for each change.
    Junit,
}

impl Format {
    /// Returns the whole output.
    pub(super) fn text(self, findings: &[Finding<'_>]) -> String {
        match self {
            Self::Text => lines(findings, |finding| {
                let mut line = finding.change.to_string();
                if let Some(reason) = finding.waived {
                    line += "; waived: ";
                    line += reason;
                }
                line
            }),
            Self::Json => lines(findings, |finding| object(finding).to_string()),
            Self::Markdown => markdown(findings),
            Self::Github => lines(findings, github),
            Self::Gitlab => gitlab(findings),
            Self::Junit => junit(findings),
        }
    }
}

fn lines(findings: &[Finding<'_>], line: impl Fn(&Finding<'_>) -> String) -> String {
    findings
        .iter()
        .map(|finding| line(finding) + "\n")
        .collect()
}

fn object(finding: &Finding<'_>) -> Value {
    let change = finding.change;
    let mut object = json!({
        "code": change.code.name(),
        "level": change.level.name(),
        "category": change.code.category().name(),
        "direction": change.direction.map(qapi_gen::compare::Direction::name),
        "path": change.path,
        "old": change.old,
        "new": change.new,
        "announced": change.announced,
        "unstable": change.unstable,
        "where": change.place.as_ref().map(ToString::to_string),
    });
    if let (Some(reason), Some(object)) = (finding.waived, object.as_object_mut()) {
        object.insert("waived".to_owned(), Value::from(reason));
    }
    object
}

fn markdown(findings: &[Finding<'_>]) -> String {
    let mut text = String::new();
    for (level, title) in [
        (Level::Breaking, "Breaking"),
        (Level::Risky, "May break"),
        (Level::Compatible, "Compatible"),
    ] {
        let at_level = findings
            .iter()
            .filter(|finding| finding.change.level == level);
        let mut at_level = at_level.peekable();
        if at_level.peek().is_none() {
            continue;
        }
        if !text.is_empty() {
            text.push('\n');
        }
        let _ = writeln!(text, "### {title}\n");
        for finding in at_level {
            let change = finding.change;
            let _ = write!(text, "- `{}`", change.path);
            if let Some(direction) = change.direction {
                let _ = write!(text, " ({})", direction.name());
            }
            let _ = write!(text, ": {}, {}", change.code, change.difference());
            for (mark, is_set) in [
                ("announced", change.announced),
                ("unstable", change.unstable),
            ] {
                if is_set {
                    let _ = write!(text, ", {mark}");
                }
            }
            if let Some(reason) = finding.waived {
                let _ = write!(text, " (accepted: {reason})");
            }
            text.push('\n');
        }
    }
    text
}

fn github(finding: &Finding<'_>) -> String {
    let change = finding.change;
    let kind = match change.level {
        _ if finding.fails => "error",
        _ if finding.waived.is_some() => "notice",
        Level::Compatible => "notice",
        _ => "warning",
    };
    let mut properties = Vec::new();
    if let Some(place) = &change.place {
        properties.push(format!("file={}", github_property(&place.file)));
        properties.push(format!("line={}", place.line));
    }
    properties.push(format!("title={}", change.code));
    let message = format!("{}: {}", change.path, change.difference());
    let message = message.replace('%', "%25").replace('\r', "%0D");
    let message = message.replace('\n', "%0A");
    format!("::{kind} {}::{message}", properties.join(","))
}

fn github_property(text: &str) -> String {
    let escaped = text.replace('%', "%25").replace('\r', "%0D");
    let escaped = escaped.replace('\n', "%0A").replace(':', "%3A");
    escaped.replace(',', "%2C")
}

fn gitlab(findings: &[Finding<'_>]) -> String {
    let issues: Vec<Value> = findings
        .iter()
        .filter(|finding| finding.waived.is_none())
        .map(|finding| {
            let change = finding.change;
            let place = change.place.as_ref();
            json!({
                "description": format!("{}: {}", change.path, change.difference()),
                "check_name": change.code.name(),
                "fingerprint": fingerprint(change),
                "severity": match change.level {
                    Level::Breaking => "critical",
                    Level::Risky => "minor",
                    Level::Compatible => "info",
                },
                "location": {
                    "path": place.map_or("schema", |place| place.file.as_str()),
                    "lines": { "begin": place.map_or(1, |place| place.line) },
                },
            })
        })
        .collect();
    Value::from(issues).to_string() + "\n"
}

/// Returns a number that stays when lines move.
fn fingerprint(change: &Change) -> String {
    // FNV-1a, because GitLab compares fingerprints of several builds of this program.
    struct Fnv(u64);
    impl std::hash::Hasher for Fnv {
        fn finish(&self) -> u64 {
            self.0
        }
        fn write(&mut self, bytes: &[u8]) {
            for byte in bytes {
                self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
            }
        }
    }
    let mut hasher = Fnv(0xcbf2_9ce4_8422_2325);
    change.code.name().hash(&mut hasher);
    change.path.hash(&mut hasher);
    change.difference().hash(&mut hasher);
    if let Some(direction) = change.direction {
        direction.name().hash(&mut hasher);
    }
    format!("{:016x}", hasher.finish())
}

fn junit(findings: &[Finding<'_>]) -> String {
    let failures = findings.iter().filter(|finding| finding.fails).count();
    let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let _ = writeln!(
        text,
        "<testsuite name=\"qapi-gen diff\" tests=\"{}\" failures=\"{failures}\">",
        findings.len()
    );
    for finding in findings {
        let change = finding.change;
        let (path, code) = (xml(&change.path), change.code);
        let direction = change.direction.map_or("", |direction| direction.name());
        let name = format!("{path} {direction}");
        let _ = write!(
            text,
            "  <testcase classname=\"{code}\" name=\"{}\"",
            name.trim_end()
        );
        if finding.fails {
            let message = xml(&change.difference());
            let detail = xml(&change.to_string());
            let _ = writeln!(text, ">");
            let _ = writeln!(
                text,
                "    <failure message=\"{message}\">{detail}</failure>"
            );
            let _ = writeln!(text, "  </testcase>");
        } else {
            let _ = writeln!(text, "/>");
        }
    }
    text += "</testsuite>\n";
    text
}

/// Escapes text for XML. Control characters cannot be written in XML at all.
fn xml(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped += "&amp;",
            '<' => escaped += "&lt;",
            '>' => escaped += "&gt;",
            '"' => escaped += "&quot;",
            c if c.is_control() => escaped.push('\u{fffd}'),
            c => escaped.push(c),
        }
    }
    escaped
}
