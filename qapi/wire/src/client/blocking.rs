//! The client of a program without an async runtime.
//!
//! In: a transport and typed requests, one at a time. Out: typed replies, and
//! events. Only this file waits; the session knows what for.

use std::io;
use std::net::TcpStream;
#[cfg(unix)]
use std::os::unix::net::UnixStream;
#[cfg(unix)]
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::thread;
use std::time::{Duration, Instant};

use super::deadline;
use super::error::ClientError;
use super::options::Options;
use super::session::{Session, Subscriber, decode_reply};
use super::transport::Transport;
use super::version::Version;
use crate::command::Request;
use crate::message::{EventMessage, Outcome, RequestId};
use crate::value::Dict;

/// The number of bytes that are read at a time: a reply about some vCPUs. Each client keeps
/// the buffer, and a program can have a thousand clients.
const READ_BYTES: usize = 4 << 10;

/// A connection to a QMP server, for one thread: calls wait for their reply.
///
/// The client reads only during calls. Events that come meanwhile are kept for
/// [`next_event`](Self::next_event), within
/// [`event_bytes_max`](Options::event_bytes_max).
///
/// See the [module](super) for an example.
#[derive(Debug)]
pub struct Client<T> {
    session: Session,
    transport: T,
    buffer: Box<[u8]>,
    subscriber: Subscriber,
    version: Version,
}

#[cfg(unix)]
impl Client<UnixStream> {
    /// Connects to the Unix socket at `path`, and negotiates capabilities.
    ///
    /// A thread connects, because the system's call waits without a timeout if the
    /// server does not accept; after a timeout that thread remains until the server
    /// accepts or ends.
    ///
    /// # Errors
    ///
    /// Returns a [`ClientError`] if the server cannot be reached, does not speak QMP
    /// or takes longer than [`Options::timeout`].
    pub fn connect_unix(path: impl AsRef<Path>, options: Options) -> Result<Self, ClientError> {
        let path = path.as_ref().to_owned();
        let address = path.display().to_string();
        let deadline = deadline::after(options.timeout);
        let stream = within(address, deadline, move || UnixStream::connect(path))?;
        Self::open(stream, options, deadline)
    }
}

impl Client<TcpStream> {
    /// Connects to a TCP port, given as `host:port`, and negotiates capabilities.
    ///
    /// # Errors
    ///
    /// Returns a [`ClientError`] if the server cannot be reached, does not speak QMP
    /// or takes longer than [`Options::timeout`].
    pub fn connect_tcp(address: &str, options: Options) -> Result<Self, ClientError> {
        let deadline = deadline::after(options.timeout);
        let target = address.to_owned();
        let connect = move || {
            let stream = TcpStream::connect(target)?;
            // Requests are sent whole; without this the kernel may wait for more.
            stream.set_nodelay(true)?;
            Ok(stream)
        };
        let stream = within(address.to_owned(), deadline, connect)?;
        Self::open(stream, options, deadline)
    }
}

impl<T: Transport> Client<T> {
    /// Negotiates capabilities over a stream that is connected.
    ///
    /// # Errors
    ///
    /// Returns a [`ClientError`] if the server does not speak QMP or takes longer
    /// than [`Options::timeout`].
    pub fn over(transport: T, options: Options) -> Result<Self, ClientError> {
        Self::open(transport, options, deadline::after(options.timeout))
    }

    fn open(mut transport: T, options: Options, deadline: Instant) -> Result<Self, ClientError> {
        let mut session = Session::new(options);
        // Subscribe first, because events can come together with the reply that ends
        // the negotiation.
        let subscriber = session.subscribe(options.event_bytes_max);
        let mut buffer = vec![0; READ_BYTES].into_boxed_slice();
        let version = loop {
            if let Some(version) = session.version() {
                break version.clone();
            }
            if let Some(error) = session.error() {
                return Err(error.clone());
            }
            let deadline = session.opening_deadline(deadline, Instant::now());
            if !step(&mut session, &mut transport, &mut buffer, deadline) {
                return Err(session.give_up_opening(options.timeout));
            }
        };
        Ok(Self {
            session,
            transport,
            buffer,
            subscriber,
            version,
        })
    }

    /// Returns the version in the server's greeting.
    #[must_use]
    pub fn version(&self) -> &Version {
        &self.version
    }

    /// Returns the session: the greeting, and the numbers of replies that nobody
    /// waited for.
    #[must_use]
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// Returns the session and the transport, for another driver. The session keeps
    /// what has been received, but not the client's subscription to events.
    #[must_use]
    pub fn into_parts(self) -> (Session, T) {
        let mut session = self.session;
        session.unsubscribe(self.subscriber);
        (session, self.transport)
    }

    /// Executes a command and decodes its result.
    ///
    /// # Errors
    ///
    /// Returns a [`ClientError`] if the server refuses the command, if no reply comes
    /// within [`Options::timeout`], or if the result does not have the command's
    /// type.
    pub fn execute<R: Request>(&mut self, request: &R) -> Result<R::Reply, ClientError> {
        self.execute_within(request, self.session.options().timeout)
    }

    /// Executes a command like [`execute`](Self::execute), with a timeout of its
    /// own.
    ///
    /// # Errors
    ///
    /// See [`execute`](Self::execute).
    pub fn execute_within<R: Request>(
        &mut self,
        request: &R,
        timeout: Duration,
    ) -> Result<R::Reply, ClientError> {
        let id = self.session.call(request)?;
        decode_reply::<R>(self.outcome(&id, timeout))
    }

    /// Executes a command out of band: the server executes it although an earlier
    /// command, whose call has timed out, has not finished.
    ///
    /// # Errors
    ///
    /// Returns [`ClientError::NotOutOfBand`] if the command does not allow it, or if
    /// the server has not enabled it. See also [`execute`](Self::execute).
    pub fn execute_out_of_band<R: Request>(
        &mut self,
        request: &R,
    ) -> Result<R::Reply, ClientError> {
        decode_reply::<R>(self.call_with(|session| session.call_out_of_band(request)))
    }

    /// Executes a command, and returns the reply undecoded. A reply that says that the
    /// command failed is an [`Outcome`].
    ///
    /// # Errors
    ///
    /// Returns a [`ClientError`] if no reply comes within [`Options::timeout`].
    pub fn call<R: Request>(&mut self, request: &R) -> Result<Outcome, ClientError> {
        self.call_with(|session| session.call(request))
    }

    /// Sends a request that has the members `body`, for example `execute` and
    /// `arguments`, for a command that has no type here. An id of the client's
    /// replaces any in `body`.
    ///
    /// # Errors
    ///
    /// Returns a [`ClientError`] if no reply comes within [`Options::timeout`].
    pub fn call_untyped(&mut self, body: Dict) -> Result<Outcome, ClientError> {
        self.call_with(|session| session.call_untyped(body))
    }

    /// Makes a request with any method of the session, and waits for the outcome.
    ///
    /// # Errors
    ///
    /// Returns the error of `call`, or a [`ClientError`] if no reply comes within
    /// [`Options::timeout`].
    pub fn call_with(
        &mut self,
        call: impl FnOnce(&mut Session) -> Result<RequestId, ClientError>,
    ) -> Result<Outcome, ClientError> {
        let id = call(&mut self.session)?;
        self.outcome(&id, self.session.options().timeout)
    }

    /// Returns the oldest event that has not been returned, or waits for the next one.
    /// Returns `None` if no event comes within `timeout`.
    ///
    /// ```no_run
    /// # use qapi_wire::client::{Client, ClientError, Options};
    /// # use std::time::Duration;
    /// # fn main() -> Result<(), ClientError> {
    /// let mut client = Client::connect_unix("qmp.sock", Options::default())?;
    /// while let Some(event) = client.next_event(Duration::from_secs(60))? {
    ///     // With a generated enum: `event.decode(Event::decode)`.
    ///     println!("{} {}", event.name(), qapi_wire::to_json(&event.data()));
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Returns [`ClientError::EventsLost`] once if events were dropped before the
    /// next one, because too much memory was used; and the error of a connection
    /// that has ended after the last event.
    pub fn next_event(&mut self, timeout: Duration) -> Result<Option<EventMessage>, ClientError> {
        let subscriber = self.subscriber;
        let event = self.wait(timeout, |session| session.next_event(subscriber));
        event.transpose()
    }

    /// Waits for the outcome of a call.
    fn outcome(&mut self, id: &RequestId, timeout: Duration) -> Result<Outcome, ClientError> {
        let outcome = self.wait(timeout, |session| session.take_reply(id));
        outcome.unwrap_or_else(|| Err(self.session.give_up(id, timeout)))
    }

    /// Moves bytes until `done` returns a value. Returns `None` if it does not within
    /// `timeout`.
    fn wait<V>(
        &mut self,
        timeout: Duration,
        mut done: impl FnMut(&mut Session) -> Option<V>,
    ) -> Option<V> {
        let deadline = deadline::after(timeout);
        loop {
            if let Some(value) = done(&mut self.session) {
                return Some(value);
            }
            let (transport, buffer) = (&mut self.transport, &mut self.buffer);
            if !step(&mut self.session, transport, buffer, deadline) {
                return None;
            }
        }
    }
}

/// Writes or reads once. Returns `false` if the deadline has passed.
fn step(
    session: &mut Session,
    transport: &mut impl Transport,
    buffer: &mut [u8],
    deadline: Instant,
) -> bool {
    let unsent = session.unsent();
    let moved = if unsent.is_empty() {
        let read = transport.read(buffer, Some(deadline));
        read.map(|count| match buffer.get(..count) {
            None | Some([]) => session.receive_end(),
            Some(bytes) => session.receive(bytes),
        })
    } else {
        let written = transport.write(unsent, deadline);
        written.and_then(|count| match count {
            0 => Err(io::ErrorKind::WriteZero.into()),
            count => {
                session.sent(count);
                Ok(())
            }
        })
    };
    match moved.map_err(|error| (error.kind(), error)) {
        Ok(()) | Err((io::ErrorKind::Interrupted, _)) => true,
        Err((io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock, _)) => false,
        Err((_, error)) => {
            session.fail(error);
            true
        }
    }
}

/// Connects on another thread, and waits for it until the deadline.
fn within<S: Send + 'static>(
    address: String,
    deadline: Instant,
    connect: impl FnOnce() -> io::Result<S> + Send + 'static,
) -> Result<S, ClientError> {
    let (sender, connected) = sync_channel(1);
    let connected = thread::Builder::new()
        .name("qmp-connect".to_owned())
        // Sending fails if nobody waits any more. The stream is closed then.
        .spawn(move || drop(sender.send(connect())))
        .and_then(|_| deadline::remaining(deadline))
        .and_then(|left| {
            let outcome = connected.recv_timeout(left);
            outcome.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
        });
    connected.map_err(|error| ClientError::Connect {
        address,
        error: Arc::new(error),
    })
}
