//! Messages to an OpenTelemetry receiver, by HTTP.
//!
//! In: collections at an interval. Out: requests, which are tried again with a growing
//! pause while the receiver is away. This file decides nothing about metrics.

pub(super) mod message;
mod queue;

use std::io::Write;
use std::sync::{Arc, Once};
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::header::{CONTENT_ENCODING, CONTENT_TYPE, HOST, RETRY_AFTER, USER_AGENT};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use opentelemetry_proto::tonic::collector::metrics::v1::{
    ExportMetricsServiceRequest, ExportMetricsServiceResponse,
};
use prost::Message;
use tokio::net::TcpStream;

use super::encoder::OtlpFigures;
use crate::cli::OtlpUrl;
use crate::failure;
use queue::{Outcome, Queue};

/// The time that a request may take.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The pause after the first request that cannot be sent.
const PAUSE_MIN: Duration = Duration::from_secs(1);

/// The longest pause, also of those that the receiver asks for.
const PAUSE_MAX: Duration = Duration::from_secs(60);

/// The part of a response that is read.
const RESPONSE_BYTES_MAX: usize = 64 << 10;

/// A receiver, with the messages that wait for it.
#[derive(Clone, Debug)]
pub(super) struct Receiver {
    url: OtlpUrl,
    queue: Arc<Queue>,
    /// Called when a message is too large for the first time.
    too_large: Arc<Once>,
}

/// The reason why a message was not taken.
#[derive(Debug)]
enum Refusal {
    /// The receiver may take the message later, and may say when.
    Retry(String, Option<Duration>),
    /// The receiver never takes the message.
    Final(String),
}

/// How much of a message the receiver took.
enum Taken {
    Whole,
    /// The receiver refused some data points, for this reason.
    InPart(String),
}

impl Receiver {
    /// Makes a receiver, to which nothing is sent yet.
    pub(super) fn new(url: OtlpUrl) -> Self {
        Self {
            url,
            queue: Arc::default(),
            too_large: Arc::new(Once::new()),
        }
    }

    /// Adds a message.
    pub(super) fn push(&self, message: &ExportMetricsServiceRequest) {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        // Writing into memory does not fail.
        let _ = encoder.write_all(&message.encode_to_vec());
        let Ok(bytes) = encoder.finish() else {
            return;
        };
        let size = bytes.len();
        if !self.queue.push(Bytes::from(bytes)) {
            self.too_large.call_once(|| {
                let why = format!(
                    "a message has {size} bytes, and at most {} are sent: export less, for \
                     example with --top",
                    queue::BYTES_MAX
                );
                warn(&self.url, &why);
            });
        }
    }

    /// Returns what became of the messages.
    pub(super) fn figures(&self) -> OtlpFigures {
        self.queue.figures()
    }

    /// Sends messages until the future is dropped.
    pub(super) async fn send(self) {
        let mut pause = PAUSE_MIN;
        let mut told: Option<String> = None;
        loop {
            let mut wait = None;
            let (number, message) = self.queue.first().await;
            let posted = tokio::time::timeout(TIMEOUT, post(&self.url, message)).await;
            let posted = posted
                .unwrap_or_else(|_| Err(Refusal::Retry("no response in time".to_owned(), None)));
            let why = match posted {
                Ok(taken) => {
                    self.queue.finish(number, Outcome::Sent);
                    pause = PAUSE_MIN;
                    let Taken::InPart(why) = taken else {
                        told = None;
                        continue;
                    };
                    why
                }
                Err(Refusal::Final(why)) => {
                    self.queue.finish(number, Outcome::Failed);
                    why
                }
                Err(Refusal::Retry(why, wanted)) => {
                    self.queue.finish(number, Outcome::Postponed);
                    wait = Some(randomized(pause, wanted, fastrand::f64()));
                    pause = (pause * 2).min(PAUSE_MAX);
                    why
                }
            };
            if told.as_ref() != Some(&why) {
                warn(&self.url, &why);
                told = Some(why);
            }
            if let Some(wait) = wait {
                tokio::time::sleep(wait).await;
            }
        }
    }
}

/// Returns the pause before a message is sent again: as long as the receiver wants, but not
/// shorter than `pause`, and up to a half longer by a random part of one, because many
/// hosts lose a receiver at the same moment.
fn randomized(pause: Duration, wanted: Option<Duration>, part: f64) -> Duration {
    let pause = wanted.unwrap_or_default().max(pause).min(PAUSE_MAX);
    pause.mul_f64(1.0 + part / 2.0)
}

/// Sends a message.
async fn post(url: &OtlpUrl, message: Bytes) -> Result<Taken, Refusal> {
    let retry = |error: &dyn std::fmt::Display| Refusal::Retry(error.to_string(), None);
    let stream = TcpStream::connect(&url.authority).await;
    let stream = stream.map_err(|error| retry(&error))?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|error| retry(&error))?;
    let connection = tokio::spawn(async move {
        // Its error is that of the response too.
        let _ = connection.await;
    });
    let request = Request::post(&url.path)
        .header(HOST, &url.authority)
        .header(CONTENT_TYPE, "application/x-protobuf")
        .header(CONTENT_ENCODING, "gzip")
        .header(USER_AGENT, concat!("vmstats/", env!("CARGO_PKG_VERSION")))
        .body(Full::new(message))
        .map_err(|error| Refusal::Final(error.to_string()))?;
    let response = sender.send_request(request).await;
    let response = response.map_err(|error| retry(&error))?;
    let (head, body) = response.into_parts();
    let body = Limited::new(body, RESPONSE_BYTES_MAX).collect().await;
    connection.abort();
    let body = body.map(|body| body.to_bytes()).unwrap_or_default();
    if head.status.is_success() {
        // A receiver that answers with something else has taken the message too.
        let response = ExportMetricsServiceResponse::decode(body).unwrap_or_default();
        return match response.partial_success {
            Some(partial) if partial.rejected_data_points > 0 => Ok(Taken::InPart(format!(
                "the receiver refuses {} data points: {}",
                partial.rejected_data_points, partial.error_message
            ))),
            _ => Ok(Taken::Whole),
        };
    }
    let why = format!("HTTP {}", head.status);
    let may_retry = [
        StatusCode::TOO_MANY_REQUESTS,
        StatusCode::BAD_GATEWAY,
        StatusCode::SERVICE_UNAVAILABLE,
        StatusCode::GATEWAY_TIMEOUT,
    ];
    if !may_retry.contains(&head.status) {
        return Err(Refusal::Final(why));
    }
    let after = head.headers.get(RETRY_AFTER);
    let after = after.and_then(|after| after.to_str().ok()?.parse().ok());
    Err(Refusal::Retry(why, after.map(Duration::from_secs)))
}

/// Tells that messages are not taken.
fn warn(url: &OtlpUrl, why: &str) {
    let OtlpUrl { authority, path } = url;
    failure::warn(&format!("cannot send to http://{authority}{path}: {why}"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pause_is_never_shorter_than_the_backoff() {
        let seconds = Duration::from_secs;
        for (pause, wanted, part, expected) in [
            (1, None, 0.0, 1.0),
            (1, Some(0), 0.0, 1.0),
            (8, Some(2), 0.0, 8.0),
            (1, Some(30), 0.0, 30.0),
            (1, Some(u64::MAX), 0.0, 60.0),
            (8, None, 0.5, 10.0),
            (60, Some(0), 1.0, 90.0),
        ] {
            let pause = randomized(seconds(pause), wanted.map(seconds), part);
            assert_eq!(pause, Duration::from_secs_f64(expected));
        }
    }
}
