//! Changes that are accepted.
//!
//! In: a TOML file. Out: the reason for a change, and the waivers that no change
//! needs.

use std::cell::Cell;
use std::path::{Path, PathBuf};

use qapi_gen::compare::{Change, Code};

/// The waivers of a file:
///
/// ```toml
/// [[waiver]]
/// code = "event-removed"
/// path = "RDMA_GID_STATUS_CHANGED"
/// reason = "pvrdma is gone, so that the event cannot happen"
/// ```
#[derive(Debug, Default)]
pub(super) struct Waivers {
    file: PathBuf,
    list: Vec<Waiver>,
}

#[derive(Debug)]
struct Waiver {
    code: Code,
    /// A path, in which `*` means any characters.
    path: String,
    reason: String,
    line: usize,
    used: Cell<bool>,
}

impl Waivers {
    /// Reads a file. The error is a message for people.
    pub(super) fn read(file: &Path) -> Result<Self, String> {
        let name = file.display();
        let text = std::fs::read_to_string(file)
            .map_err(|error| format!("cannot read {name}: {error}"))?;
        let list = parse(&text).map_err(|(line, what)| format!("{name}:{line}: {what}"))?;
        Ok(Self {
            file: file.to_owned(),
            list,
        })
    }

    /// Returns the reason why a change is accepted.
    pub(super) fn reason(&self, change: &Change) -> Option<&str> {
        let waiver = self
            .list
            .iter()
            .find(|waiver| waiver.code == change.code && matches(&waiver.path, &change.path))?;
        waiver.used.set(true);
        Some(&waiver.reason)
    }

    /// Returns a line for each waiver that was not used.
    pub(super) fn unused(&self) -> impl Iterator<Item = String> {
        let unused = self.list.iter().filter(|waiver| !waiver.used.get());
        unused.map(|waiver| {
            let (file, line) = (self.file.display(), waiver.line);
            let (code, path) = (waiver.code, &waiver.path);
            format!("{file}:{line}: no change needs this waiver: {code} {path}")
        })
    }
}

/// Returns whether a path matches a pattern.
fn matches(pattern: &str, path: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else {
        return pattern == path;
    };
    let Some(mut path) = path.strip_prefix(first) else {
        return false;
    };
    let mut parts = rest.split('*').peekable();
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return path.ends_with(part);
        }
        match path.find(part) {
            Some(at) => path = path.get(at + part.len()..).unwrap_or_default(),
            None => return false,
        }
    }
    true
}

/// Parses the text of a file. The error has a line.
fn parse(text: &str) -> Result<Vec<Waiver>, (usize, String)> {
    let line_of = |offset: usize| {
        let before = text.get(..offset).unwrap_or_default();
        before.matches('\n').count() + 1
    };
    let document = toml::de::DeTable::parse(text).map_err(|error| {
        let offset = error.span().map_or(0, |span| span.start);
        (line_of(offset), error.message().to_owned())
    })?;
    let mut list = Vec::new();
    for (key, value) in document.get_ref() {
        let line = line_of(key.span().start);
        let waivers = value.get_ref().as_array();
        let Some(waivers) = waivers.filter(|_| key.get_ref() == "waiver") else {
            return Err((
                line,
                format!("'{}' is unknown; write [[waiver]]", key.get_ref()),
            ));
        };
        for waiver in waivers {
            let line = line_of(waiver.span().start);
            let Some(table) = waiver.get_ref().as_table() else {
                return Err((line, "a waiver is a table; write [[waiver]]".to_owned()));
            };
            let (mut code, mut path, mut reason) = (None, None, None);
            for (key, value) in table {
                let at = line_of(key.span().start);
                let Some(text) = value.get_ref().as_str() else {
                    return Err((at, format!("'{}' must be a string", key.get_ref())));
                };
                match key.get_ref().as_ref() {
                    "code" => {
                        let known = text.parse::<Code>();
                        code = Some(known.map_err(|error| (at, format!("'{text}': {error}")))?);
                    }
                    "path" => path = Some(text.to_owned()),
                    "reason" if text.trim().is_empty() => {
                        return Err((at, "the reason is empty".to_owned()));
                    }
                    "reason" => reason = Some(text.to_owned()),
                    other => {
                        let keys = "code, path and reason";
                        return Err((at, format!("'{other}' is unknown; a waiver has {keys}")));
                    }
                }
            }
            let missing = |key: &str| (line, format!("the waiver has no {key}"));
            list.push(Waiver {
                code: code.ok_or_else(|| missing("code"))?,
                path: path.ok_or_else(|| missing("path"))?,
                reason: reason.ok_or_else(|| missing("reason"))?,
                line,
                used: Cell::new(false),
            });
        }
    }
    Ok(list)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn path_matches_pattern_with_stars() {
        assert!(matches("a/b", "a/b"));
        assert!(!matches("a/b", "a/bc"));
        assert!(matches("a/*", "a/b/c"));
        assert!(matches("*/c", "a/b/c"));
        assert!(matches("a*b*c", "a/b/c"));
        assert!(!matches("a*b*d", "a/b/c"));
        assert!(!matches("aa*", "a"));
    }

    #[test]
    fn parse_names_the_line_of_a_mistake() {
        let error = |text: &str| parse(text).map(|list| list.len()).unwrap_err();
        assert_eq!(error("\n[[waiver]]\ncode = 'x'\n").0, 3);
        assert_eq!(
            error("[[waiver]]\ncode = 'type-changed'\npath = 'x'\n").1,
            "the waiver has no reason"
        );
        assert_eq!(error("\n[other]\n").0, 2);
        assert_eq!(
            error("[[waiver]]\ncode = 'type-changed'\npath = 'x'\nreason = ' '\n").0,
            4
        );
        assert_eq!(error("= 3").0, 1);
    }
}
