//! Diagnostics for programs.
//!
//! In: a diagnostic. Out: a JSON object. The help of the option in `report.rs`
//! describes its members for users.

use std::fmt::Write as _;

use qapi_gen::diag::{Diagnostic, Site, is_printable};
use qapi_gen::source::{SourceMap, Span};
use serde_json::{Value, json};

/// Returns a diagnostic as one line of JSON. Bidirectional and other control
/// characters are escaped, so that the line is exact and yet can be shown.
pub(super) fn line(diagnostic: &Diagnostic, sources: &SourceMap) -> String {
    let json = object(diagnostic, sources).to_string();
    let mut line = String::with_capacity(json.len());
    for c in json.chars() {
        if is_printable(c) {
            line.push(c);
        } else {
            // Only strings contain such a character, and four digits suffice
            // for all of them. Writing to a string does not fail.
            let _ = write!(line, "\\u{:04x}", u32::from(c));
        }
    }
    line
}

fn object(diagnostic: &Diagnostic, sources: &SourceMap) -> Value {
    let site = diagnostic.site.as_ref();
    let file = site.and_then(|site| sources.get(site.span.file));
    json!({
        "severity": diagnostic.severity.to_string(),
        "code": diagnostic.problem.kind(),
        "message": diagnostic.message(),
        "help": diagnostic.hint(sources),
        "file": file.map(|file| file.name()),
        "line": file.zip(site).map(|(file, site)| file.line(site.span.start)),
        "column": file
            .zip(site.filter(|site| site.exact))
            .map(|(file, site)| file.qemu_column(site.span.start)),
        "span": site.and_then(|site| span(site.shown(), sources)),
        "definition": site
            .and_then(|site| site.definition.as_ref())
            .map(|(kind, name)| json!({ "kind": kind.key(), "name": name })),
        "included_from": site.map(|site| included_from(site, sources)).unwrap_or_default(),
        "related": diagnostic
            .related()
            .map(|(site, message)| json!({
                "message": message,
                "span": span(site.shown(), sources),
            }))
            .as_slice(),
    })
}

fn span(span: Span, sources: &SourceMap) -> Option<Value> {
    let file = sources.get(span.file)?;
    let place = |offset| {
        json!({
            "byte": file.file_offset(offset),
            "line": file.line(offset),
            "column": file.column(offset),
        })
    };
    Some(json!({ "file": file.name(), "start": place(span.start), "end": place(span.end) }))
}

fn included_from(site: &Site, sources: &SourceMap) -> Vec<Value> {
    sources
        .include_chain(site.span.file)
        .into_iter()
        .filter_map(|span| {
            let file = sources.get(span.file)?;
            Some(json!({ "file": file.name(), "line": file.line(span.start) }))
        })
        .collect()
}
