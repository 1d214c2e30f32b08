//! A thread that reads from a server all the time.
//!
//! In: the session of a connection, and its stream. Out: the reply that a caller
//! waits for; and, at any time, notices of events and of the end of the connection.

use std::io;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use qapi_wire::client::{
    ClientError as SessionError, Session, Subscriber, Transport as _, deadline,
};
use qapi_wire::message::{EventMessage, Outcome, RequestId};

use super::error::ClientError;
use crate::lock::Lock;
use crate::stream::Stream;

/// The number of bytes that are read at a time.
const READ_BYTES: usize = 64 << 10;

/// An action of the server that no request asked for.
#[derive(Debug)]
pub enum Notice {
    /// The server sent an event.
    Event(EventMessage),
    /// The server sent a reply to a request that was never sent. All such replies
    /// are dropped; the notice comes once.
    UnexpectedReply,
    /// The server ended the connection while nobody waited for a reply.
    Closed,
}

/// A function that takes notices on the thread that reads. While the function
/// runs nothing is read, so a slow function slows the server down.
pub type Notify = Box<dyn FnMut(Notice) + Send>;

/// The callers' side of the thread.
#[derive(Debug)]
pub(super) struct Background {
    shared: Arc<Lock<Shared>>,
    stream: Stream,
}

/// The state that the thread and the callers share.
#[derive(Debug)]
struct Shared {
    session: Session,
    /// Whether a caller waits for the end of the connection or has caused it. The
    /// end is not worth a notice then.
    expects_end: bool,
}

impl Background {
    /// Starts the thread.
    pub(super) fn start(
        mut session: Session,
        stream: Stream,
        notify: Notify,
    ) -> Result<Self, ClientError> {
        let reading = stream.try_clone().map_err(ClientError::Transport)?;
        // Events are passed on at once, so the limits of a message bound their memory.
        let subscriber = session.subscribe(usize::MAX);
        let shared = Arc::new(Lock::new(Shared {
            session,
            expects_end: false,
        }));
        let reader = Reader {
            stream: reading,
            shared: Arc::clone(&shared),
            subscriber,
            notify,
            has_told_of_reply: false,
        };
        thread::Builder::new()
            .name("monitor".to_owned())
            .spawn(move || reader.run())
            .map_err(ClientError::Transport)?;
        Ok(Self { shared, stream })
    }

    /// Makes a request with `call`, and waits for the reply.
    pub(super) fn exchange(
        &mut self,
        timeout: Duration,
        call: impl FnOnce(&mut Session) -> Result<RequestId, SessionError>,
    ) -> Result<Outcome, SessionError> {
        let deadline = deadline::after(timeout);
        let mut shared = self.shared.lock();
        let id = call(&mut shared.session)?;
        drop(shared);
        let is_sent = self.send(deadline);
        let mut outcome = None;
        let mut shared = self.shared.lock();
        let left = if is_sent {
            deadline.saturating_duration_since(Instant::now())
        } else {
            Duration::ZERO
        };
        let waits = |shared: &mut Shared| {
            outcome = shared.session.take_reply(&id);
            outcome.is_none()
        };
        shared = self.shared.wait_while(shared, left, waits);
        outcome.unwrap_or_else(|| Err(shared.session.give_up(&id, timeout)))
    }

    /// Sends all requests. Returns `false` if the deadline has passed.
    fn send(&mut self, deadline: Instant) -> bool {
        loop {
            // A copy, because the thread must be able to receive while the stream is
            // written.
            let unsent = self.shared.lock().session.unsent().to_vec();
            if unsent.is_empty() {
                return true;
            }
            match self.stream.write(&unsent, deadline) {
                Ok(count) => self.shared.lock().session.sent(count),
                Err(error) => match error.kind() {
                    io::ErrorKind::Interrupted => {}
                    io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => return false,
                    _ => self.shared.lock().session.fail(error),
                },
            }
        }
    }

    pub(super) fn has_ended(&self) -> bool {
        self.shared.lock().session.has_ended()
    }

    /// Waits for the end of the connection.
    pub(super) fn wait_for_end(&self, timeout: Duration) {
        let mut shared = self.shared.lock();
        shared.expects_end = true;
        let is_open = |shared: &mut Shared| !shared.session.has_ended();
        drop(self.shared.wait_while(shared, timeout, is_open));
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        // Announce the end first, so that the thread ends without a notice when it
        // reads the end of the stream.
        self.shared.lock().expects_end = true;
        self.stream.shut_down();
    }
}

/// The thread that reads.
struct Reader {
    stream: Stream,
    shared: Arc<Lock<Shared>>,
    subscriber: Subscriber,
    notify: Notify,
    has_told_of_reply: bool,
}

impl Reader {
    fn run(mut self) {
        let mut buffer = vec![0; READ_BYTES];
        let is_news = loop {
            match self.stream.read(&mut buffer, None) {
                Ok(0) => self.shared.lock().session.receive_end(),
                Ok(count) => self.receive(buffer.get(..count).unwrap_or_default()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => self.shared.lock().session.fail(error),
            }
            let shared = self.shared.lock();
            if shared.session.has_ended() {
                break !shared.session.awaits_reply() && !shared.expects_end;
            }
        };
        self.shared.notify();
        if is_news {
            (self.notify)(Notice::Closed);
        }
    }

    /// Hands bytes to the session line by line, because a line is a message and the
    /// events before a reply must be shown before the reply.
    fn receive(&mut self, bytes: &[u8]) {
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            let mut events = Vec::new();
            let mut shared = self.shared.lock();
            shared.session.receive(line);
            while let Some(Ok(event)) = shared.session.next_event(self.subscriber) {
                events.push(event);
            }
            let has_foreign = shared.session.foreign_replies() > 0;
            drop(shared);
            self.shared.notify();
            for event in events {
                (self.notify)(Notice::Event(event));
            }
            if has_foreign && !self.has_told_of_reply {
                self.has_told_of_reply = true;
                (self.notify)(Notice::UnexpectedReply);
            }
        }
    }
}
