//! Patterns of names and choices of vCPUs, as people type them.
//!
//! In: `exits,halt_*,/poll|wait/` or `0,2-3,/machine/cpu`. Out: what matches a
//! name, a number or a path. This file asks no monitor.

use std::ops::RangeInclusive;
use std::str::FromStr;

/// A pattern of names, and its text.
#[derive(Clone, Debug)]
pub struct NamePattern {
    text: String,
    kind: Kind,
}

#[derive(Clone, Debug)]
enum Kind {
    /// The name itself.
    Literal,
    /// A glob that matches a whole name.
    Glob(glob::Pattern),
    /// A regular expression that matches a part of a name.
    Regex(regex_lite::Regex),
}

impl NamePattern {
    /// Returns the pattern as it was typed.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Returns whether the pattern is a name without wildcards.
    #[must_use]
    pub fn is_literal(&self) -> bool {
        matches!(self.kind, Kind::Literal)
    }

    /// Returns whether the pattern matches a name.
    #[must_use]
    pub fn matches(&self, name: &str) -> bool {
        match &self.kind {
            Kind::Literal => self.text == name,
            Kind::Glob(glob) => glob.matches(name),
            Kind::Regex(regex) => regex.is_match(name),
        }
    }
}

impl FromStr for NamePattern {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let regex = text
            .strip_prefix('/')
            .and_then(|text| text.strip_suffix('/'));
        let kind = if let Some(regex) = regex.filter(|regex| !regex.is_empty()) {
            let regex = regex_lite::Regex::new(regex)
                .map_err(|error| format!("'{text}' is not a regular expression: {error}"))?;
            Kind::Regex(regex)
        } else if text.starts_with('/') {
            return Err(format!(
                "'{text}' begins like a regular expression: expected /REGEX/"
            ));
        } else if text.contains(['*', '?', '[', ']']) {
            let glob = glob::Pattern::new(text)
                .map_err(|error| format!("'{text}' is not a glob: {}", error.msg))?;
            Kind::Glob(glob)
        } else {
            Kind::Literal
        };
        let text = text.to_owned();
        Ok(Self { text, kind })
    }
}

/// A list of patterns of names, with commas and blanks between them.
#[derive(Clone, Debug)]
pub struct NamePatterns(pub Vec<NamePattern>);

impl FromStr for NamePatterns {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.trim_end().ends_with(',') {
            return Err(format!(
                "nothing follows the last comma; if blanks follow the commas, quote the list: \
                 '{text} NAME'"
            ));
        }
        let items = split_names(text);
        if items.iter().any(|item| item.is_empty()) {
            return Err(
                "expected names, globs such as 'halt_*' or /REGEX/, with commas \
                        between them"
                    .to_owned(),
            );
        }
        let patterns: Result<_, _> = items.into_iter().map(str::parse).collect();
        Ok(Self(patterns?))
    }
}

/// Splits a list at its commas, except for those within `/REGEX/`.
fn split_names(text: &str) -> Vec<&str> {
    let mut items = Vec::new();
    let mut rest = text.trim();
    loop {
        let comma = if rest.starts_with('/') {
            // The regular expression ends with a slash before a comma.
            let end = rest.match_indices('/').skip(1).find_map(|(at, _)| {
                let after = rest.get(at + 1..)?.trim_start();
                after.starts_with(',').then_some(at)
            });
            end.and_then(|end| Some(end + rest.get(end..)?.find(',')?))
        } else {
            rest.find(',')
        };
        let Some((item, after)) = comma.and_then(|comma| rest.split_at_checked(comma)) else {
            items.push(rest.trim());
            return items;
        };
        items.push(item.trim());
        rest = after.strip_prefix(',').unwrap_or(after).trim_start();
    }
}

/// A choice of vCPUs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VcpuSelector {
    /// The vCPUs with these numbers.
    Numbers(RangeInclusive<i64>),
    /// The vCPU at this QOM path.
    Path(String),
}

impl FromStr for VcpuSelector {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        if text.starts_with('/') {
            return Ok(Self::Path(text.to_owned()));
        }
        let number = |text: &str| text.trim().parse::<u32>().ok().map(i64::from);
        let range = match text.split_once('-') {
            Some((first, last)) => number(first).zip(number(last)),
            None => number(text).map(|number| (number, number)),
        };
        match range {
            Some((first, last)) if first <= last => Ok(Self::Numbers(first..=last)),
            _ => Err(
                "expected a number such as 0, a range such as 0-3, or a QOM path that begins \
                 with /"
                    .to_owned(),
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{NamePatterns, VcpuSelector};

    const NAMES: [&str; 4] = ["exits", "halt_exits", "halt_wait_ns", "tlb_flush"];

    fn check(text: &str, expected: &[&str]) {
        let patterns: NamePatterns = text.parse().unwrap();
        let matches = |name: &&str| patterns.0.iter().any(|pattern| pattern.matches(name));
        let found: Vec<&str> = NAMES.into_iter().filter(matches).collect();
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn patterns_match_by_name_glob_or_regex() {
        check("exits", &["exits"]);
        check(" exits , tlb_flush ", &["exits", "tlb_flush"]);
        check("halt_*", &["halt_exits", "halt_wait_ns"]);
        check("[et]*", &["exits", "tlb_flush"]);
        check("?xits", &["exits"]);
        check("/exits/", &["exits", "halt_exits"]);
        check("/^exits$/, tlb*", &["exits", "tlb_flush"]);
        check(
            "/l{1,2}t/,/flu/",
            &["halt_exits", "halt_wait_ns", "tlb_flush"],
        );
        check("nosuch", &[]);
    }

    #[test]
    fn patterns_are_refused_with_the_reason() {
        for (text, reason) in [
            ("", "expected names"),
            ("a,,b", "expected names"),
            (",a", "expected names"),
            ("a,", "quote the list"),
            ("/(/", "regular expression"),
            ("/exits", "expected /REGEX/"),
            ("a[", "glob"),
        ] {
            let error = text.parse::<NamePatterns>().unwrap_err();
            assert!(error.contains(reason), "{text}: {error}");
        }
    }

    #[test]
    fn vcpus_are_chosen_by_number_range_or_path() {
        let parse = |text: &str| text.parse::<VcpuSelector>().ok();
        assert_eq!(parse("3"), Some(VcpuSelector::Numbers(3..=3)));
        assert_eq!(parse(" 0-2 "), Some(VcpuSelector::Numbers(0..=2)));
        assert_eq!(
            parse("/machine/cpu[0]"),
            Some(VcpuSelector::Path("/machine/cpu[0]".to_owned()))
        );
        for wrong in ["", "x", "-1", "2-1", "0-", "device[0]", "4294967296"] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }
}
