//! Requests that a client sends again and again, but for their id.
//!
//! In: texts of requests, and what was prepared when they came first. Out: the
//! same, when such a text comes again. It knows no command, and holds little.

use std::collections::VecDeque;
use std::ops::Range;

use qapi_stats::wire::command::{CommandInfo, Prepared};
use qapi_stats::wire::{Value, to_json};

/// How many requests are known; the one that was learnt first makes room.
const KNOWN_MAX: usize = 8;

/// Bytes of their texts. What was prepared takes at most some fourteen times as
/// much, where every name that is asked for is a single letter.
const TEXT_BYTES_MAX: usize = 8 << 10;

/// The requests that a session knows.
#[derive(Debug, Default)]
pub(super) struct Repeats {
    known: VecDeque<Known>,
    /// The text of a request that may be worth knowing.
    candidate: Vec<u8>,
    state: Candidate,
}

/// Which request is being read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Candidate {
    #[default]
    None,
    /// The next one.
    Next,
    /// The one that was read last.
    Last,
}

/// A request that has been executed.
#[derive(Clone, Debug)]
pub(super) struct Known {
    /// The text before the id, or all of it.
    before: Box<[u8]>,
    /// The text behind the id, if it has one.
    behind: Option<Box<[u8]>>,
    pub(super) info: &'static CommandInfo,
    pub(super) prepared: Prepared,
}

impl Repeats {
    /// A known request with this text, and where its id is.
    pub(super) fn find(&self, text: &[u8]) -> Option<(&Known, Option<Range<usize>>)> {
        self.known.iter().find_map(|known| {
            let id = known.id_in(text)?;
            Some((known, id))
        })
    }

    /// Forgets everything: what was prepared may mean something else now.
    pub(super) fn clear(&mut self) {
        self.known.clear();
        self.state = Candidate::None;
    }

    /// Forgets what is no longer true.
    pub(super) fn retain(&mut self, is_current: impl Fn(&Prepared) -> bool) {
        self.known.retain(|known| is_current(&known.prepared));
    }

    /// Keeps in mind the text of the request that is read next.
    pub(super) fn consider(&mut self, text: &[u8]) {
        self.state = Candidate::None;
        if text.len() <= TEXT_BYTES_MAX {
            self.candidate.clear();
            self.candidate.extend_from_slice(text);
            self.state = Candidate::Next;
        }
    }

    /// A request has been read.
    pub(super) fn read(&mut self) {
        self.state = match self.state {
            Candidate::Next => Candidate::Last,
            _ => Candidate::None,
        };
    }

    /// Whether the request that was read last may be learnt.
    pub(super) fn has_candidate(&self) -> bool {
        self.state == Candidate::Last
    }

    /// Learns the request that was read last.
    pub(super) fn learn(
        &mut self,
        id: Option<&Value>,
        info: &'static CommandInfo,
        prepared: Prepared,
    ) {
        if std::mem::take(&mut self.state) != Candidate::Last {
            return;
        }
        let Some((before, behind)) = split(&self.candidate, id) else {
            return;
        };
        let text_bytes_max = TEXT_BYTES_MAX.saturating_sub(self.candidate.len());
        while self.known.len() >= KNOWN_MAX || self.text_bytes() > text_bytes_max {
            self.known.pop_front();
        }
        self.known.push_back(Known {
            before: before.into(),
            behind: behind.map(Into::into),
            info,
            prepared,
        });
    }

    fn text_bytes(&self) -> usize {
        self.known.iter().map(Known::text_bytes).sum()
    }
}

impl Known {
    fn text_bytes(&self) -> usize {
        self.before.len() + self.behind.as_ref().map_or(0, |behind| behind.len())
    }

    /// Where the id is in a text that is this request, if it is.
    fn id_in(&self, text: &[u8]) -> Option<Option<Range<usize>>> {
        let rest = text.strip_prefix(&*self.before)?;
        let Some(behind) = &self.behind else {
            return rest.is_empty().then_some(None);
        };
        let id = rest.strip_suffix(&**behind)?;
        let begin = self.before.len();
        is_plain(id).then_some(Some(begin..begin + id.len()))
    }
}

/// Cuts a request's text where its id is; `None` where that is not obvious.
fn split<'t>(text: &'t [u8], id: Option<&Value>) -> Option<(&'t [u8], Option<&'t [u8]>)> {
    const KEY: &[u8] = b"\"id\"";
    let Some(id) = id else {
        return Some((text, None));
    };
    // Without these, a key is written as it is, and `"id"` is a whole string.
    if text.iter().any(|byte| matches!(byte, b'\'' | b'\\')) {
        return None;
    }
    let mut places = (0..text.len()).filter(|&place| {
        let rest = text.get(place..).unwrap_or_default();
        rest.starts_with(KEY)
    });
    let (Some(place), None) = (places.next(), places.next()) else {
        return None;
    };
    // The request has an id, so this is its name.
    let (_, rest) = text.split_at_checked(place + KEY.len())?;
    let rest = rest.trim_ascii_start().strip_prefix(b":")?;
    let rest = rest.trim_ascii_start();
    let id = to_json(id);
    let behind = rest.strip_prefix(id.as_bytes())?;
    let ends = matches!(
        behind.first(),
        Some(b',' | b'}' | b' ' | b'\t' | b'\r' | b'\n')
    );
    if !ends || !is_plain(id.as_bytes()) {
        return None;
    }
    let (before, _) = text.split_at_checked(text.len() - rest.len())?;
    Some((before, Some(behind)))
}

/// Whether a text is a string or an integer that is written as it is read.
fn is_plain(id: &[u8]) -> bool {
    /// So many always fit.
    const DIGITS_MAX: usize = 18;
    match id {
        [b'"', text @ .., b'"'] => text
            .iter()
            .all(|byte| matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\')),
        [b'0'] => true,
        [b'1'..=b'9', digits @ ..] | [b'-', b'1'..=b'9', digits @ ..] => {
            digits.len() < DIGITS_MAX && digits.iter().all(u8::is_ascii_digit)
        }
        _ => false,
    }
}
