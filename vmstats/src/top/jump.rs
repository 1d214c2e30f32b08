//! Jumps in time as people write them.
//!
//! In: the typed text, the current position, and the ends of what can be shown. Out: the
//! target position. Times are in UTC, because a program without a database of time zones
//! does not know the local time.

use std::time::Duration;

use crate::sample::Timestamp;
use crate::time_span::{Moment, date_time, time};

/// The nanoseconds of a day.
const DAY: u64 = 24 * 60 * 60 * 1_000_000_000;

/// A way to a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Jump {
    /// This much later or earlier.
    By(Duration),
    /// To a moment.
    To(Moment),
}

/// Parses a duration such as `10`, `10s`, `5m` or `1h30m`, or a moment.
///
/// # Errors
///
/// Returns a text that says what to write instead.
pub(super) fn parse(text: &str) -> Result<Jump, String> {
    let text = text.trim();
    let expected = || {
        format!("'{text}': expected 10s, 1h30m, 08:15, +10m after the begin or -10m before the end")
    };
    if let Ok(seconds) = text.parse() {
        return Ok(Jump::By(Duration::from_secs(seconds)));
    }
    // No duration has these characters.
    if text.contains([':', '+', '-']) {
        return Moment::parse(text).map(Jump::To).map_err(|_| expected());
    }
    humantime::parse_duration(text)
        .map(Jump::By)
        .map_err(|_| expected())
}

impl Jump {
    /// Returns the moment that the jump leads to, among those of a span. A time of the
    /// day is the next one, or the last one if the jump goes back; if the span has none on
    /// that side, the one on the other.
    ///
    /// # Errors
    ///
    /// Returns a sentence if the span has no such moment.
    pub(super) fn from(
        self,
        moment: Timestamp,
        is_back: bool,
        (begin, end): (Timestamp, Timestamp),
    ) -> Result<Timestamp, String> {
        match self {
            Self::By(duration) if is_back => Ok(moment.minus(duration)),
            Self::By(duration) => Ok(moment.plus(duration)),
            Self::To(Moment::OfDay(of_day)) => {
                let same_day = moment.0 - moment.0 % DAY + of_day;
                let (last, next) = if same_day <= moment.0 {
                    (same_day, same_day.saturating_add(DAY))
                } else {
                    (same_day.saturating_sub(DAY), same_day)
                };
                let both = if is_back { [last, next] } else { [next, last] };
                let inside = both.into_iter().map(Timestamp);
                { inside }
                    .find(|one| (begin..=end).contains(one))
                    .ok_or_else(|| {
                        format!(
                            "{} is not between {} and {}",
                            time(Timestamp(of_day)),
                            date_time(begin),
                            date_time(end)
                        )
                    })
            }
            Self::To(moment) => moment.within((begin, end)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn durations_and_moments_are_parsed() {
        let by = |seconds| Ok(Jump::By(Duration::from_secs(seconds)));
        assert_eq!(parse("10"), by(10));
        assert_eq!(parse(" 5m "), by(300));
        assert_eq!(parse("1h30m5s"), by(5405));
        for moment in ["08:15", "08:15:30", "+10m", "-90s", "2026-11-28T10:00"] {
            assert_eq!(parse(moment), Ok(Jump::To(Moment::parse(moment).unwrap())));
        }
        for wrong in ["", "x", "5x", "25:00", "1:60", "1:2:3:4", "1e9", "."] {
            assert!(parse(wrong).unwrap_err().contains("expected"), "{wrong}");
        }
    }

    #[test]
    fn time_of_the_day_is_the_nearest_one_in_the_span() {
        let noon = Timestamp(100 * DAY + DAY / 2);
        assert_eq!(time(noon), "12:00:00");
        let at = |jump: &str, is_back, days: u64| {
            let span = (
                Timestamp(noon.0 - days * DAY),
                Timestamp(noon.0 + days * DAY),
            );
            let moment = parse(jump).unwrap().from(noon, is_back, span)?;
            Ok::<_, String>((moment.0 / DAY, time(moment)))
        };
        let day = |day, time: &str| Ok((day, time.to_owned()));
        assert_eq!(at("13:00", false, 2), day(100, "13:00:00"));
        assert_eq!(at("13:00", true, 2), day(99, "13:00:00"));
        assert_eq!(at("11:00", false, 2), day(101, "11:00:00"));
        assert_eq!(at("90s", true, 2), day(100, "11:58:30"));
        // A recording of an hour: the day of the time is clear.
        let end = Timestamp(noon.0 + 1800 * SECOND);
        let span = (Timestamp(noon.0 - 1800 * SECOND), end);
        for (text, is_back, expected) in [
            ("11:40", false, "11:40:00"),
            ("11:40", true, "11:40:00"),
            ("12:10", true, "12:10:00"),
            ("+10m", true, "11:40:00"),
            ("-0s", false, "12:30:00"),
        ] {
            let moment = parse(text).unwrap().from(noon, is_back, span).unwrap();
            assert_eq!(time(moment), expected, "{text}");
        }
        let problem = parse("13:00").unwrap().from(noon, true, span).unwrap_err();
        assert!(problem.starts_with("13:00:00 is not between "), "{problem}");
    }
}
