//! Texts in the form in which they are sent, each shared by the scrapers of one collection.
//!
//! In: a deadline, a format and a compression. Out: the parts of a text. This file knows
//! neither sockets nor metrics.

use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use hyper::body::Bytes;
use stats_runtime::exposition::Format;

use super::answer::Reason;
use super::collector::Collection;
use super::exporter::{Exporter, compressed, plain};
use crate::lock::Lock;

/// The form of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Form {
    /// The format.
    pub(super) format: Format,
    /// True for gzip.
    pub(super) is_compressed: bool,
}

/// A text in the form in which it is sent.
#[derive(Debug)]
pub(super) struct SentText {
    /// The parts, one after the other.
    pub(super) parts: Vec<Bytes>,
}

impl SentText {
    /// Returns the size.
    pub(super) fn bytes(&self) -> usize {
        self.parts.iter().map(Bytes::len).sum()
    }
}

/// The texts that are being sent.
#[derive(Debug)]
pub(super) struct Texts {
    exporter: Arc<Exporter>,
    /// Weak, because a text is freed when the last client has it: after a scrape nobody
    /// needs the text any more.
    sent: Lock<Vec<(Key, Weak<SentText>)>>,
    /// The time that the last text took to encode.
    encoding: Lock<Duration>,
}

/// The content of a text, which is equal in two texts that differ only in the time that
/// their collections took.
#[derive(Debug, PartialEq, Eq)]
struct Key {
    form: Form,
    generation: u64,
    /// The virtual machines, each with the address of its answer, which is not that of
    /// another answer of the same collection, and with the reason for the lack of one.
    vms: Vec<(usize, usize, Option<Reason>)>,
}

impl Key {
    fn new(form: Form, collection: &Collection) -> Self {
        let vms = collection.vms.iter().map(|vm| {
            let answer = vm.answer().map_or(0, |answer| Arc::as_ptr(answer).addr());
            let reason = vm.failure.as_ref().map(|(reason, _)| *reason);
            (vm.vm.id, answer, reason)
        });
        Self {
            form,
            generation: collection.generation,
            vms: vms.collect(),
        }
    }
}

impl Texts {
    /// Makes a store without texts.
    pub(super) fn new(exporter: Arc<Exporter>) -> Self {
        Self {
            exporter,
            sent: Lock::new(Vec::new()),
            encoding: Lock::new(Duration::ZERO),
        }
    }

    /// Returns the time that the last text took to encode.
    pub(super) fn encoding_time(&self) -> Duration {
        *self.encoding.lock()
    }

    /// Asks all virtual machines, and returns the text.
    pub(super) fn scrape(&self, arrival: Instant, deadline: Instant, form: Form) -> Arc<SentText> {
        self.exporter
            .collect(arrival, deadline, |collection, encoder| {
                let key = Key::new(form, collection);
                // The encoder's lock is held meanwhile, so that scrapers of one collection come
                // one after the other, and find the text of the first.
                let mut sent = self.sent.lock();
                sent.retain(|(_, text)| text.strong_count() > 0);
                let same = sent.iter().find(|(other, _)| *other == key);
                if let Some(text) = same.and_then(|(_, text)| text.upgrade()) {
                    return text;
                }
                let begin = Instant::now();
                let text = encoder.encode(collection, form.format, self.exporter.otlp());
                let parts = if form.is_compressed {
                    compressed(text)
                } else {
                    plain(text)
                };
                let text = Arc::new(SentText { parts });
                *self.encoding.lock() = begin.elapsed();
                sent.push((key, Arc::downgrade(&text)));
                text
            })
    }
}
