//! The exporter over HTTP.
//!
//! In: connections. Out: responses, with bounds on the number of connections, the size of
//! headers and the time that a slow client may take. This file knows no statistic.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::error::Error;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use hyper::header::{ALLOW, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, HeaderValue, VARY};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};

use super::connections::{Connections, Seat};
use super::exporter::Exporter;
use super::landing;
use super::listener::{Accepted, Listener};
use super::negotiation;
use super::texts::{Form, SentText, Texts};
use crate::printable::printable;

/// The time in which the first request of a connection has to come.
const FIRST_REQUEST_TIMEOUT: Duration = Duration::from_secs(5);

/// The time in which the headers of each later request have to come: longer than the
/// interval of most scrapers, which keep their connections.
const HEADERS_TIMEOUT: Duration = Duration::from_secs(75);

/// The maximum number of headers of a request.
const HEADERS_MAX: usize = 64;

/// The maximum size of a request's headers, and of the text that a connection buffers.
const BUFFER_BYTES_MAX: usize = 64 << 10;

/// The bytes of a response that are given to the socket at once.
const FRAME_BYTES: usize = 32 << 10;

const PLAIN_TEXT: &str = "text/plain; charset=utf-8";

/// The exporter, and the state that all connections share.
#[derive(Debug)]
pub(super) struct Service {
    exporter: Arc<Exporter>,
    texts: Texts,
    connections: Arc<Connections>,
    /// The deadline of scrapers that do not tell theirs.
    timeout: Duration,
}

impl Service {
    /// Returns a service without connections. `timeout` is how long virtual machines are
    /// waited for if a scraper does not tell its own timeout.
    pub(super) fn new(exporter: Arc<Exporter>, timeout: Duration) -> Self {
        Self {
            texts: Texts::new(Arc::clone(&exporter)),
            exporter,
            connections: Arc::default(),
            timeout,
        }
    }
}

/// Serves connections until the future is dropped.
pub(super) async fn serve(listener: Listener, service: Arc<Service>) {
    loop {
        let Ok(accepted) = listener.accept().await else {
            // The process has no descriptors left, or the client has gone: trying again at
            // once would burn a processor.
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let of_connection = Arc::clone(&service);
        { &service.connections }.open(|seat| {
            tokio::spawn(converse(accepted, Arc::new(seat), of_connection)).abort_handle()
        });
    }
}

/// Serves a connection until it ends.
async fn converse(accepted: Accepted, seat: Arc<Seat>, service: Arc<Service>) {
    let client = accepted.client();
    let stream = match accepted.open().await {
        Ok(stream) => stream,
        Err(error) => {
            let error = error.to_string();
            tracing::warn!("refused {client}: {}", printable(&error));
            return;
        }
    };
    tracing::info!("{client} connected");
    let of_requests = Arc::clone(&seat);
    let respond = service_fn(move |request| {
        let (service, seat) = (Arc::clone(&service), Arc::clone(&of_requests));
        async move { Ok::<_, Infallible>(respond(&request, service, seat).await) }
    });
    let mut connection = pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEADERS_TIMEOUT)
            .max_headers(HEADERS_MAX)
            .max_buf_size(BUFFER_BYTES_MAX)
            .serve_connection(TokioIo::new(stream), respond)
    );
    let mut first = pin!(tokio::time::sleep(FIRST_REQUEST_TIMEOUT));
    let end = poll_fn(|context| {
        // The timer is not polled again once it rang and the client had asked in time.
        if seat.is_new() && first.as_mut().poll(context).is_ready() {
            return Poll::Ready("no request in time".to_owned());
        }
        let connection = connection.as_mut().poll(context);
        // The error of a client concerns nobody else.
        connection.map(|outcome| match outcome {
            Ok(()) => "the end".to_owned(),
            Err(error) => with_cause(&error),
        })
    });
    let end = end.await;
    tracing::info!("{client} disconnected: {}", printable(&end));
}

/// Returns an error of hyper with its cause, which the error's own text lacks.
fn with_cause(error: &hyper::Error) -> String {
    match error.source() {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}

/// A body whose parts are made already.
struct Parts {
    parts: VecDeque<Bytes>,
    seat: Arc<Seat>,
    /// The text of the parts, which other scrapers may share meanwhile.
    _text: Option<Arc<SentText>>,
}

impl Parts {
    /// Returns a body of a short text.
    fn short(text: impl Into<Bytes>, seat: Arc<Seat>) -> Self {
        seat.send(0, 0);
        let text = text.into();
        Self {
            parts: Some(text)
                .filter(|text| !text.is_empty())
                .into_iter()
                .collect(),
            seat,
            _text: None,
        }
    }

    fn shared(text: Arc<SentText>, seat: Arc<Seat>) -> Self {
        seat.send(Arc::as_ptr(&text).addr(), text.bytes());
        Self {
            parts: text.parts.iter().cloned().collect(),
            seat,
            _text: Some(text),
        }
    }
}

/// The client has taken the response but for what the connection has buffered.
impl Drop for Parts {
    fn drop(&mut self) {
        self.seat.rest();
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
    service: Arc<Service>,
    seat: Arc<Seat>,
) -> Response<Parts> {
    let short = |status, content_type, text: String| {
        response(status, content_type, Parts::short(text, Arc::clone(&seat)))
    };
    if ![Method::GET, Method::HEAD].contains(request.method()) {
        let text = "only GET and HEAD\n".to_owned();
        let mut response = short(StatusCode::METHOD_NOT_ALLOWED, PLAIN_TEXT, text);
        let allowed = HeaderValue::from_static("GET, HEAD");
        response.headers_mut().insert(ALLOW, allowed);
        return response;
    }
    tracing::debug!("{} {}", request.method(), printable(request.uri().path()));
    match request.uri().path() {
        "/metrics" => metrics(request, service, seat).await,
        "/-/healthy" => short(StatusCode::OK, PLAIN_TEXT, "ok\n".to_owned()),
        "/" => {
            let page = landing::page(&service.exporter.known());
            short(StatusCode::OK, "text/html; charset=utf-8", page)
        }
        _ => {
            let there = "there are /metrics, /-/healthy and /\n".to_owned();
            short(StatusCode::NOT_FOUND, PLAIN_TEXT, there)
        }
    }
}

async fn metrics(
    request: &Request<Incoming>,
    service: Arc<Service>,
    seat: Arc<Seat>,
) -> Response<Parts> {
    let unavailable = |why: &'static str| {
        let body = Parts::short(why, Arc::clone(&seat));
        response(StatusCode::SERVICE_UNAVAILABLE, PLAIN_TEXT, body)
    };
    let arrival = Instant::now();
    let headers = request.headers();
    let form = Form {
        format: negotiation::format(headers),
        is_compressed: negotiation::accepts_gzip(headers),
    };
    if request.method() == Method::HEAD {
        // Nobody reads the text, for which all virtual machines would be interrupted.
        return described(form, Parts::short("", seat));
    }
    if !seat.collect() {
        return unavailable("too many scrapers wait\n");
    }
    let encoding = service.texts.encoding_time();
    let timeout = negotiation::timeout(headers, service.timeout, encoding);
    let deadline = arrival + timeout;
    let scrape = tokio::task::spawn_blocking(move || {
        // All threads may have been busy since the request came.
        let is_in_time = Instant::now() < deadline;
        is_in_time.then(|| service.texts.scrape(arrival, deadline, form))
    });
    match scrape.await {
        Ok(Some(text)) => described(form, Parts::shared(text, Arc::clone(&seat))),
        Ok(None) => unavailable("other scrapers took all of the time\n"),
        Err(_) => unavailable("the collection ended\n"),
    }
}

/// Returns the response to a scraper, with the headers of a text.
fn described(form: Form, body: Parts) -> Response<Parts> {
    let mut response = response(StatusCode::OK, form.format.content_type(), body);
    let vary = HeaderValue::from_static("Accept, Accept-Encoding");
    response.headers_mut().insert(VARY, vary);
    if form.is_compressed {
        let gzip = HeaderValue::from_static("gzip");
        response.headers_mut().insert(CONTENT_ENCODING, gzip);
    }
    response
}

fn response(status: StatusCode, content_type: &'static str, body: Parts) -> Response<Parts> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
