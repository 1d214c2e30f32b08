//! Hints on how to correct problems.
//!
//! In: a diagnostic. Out: a hint, if it is clear what was meant. Hints are
//! separate from messages, because messages must be exactly QEMU's.

use super::diagnostic::Diagnostic;
use super::problem::{Expected, Problem};
use crate::source::SourceMap;

mod spelling;

impl Diagnostic {
    /// Returns how the problem can most likely be corrected, or `None` if that
    /// is not clear.
    #[must_use]
    pub fn hint(&self, sources: &SourceMap) -> Option<String> {
        let shown = || {
            let site = self.site.as_ref()?;
            Some(sources.text(site.shown()))
        };
        let fixed = match &self.problem {
            Problem::UnterminatedString => "a string ends on its line, with a single quote",
            Problem::UnknownEscape(_) => "only a backslash can be escaped, as '\\\\'",
            Problem::FunnyCharacter => "strings consist of printable ASCII characters",
            Problem::Stray(text) => return stray(text),
            Problem::Expected(Expected::Key) if shown()? == "}" => {
                "remove the comma after the last member"
            }
            Problem::Expected(Expected::Value)
                if shown()? == "]" && self.follows_comma(sources) =>
            {
                "remove the comma after the last element"
            }
            Problem::NameLower(_) => return spelled(spelling::lower(unquoted(shown()?)?)),
            Problem::NameUpper(_) => return spelled(spelling::upper(unquoted(shown()?)?)),
            Problem::NameCamel(_) => return spelled(spelling::camel(unquoted(shown()?)?)),
            Problem::UnknownType { similar, .. } => {
                return Some(format!("did you mean '{}'?", similar.as_ref()?));
            }
            Problem::NeedsBoxed { kind, .. } => {
                return Some(format!("add 'boxed': true to the {kind}"));
            }
            Problem::ConditionalNeedsBoxed(_) => {
                "'boxed': true goes with a 'data' that names a type"
            }
            Problem::Backend(problem) => problem.help?,
            _ => return None,
        };
        Some(fixed.to_owned())
    }

    /// Returns whether a comma precedes the site.
    fn follows_comma(&self, sources: &SourceMap) -> bool {
        let before = self.site.as_ref().and_then(|site| {
            let file = sources.get(site.span.file)?;
            file.text().get(..site.span.start as usize)
        });
        before.is_some_and(|before| before.trim_end().ends_with(','))
    }
}

/// Returns a hint on text that is not a token.
fn stray(text: &str) -> Option<String> {
    let fixed = match text {
        "null" => "null is not a value here; the name of the type is a string, 'null'",
        "True" | "False" => "the boolean values are true and false",
        _ if text.starts_with('"') => return Some(in_single_quotes(text)),
        _ if text.starts_with("//") || text.starts_with("/*") => "comments begin with '#'",
        _ if is_number(text) => {
            "numbers are not values here; use a string, true, false, an array or an object"
        }
        _ => return None,
    };
    Some(fixed.to_owned())
}

/// Returns a hint on a string in double quotes.
fn in_single_quotes(text: &str) -> String {
    let content = text
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'))
        .filter(|content| content.bytes().all(|byte| byte.is_ascii_graphic()))
        .filter(|content| !content.contains(['\'', '"', '\\']));
    match content {
        Some(content) => format!("use single quotes for strings: '{content}'"),
        None => "use single quotes for strings".to_owned(),
    }
}

fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    digits.starts_with(|c: char| c.is_ascii_digit())
}

/// Returns the name in a string, without the `*` of an optional member.
fn unquoted(string: &str) -> Option<&str> {
    let name = string.strip_prefix('\'')?.strip_suffix('\'')?;
    Some(name.strip_prefix('*').unwrap_or(name))
}

fn spelled(name: Option<String>) -> Option<String> {
    Some(format!("spell it '{}'", name?))
}

#[cfg(test)]
mod tests {
    use crate::{MemoryLoader, check};

    /// Returns the hint on the first problem of a schema, or an empty string.
    fn hint(schema: &str) -> String {
        let outcome = check("a.json", &MemoryLoader::from_iter([("a.json", schema)]));
        let first = outcome.diagnostics.iter().next().unwrap();
        first.hint(&outcome.sources).unwrap_or_default()
    }

    #[test]
    fn hint_names_the_mistake_when_syntax_is_of_another_language() {
        for (schema, expected) in [
            (
                "{ \"event\": 'A' }",
                "use single quotes for strings: 'event'",
            ),
            ("{ 'event': \"A b\" }", "use single quotes for strings"),
            (
                "{ 'event': 'A",
                "a string ends on its line, with a single quote",
            ),
            (
                "{ 'event': 'A\\n' }",
                "only a backslash can be escaped, as '\\\\'",
            ),
            (
                "{ 'event': 'Ä' }",
                "strings consist of printable ASCII characters",
            ),
            (
                "{ 'event': null }",
                "null is not a value here; the name of the type is a string, 'null'",
            ),
            (
                "{ 'event': -1 }",
                "numbers are not values here; use a string, true, false, an array or an object",
            ),
            ("{ 'event': True }", "the boolean values are true and false"),
            ("// No.", "comments begin with '#'"),
            (
                "{ 'event': 'A', }",
                "remove the comma after the last member",
            ),
            (
                "{ 'enum': 'Aa', 'data': [ 'a', ] }",
                "remove the comma after the last element",
            ),
            ("{ 'enum': ] }", ""),
            ("{ 'event': nothing }", ""),
        ] {
            assert_eq!(hint(schema), expected, "{schema}");
        }
    }

    #[test]
    fn hint_suggests_a_name_when_one_is_similar() {
        for (schema, expected) in [
            ("{ 'event': 'vm-stop' }", "spell it 'VM_STOP'"),
            ("{ 'command': 'vm_stop' }", "spell it 'vm-stop'"),
            ("{ 'struct': 'vm_state', 'data': {} }", "spell it 'VmState'"),
            (
                "{ 'struct': 'Aa', 'data': { '*maxCount': 'int' } }",
                "spell it 'max-count'",
            ),
            (
                "{ 'command': 'a', 'data': { 'b': 'string' } }",
                "did you mean 'str'?",
            ),
            (
                "{ 'struct': 'State', 'data': {} } { 'command': 'a', 'returns': [ 'Stat' ] }",
                "did you mean 'State'?",
            ),
            ("{ 'command': 'a', 'returns': 'Nothing' }", ""),
            // Implicit types have names that nobody may use.
            ("{ 'command': 'a', 'returns': 'intLists' }", ""),
        ] {
            assert_eq!(hint(schema), expected, "{schema}");
        }
    }

    #[test]
    fn hint_mentions_boxed_when_arguments_need_it() {
        let union = "{ 'enum': 'Ee', 'data': [ 'a' ] }
            { 'union': 'Uu', 'base': { 'e': 'Ee' }, 'discriminator': 'e', 'data': {} }
            { 'command': 'c', 'data': 'Uu' }";
        assert_eq!(hint(union), "add 'boxed': true to the command");
        let conditional = "{ 'event': 'E', 'data': { 'a': { 'type': 'int', 'if': 'A' } } }";
        assert_eq!(
            hint(conditional),
            "'boxed': true goes with a 'data' that names a type"
        );
    }

    #[test]
    fn hints_are_limited_when_many_types_are_unknown() {
        use std::fmt::Write as _;
        let mut schema = String::new();
        for n in 0..5_000 {
            let _ = writeln!(
                schema,
                "{{ 'struct': 'Struct{n}', 'data': {{ 'a': 'Strukt{n}' }} }}"
            );
        }
        let outcome = check("a.json", &MemoryLoader::from_iter([("a.json", schema)]));
        assert_eq!(outcome.diagnostics.len(), 5_000);
        let hints = outcome
            .diagnostics
            .iter()
            .filter_map(|one| one.hint(&outcome.sources));
        assert_eq!(hints.count(), 20);
    }
}
