//! Parsing of a typed line.
//!
//! In: a line, `COMMAND KEY=VALUE KEY.SUB=VALUE ...` or a JSON object. Out: the
//! members of a request, or what is wrong with the line. This file knows no
//! schema.

use qapi_stats::wire::json::{self, Limits, Scan, Scanner};
use qapi_stats::wire::{Dict, Value};

/// A parsed line.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Line {
    /// A blank line, or a comment that begins with `#`.
    Nothing,
    /// `help`, with the name of a command if the line has one.
    Help(Option<String>),
    /// `exit`.
    Exit,
    /// A request.
    Request {
        /// The members of the request: `execute` and so on.
        body: Dict,
        /// Whether the line was JSON. The whole reply is shown then.
        is_json: bool,
    },
}

/// Parses a line.
///
/// A value is JSON if it is a number, `true`, `false` or `null`, or begins with
/// a bracket or a quotation mark. Any other value is a string.
///
/// # Errors
///
/// Returns a text that says what is wrong with the line.
pub(super) fn parse(line: &str) -> Result<Line, String> {
    let line = line.trim();
    if line.is_empty() || line.starts_with('#') {
        return Ok(Line::Nothing);
    }
    if line.starts_with('{') {
        return match json(line)? {
            Value::Object(body) => Ok(Line::Request {
                body,
                is_json: true,
            }),
            _ => Err("a request is a JSON object".to_owned()),
        };
    }
    let (command, rest) = split_word(line);
    match command {
        "help" => {
            let (topic, _) = split_word(rest.trim_start());
            return Ok(Line::Help((!topic.is_empty()).then(|| topic.to_owned())));
        }
        "exit" if rest.trim().is_empty() => return Ok(Line::Exit),
        _ => {}
    }
    let mut body = Dict::new();
    body.push("execute", Value::from(command));
    let arguments = arguments(rest)?;
    if !arguments.is_empty() {
        body.push("arguments", Value::Object(arguments));
    }
    Ok(Line::Request {
        body,
        is_json: false,
    })
}

fn split_word(text: &str) -> (&str, &str) {
    text.split_at(text.find(char::is_whitespace).unwrap_or(text.len()))
}

fn arguments(mut rest: &str) -> Result<Dict, String> {
    let mut arguments = Dict::new();
    loop {
        rest = rest.trim_start();
        if rest.is_empty() {
            return Ok(arguments);
        }
        let argument = Argument::split(rest);
        let Some(text) = argument.value else {
            return Err(format!("expected NAME=VALUE, got '{}'", argument.name));
        };
        if argument.name.is_empty() {
            return Err(format!("an argument without a name: '={text}'"));
        }
        let value = value(text).map_err(|what| format!("argument '{}': {what}", argument.name))?;
        arguments = insert(arguments, argument.name, value)
            .ok_or_else(|| format!("argument '{}' is given twice", argument.name))?;
        rest = argument.rest;
    }
}

/// The first argument of a text, and the rest of the text.
pub(super) struct Argument<'a> {
    /// The name. A word without `=` is a name.
    pub(super) name: &'a str,
    /// The text after `=`; `None` without a `=`.
    pub(super) value: Option<&'a str>,
    /// The text after the argument.
    pub(super) rest: &'a str,
}

impl<'a> Argument<'a> {
    /// Splits a text at the end of its first argument.
    pub(super) fn split(text: &'a str) -> Self {
        let end = text
            .find(|c: char| c == '=' || c.is_whitespace())
            .unwrap_or(text.len());
        let (name, rest) = text.split_at(end);
        match rest.strip_prefix('=') {
            None => Self {
                name,
                value: None,
                rest,
            },
            Some(rest) => {
                let (value, rest) = rest.split_at(value_end(rest));
                Self {
                    name,
                    value: Some(value),
                    rest,
                }
            }
        }
    }
}

/// Returns the end of a value: the first blank outside brackets and quotation
/// marks. Both count only in a value that begins with one of them.
fn value_end(text: &str) -> usize {
    let is_json = text.starts_with(['{', '[', '"', '\'']);
    let mut depth = 0_usize;
    let mut quote = None;
    let mut is_escaped = false;
    for (at, character) in text.char_indices() {
        match quote {
            Some(_) if is_escaped => is_escaped = false,
            Some(_) if character == '\\' => is_escaped = true,
            Some(mark) => {
                if character == mark {
                    quote = None;
                }
            }
            None => match character {
                '"' | '\'' if is_json => quote = Some(character),
                '{' | '[' if is_json => depth += 1,
                '}' | ']' if is_json => depth = depth.saturating_sub(1),
                _ if character.is_whitespace() && depth == 0 => return at,
                _ => {}
            },
        }
    }
    text.len()
}

fn value(text: &str) -> Result<Value, String> {
    if text.starts_with(['{', '[', '"', '\'']) {
        return json(text);
    }
    Ok(match json::parse(text.as_bytes()) {
        Ok(value) => value,
        Err(_) => Value::from(text),
    })
}

fn json(text: &str) -> Result<Value, String> {
    if is_unfinished(text) {
        return Err("the JSON ends before it is complete".to_owned());
    }
    json::parse(text.as_bytes()).map_err(|error| error.to_string())
}

/// Returns whether a JSON text is incomplete: a bracket or a quotation mark is
/// open.
pub(super) fn is_unfinished(text: &str) -> bool {
    matches!(
        Scanner::new(Limits::default()).scan(text.as_bytes()),
        Scan::Incomplete
    )
}

/// Adds a member at a path such as `a.b.c`. Returns `None` if the path has a value
/// already.
fn insert(mut object: Dict, path: &str, value: Value) -> Option<Dict> {
    match path.split_once('.') {
        None => {
            if object.get(path).is_some() {
                return None;
            }
            object.push(path, value);
        }
        Some((name, rest)) => {
            let inner = match object.take(name) {
                None => Dict::new(),
                Some(Value::Object(inner)) => inner,
                Some(_) => return None,
            };
            object.push(name, Value::Object(insert(inner, rest, value)?));
        }
    }
    Some(object)
}

#[cfg(test)]
mod tests {
    use qapi_stats::wire::to_json;

    use super::*;

    fn check(line: &str, expected: &str) {
        match parse(line) {
            Ok(Line::Request { body, .. }) => {
                assert_eq!(to_json(&Value::Object(body)), expected, "{line}");
            }
            Err(error) => assert_eq!(error, expected, "{line}"),
            Ok(other) => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn command_line_becomes_a_request() {
        check("query-status", r#"{"execute": "query-status"}"#);
        check(
            "query-stats target=vm",
            r#"{"execute": "query-stats", "arguments": {"target": "vm"}}"#,
        );
        check(
            r#"  x  a=1 b=true c=null d=-1.5 e=yes f="1" g='a b' h= i=it's j=a=b"#,
            "{\"execute\": \"x\", \"arguments\": {\"a\": 1, \"b\": true, \"c\": null, \
             \"d\": -1.5, \"e\": \"yes\", \"f\": \"1\", \"g\": \"a b\", \"h\": \"\", \
             \"i\": \"it's\", \"j\": \"a=b\"}}",
        );
        check(
            r#"query-stats providers=[{"provider": "kvm", 'names': ["a ]"]}] target=vm"#,
            "{\"execute\": \"query-stats\", \"arguments\": {\"providers\": \
             [{\"provider\": \"kvm\", \"names\": [\"a ]\"]}], \"target\": \"vm\"}}",
        );
        check(
            "x file.driver=raw a=1 file.inner.path=/b",
            "{\"execute\": \"x\", \"arguments\": {\"a\": 1, \"file\": {\"driver\": \"raw\", \
             \"inner\": {\"path\": \"/b\"}}}}",
        );
    }

    #[test]
    fn json_line_is_sent_unchanged() {
        check(
            "{'execute': 'x', 'id': [1]}",
            r#"{"execute": "x", "id": [1]}"#,
        );
        check("{'execute'}", "JSON parse error, missing : in object pair");
    }

    #[test]
    fn line_is_refused_when_it_is_wrong() {
        check("x a", "expected NAME=VALUE, got 'a'");
        check("x =1", "an argument without a name: '=1'");
        check("x a=1 a=2", "argument 'a' is given twice");
        check("x a=1 a.b=2", "argument 'a.b' is given twice");
        check(
            "x a=[1,",
            "argument 'a': the JSON ends before it is complete",
        );
    }

    #[test]
    fn line_is_not_sent_when_it_is_for_the_shell() {
        assert_eq!(parse("  "), Ok(Line::Nothing));
        assert_eq!(parse("# no"), Ok(Line::Nothing));
        assert_eq!(parse("help"), Ok(Line::Help(None)));
        assert_eq!(parse("help x"), Ok(Line::Help(Some("x".to_owned()))));
        assert_eq!(parse("exit"), Ok(Line::Exit));
    }
}
