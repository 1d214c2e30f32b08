//! One collection after another, as text or as messages.
//!
//! In: a request with a deadline. Out: a text, perhaps compressed. This file knows no
//! socket of HTTP.

use std::io::Write;
use std::time::Instant;

use flate2::Compression;
use flate2::write::GzEncoder;
use hyper::body::Bytes;
use stats_runtime::exposition::Format;

use super::collector::{Collection, Collector};
use super::encoder::{Encoder, OtlpFigures, Text};
use super::journal::Journal;
use super::otlp::Receiver;
use crate::lock::Lock;

/// The collector and the encoder, for several scrapers at once.
#[derive(Debug)]
pub(super) struct Exporter {
    collector: Collector,
    encoder: Lock<Encoder>,
    receiver: Option<Receiver>,
    journal: Lock<Journal>,
}

impl Exporter {
    /// Makes an exporter, which asks nobody yet. The text has the figures of `receiver`.
    pub(super) fn new(
        collector: Collector,
        encoder: Encoder,
        receiver: Option<Receiver>,
        journal: Journal,
    ) -> Self {
        Self {
            collector,
            encoder: Lock::new(encoder),
            receiver,
            journal: Lock::new(journal),
        }
    }

    /// Asks all virtual machines, and returns the text.
    pub(super) fn scrape(&self, deadline: Instant, format: Format) -> Text {
        self.collect(Instant::now(), deadline, |collection, encoder| {
            encoder.encode(collection, format, self.otlp())
        })
    }

    /// Asks all virtual machines for somebody who came at `arrival`, and calls `take` with
    /// what they answered.
    pub(super) fn collect<T>(
        &self,
        arrival: Instant,
        deadline: Instant,
        take: impl FnOnce(&Collection, &mut Encoder) -> T,
    ) -> T {
        let collection = self.collector.collect(arrival, deadline);
        self.journal.lock().note(&collection);
        take(&collection, &mut self.encoder.lock())
    }

    /// Returns the figures of the messages to an OpenTelemetry receiver.
    pub(super) fn otlp(&self) -> Option<OtlpFigures> {
        self.receiver.as_ref().map(Receiver::figures)
    }

    /// Returns what is known without asking anybody.
    pub(super) fn known(&self) -> Collection {
        self.collector.known()
    }
}

/// Returns the parts of a text as they are sent.
pub(super) fn plain(text: Text) -> Vec<Bytes> {
    text.parts.into_iter().map(Bytes::from).collect()
}

/// Compresses a text. The fastest level, because a slower one costs more of the scraper's
/// time than the bytes that it saves.
pub(super) fn compressed(text: Text) -> Vec<Bytes> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    for part in text.parts {
        // Writing into memory does not fail.
        let _ = encoder.write_all(part.as_bytes());
    }
    encoder.finish().map(Bytes::from).into_iter().collect()
}
