//! A thread that reads from a server all the time.
//!
//! In: the receiving half of a connection. Out: the reply that a caller waits
//! for; and, at any time, notices of events and of the end of the connection. At
//! most one reply is kept, whatever the server sends.

use std::io;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use qapi_stats::wire::message::{EventMessage, Outcome, Reply, RequestId, RequestIds};

use super::error::ClientError;
use super::receiver::{Received, Receiver};
use crate::lock::Lock;
use crate::stream::Stream;

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
}

/// The state that the thread and the callers share.
#[derive(Debug, Default)]
struct Shared {
    /// The id of the request whose reply a caller waits for.
    awaited: Option<RequestId>,
    /// The reply, until the caller takes it.
    reply: Option<Outcome>,
    /// A reply without an id that came since the request was sent.
    unaddressed: Option<Reply>,
    /// Whether a caller waits for the end of the connection or has caused it. The
    /// end is not worth a notice then.
    expects_end: bool,
    has_ended: bool,
    /// The reason of the end, until a caller takes it.
    end: Option<ClientError>,
}

impl Background {
    /// Starts the thread.
    pub(super) fn start(
        receiver: Receiver,
        stream: Stream,
        ids: RequestIds,
        notify: Notify,
    ) -> Result<Self, ClientError> {
        let shared = Arc::new(Lock::default());
        let reader = Reader {
            receiver,
            stream,
            ids,
            shared: Arc::clone(&shared),
            notify,
            has_told_of_reply: false,
        };
        thread::Builder::new()
            .name("monitor".to_owned())
            .spawn(move || reader.run())
            .map_err(ClientError::Transport)?;
        Ok(Self { shared })
    }

    /// Calls `send`, which sends the request with this id, and waits for the
    /// reply.
    pub(super) fn exchange(
        &self,
        id: RequestId,
        deadline: Instant,
        send: impl FnOnce() -> io::Result<()>,
    ) -> Result<Outcome, ClientError> {
        let mut shared = self.shared.lock();
        // Set the id before the request is sent, because the reply may come at
        // once; a reply whose id is not awaited is dropped.
        shared.awaited = Some(id);
        shared.reply = None;
        shared.unaddressed = None;
        drop(shared);
        let sent = send();
        let mut shared = self.shared.lock();
        if sent.is_ok() {
            let left = deadline.saturating_duration_since(Instant::now());
            let is_open = |shared: &mut Shared| shared.reply.is_none() && !shared.has_ended;
            shared = self.shared.wait_while(shared, left, is_open);
        }
        shared.awaited = None;
        sent.map_err(ClientError::Transport)?;
        match shared.reply.take() {
            Some(reply) => Ok(reply),
            None if shared.has_ended => Err(shared.end.take().unwrap_or_else(ClientError::end)),
            None => {
                let unaddressed = shared.unaddressed.take();
                let unaddressed = unaddressed.map(ClientError::unaddressed);
                Err(unaddressed.unwrap_or_else(ClientError::timeout))
            }
        }
    }

    pub(super) fn has_ended(&self) -> bool {
        self.shared.lock().has_ended
    }

    /// Suppresses the notice of the connection's end.
    pub(super) fn expect_end(&self) {
        self.shared.lock().expects_end = true;
    }

    /// Waits for the end of the connection.
    pub(super) fn wait_for_end(&self, timeout: Duration) {
        let mut shared = self.shared.lock();
        shared.expects_end = true;
        let is_open = |shared: &mut Shared| !shared.has_ended;
        drop(self.shared.wait_while(shared, timeout, is_open));
    }
}

/// The thread that reads.
struct Reader {
    receiver: Receiver,
    stream: Stream,
    /// The client's ids, by which late replies are told from others' replies.
    ids: RequestIds,
    shared: Arc<Lock<Shared>>,
    notify: Notify,
    has_told_of_reply: bool,
}

impl Reader {
    fn run(mut self) {
        let end = loop {
            match self.receiver.next(&mut self.stream, None) {
                Ok(Received::Event(event)) => (self.notify)(Notice::Event(event)),
                Ok(Received::Reply(reply)) => self.deliver(reply),
                Err(error) => break error,
            }
        };
        let mut shared = self.shared.lock();
        shared.has_ended = true;
        shared.end = Some(end);
        let is_news = shared.awaited.is_none() && !shared.expects_end;
        drop(shared);
        self.shared.notify();
        if is_news {
            (self.notify)(Notice::Closed);
        }
    }

    /// Hands a reply to the caller that waits for it, or drops the reply.
    fn deliver(&mut self, reply: Reply) {
        let mut shared = self.shared.lock();
        let reply = match shared.awaited.take() {
            None => reply,
            Some(id) => match reply.open(&id) {
                Ok(outcome) => {
                    shared.reply = Some(outcome);
                    drop(shared);
                    return self.shared.notify();
                }
                Err(foreign) => {
                    shared.awaited = Some(id);
                    foreign
                }
            },
        };
        let is_late = reply.id().is_some_and(|id| self.ids.has_made(id));
        if reply.id().is_none() && shared.awaited.is_some() {
            shared.unaddressed = Some(reply);
        }
        drop(shared);
        if !is_late && !self.has_told_of_reply {
            self.has_told_of_reply = true;
            (self.notify)(Notice::UnexpectedReply);
        }
    }
}
