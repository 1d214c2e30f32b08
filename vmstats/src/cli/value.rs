//! The values of several commands' options.
//!
//! In: a word. Out: a checked value, or what was expected.

use std::time::Duration;

use clap::builder::{OsStringValueParser, TypedValueParser};
use qapi_wire::client::deadline::TIMEOUT_MAX;

use crate::endpoint::Endpoint;
use crate::source::Place;

/// Returns the parser of a monitor's address, which may be a path of any bytes. `host:` is
/// the only virtual machine of `vmstats host`.
pub(super) fn endpoint() -> impl TypedValueParser<Value = Endpoint> {
    OsStringValueParser::new().try_map(|text| {
        if Endpoint::is_whole_host(&text) {
            return Place::parse(&text)?.only();
        }
        Endpoint::parse(&text)
    })
}

/// Returns the parser of a monitor's address, or of a folder or a glob of sockets.
pub(super) fn place() -> impl TypedValueParser<Value = Place> {
    OsStringValueParser::new().try_map(|text| Place::parse(&text))
}

pub(super) fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse::<f64>().ok();
    let duration = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    match duration {
        Some(duration) if !duration.is_zero() && duration <= TIMEOUT_MAX => Ok(duration),
        _ => Err(format!(
            "expected a number of seconds above 0, at most {}",
            TIMEOUT_MAX.as_secs()
        )),
    }
}

/// The shortest time between two samples: a monitor of many vCPUs needs milliseconds.
const INTERVAL_MIN: Duration = Duration::from_millis(10);

/// Parses the time between two samples in seconds.
pub(super) fn interval(text: &str) -> Result<Duration, String> {
    match seconds(text) {
        Ok(interval) if interval >= INTERVAL_MIN => Ok(interval),
        _ => Err(format!(
            "expected a number of seconds, at least {}",
            INTERVAL_MIN.as_secs_f64()
        )),
    }
}

/// Parses a length of time: a number of seconds, or numbers with units such as `1h30m`.
pub(super) fn span(text: &str) -> Result<Duration, String> {
    let span = seconds(text)
        .ok()
        .or_else(|| humantime::parse_duration(text).ok());
    span.filter(|span| !span.is_zero() && *span <= TIMEOUT_MAX)
        .ok_or_else(|| "expected a time such as 90 (seconds), 10m20s or 2h".to_owned())
}

/// Parses a number of bytes that may end with K, M or G.
pub(super) fn bytes(text: &str) -> Option<usize> {
    let units = [('K', 1 << 10), ('M', 1 << 20), ('G', 1 << 30)];
    let unit = units.into_iter().find(|(unit, _)| text.ends_with(*unit));
    let (number, factor) = match unit {
        Some((unit, factor)) => (text.strip_suffix(unit)?, factor),
        None => (text, 1),
    };
    number.parse::<usize>().ok()?.checked_mul(factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timeout_is_refused_when_no_deadline_could_be_that_late() {
        for (text, expected) in [
            ("0.5", Some(Duration::from_millis(500))),
            ("31536000", Some(TIMEOUT_MAX)),
            ("31536001", None),
            ("1e19", None),
            ("1e300", None),
            ("inf", None),
            ("NaN", None),
            ("-1", None),
            ("0", None),
            ("1e-10", None),
            ("", None),
            ("1s", None),
        ] {
            assert_eq!(seconds(text).ok(), expected, "{text}");
        }
    }

    #[test]
    fn bytes_may_have_a_unit() {
        assert_eq!(bytes("65536"), Some(64 << 10));
        assert_eq!(bytes("64K"), Some(64 << 10));
        assert_eq!(bytes("3M"), Some(3 << 20));
        assert_eq!(bytes("2G"), Some(2 << 30));
        for wrong in ["", "K", "1 K", "1k", "1.5M", "-1", "99999999999G"] {
            assert_eq!(bytes(wrong), None, "{wrong}");
        }
    }
}
