//! Diagnostics for programs.
//!
//! In: a diagnostic. Out: a JSON object.

use qapi_gen::diag::{Diagnostic, Site};
use qapi_gen::source::{Sources, Span};
use serde_json::{Value, json};

/// A diagnostic as an object.
///
/// `file`, `line` and, for syntax errors, `column` are those of QEMU's
/// message; `span` is what to underline. Lines and columns count from 1.
pub(super) fn object(diagnostic: &Diagnostic, sources: &Sources) -> Value {
    let site = diagnostic.site.as_ref();
    let file = site.and_then(|site| sources.get(site.span.file));
    json!({
        "severity": diagnostic.severity.to_string(),
        "message": diagnostic.message(),
        "file": file.map(|file| file.name()),
        "line": file.zip(site).map(|(file, site)| file.line(site.span.start)),
        "column": file
            .zip(site.filter(|site| site.exact))
            .map(|(file, site)| file.column(site.span.start)),
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
            })),
    })
}

fn span(span: Span, sources: &Sources) -> Option<Value> {
    let file = sources.get(span.file)?;
    Some(json!({
        "file": file.name(),
        "start": { "byte": span.start, "line": file.line(span.start), "column": file.column(span.start) },
        "end": { "byte": span.end, "line": file.line(span.end), "column": file.column(span.end) },
    }))
}

fn included_from(site: &Site, sources: &Sources) -> Vec<Value> {
    sources
        .include_chain(site.span.file)
        .into_iter()
        .filter_map(|span| {
            let file = sources.get(span.file)?;
            Some(json!({ "file": file.name(), "line": file.line(span.start) }))
        })
        .collect()
}
