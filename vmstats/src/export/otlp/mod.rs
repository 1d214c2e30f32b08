//! Messages to an OpenTelemetry receiver, by HTTP.
//!
//! In: collections at an interval. Out: requests, which are tried again with a growing
//! pause while the receiver is away. This file decides nothing about metrics.

pub(super) mod message;
mod queue;

use std::io::Write;
use std::sync::Arc;
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
}

/// The reason why a message was not taken.
#[derive(Debug)]
enum Refusal {
    /// It may be taken later; the receiver may say when.
    Retry(String, Option<Duration>),
    /// It is never taken.
    Final(String),
}

impl Receiver {
    /// Makes a receiver, to which nothing is sent yet.
    pub(super) fn new(url: OtlpUrl) -> Self {
        Self {
            url,
            queue: Arc::default(),
        }
    }

    /// Adds a message.
    pub(super) fn push(&self, message: &ExportMetricsServiceRequest) {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        // Writing into memory does not fail.
        let _ = encoder.write_all(&message.encode_to_vec());
        if let Ok(bytes) = encoder.finish() {
            self.queue.push(Bytes::from(bytes));
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
            let (number, message) = self.queue.first().await;
            let posted = tokio::time::timeout(TIMEOUT, post(&self.url, message)).await;
            let posted = posted
                .unwrap_or_else(|_| Err(Refusal::Retry("no response in time".to_owned(), None)));
            let why = match posted {
                Ok(()) => {
                    self.queue.finish(number, Outcome::Sent);
                    (pause, told) = (PAUSE_MIN, None);
                    continue;
                }
                Err(Refusal::Final(why)) => {
                    self.queue.finish(number, Outcome::Failed);
                    why
                }
                Err(Refusal::Retry(why, wanted)) => {
                    tokio::time::sleep(wanted.unwrap_or(pause).min(PAUSE_MAX)).await;
                    pause = (pause * 2).min(PAUSE_MAX);
                    why
                }
            };
            if told.as_ref() != Some(&why) {
                warn(&self.url, &why);
                told = Some(why);
            }
        }
    }
}

/// Sends a message.
async fn post(url: &OtlpUrl, message: Bytes) -> Result<(), Refusal> {
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
            Some(partial) if partial.rejected_data_points > 0 => Err(Refusal::Final(format!(
                "it refuses {} data points: {}",
                partial.rejected_data_points, partial.error_message
            ))),
            _ => Ok(()),
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
