//! Jumps in time as people write them.
//!
//! In: words, and the moment that is shown. Out: another moment. Times of the day are in
//! UTC, because a program without a database of time zones does not know the local time.

use std::time::Duration;

use crate::sample::Timestamp;

/// The seconds of a day.
const DAY: u64 = 24 * 60 * 60;

/// A way to a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Jump {
    /// This much later or earlier.
    By(Duration),
    /// To the time of the day, in seconds since midnight in UTC.
    To(u64),
}

/// Parses `HH:MM`, `HH:MM:SS`, or a duration such as `10`, `10s`, `5m` or `1h30m`.
///
/// # Errors
///
/// Returns a text that says what to write instead.
pub(super) fn parse(text: &str) -> Result<Jump, String> {
    let expected = || {
        format!(
            "'{text}' is no time: expected HH:MM:SS in UTC, or a duration such as 30s, 10m or 1h30m"
        )
    };
    let text = text.trim();
    if let Ok(seconds) = text.parse() {
        return Ok(Jump::By(Duration::from_secs(seconds)));
    }
    if text.contains(':') {
        let parts: Result<Vec<u64>, _> = text.split(':').map(str::parse).collect();
        return match parts.as_deref() {
            Ok([hour @ 0..24, minute @ 0..60]) => Ok(Jump::To(hour * 3600 + minute * 60)),
            Ok([hour @ 0..24, minute @ 0..60, second @ 0..60]) => {
                Ok(Jump::To(hour * 3600 + minute * 60 + second))
            }
            _ => Err(expected()),
        };
    }
    humantime::parse_duration(text)
        .map(Jump::By)
        .map_err(|_| expected())
}

impl Jump {
    /// Returns the moment that the jump leads to. A time of the day is the next one, or
    /// the last one if the jump goes back.
    pub(super) fn from(self, moment: Timestamp, is_back: bool) -> Timestamp {
        let nanos = |seconds: u64| seconds.saturating_mul(1_000_000_000);
        match self {
            Self::By(duration) => {
                let by = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
                Timestamp(if is_back {
                    moment.0.saturating_sub(by)
                } else {
                    moment.0.saturating_add(by)
                })
            }
            Self::To(second) => {
                let midnight = moment.0 / nanos(DAY) * nanos(DAY);
                let same_day = midnight.saturating_add(nanos(second));
                Timestamp(match (is_back, same_day) {
                    (true, same_day) if same_day >= moment.0 => same_day.saturating_sub(nanos(DAY)),
                    (false, same_day) if same_day <= moment.0 => {
                        same_day.saturating_add(nanos(DAY))
                    }
                    _ => same_day,
                })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time_span::time;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn durations_and_times_of_the_day_are_parsed() {
        let by = |seconds| Ok(Jump::By(Duration::from_secs(seconds)));
        assert_eq!(parse("10"), by(10));
        assert_eq!(parse(" 5m "), by(300));
        assert_eq!(parse("1h30m5s"), by(5405));
        assert_eq!(parse("08:15"), Ok(Jump::To(29_700)));
        assert_eq!(parse("08:15:30"), Ok(Jump::To(29_730)));
        for wrong in ["", "x", "5x", "25:00", "1:60", "1:2:3:4", "-5", "1e9", "."] {
            assert!(parse(wrong).unwrap_err().contains("expected"), "{wrong}");
        }
    }

    #[test]
    fn time_of_the_day_is_the_next_or_the_last_one() {
        let noon = Timestamp((100 * DAY + DAY / 2) * SECOND);
        assert_eq!(time(noon), "12:00:00");
        let at = |jump: &str, is_back| {
            let moment = parse(jump).unwrap().from(noon, is_back);
            (moment.0 / SECOND / DAY, time(moment))
        };
        assert_eq!(at("13:00", false), (100, "13:00:00".to_owned()));
        assert_eq!(at("13:00", true), (99, "13:00:00".to_owned()));
        assert_eq!(at("11:00", false), (101, "11:00:00".to_owned()));
        assert_eq!(at("90s", true), (100, "11:58:30".to_owned()));
    }
}
