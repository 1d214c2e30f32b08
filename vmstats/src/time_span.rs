//! Spans of time in a recording, as words of the command line.
//!
//! In: words such as `FOLDER@10:00..+5m`. Out: a folder, and moments in it. All times are
//! UTC. Nothing here reads a recording.

use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use crate::sample::Timestamp;

const DAY_SECONDS: u64 = 24 * 60 * 60;

/// A recording, or a part of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlacedPart {
    /// The text of the command line.
    pub text: String,
    /// The folder of the recording.
    pub folder: PathBuf,
    /// The part.
    pub part: Part,
}

/// A part of a recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// The whole recording.
    All,
    /// The time between the two samples around a moment.
    At(Moment),
    /// The time between two moments; `None` is the end of the recording on that side.
    Between(Option<Moment>, Option<Moment>),
}

/// A moment, as a user says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// A date and a time.
    Exact(Timestamp),
    /// A time of the day, in nanoseconds since midnight: the first such time in the
    /// recording, or after the beginning of a part that ends there.
    OfDay(u64),
    /// A time after the beginning.
    AfterBegin(Duration),
    /// A time before the end.
    BeforeEnd(Duration),
}

/// The forms of a moment, for errors.
const EXPECTED: &str = "expected a time in UTC such as 10:00, 10:00:30 (the first of the \
    recording) or 2026-11-28T10:00:00Z, or +10m after the beginning, or -90s before the end of the recording";

impl PlacedPart {
    /// Parses a folder, or `FOLDER@PART`.
    ///
    /// # Errors
    ///
    /// Returns a sentence about the part that cannot be understood.
    pub fn parse(text: &str) -> Result<Self, String> {
        // A folder may have an @ in its name.
        let split = text.rsplit_once('@').filter(|_| !Path::new(text).exists());
        let (folder, part) = match split {
            Some((folder, part)) => (folder, Part::parse(part)?),
            None => (text, Part::All),
        };
        if folder.is_empty() {
            return Err("expected a folder, or FOLDER@10:00..10:05".to_owned());
        }
        Ok(Self {
            text: text.to_owned(),
            folder: folder.into(),
            part,
        })
    }
}

impl Part {
    fn parse(text: &str) -> Result<Self, String> {
        let end = |text: &str| match text {
            "" => Ok(None),
            text => Moment::parse(text).map(Some),
        };
        match text.split_once("..") {
            Some((from, to)) => Ok(Self::Between(end(from)?, end(to)?)),
            None => Ok(Self::At(Moment::parse(text)?)),
        }
    }
}

impl Moment {
    /// Parses a moment.
    ///
    /// # Errors
    ///
    /// Returns a sentence about what was expected.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = || format!("'{}': {EXPECTED}", text.escape_debug());
        let duration = |text: &str| humantime::parse_duration(text).map_err(|_| wrong());
        if let Some(text) = text.strip_prefix('+') {
            return Ok(Self::AfterBegin(duration(text)?));
        }
        if let Some(text) = text.strip_prefix('-') {
            return Ok(Self::BeforeEnd(duration(text)?));
        }
        if let Some(nanos) = time_of_day(text) {
            return Ok(Self::OfDay(nanos));
        }
        let short = text.bytes().filter(|byte| *byte == b':').count() == 1;
        let full = if short {
            format!("{}:00", text.trim_end_matches('Z'))
        } else {
            text.to_owned()
        };
        let time = humantime::parse_rfc3339_weak(&full).map_err(|_| wrong())?;
        let since = time.duration_since(UNIX_EPOCH).map_err(|_| wrong())?;
        let nanos = u64::try_from(since.as_nanos()).map_err(|_| wrong())?;
        Ok(Self::Exact(Timestamp(nanos)))
    }

    /// Returns the moment in a recording that has these ends.
    ///
    /// # Errors
    ///
    /// Returns a sentence if the moment is outside of the recording.
    pub fn within(self, whole: (Timestamp, Timestamp)) -> Result<Timestamp, String> {
        self.within_from(whole.0, whole)
    }

    /// Returns the moment in a recording that has these ends. A time of the day is the first
    /// one after `from`; otherwise a part could not end on the day after it began.
    ///
    /// # Errors
    ///
    /// Returns a sentence if the moment is outside of the recording.
    pub fn within_from(
        self,
        from: Timestamp,
        (begin, end): (Timestamp, Timestamp),
    ) -> Result<Timestamp, String> {
        let moment = match self {
            Self::Exact(moment) => moment,
            Self::OfDay(of_day) => {
                let day = DAY_SECONDS * 1_000_000_000;
                let first = from.0 - from.0 % day + of_day;
                Timestamp(if first < from.0 && first.saturating_add(day) <= end.0 {
                    first + day
                } else {
                    first
                })
            }
            Self::AfterBegin(duration) => begin.plus(duration),
            Self::BeforeEnd(duration) => end.minus(duration),
        };
        if (begin..=end).contains(&moment) {
            Ok(moment)
        } else {
            Err(format!(
                "{} is not in the recording, which is from {} to {}",
                date_time(moment),
                date_time(begin),
                date_time(end)
            ))
        }
    }
}

/// Parses `HH:MM` or `HH:MM:SS`, with decimals of a second. Returns nanoseconds since
/// midnight.
fn time_of_day(text: &str) -> Option<u64> {
    let text = text.strip_suffix('Z').unwrap_or(text);
    let mut parts = text.split(':');
    let mut number = |below: u64| {
        let part = parts.next()?;
        let is_number = part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit());
        part.parse()
            .ok()
            .filter(|number| is_number && *number < below)
    };
    let (hours, minutes): (u64, u64) = (number(24)?, number(60)?);
    let seconds = match parts.next() {
        None => Duration::ZERO,
        Some(part) => {
            let is_number = part.starts_with(|first: char| first.is_ascii_digit())
                && part
                    .bytes()
                    .all(|byte| byte.is_ascii_digit() || byte == b'.');
            let seconds = part.parse::<f64>().ok().filter(|_| is_number)?;
            Duration::try_from_secs_f64(seconds)
                .ok()
                .filter(|seconds| seconds.as_secs() < 60)?
        }
    };
    if parts.next().is_some() {
        return None;
    }
    let whole = Duration::from_secs(hours * 3_600 + minutes * 60);
    u64::try_from((whole + seconds).as_nanos()).ok()
}

/// Returns a moment as date and time in UTC, such as `2026-11-28 10:00:00`.
#[must_use]
pub fn date_time(moment: Timestamp) -> String {
    let text = rfc3339(moment);
    let text = text.split('.').next().unwrap_or_default();
    text.trim_end_matches('Z').replace('T', " ")
}

/// Returns a moment as the time of the day in UTC, such as `10:00:00`.
#[must_use]
pub fn time(moment: Timestamp) -> String {
    let text = date_time(moment);
    text.split(' ').next_back().unwrap_or_default().to_owned()
}

/// Returns a moment of a span as the time of the day, with the date if the span has a time of
/// the day twice.
#[must_use]
pub fn time_in((begin, end): (Timestamp, Timestamp), moment: Timestamp) -> String {
    if end.since(begin) >= Duration::from_secs(DAY_SECONDS) {
        date_time(moment)
    } else {
        time(moment)
    }
}

/// Returns a moment with all digits, such as `2026-11-28T10:00:00.123456789Z`.
#[must_use]
pub fn rfc3339(moment: Timestamp) -> String {
    let time = UNIX_EPOCH + Duration::from_nanos(moment.0);
    humantime::format_rfc3339_nanos(time).to_string()
}

/// Returns a length of time for people, such as `1h 5m` or `2.5s`.
#[must_use]
pub fn length(duration: Duration) -> String {
    let rounded = if duration.as_secs() >= 10 {
        Duration::from_secs(duration.as_secs())
    } else {
        Duration::from_millis(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
    };
    humantime::format_duration(rounded).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;
    /// 2026-11-28T09:58:20Z.
    const BEGIN: Timestamp = Timestamp(1_795_859_900 * SECOND);

    fn resolved(text: &str, seconds: u64) -> Result<u64, String> {
        let end = Timestamp(BEGIN.0 + seconds * SECOND);
        let moment = Moment::parse(text)?.within((BEGIN, end))?;
        Ok((moment.0 - BEGIN.0) / SECOND)
    }

    #[test]
    fn moment_is_found_when_it_is_in_the_recording() {
        assert_eq!(date_time(BEGIN), "2026-11-28 09:58:20");
        for (text, expected) in [
            ("10:00", 100),
            ("10:00:30", 130),
            ("10:00:30.5Z", 130),
            ("2026-11-28T10:00:00Z", 100),
            ("2026-11-28T10:00", 100),
            ("+10m", 600),
            ("+1h 30m", 5_400),
            ("-0s", 6_000),
            ("-1m", 5_940),
        ] {
            assert_eq!(resolved(text, 6_000), Ok(expected), "{text}");
        }
        // 09:00 lies before the beginning, so that the next day's is meant.
        assert_eq!(resolved("09:00", DAY_SECONDS), Ok(DAY_SECONDS - 3_500));
        assert!(resolved("09:00", 6_000).unwrap_err().contains("is not in"));
    }

    #[test]
    fn end_of_a_part_is_on_the_next_day_when_its_time_is_earlier() {
        let at = |seconds: u64| Timestamp(BEGIN.0 + seconds * SECOND);
        let whole = (BEGIN, at(2 * DAY_SECONDS));
        let end = |text: &str, from| Moment::parse(text).unwrap().within_from(from, whole);
        // From 23:00, a little more than 13 hours after the beginning.
        let from = Moment::parse("23:00").unwrap().within(whole).unwrap();
        assert_eq!(from, at(46_900));
        assert_eq!(end("08:30", from), Ok(at(46_900 + 34_200)));
        assert_eq!(end("23:30", from), Ok(at(46_900 + 1_800)));
        assert_eq!(end("+1h", from), Ok(at(3_600)));
        assert_eq!(time_in((BEGIN, at(60)), BEGIN), "09:58:20");
        assert_eq!(time_in(whole, BEGIN), "2026-11-28 09:58:20");
    }

    #[test]
    fn moment_is_refused_when_it_is_no_time() {
        for text in [
            "",
            "noon",
            "24:00",
            "10:60",
            "10:00:60",
            "1e1:00",
            "+",
            "+5x",
            "10:00:1:2",
        ] {
            assert!(Moment::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn excerpt_has_a_part_after_the_last_at_sign() {
        let part = |text: &str| PlacedPart::parse(text).map(|one| (one.folder, one.part));
        let minutes = |minutes: u64| Moment::AfterBegin(Duration::from_secs(minutes * 60));
        assert_eq!(part("rec"), Ok(("rec".into(), Part::All)));
        assert_eq!(
            part("a@b@+1m..+2m"),
            Ok((
                "a@b".into(),
                Part::Between(Some(minutes(1)), Some(minutes(2)))
            ))
        );
        assert_eq!(part("r@.."), Ok(("r".into(), Part::Between(None, None))));
        assert_eq!(part("r@+1m"), Ok(("r".into(), Part::At(minutes(1)))));
        assert!(part("r@x..").is_err() && part("@10:00").is_err());
    }
}
