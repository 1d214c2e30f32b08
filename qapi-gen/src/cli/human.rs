//! Diagnostics for people.
//!
//! In: a diagnostic. Out: its message with the lines that are meant, as
//! rustc shows them.

use std::ops::Range;

use annotate_snippets::{Annotation, AnnotationKind, Level, Origin, Renderer, Snippet};
use qapi_gen::diag::{Diagnostic, Severity, Site};
use qapi_gen::source::{Sources, Span};

/// Renders a diagnostic.
pub(super) fn render(diagnostic: &Diagnostic, sources: &Sources) -> String {
    let message = shortened(diagnostic.message());
    let (title, details) = message.split_once('\n').unwrap_or((&message, ""));
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let mut report = level
        .primary_title(title)
        .elements(None::<Snippet<'_, Annotation<'_>>>);
    if let Some(site) = &diagnostic.site {
        if let Some((origin, snippet)) = snippet(site, AnnotationKind::Primary, None, sources) {
            report = report.elements(origin).element(snippet);
        }
        if let Some((other, label)) = diagnostic.related()
            && let Some((origin, snippet)) =
                snippet(other, AnnotationKind::Context, Some(label), sources)
        {
            report = report.elements(origin).element(snippet);
        }
        if let Some((kind, name)) = &site.definition {
            let name = shortened(name.to_string());
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
    if let Some(hint) = diagnostic.hint(sources) {
        report = report.element(Level::HELP.message(shortened(hint)));
    }
    Renderer::styled().render(&[report])
}

fn place(span: Span, sources: &Sources) -> Option<String> {
    let file = sources.get(span.file)?;
    Some(format!("{}:{}", file.name(), file.line(span.start)))
}

/// How much of a line is shown before and after the place that is meant, and
/// how much of a message: nobody reads more, and there may be megabytes of it.
const SHOWN_BYTES_MAX: usize = 2000;

fn shortened(mut text: String) -> String {
    if text.len() > SHOWN_BYTES_MAX {
        text.truncate(floor_boundary(&text, SHOWN_BYTES_MAX));
        text.push_str("...");
    }
    text
}

/// The last place up to `at` at which a character begins.
fn floor_boundary(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// The line that is meant, or what is near of one without end. Of what goes
/// over several lines the first is shown: the rest of a definition tells
/// little of what is wrong with it.
fn snippet<'a>(
    site: &Site,
    kind: AnnotationKind,
    label: Option<&'a str>,
    sources: &'a Sources,
) -> Option<(Option<Origin<'a>>, Snippet<'a, Annotation<'a>>)> {
    let span = site.shown();
    let file = sources.get(span.file)?;
    let text = file.text();
    let Range {
        start: from,
        end: to,
    } = span.range();
    let line_start = file.line_start(span.start) as usize;
    let start = floor_boundary(text, from.saturating_sub(SHOWN_BYTES_MAX)).max(line_start);
    let end = floor_boundary(text, from.saturating_add(SHOWN_BYTES_MAX));
    let line = text.get(start..end)?.split('\n').next()?;
    let from = from.saturating_sub(start).min(line.len());
    let to = floor_boundary(line, to.saturating_sub(start)).max(from);
    let number = file.line(span.start);
    let snippet = Snippet::source(line)
        .line_start(number)
        .annotation(kind.span(from..to).label(label));
    if start == line_start {
        return Some((None, snippet.path(file.name())));
    }
    // Columns of what is left of a line would count from where it is cut.
    let origin = Origin::path(file.name())
        .line(number)
        .char_column(file.column(span.start));
    Some((Some(origin), snippet))
}
