//! Diagnostics for people.
//!
//! In: a diagnostic. Out: its message with the lines that are meant, as
//! rustc shows them.

use std::ops::Range;

use annotate_snippets::{Annotation, AnnotationKind, Level, Renderer, Snippet};
use qapi_gen::diag::{Diagnostic, Severity, Site};
use qapi_gen::source::{Sources, Span};

/// Renders a diagnostic.
pub(super) fn render(diagnostic: &Diagnostic, sources: &Sources) -> String {
    let message = diagnostic.message();
    let (title, details) = message.split_once('\n').unwrap_or((&message, ""));
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let mut report = level
        .primary_title(title)
        .elements(None::<Snippet<'_, Annotation<'_>>>);
    if let Some(site) = &diagnostic.site {
        if let Some(snippet) = snippet(site, AnnotationKind::Primary, None, sources) {
            report = report.element(snippet);
        }
        if let Some((other, label)) = diagnostic.related()
            && let Some(snippet) = snippet(other, AnnotationKind::Context, Some(label), sources)
        {
            report = report.element(snippet);
        }
        if let Some((kind, name)) = &site.definition {
            report = report.element(Level::NOTE.message(format!("in {kind} '{name}'")));
        }
        // The nearest directive first, as one looks for it.
        for span in sources.include_chain(site.span.file).into_iter().rev() {
            if let Some(place) = place(span, sources) {
                report = report.element(Level::NOTE.message(format!("included from {place}")));
            }
        }
    }
    if !details.is_empty() {
        report = report.element(Level::HELP.message(details));
    }
    Renderer::styled().render(&[report])
}

fn place(span: Span, sources: &Sources) -> Option<String> {
    let file = sources.get(span.file)?;
    Some(format!("{}:{}", file.name(), file.line(span.start)))
}

/// The line that is meant. Of what goes over several lines the first is
/// shown: the rest of a definition tells little of what is wrong with it.
fn snippet<'a>(
    site: &Site,
    kind: AnnotationKind,
    label: Option<&'a str>,
    sources: &'a Sources,
) -> Option<Snippet<'a, Annotation<'a>>> {
    let span = site.shown();
    let file = sources.get(span.file)?;
    let start = file.line_start(span.start) as usize;
    let rest = file.text().get(start..)?;
    let line = rest.split('\n').next()?;
    let Range {
        start: from,
        end: to,
    } = span.range();
    let from = (from - start).min(line.len());
    let to = (to - start).clamp(from, line.len());
    Some(
        Snippet::source(line)
            .line_start(file.line(span.start))
            .path(file.name())
            .annotation(kind.span(from..to).label(label)),
    )
}
