//! The exporter over HTTP.
//!
//! In: connections. Out: responses, with bounds on the number of connections, the size of
//! headers and the time that a slow client may take. This file knows no statistic.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use hyper::header::{ALLOW, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, HeaderValue, VARY};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::sync::Semaphore;

use super::exporter::{Exporter, compressed, plain};
use super::landing;
use super::listener::{Connection, Listener};
use super::negotiation;
use crate::lock::Lock;

/// The number of connections at a time. Others wait in the kernel's queue.
const CONNECTIONS_MAX: usize = 64;

/// The time in which a request's headers have to come, also the first of a connection that
/// stays open: longer than the interval of most scrapers.
const HEADERS_TIMEOUT: Duration = Duration::from_secs(75);

/// The number of headers of a request.
const HEADERS_MAX: usize = 64;

/// The size of a request's headers, and of the text that waits for a client.
const BUFFER_BYTES_MAX: usize = 64 << 10;

/// The time in which a client has to take a response.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(60);

/// The bytes of a response that are given to the socket at once.
const FRAME_BYTES: usize = 32 << 10;

/// The time between two looks whether a client takes its response.
const WATCH_INTERVAL: Duration = Duration::from_secs(5);

/// Serves connections until the future is dropped. `timeout` is how long virtual machines
/// are waited for if a scraper does not say it.
pub(super) async fn serve(listener: Listener, exporter: Arc<Exporter>, timeout: Duration) {
    let connections = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let Ok(permit) = Arc::clone(&connections).acquire_owned().await else {
            return;
        };
        let connection = match listener.accept().await {
            Ok(connection) => connection,
            Err(_) => {
                // The process has no descriptors left, or the client has gone: trying
                // again at once would burn a processor.
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let exporter = Arc::clone(&exporter);
        tokio::spawn(async move {
            if let Ok(connection) = connection.open().await {
                // A client's error concerns nobody else.
                let _ = converse(connection, exporter, timeout).await;
            }
            drop(permit);
        });
    }
}

async fn converse(
    connection: Box<dyn Connection>,
    exporter: Arc<Exporter>,
    timeout: Duration,
) -> Result<(), hyper::Error> {
    let progress = Arc::new(Progress::default());
    let of_service = Arc::clone(&progress);
    let service = service_fn(move |request| {
        let exporter = Arc::clone(&exporter);
        let progress = Arc::clone(&of_service);
        async move { Ok::<_, Infallible>(respond(&request, exporter, progress, timeout).await) }
    });
    let mut connection = std::pin::pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEADERS_TIMEOUT)
            .max_headers(HEADERS_MAX)
            .max_buf_size(BUFFER_BYTES_MAX)
            .serve_connection(TokioIo::new(connection), service)
    );
    loop {
        match tokio::time::timeout(WATCH_INTERVAL, connection.as_mut()).await {
            Ok(outcome) => return outcome,
            Err(_) if progress.is_overdue() => return Ok(()),
            Err(_) => {}
        }
    }
}

/// The time at which the response began that a client is taking.
#[derive(Debug, Default)]
struct Progress(Lock<Option<Instant>>);

impl Progress {
    fn is_overdue(&self) -> bool {
        { *self.0.lock() }.is_some_and(|begin| begin.elapsed() > RESPONSE_TIMEOUT)
    }
}

/// A body whose parts are made already.
struct Parts {
    parts: VecDeque<Bytes>,
    progress: Arc<Progress>,
}

impl Parts {
    fn new(parts: impl Into<VecDeque<Bytes>>, progress: Arc<Progress>) -> Self {
        *progress.0.lock() = Some(Instant::now());
        let parts = parts.into();
        Self { parts, progress }
    }
}

/// The client has taken the response but for what the socket has buffered.
impl Drop for Parts {
    fn drop(&mut self) {
        *self.progress.0.lock() = None;
    }
}

impl Body for Parts {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let Some(part) = self.parts.front_mut() else {
            return Poll::Ready(None);
        };
        let frame = part.split_to(part.len().min(FRAME_BYTES));
        if part.is_empty() {
            self.parts.pop_front();
        }
        Poll::Ready(Some(Ok(Frame::data(frame))))
    }

    fn is_end_stream(&self) -> bool {
        self.parts.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        let bytes = self.parts.iter().map(Bytes::len).sum::<usize>();
        SizeHint::with_exact(u64::try_from(bytes).unwrap_or(u64::MAX))
    }
}

async fn respond(
    request: &Request<Incoming>,
    exporter: Arc<Exporter>,
    progress: Arc<Progress>,
    timeout: Duration,
) -> Response<Parts> {
    let text = |status, content_type, text: String| {
        response(status, content_type, vec![Bytes::from(text)], &progress)
    };
    let plain_text = "text/plain; charset=utf-8";
    if ![Method::GET, Method::HEAD].contains(request.method()) {
        let status = StatusCode::METHOD_NOT_ALLOWED;
        let mut response = text(status, plain_text, "only GET and HEAD\n".to_owned());
        let allowed = HeaderValue::from_static("GET, HEAD");
        response.headers_mut().insert(ALLOW, allowed);
        return response;
    }
    match request.uri().path() {
        "/metrics" => metrics(request, exporter, progress, timeout).await,
        "/-/healthy" => text(StatusCode::OK, plain_text, "ok\n".to_owned()),
        "/" => {
            let page = landing::page(&exporter.known());
            text(StatusCode::OK, "text/html; charset=utf-8", page)
        }
        _ => {
            let there = "there are /metrics, /-/healthy and /\n".to_owned();
            text(StatusCode::NOT_FOUND, plain_text, there)
        }
    }
}

async fn metrics(
    request: &Request<Incoming>,
    exporter: Arc<Exporter>,
    progress: Arc<Progress>,
    default: Duration,
) -> Response<Parts> {
    let headers = request.headers();
    let format = negotiation::format(headers);
    let is_compressed = negotiation::accepts_gzip(headers);
    let timeout = negotiation::timeout(headers, default);
    let scrape = tokio::task::spawn_blocking(move || {
        let text = exporter.scrape(timeout, format);
        if is_compressed {
            compressed(text)
        } else {
            plain(text)
        }
    });
    let Ok(parts) = scrape.await else {
        let why = vec![Bytes::from_static(b"the collection ended\n")];
        let status = StatusCode::INTERNAL_SERVER_ERROR;
        return response(status, "text/plain; charset=utf-8", why, &progress);
    };
    let mut response = response(StatusCode::OK, format.content_type(), parts, &progress);
    let vary = HeaderValue::from_static("Accept, Accept-Encoding");
    response.headers_mut().insert(VARY, vary);
    if is_compressed {
        let gzip = HeaderValue::from_static("gzip");
        response.headers_mut().insert(CONTENT_ENCODING, gzip);
    }
    response
}

fn response(
    status: StatusCode,
    content_type: &'static str,
    parts: Vec<Bytes>,
    progress: &Arc<Progress>,
) -> Response<Parts> {
    let mut response = Response::new(Parts::new(parts, Arc::clone(progress)));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
