//! Completion of the word before the cursor.
//!
//! In: a line up to the cursor, and the server's commands. Out: the start of the
//! word, and candidates for the whole word. This file knows no terminal.

use super::index::{Index, Member};
use super::request::Argument;

/// A word that can replace the word before the cursor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Candidate {
    /// The text in a list of candidates.
    pub(super) shown: String,
    /// The text that replaces the word.
    pub(super) text: String,
}

impl Candidate {
    fn word(text: impl Into<String>) -> Self {
        let text = text.into();
        Self {
            shown: text.clone(),
            text: format!("{text} "),
        }
    }
}

/// The commands of the shell itself.
const OWN_WORDS: [&str; 2] = ["exit", "help"];

/// Returns the start of the last word of a QMP line, and the candidates for it.
pub(super) fn qmp(index: &Index, line: &str) -> (usize, Vec<Candidate>) {
    let start = line.len() - line.trim_start().len();
    if line.trim_start().starts_with('{') {
        return in_json(index, line);
    }
    let rest = line.get(start..).unwrap_or_default();
    let Some(end) = rest.find(char::is_whitespace) else {
        let own = OWN_WORDS.into_iter();
        return (start, words(index.commands().chain(own), rest));
    };
    let (command, arguments) = rest.split_at(end);
    let word_start = start + end + last_word(arguments);
    let word = line.get(word_start..).unwrap_or_default();
    if command == "help" {
        return (word_start, words(index.commands(), word));
    }
    let before = line.get(start + end..word_start).unwrap_or_default();
    match word.split_once('=') {
        None => (word_start, names(index, command, before, word)),
        Some((name, value)) => (
            word_start + name.len() + 1,
            values(index, command, before, name, value),
        ),
    }
}

fn words<'a>(all: impl Iterator<Item = &'a str>, prefix: &str) -> Vec<Candidate> {
    all.filter(|word| word.starts_with(prefix))
        .map(Candidate::word)
        .collect()
}

/// Returns the start of the last argument, which is the end of the text if the
/// text ends with a blank.
fn last_word(arguments: &str) -> usize {
    let mut rest = arguments;
    loop {
        let blank = rest.len() - rest.trim_start().len();
        let start = arguments.len() - rest.len() + blank;
        let argument = Argument::split(rest.get(blank..).unwrap_or_default());
        if argument.rest.is_empty() {
            return start;
        }
        rest = argument.rest;
    }
}

/// Returns the value of an argument of the line.
fn given<'a>(arguments: &'a str, path: &[&str]) -> Option<&'a str> {
    let path = path.join(".");
    let mut rest = arguments.trim_start();
    while !rest.is_empty() {
        let argument = Argument::split(rest);
        if argument.name == path {
            return argument.value;
        }
        rest = argument.rest.trim_start();
    }
    None
}

/// Returns the members of the object at `path`. The other arguments of the line
/// choose the branches of unions.
fn members_at(index: &Index, command: &str, arguments: &str, path: &[&str]) -> Vec<Member> {
    index.members(command, path, &|path| given(arguments, path))
}

fn names(index: &Index, command: &str, before: &str, word: &str) -> Vec<Candidate> {
    let (parent, name) = word.rsplit_once('.').unwrap_or(("", word));
    let path: Vec<&str> = parent.split('.').filter(|name| !name.is_empty()).collect();
    let prefix = word.get(..word.len() - name.len()).unwrap_or_default();
    members_at(index, command, before, &path)
        .into_iter()
        .filter(|member| member.name.starts_with(name))
        .filter(|member| {
            let mut path = path.clone();
            path.push(&member.name);
            given(before, &path).is_none()
        })
        .map(|member| {
            let end = if index.is_object(&member) { '.' } else { '=' };
            let optional = if member.is_optional { "?" } else { "" };
            Candidate {
                shown: format!("{}{optional}", member.name),
                text: format!("{prefix}{}{end}", member.name),
            }
        })
        .collect()
}

fn values(index: &Index, command: &str, before: &str, name: &str, prefix: &str) -> Vec<Candidate> {
    let mut path: Vec<&str> = name.split('.').collect();
    let Some(last) = path.pop() else {
        return Vec::new();
    };
    let members = members_at(index, command, before, &path);
    match members.iter().find(|member| member.name == last) {
        Some(member) => words(index.values(member).into_iter(), prefix),
        None => Vec::new(),
    }
}

/// Completes the name of the command in a request that is JSON.
fn in_json(index: &Index, line: &str) -> (usize, Vec<Candidate>) {
    let none = (line.len(), Vec::new());
    let Some((before, prefix)) = line.rsplit_once(['"', '\'']) else {
        return none;
    };
    let quote = line.get(before.len()..before.len() + 1).unwrap_or_default();
    let key: String = before
        .chars()
        .rev()
        .filter(|c| !c.is_whitespace())
        .take(":'execute'".len())
        .collect();
    let is_command = matches!(key.as_str(), ":\"etucexe\"" | ":'etucexe'");
    if !is_command {
        return none;
    }
    let candidates = index
        .commands()
        .filter(|command| command.starts_with(prefix))
        .map(|command| Candidate {
            shown: command.to_owned(),
            text: format!("{command}{quote}"),
        });
    (before.len() + 1, candidates.collect())
}

/// The words of the human monitor, from the monitor's own help.
#[derive(Debug, Default)]
pub(super) struct HmpWords {
    commands: Vec<String>,
    info: Vec<String>,
}

impl HmpWords {
    /// Reads the output of `help` and of `help info`: lines `NAME|ALIAS [arg] --
    /// ...`, in the latter with `info` before the name.
    pub(super) fn new(help: &str, help_info: &str) -> Self {
        let info_lines = |text: &str| -> Vec<String> {
            let lines = text.lines().filter_map(|line| line.strip_prefix("info "));
            first_words(lines)
        };
        let mut commands = first_words(help.lines());
        let mut info = info_lines(help_info);
        info.extend(info_lines(help));
        // Remove placeholders such as [subcommand].
        info.retain(|word| word.starts_with(char::is_alphabetic));
        if !info.is_empty() {
            commands.push("info".to_owned());
        }
        for words in [&mut commands, &mut info] {
            words.sort();
            words.dedup();
        }
        Self { commands, info }
    }

    /// Returns the start of the last word of a line, and the candidates for it.
    pub(super) fn complete(&self, line: &str) -> (usize, Vec<Candidate>) {
        const TARGETS: [&str; 2] = ["vcpu", "vm"];
        let start = line.rfind(char::is_whitespace).map_or(0, |at| at + 1);
        let (before, word) = line.split_at_checked(start).unwrap_or((line, ""));
        let mut before: Vec<&str> = before.split_whitespace().collect();
        if matches!(before.first(), Some(&("help" | "?"))) {
            before.remove(0);
        }
        let candidates = match before.as_slice() {
            [] => words(self.commands.iter().map(String::as_str), word),
            ["info"] => words(self.info.iter().map(String::as_str), word),
            ["info", "stats"] => words(TARGETS.into_iter(), word),
            _ => Vec::new(),
        };
        (start, candidates)
    }
}

/// Returns the names and aliases at the beginning of each line of a help text.
fn first_words<'a>(lines: impl Iterator<Item = &'a str>) -> Vec<String> {
    lines
        .filter(|line| line.contains(" -- "))
        .filter_map(|line| line.split_whitespace().next())
        .flat_map(|names| names.split('|'))
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use qapi_stats::wire::introspect::Introspection;
    use qapi_stats::wire::{Context, from_json, to_json};

    use super::*;

    /// Makes an index from the text that a server would send.
    fn index() -> Index {
        let text = to_json(&Introspection::new(qapi_stats::SCHEMA));
        Index::new(from_json(text.as_bytes(), &Context::tolerant()).unwrap())
    }

    /// Checks the candidates for a line. `^` marks the expected start of the word.
    fn check(line: &str, expected: &[&str]) {
        let start = line.find('^').unwrap();
        let line = line.replace('^', "");
        let (found, candidates) = qmp(&index(), &line);
        let texts: Vec<&str> = candidates
            .iter()
            .map(|candidate| candidate.text.as_str())
            .collect();
        assert_eq!((found, texts.as_slice()), (start, expected), "{line}");
    }

    #[test]
    fn commands_are_completed() {
        check("^query-stats", &["query-stats ", "query-stats-schemas "]);
        check("  ^hel", &["help "]);
        check("help ^query-vers", &["query-version "]);
        check("^nosuch", &[]);
        check("{\"execute\": \"^query-vers", &["query-version\""]);
        check("{ 'execute' : '^query-vers", &["query-version'"]);
        check("{'execute': 'x', 'id': 'query-vers^", &[]);
    }

    #[test]
    fn arguments_and_their_values_are_completed() {
        check("query-stats ^", &["target=", "providers="]);
        check("query-stats ^ta", &["target="]);
        check("query-stats target=^v", &["vcpu ", "vm "]);
        check("query-stats target=vm ^", &["providers="]);
        check("query-stats target=vcpu ^", &["providers=", "vcpus="]);
        check(
            "query-stats providers=[{'provider': 'kvm'}] ^ta",
            &["target="],
        );
        check("query-stats providers=^[{'provider': ", &[]);
        check("query-stats-schemas provider=^k", &["kvm "]);
        check("nosuch ^", &[]);
    }

    #[test]
    fn words_of_the_human_monitor_are_completed() {
        let help = "help|? [cmd] -- show the help\r\ncpu index -- set it\r\n\
                    info [subcommand] -- show\r\n";
        let words = HmpWords::new(
            help,
            "info name  -- show\r\ninfo stats target [names] -- show\r\nno word\r\n",
        );
        let complete = |line: &str| -> (usize, Vec<String>) {
            let (start, candidates) = words.complete(line);
            let texts = candidates.into_iter().map(|candidate| candidate.text);
            (start, texts.collect())
        };
        assert_eq!(complete("h"), (0, vec!["help ".to_owned()]));
        assert_eq!(
            complete("info "),
            (5, vec!["name ".to_owned(), "stats ".to_owned()])
        );
        assert_eq!(complete("help info s"), (10, vec!["stats ".to_owned()]));
        assert_eq!(complete("info stats vc"), (11, vec!["vcpu ".to_owned()]));
        assert_eq!(complete("info name "), (10, Vec::new()));
    }
}
