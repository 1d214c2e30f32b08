//! Hints on how to correct problems.
//!
//! In: a diagnostic. Out: a hint, if it is clear what was meant. Hints are
//! separate from messages, because messages must be exactly QEMU's.

use super::definition_kind::DefinitionKind;
use super::diagnostic::Diagnostic;
use super::message_subject::Key;
use super::problem::{Expected, Problem};
use super::quoted::Quoted;
use crate::source::SourceMap;

mod include;
mod key_name;
mod similar;
mod spelling;
mod type_name;

pub(crate) use similar::similar;

/// The settings of the `pragma` directive.
const PRAGMAS: [&str; 5] = [
    "command-name-exceptions",
    "command-returns-exceptions",
    "doc-required",
    "documentation-exceptions",
    "member-name-exceptions",
];

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
            Problem::NameInvalid(_) if shown()?.starts_with("'*") => {
                "only members are optional, with a '*' before the member's name"
            }
            Problem::NotOneDefinition { keys } => return one_definition(keys),
            Problem::KeysMissing { keys, unknown, .. } => {
                let wanted: Vec<&str> = keys.iter().map(String::as_str).collect();
                return key_name::hint(unknown, &wanted);
            }
            Problem::KeysUnknown { keys, valid, .. } => return key_name::hint(keys, valid),
            Problem::NotArray(key) => return in_brackets(*key, shown()?),
            Problem::NotObject(Key::Data) | Problem::NotObjectOrType(_)
                if shown()?.starts_with('[') =>
            {
                "members are an object of names and types: { 'name': 'str' }"
            }
            Problem::FlagValue { only, .. } if matches!(shown()?, "'true'" | "'false'") => {
                return Some(format!("write {only} without quotes"));
            }
            Problem::UnknownPragma(name) => {
                return did_you_mean(similar(name, PRAGMAS.into_iter()));
            }
            Problem::IncludeUnreadable { path, reason } => {
                let (_, main) = sources.iter().next()?;
                return include::hint(path, reason, main.name());
            }
            Problem::UnknownType {
                user,
                name,
                similar,
            } => {
                let foreign = type_name::hint(name, user);
                return foreign.or_else(|| did_you_mean(similar.as_deref()));
            }
            Problem::DiscriminatorMissing { similar, .. }
            | Problem::BranchNotValue { similar, .. } => {
                return did_you_mean(similar.as_deref());
            }
            Problem::DocumentedMissing { similar, .. } => {
                return Some(format!("did you mean '@{}:'?", similar.as_ref()?));
            }
            Problem::NeedsBoxed { kind, .. } => {
                return Some(format!("add 'boxed': true to the {kind}"));
            }
            Problem::ConditionalNeedsBoxed(_) => {
                "'boxed': true goes with a 'data' that names a type"
            }
            Problem::Backend(problem) => return Some(problem.help.clone()?.into_owned()),
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

fn did_you_mean(name: Option<&str>) -> Option<String> {
    Some(format!("did you mean '{}'?", name?))
}

/// Returns a hint on an expression with these keys, which does not define exactly
/// one thing.
fn one_definition(keys: &[String]) -> Option<String> {
    let kinds = DefinitionKind::ALL.map(DefinitionKind::key);
    let defined: Vec<&String> = keys
        .iter()
        .filter(|key| kinds.contains(&key.as_str()))
        .collect();
    if defined.is_empty() {
        let wanted: Vec<&str> = kinds.into_iter().chain(["include", "pragma"]).collect();
        return key_name::hint(keys, &wanted);
    }
    let defined = Quoted(&defined);
    Some(format!("write an expression for each of {defined}"))
}

/// Returns a hint on a value that must be an array.
fn in_brackets(key: Key, value: &str) -> Option<String> {
    const VALUE_BYTES_MAX: usize = 60;
    if key == Key::Data && value.starts_with('{') {
        return Some("the values of an enum are an array of names: [ 'a', 'b' ]".to_owned());
    }
    let is_short = value.len() <= VALUE_BYTES_MAX && !value.contains('\n');
    let value = if is_short { value } else { "..." };
    Some(format!("put it in brackets: [ {value} ]"))
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
    fn hint_says_what_was_meant_when_a_key_is_unknown() {
        for (schema, expected) in [
            (
                "{ 'strcut': 'Aa', 'data': {} }",
                "did you mean 'struct' instead of 'strcut'?",
            ),
            (
                "{ 'Include': 'b.json' }",
                "did you mean 'include' instead of 'Include'?",
            ),
            (
                "{ 'method': 'a' }",
                "did you mean 'command' instead of 'method'?",
            ),
            (
                "{ 'event': 'A', 'command': 'a' }",
                "write an expression for each of 'event', 'command'",
            ),
            ("{ 'thing': 'a' }", ""),
            (
                "{ 'struct': 'Aa', 'dta': {} }",
                "did you mean 'data' instead of 'dta'?",
            ),
            (
                "{ 'enum': 'Aa', 'values': [ 'a' ] }",
                "did you mean 'data' instead of 'values'?",
            ),
            (
                "{ 'command': 'a', 'return': 'int', 'feature': [] }",
                "did you mean 'features' instead of 'feature', 'returns' instead of 'return'?",
            ),
            ("{ 'command': 'a', 'zzz': 'int' }", ""),
            (
                "{ 'struct': 'Aa', 'data': { 'a': { 'type': 'int', 'iff': 'A' } } }",
                "did you mean 'if' instead of 'iff'?",
            ),
            (
                "{ 'struct': 'Aa', 'data': { 'a': { 'type': 'int', 'optional': true } } }",
                "a member is optional if its name begins with '*', and required otherwise",
            ),
            (
                "{ 'event': 'A', 'features': [ { 'nmae': 'a' } ] }",
                "did you mean 'name' instead of 'nmae'?",
            ),
            (
                "{ 'pragma': { 'doc-require': true } }",
                "did you mean 'doc-required'?",
            ),
        ] {
            assert_eq!(hint(schema), expected, "{schema}");
        }
    }

    #[test]
    fn every_suggested_pragma_exists() {
        for pragma in super::PRAGMAS {
            let schema = format!("{{ 'pragma': {{ '{pragma}': 'x' }} }}");
            let outcome = check("a.json", &MemoryLoader::from_iter([("a.json", schema)]));
            let message = outcome.diagnostics.iter().next().unwrap().message();
            assert!(message.contains("must be"), "{message}");
        }
    }

    #[test]
    fn hint_translates_types_of_other_languages() {
        let member = |ty: &str| format!("{{ 'struct': 'Aa', 'data': {{ 'a': '{ty}' }} }}");
        for (ty, expected) in [
            ("u16", "did you mean 'uint16'?"),
            ("uint8_t", "did you mean 'uint8'?"),
            ("Int64", "did you mean 'int64'?"),
            ("String", "did you mean 'str'?"),
            ("usize", "did you mean 'size'?"),
            (
                "*int",
                "the '*' of an optional member is before its name: '*a': 'int'",
            ),
            (
                "Option<u8>",
                "the '*' of an optional member is before its name: '*a': 'uint8'",
            ),
            ("[str]", "an array is written [ 'str' ]"),
            ("[string]", "an array is written [ 'str' ]"),
            ("Vec<Aa>", "an array is written [ 'Aa' ]"),
            ("Aa[]", "an array is written [ 'Aa' ]"),
            ("AaList", "an array is written [ 'Aa' ]"),
            ("[]", ""),
            ("List", ""),
        ] {
            assert_eq!(hint(&member(ty)), expected, "{ty}");
        }
        assert_eq!(
            hint("{ 'command': 'a', 'returns': '*int' }"),
            "only members are optional, with a '*' before the member's name"
        );
        assert_eq!(
            hint("{ 'enum': 'Aa', 'data': [ '*a' ] }"),
            "only members are optional, with a '*' before the member's name"
        );
    }

    #[test]
    fn hint_shows_the_form_when_a_value_has_another() {
        for (schema, expected) in [
            (
                "{ 'event': 'A', 'features': 'deprecated' }",
                "put it in brackets: [ 'deprecated' ]",
            ),
            (
                "{ 'event': 'A', 'features': {\n 'name': 'deprecated' } }",
                "put it in brackets: [ ... ]",
            ),
            (
                "{ 'enum': 'Aa', 'data': { 'a': 'int' } }",
                "the values of an enum are an array of names: [ 'a', 'b' ]",
            ),
            (
                "{ 'struct': 'Aa', 'data': [ 'a' ] }",
                "members are an object of names and types: { 'name': 'str' }",
            ),
            (
                "{ 'command': 'a', 'gen': 'false' }",
                "write false without quotes",
            ),
        ] {
            assert_eq!(hint(schema), expected, "{schema}");
        }
    }

    #[test]
    fn hint_names_the_nearest_member_or_value() {
        let union = |tag: &str, branch: &str| {
            format!(
                "{{ 'enum': 'Driver', 'data': [ 'file', 'qcow2' ] }}
                 {{ 'struct': 'Empty', 'data': {{}} }}
                 {{ 'union': 'Options', 'base': {{ 'driver': 'Driver' }},
                    'discriminator': '{tag}', 'data': {{ '{branch}': 'Empty' }} }}"
            )
        };
        assert_eq!(hint(&union("drivers", "file")), "did you mean 'driver'?");
        assert_eq!(hint(&union("driver", "qcow")), "did you mean 'qcow2'?");
        assert_eq!(hint(&union("driver", "null")), "");
        let documented = |name: &str, section: &str| {
            format!(
                "##\n# @A:\n#\n{section}# @{name}: Text.\n##\n\
                 {{ 'event': 'A', 'data': {{ 'reason': 'str' }}, 'features': [ 'unstable' ] }}"
            )
        };
        let of_missing = |schema: String| {
            let outcome = check("a.json", &MemoryLoader::from_iter([("a.json", schema)]));
            let missing =
                |one: &&crate::diag::Diagnostic| one.problem.kind() == "DocumentedMissing";
            let missing = outcome.diagnostics.iter().find(missing).unwrap();
            missing.hint(&outcome.sources)
        };
        let hint = of_missing(documented("reasons", ""));
        assert_eq!(hint.as_deref(), Some("did you mean '@reason:'?"));
        let hint = of_missing(documented("unstabel", "# Features:\n#\n"));
        assert_eq!(hint.as_deref(), Some("did you mean '@unstable:'?"));
    }

    #[test]
    fn hint_mentions_include_folders_when_a_file_is_missing() {
        let hint = |main: &str, include: &str| {
            let schema = format!("{{ 'include': '{include}' }}");
            let outcome = check(main, &MemoryLoader::from_iter([(main, schema)]));
            let first = outcome.diagnostics.iter().next().unwrap();
            first.hint(&outcome.sources).unwrap_or_default()
        };
        for (main, include, name) in [
            ("main.json", "dep/a.json", "dep"),
            ("schema/main.json", "dep/sub/a.json", "dep/sub"),
            ("/schema/main.json", "a.json", "."),
            ("main.json", "../a.json", ".."),
        ] {
            let hint = hint(main, include);
            let expected = format!("--include-folder {name}=DIR, or");
            assert!(hint.contains(&expected), "{hint}");
        }
        assert_eq!(hint("main.json", "/a.json"), "");
        assert_eq!(hint("schema/main.json", "/a.json"), "");
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
