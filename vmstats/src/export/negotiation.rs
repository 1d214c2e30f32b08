//! The wishes of a scraper.
//!
//! In: headers of HTTP. Out: a format, a compression and a deadline. Nothing here reads or
//! writes a socket.

use std::time::Duration;

use hyper::HeaderMap;
use hyper::header::{ACCEPT, ACCEPT_ENCODING, HeaderName};
use stats_runtime::exposition::Format;

/// The header in which Prometheus tells the seconds after which it hangs up.
const SCRAPE_TIMEOUT: HeaderName = HeaderName::from_static("x-prometheus-scrape-timeout-seconds");

/// The longest deadline that a scraper can ask for.
const TIMEOUT_MAX: Duration = Duration::from_secs(120);

/// The shortest timeout that a scraper can tell.
const TIMEOUT_MIN: Duration = Duration::from_millis(100);

/// The least time that is left to the text's way to the scraper.
const MARGIN: Duration = Duration::from_millis(100);

/// Returns the format that a scraper prefers of those that it accepts: the older one if it
/// names none.
pub(super) fn format(headers: &HeaderMap) -> Format {
    let named = |media: &'static str, versions: &'static [&str]| {
        move |range: &Range<'_>| {
            range.media == media && { range.parameter("version") }
                .is_none_or(|version| versions.contains(&version))
        }
    };
    // Version 0.0.1 was the draft, to which this text belongs as well.
    let is_open = named("application/openmetrics-text", &["1.0.0", "0.0.1"]);
    let is_text = named("text/plain", &["0.0.4"]);
    let is = |range: &Range<'_>, media: [&str; 2]| media.contains(&range.media);
    let open = quality(headers, ACCEPT, is_open);
    let any = quality(headers, ACCEPT, |range| {
        is_open(range) || is(range, ["application/*", "*/*"])
    });
    let text = quality(headers, ACCEPT, |range| {
        is_text(range) || is(range, ["text/*", "*/*"])
    });
    let text = text.unwrap_or_default();
    // Prefer the text that any tool reads for scrapers that accept anything, unless they
    // refuse that text.
    let open = match open {
        None if text == 0.0 => any,
        open => open,
    };
    match open {
        Some(open) if open >= text && open > 0.0 => Format::OpenMetrics,
        _ => Format::Prometheus,
    }
}

/// Returns whether a scraper accepts gzip.
pub(super) fn accepts_gzip(headers: &HeaderMap) -> bool {
    let gzip = quality(headers, ACCEPT_ENCODING, |range| {
        ["gzip", "x-gzip"].contains(&range.media)
    });
    gzip.is_some_and(|quality| quality > 0.0)
}

/// Returns how long virtual machines are waited for: a tenth less than the scraper waits,
/// and less than that by the time that a text takes to encode.
pub(super) fn timeout(headers: &HeaderMap, default: Duration, encoding: Duration) -> Duration {
    let seconds = headers.get(SCRAPE_TIMEOUT);
    let seconds = seconds.and_then(|seconds| seconds.to_str().ok()?.trim().parse().ok());
    let timeout = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    let Some(timeout) = timeout.filter(|timeout| !timeout.is_zero()) else {
        return default;
    };
    let timeout = timeout.max(TIMEOUT_MIN);
    let margin = { (timeout / 10).max(MARGIN) }.saturating_add(encoding);
    let margin = margin.min(timeout / 2);
    (timeout - margin).min(TIMEOUT_MAX)
}

/// A range of a header such as `Accept`.
struct Range<'a> {
    media: &'a str,
    parameters: &'a str,
}

impl Range<'_> {
    fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.split(';').find_map(|parameter| {
            let (key, value) = parameter.split_once('=')?;
            let is_named = key.trim().eq_ignore_ascii_case(name);
            is_named.then(|| value.trim().trim_matches('"'))
        })
    }
}

/// Returns the quality of the most specific range that matches; `None` if none does.
fn quality(
    headers: &HeaderMap,
    name: HeaderName,
    matches: impl Fn(&Range<'_>) -> bool,
) -> Option<f32> {
    let values = headers.get_all(name).into_iter();
    let values = values.filter_map(|value| value.to_str().ok());
    let ranges = values.flat_map(|value| value.split(','));
    let matching = ranges.filter_map(|range| {
        let range = range.trim().to_ascii_lowercase();
        let (media, parameters) = range.split_once(';').unwrap_or((&range, ""));
        let range = Range {
            media: media.trim(),
            parameters,
        };
        let quality = range.parameter("q").map_or(Some(1.0), |q| q.parse().ok())?;
        let is_versioned = range.parameter("version").is_some();
        let specificity = match range.media {
            "*" | "*/*" => 0,
            media if media.ends_with("/*") => 1,
            _ => 2 + u8::from(is_versioned),
        };
        matches(&range).then_some((specificity, quality))
    });
    let best = matching.reduce(|best, other| {
        let is_better = other.0 > best.0 || (other.0 == best.0 && other.1 > best.1);
        if is_better { other } else { best }
    });
    best.map(|(_, quality)| quality)
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;

    use super::*;

    fn with(name: HeaderName, value: &str) -> HeaderMap {
        [(name, HeaderValue::from_str(value).unwrap())]
            .into_iter()
            .collect()
    }

    #[test]
    fn format_is_the_one_that_the_scraper_prefers() {
        // Prometheus 2.42, 3.5 with native histograms, VictoriaMetrics, curl, a browser.
        for (accept, expected) in [
            (
                "application/openmetrics-text;version=1.0.0,application/openmetrics-text;\
                 version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
                Format::OpenMetrics,
            ),
            (
                "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;\
                 encoding=delimited;q=0.6,application/openmetrics-text;version=1.0.0;\
                 escaping=allow-utf-8;q=0.5,text/plain;version=0.0.4;q=0.2,*/*;q=0.1",
                Format::OpenMetrics,
            ),
            ("text/plain;version=0.0.4;q=1,*/*;q=0.1", Format::Prometheus),
            ("*/*", Format::Prometheus),
            (
                "text/html,application/xml;q=0.9,*/*;q=0.8",
                Format::Prometheus,
            ),
            (
                "application/openmetrics-text; version=\"1.0.0\"",
                Format::OpenMetrics,
            ),
            (
                "application/openmetrics-text;version=2.0.0",
                Format::Prometheus,
            ),
            ("application/openmetrics-text;q=0", Format::Prometheus),
            (";;q=x,,", Format::Prometheus),
            // The range that names more has precedence over the one that accepts all.
            ("text/plain;q=0,*/*", Format::OpenMetrics),
            (
                "text/plain;q=0.9,application/openmetrics-text;q=0.5,*/*",
                Format::Prometheus,
            ),
            (
                "application/openmetrics-text;q=0.1,application/openmetrics-text;\
                 version=1.0.0;q=0.9,text/plain;q=0.5",
                Format::OpenMetrics,
            ),
        ] {
            assert_eq!(format(&with(ACCEPT, accept)), expected, "{accept}");
        }
        assert_eq!(format(&HeaderMap::new()), Format::Prometheus);
    }

    #[test]
    fn compression_is_used_when_it_is_accepted() {
        let accepts = |value| accepts_gzip(&with(ACCEPT_ENCODING, value));
        assert!(accepts("gzip") && accepts("deflate, GZIP;q=0.5"));
        assert!(!accepts("gzip;q=0") && !accepts("identity") && !accepts(""));
    }

    #[test]
    fn deadline_is_before_that_of_the_scraper() {
        let default = Duration::from_secs(5);
        let timeout_with = |text, encoding| {
            timeout(
                &with(SCRAPE_TIMEOUT, text),
                default,
                Duration::from_millis(encoding),
            )
        };
        let timeout = |text| timeout_with(text, 0);
        assert_eq!(timeout("10"), Duration::from_secs(9));
        assert_eq!(timeout("0.5"), Duration::from_millis(400));
        assert_eq!(timeout("0.1"), Duration::from_millis(50));
        assert_eq!(timeout("0.001"), Duration::from_millis(50));
        assert_eq!(timeout("1e9"), TIMEOUT_MAX);
        // The text that takes long to encode has to be there in time too.
        assert_eq!(timeout_with("10", 700), Duration::from_millis(8300));
        assert_eq!(timeout_with("10", 60_000), Duration::from_secs(5));
        for wrong in ["", "x", "-1", "0", "NaN", "inf", "1e300"] {
            assert_eq!(timeout(wrong), default, "{wrong}");
        }
    }
}
