//! The client of a program with tokio's runtime.
//!
//! In: a stream and typed requests, of many tasks at once. Out: typed replies, and
//! events for each subscriber. A task of the client moves the bytes of the session
//! that all callers share.

use std::future::{self, Future};
use std::io;
#[cfg(unix)]
use std::path::Path;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf, split};
use tokio::net::TcpStream;
#[cfg(unix)]
use tokio::net::UnixStream;
use tokio::sync::Notify;
use tokio::task::AbortHandle;
use tokio::time::{sleep, timeout_at};

use super::deadline;
use super::error::ClientError;
use super::options::Options;
use super::session::{Session, Subscriber, decode_reply};
use super::version::Version;
use crate::command::Request;
use crate::message::{EventMessage, Outcome, RequestId};
use crate::value::Dict;

/// The number of bytes that are read or written at a time.
const CHUNK_BYTES: usize = 64 << 10;

/// The time between two tries to connect to a server whose queue is full.
#[cfg(unix)]
const RETRY_INTERVAL: Duration = Duration::from_millis(20);

/// A connection to a QMP server, for many tasks: a clone is a handle to the same
/// connection.
///
/// The server executes the calls of all tasks in the order in which they were made,
/// and those [out of band](Self::execute_out_of_band) at once. A call that is
/// dropped, for example by `tokio::select!`, is like one that has timed out: its
/// reply is dropped, and its request is not sent if it has not been begun.
///
/// A task of the client reads all the time. It ends, and the connection with it,
/// once all handles and subscriptions are dropped. The runtime must have its timers
/// and I/O enabled.
///
/// ```no_run
/// # mod commands {
/// #     use qapi_wire::command::{CommandInfo, Empty, Request};
/// #     use qapi_wire::{EncodeMembers, ObjectWriter};
/// #     pub struct Stop {}
/// #     impl EncodeMembers for Stop {
/// #         fn encode_members(&self, _: &mut ObjectWriter<'_, '_>) {}
/// #     }
/// #     impl Request for Stop {
/// #         type Reply = Empty;
/// #         const INFO: &'static CommandInfo = &CommandInfo::new("stop");
/// #     }
/// # }
/// use commands::Stop; // of the code that qapi-gen has generated
/// use qapi_wire::client::{AsyncClient, ClientError, Options};
///
/// async fn stop() -> Result<(), ClientError> {
///     let client = AsyncClient::connect_unix("qmp.sock", Options::default()).await?;
///     let mut events = client.subscribe();
///     client.execute(&Stop {}).await?;
///     let event = events.next().await?;
///     assert_eq!(event.name(), "STOP");
///     Ok(())
/// }
/// ```
#[derive(Clone, Debug)]
pub struct AsyncClient {
    connection: Arc<Connection>,
}

/// The events of a server that have come since [`AsyncClient::subscribe`], for one
/// reader. Each subscription has its own
/// [`event_bytes_max`](Options::event_bytes_max).
#[derive(Debug)]
pub struct Subscription {
    connection: Arc<Connection>,
    subscriber: Subscriber,
}

/// The end of the connection when the last handle is dropped.
#[derive(Debug)]
struct Connection {
    shared: Arc<Shared>,
    task: AbortHandle,
    timeout: Duration,
    version: Version,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The state that the task and all handles share.
#[derive(Debug)]
struct Shared {
    /// Never locked across an `await`.
    session: Mutex<Session>,
    /// Wakes all callers and subscribers after bytes were received. Each looks for
    /// its own reply, which costs little for the few calls that a server of QMP
    /// executes at a time.
    received: Notify,
    /// Wakes the task after a request was made.
    requested: Notify,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Session> {
        // No holder leaves the session half changed.
        self.session.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until `done` returns a value.
    async fn wait<V>(&self, mut done: impl FnMut(&mut Session) -> Option<V>) -> V {
        loop {
            // Make the future first, because only bytes that come after that wake it;
            // otherwise those between the look and the wait would be missed.
            let received = self.received.notified();
            if let Some(value) = done(&mut self.lock()) {
                return value;
            }
            received.await;
        }
    }
}

impl AsyncClient {
    /// Connects to the Unix socket at `path`, and negotiates capabilities.
    ///
    /// # Errors
    ///
    /// Returns a [`ClientError`] if the server cannot be reached, does not speak QMP
    /// or takes longer than [`Options::timeout`].
    #[cfg(unix)]
    pub async fn connect_unix(
        path: impl AsRef<Path>,
        options: Options,
    ) -> Result<Self, ClientError> {
        let path = path.as_ref();
        let connect = async {
            loop {
                match UnixStream::connect(path).await {
                    // The queue of the socket is full. A blocking socket would wait.
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                        sleep(RETRY_INTERVAL).await;
                    }
                    connected => return connected,
                }
            }
        };
        let deadline = deadline::after(options.timeout);
        let address = || path.display().to_string();
        let stream = within(deadline, connect, address).await?;
        Self::open(stream, options, deadline).await
    }

    /// Connects to a TCP port, given as `host:port`, and negotiates capabilities.
    ///
    /// # Errors
    ///
    /// Returns a [`ClientError`] if the server cannot be reached, does not speak QMP
    /// or takes longer than [`Options::timeout`].
    pub async fn connect_tcp(address: &str, options: Options) -> Result<Self, ClientError> {
        let connect = async {
            let stream = TcpStream::connect(address).await?;
            // Requests are sent whole; without this the kernel may wait for more.
            stream.set_nodelay(true)?;
            Ok(stream)
        };
        let deadline = deadline::after(options.timeout);
        let stream = within(deadline, connect, || address.to_owned()).await?;
        Self::open(stream, options, deadline).await
    }

    /// Negotiates capabilities over a stream that is connected.
    ///
    /// # Errors
    ///
    /// Returns a [`ClientError`] if the server does not speak QMP or takes longer
    /// than [`Options::timeout`].
    pub async fn over<S>(stream: S, options: Options) -> Result<Self, ClientError>
    where
        S: AsyncRead + AsyncWrite + Send + 'static,
    {
        Self::open(stream, options, deadline::after(options.timeout)).await
    }

    async fn open<S>(stream: S, options: Options, deadline: Instant) -> Result<Self, ClientError>
    where
        S: AsyncRead + AsyncWrite + Send + 'static,
    {
        let mut session = Session::new(options);
        let (mut reader, mut writer) = split(stream);
        let mut buffer = vec![0; CHUNK_BYTES];
        let version = loop {
            if let Some(version) = session.version() {
                break version.clone();
            }
            if let Some(error) = session.error() {
                return Err(error.clone());
            }
            let deadline = session.opening_deadline(deadline, Instant::now());
            let step = step(&mut session, &mut reader, &mut writer, &mut buffer);
            match timeout_at(deadline.into(), step).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => session.fail(error),
                Err(_elapsed) => return Err(session.give_up_opening(options.timeout)),
            }
        };
        let shared = Arc::new(Shared {
            session: Mutex::new(session),
            received: Notify::new(),
            requested: Notify::new(),
        });
        let task = move_bytes(reader, writer, EndOnDrop(Arc::clone(&shared)));
        Ok(Self {
            connection: Arc::new(Connection {
                shared,
                task: tokio::spawn(task).abort_handle(),
                timeout: options.timeout,
                version,
            }),
        })
    }

    /// Returns the version in the server's greeting.
    #[must_use]
    pub fn version(&self) -> &Version {
        &self.connection.version
    }

    /// Calls `look` with the session: the greeting, and the numbers of replies that
    /// nobody waited for. All callers wait meanwhile.
    pub fn with_session<V>(&self, look: impl FnOnce(&Session) -> V) -> V {
        look(&self.connection.shared.lock())
    }

    /// Executes a command and decodes its result.
    ///
    /// # Errors
    ///
    /// Returns a [`ClientError`] if the server refuses the command, if no reply comes
    /// within [`Options::timeout`], or if the result does not have the command's
    /// type.
    pub async fn execute<R: Request>(&self, request: &R) -> Result<R::Reply, ClientError> {
        self.execute_within(request, self.connection.timeout).await
    }

    /// Executes a command like [`execute`](Self::execute), with a timeout of its
    /// own.
    ///
    /// # Errors
    ///
    /// See [`execute`](Self::execute).
    pub async fn execute_within<R: Request>(
        &self,
        request: &R,
        timeout: Duration,
    ) -> Result<R::Reply, ClientError> {
        let call = self.begin(|session| session.call(request))?;
        decode_reply::<R>(call.outcome(timeout).await)
    }

    /// Executes a command out of band: the server executes it although earlier
    /// commands have not finished.
    ///
    /// # Errors
    ///
    /// Returns [`ClientError::NotOutOfBand`] if the command does not allow it, or if
    /// the server has not enabled it. See also [`execute`](Self::execute).
    pub async fn execute_out_of_band<R: Request>(
        &self,
        request: &R,
    ) -> Result<R::Reply, ClientError> {
        let call = self.begin(|session| session.call_out_of_band(request))?;
        decode_reply::<R>(call.outcome(self.connection.timeout).await)
    }

    /// Executes a command, and returns the reply undecoded. A reply that says that the
    /// command failed is an [`Outcome`].
    ///
    /// # Errors
    ///
    /// Returns a [`ClientError`] if no reply comes within [`Options::timeout`].
    pub async fn call<R: Request>(&self, request: &R) -> Result<Outcome, ClientError> {
        let call = self.begin(|session| session.call(request))?;
        call.outcome(self.connection.timeout).await
    }

    /// Sends a request that has the members `body`, for example `execute` and
    /// `arguments`, for a command that has no type here. An id of the client's
    /// replaces any in `body`.
    ///
    /// # Errors
    ///
    /// Returns a [`ClientError`] if no reply comes within [`Options::timeout`].
    pub async fn call_untyped(&self, body: Dict) -> Result<Outcome, ClientError> {
        let call = self.begin(|session| session.call_untyped(body))?;
        call.outcome(self.connection.timeout).await
    }

    /// Subscribes to the events that come from now on. Call it before the command
    /// whose events matter.
    #[must_use]
    pub fn subscribe(&self) -> Subscription {
        let mut session = self.connection.shared.lock();
        let event_bytes_max = session.options().event_bytes_max;
        Subscription {
            subscriber: session.subscribe(event_bytes_max),
            connection: Arc::clone(&self.connection),
        }
    }

    /// Makes a request, and wakes the task to send it.
    fn begin(
        &self,
        call: impl FnOnce(&mut Session) -> Result<RequestId, ClientError>,
    ) -> Result<PendingCall<'_>, ClientError> {
        let shared = &*self.connection.shared;
        let id = call(&mut shared.lock())?;
        shared.requested.notify_one();
        Ok(PendingCall { shared, id })
    }
}

impl Subscription {
    /// Waits for the next event, without a timeout. An event that has come is not
    /// lost if the future is dropped.
    ///
    /// # Errors
    ///
    /// Returns [`ClientError::EventsLost`] once if events were dropped before the
    /// next one, because too much memory was used; and the error of a connection
    /// that has ended after the last event.
    pub async fn next(&mut self) -> Result<EventMessage, ClientError> {
        let subscriber = self.subscriber;
        let shared = &self.connection.shared;
        shared.wait(|session| session.next_event(subscriber)).await
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.connection.shared.lock().unsubscribe(self.subscriber);
    }
}

/// A call whose outcome has not been taken. The session forgets it when it is
/// dropped.
struct PendingCall<'a> {
    shared: &'a Shared,
    id: RequestId,
}

impl PendingCall<'_> {
    async fn outcome(self, timeout: Duration) -> Result<Outcome, ClientError> {
        let outcome = self.shared.wait(|session| session.take_reply(&self.id));
        match timeout_at(deadline::after(timeout).into(), outcome).await {
            Ok(outcome) => outcome,
            Err(_elapsed) => Err(self.shared.lock().give_up(&self.id, timeout)),
        }
    }
}

impl Drop for PendingCall<'_> {
    fn drop(&mut self) {
        self.shared.lock().forget(&self.id);
    }
}

/// The task's handle to the shared state. The session ends with the task, also if
/// the runtime shuts down; otherwise callers in another runtime would wait forever.
struct EndOnDrop(Arc<Shared>);

impl Drop for EndOnDrop {
    fn drop(&mut self) {
        self.0.lock().receive_end();
        self.0.received.notify_waiters();
    }
}

/// Moves bytes between a stream and the session until the connection ends.
async fn move_bytes<S: AsyncRead + AsyncWrite>(
    mut reader: ReadHalf<S>,
    mut writer: WriteHalf<S>,
    end: EndOnDrop,
) {
    let mut receive = pin!(receive(&mut reader, &end.0));
    let mut send = pin!(send(&mut writer, &end.0));
    // Send first, because a flood of events can use up the task's budget of ready
    // operations in each turn; otherwise a request would wait for the flood's end.
    let error = future::poll_fn(|context| match send.as_mut().poll(context) {
        Poll::Pending => receive.as_mut().poll(context),
        ended => ended,
    });
    let error = error.await;
    end.0.lock().fail(error);
}

/// Receives until the connection ends, and returns the reason.
async fn receive<S: AsyncRead>(reader: &mut ReadHalf<S>, shared: &Shared) -> io::Error {
    let mut buffer = vec![0; CHUNK_BYTES];
    loop {
        let count = match reader.read(&mut buffer).await {
            Ok(0) => return io::ErrorKind::UnexpectedEof.into(),
            Ok(count) => count,
            Err(error) => return error,
        };
        let bytes = buffer.get(..count).unwrap_or_default();
        let mut session = shared.lock();
        session.receive(bytes);
        let has_ended = session.has_ended();
        drop(session);
        shared.received.notify_waiters();
        if has_ended {
            // The session knows a better reason, and keeps it.
            return io::ErrorKind::InvalidData.into();
        }
    }
}

/// Sends requests until that fails, and returns the error.
async fn send<S: AsyncWrite>(writer: &mut WriteHalf<S>, shared: &Shared) -> io::Error {
    loop {
        // A copy, because the session must not be locked while the stream is written.
        let chunk = first_bytes(shared.lock().unsent()).to_vec();
        if chunk.is_empty() {
            shared.requested.notified().await;
            continue;
        }
        match write(writer, &chunk).await {
            Ok(count) => shared.lock().sent(count),
            Err(error) => return error,
        }
    }
}

/// Writes or reads once.
async fn step<S: AsyncRead + AsyncWrite>(
    session: &mut Session,
    reader: &mut ReadHalf<S>,
    writer: &mut WriteHalf<S>,
    buffer: &mut [u8],
) -> io::Result<()> {
    let unsent = first_bytes(session.unsent());
    if !unsent.is_empty() {
        let count = write(writer, unsent).await?;
        session.sent(count);
        return Ok(());
    }
    let count = reader.read(buffer).await?;
    match buffer.get(..count) {
        None | Some([]) => session.receive_end(),
        Some(bytes) => session.receive(bytes),
    }
    Ok(())
}

/// Writes some bytes through to the peer, and returns their number.
async fn write<S: AsyncWrite>(writer: &mut WriteHalf<S>, bytes: &[u8]) -> io::Result<usize> {
    let count = writer.write(bytes).await?;
    if count == 0 {
        return Err(io::ErrorKind::WriteZero.into());
    }
    // Streams of TLS buffer what is written.
    writer.flush().await?;
    Ok(count)
}

fn first_bytes(bytes: &[u8]) -> &[u8] {
    bytes.get(..CHUNK_BYTES).unwrap_or(bytes)
}

/// Waits for a connection until the deadline.
async fn within<S>(
    deadline: Instant,
    connect: impl Future<Output = io::Result<S>>,
    address: impl FnOnce() -> String,
) -> Result<S, ClientError> {
    let connected = match timeout_at(deadline.into(), connect).await {
        Ok(connected) => connected,
        Err(_elapsed) => Err(io::ErrorKind::TimedOut.into()),
    };
    connected.map_err(|error| ClientError::Connect {
        address: address(),
        error: Arc::new(error),
    })
}
