//! Diagnostics for people.
//!
//! In: a diagnostic. Out: its message with the lines of the schema that it is
//! about, in the format of rustc.

use std::ops::Range;

use annotate_snippets::{Annotation, AnnotationKind, Level, Origin, Renderer, Snippet};

use super::diagnostic::{Diagnostic, Severity};
use super::printable::{is_printable, printable};
use super::site::Site;
use crate::source::{SourceMap, Span};

/// The choice whether a text contains the escape sequences that colour it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colors {
    /// The text has no escape sequences.
    Off,
    /// The text has escape sequences for a terminal.
    On,
}

impl Colors {
    pub(super) fn renderer(self) -> Renderer {
        match self {
            Self::Off => Renderer::plain(),
            Self::On => Renderer::styled(),
        }
    }
}

impl Diagnostic {
    /// Returns the message with the underlined line of the schema, the other
    /// places that belong to it, and a hint, without the final line end.
    #[must_use]
    pub fn human(&self, sources: &SourceMap, colors: Colors) -> String {
        render(self, sources, &colors.renderer())
    }
}

fn render(diagnostic: &Diagnostic, sources: &SourceMap, renderer: &Renderer) -> String {
    let message = shown(&diagnostic.message());
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
            let name = shown(name);
            report = report.element(Level::NOTE.message(format!("in {kind} '{name}'")));
        }
        // Show the innermost include first, because it is the most useful.
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
        report = report.element(Level::HELP.message(shown(&hint)));
    }
    renderer.render(&[report])
}

fn place(span: Span, sources: &SourceMap) -> Option<String> {
    let file = sources.get(span.file)?;
    let name = printable(file.name());
    Some(format!("{name}:{}", file.line(span.start)))
}

/// The length limit of a message, and of a line before and after the place that
/// is shown. A hostile schema has megabytes on a line.
const SHOWN_BYTES_MAX: usize = 2000;

/// A schema's text as part of a message: not too long, and nothing that the
/// terminal would obey.
fn shown(text: &str) -> String {
    printable(&shortened(text.to_owned())).into_owned()
}

fn shortened(mut text: String) -> String {
    if text.len() > SHOWN_BYTES_MAX {
        text.truncate(floor_boundary(&text, SHOWN_BYTES_MAX));
        text.push_str("...");
    }
    text
}

/// Returns the last character boundary that is not after `at`.
fn floor_boundary(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// Returns the line of a site, or the part around the site if the line is very
/// long. Of a site with several lines only the first is shown, because the rest of
/// a definition rarely explains its error.
fn snippet<'a>(
    site: &Site,
    kind: AnnotationKind,
    label: Option<&'a str>,
    sources: &'a SourceMap,
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
    let name = printable(file.name());
    // Mask the three parts separately, because a mask may differ in length from
    // the text that it replaces, and would shift the marked range.
    let [before, marked, after] =
        [0..from, from..to, to..line.len()].map(|part| masked(line.get(part).unwrap_or_default()));
    let marked_range = before.len()..before.len() + marked.len();
    let snippet = Snippet::source([before, marked, after].concat())
        .line_start(number)
        .annotation(kind.span(marked_range).label(label));
    if start == line_start {
        return Some((None, snippet.path(name)));
    }
    // Give the column explicitly, because the renderer would count from the
    // place where the line was cut.
    let origin = Origin::path(name)
        .line(number)
        .char_column(file.column(span.start));
    Some((Some(origin), snippet))
}

/// Part of a line with one visible character in the place of each that the
/// terminal would obey, so that columns remain what they are.
fn masked(part: &str) -> String {
    let mask = |c| match c {
        _ if is_printable(c) => c,
        '\0'..='\x1f' => char::from_u32(u32::from('\u{2400}') + u32::from(c))
            .unwrap_or(char::REPLACEMENT_CHARACTER),
        '\x7f' => '\u{2421}',
        _ => char::REPLACEMENT_CHARACTER,
    };
    part.chars().map(mask).collect()
}
