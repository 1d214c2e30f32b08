//! The interface of a running server.
//!
//! In: the address of a monitor. Out: its reply to `query-qmp-schema`.

use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use qapi_wire::command::{CommandInfo, Empty, Request};
use qapi_wire::json::Limits;
use qapi_wire::message::{Message, Messages, Outcome, RequestIds, Return, write_request};
use qapi_wire::{EncodeMembers, ObjectWriter, Value};

/// The time within which a server must answer.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The address of a monitor.
#[derive(Clone, Copy, Debug)]
pub(super) enum Address<'a> {
    Unix(&'a str),
    Tcp(&'a str),
}

impl<'a> Address<'a> {
    /// Parses `unix:PATH` and `tcp:HOST:PORT`.
    pub(super) fn parse(argument: &'a str) -> Option<Self> {
        if let Some(path) = argument.strip_prefix("unix:") {
            return Some(Self::Unix(path));
        }
        argument.strip_prefix("tcp:").map(Self::Tcp)
    }
}

trait Stream: Read + Write {}
impl Stream for UnixStream {}
impl Stream for TcpStream {}

struct Negotiate;

impl EncodeMembers for Negotiate {
    fn encode_members(&self, _: &mut ObjectWriter<'_, '_>) {}
}

impl Request for Negotiate {
    type Reply = Empty;
    const INFO: &'static CommandInfo = &CommandInfo::new("qmp_capabilities");
}

struct QuerySchema;

impl EncodeMembers for QuerySchema {
    fn encode_members(&self, _: &mut ObjectWriter<'_, '_>) {}
}

impl Request for QuerySchema {
    type Reply = Value;
    const INFO: &'static CommandInfo = &CommandInfo::new("query-qmp-schema");
}

/// Asks a server for its interface: an array of `SchemaInfo`.
pub(super) fn query_schema(address: Address<'_>) -> Result<Return, String> {
    let failed = |error: io::Error| match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => {
            "the monitor does not answer; perhaps another client is connected to it".to_owned()
        }
        io::ErrorKind::UnexpectedEof => "the monitor closed the connection".to_owned(),
        _ => error.to_string(),
    };
    let mut conversation = Conversation {
        stream: connect(address).map_err(failed)?,
        messages: Messages::new(Limits::default()),
        ids: RequestIds::new(),
        ends: Instant::now() + TIMEOUT,
    };
    while conversation.messages.next_greeting().is_none() {
        conversation.receive().map_err(failed)?;
    }
    conversation.ask(&Negotiate, failed)?;
    conversation.ask(&QuerySchema, failed)
}

fn connect(address: Address<'_>) -> io::Result<Box<dyn Stream>> {
    match address {
        Address::Unix(path) => {
            let stream = UnixStream::connect(path)?;
            stream.set_read_timeout(Some(TIMEOUT))?;
            stream.set_write_timeout(Some(TIMEOUT))?;
            Ok(Box::new(stream))
        }
        Address::Tcp(address) => {
            let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
            for address in address.to_socket_addrs()? {
                match TcpStream::connect_timeout(&address, TIMEOUT) {
                    Ok(stream) => {
                        stream.set_read_timeout(Some(TIMEOUT))?;
                        stream.set_write_timeout(Some(TIMEOUT))?;
                        return Ok(Box::new(stream));
                    }
                    Err(error) => last = error,
                }
            }
            Err(last)
        }
    }
}

struct Conversation {
    stream: Box<dyn Stream>,
    messages: Messages,
    ids: RequestIds,
    ends: Instant,
}

impl Conversation {
    fn receive(&mut self) -> io::Result<()> {
        if Instant::now() > self.ends {
            return Err(io::ErrorKind::TimedOut.into());
        }
        let mut bytes = [0; 16 << 10];
        let count = self.stream.read(&mut bytes)?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.messages
            .receive(bytes.get(..count).unwrap_or_default());
        Ok(())
    }

    /// Sends a request and returns its result.
    fn ask<R: Request>(
        &mut self,
        request: &R,
        failed: impl Fn(io::Error) -> String,
    ) -> Result<Return, String> {
        let id = self.ids.next_id();
        let mut line = Vec::new();
        write_request(&mut line, &id, request);
        self.stream.write_all(&line).map_err(&failed)?;
        loop {
            let message = match self.messages.next_message() {
                None => {
                    self.receive().map_err(&failed)?;
                    continue;
                }
                Some(message) => message.map_err(|error| error.to_string())?,
            };
            let Message::Reply(reply) = message else {
                continue;
            };
            match reply.open(&id) {
                Ok(Outcome::Return(value)) => return Ok(value),
                Ok(Outcome::Error(error)) => return Err(error.error().to_string()),
                Err(_) => {}
            }
        }
    }
}
