//! A client that sends a request and waits for the reply.
//!
//! In: requests. Out: replies, each a line, which the client does not parse.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

use crate::tools::{Failure, text};

pub(in crate::bench) struct Client {
    stream: UnixStream,
    reply: Vec<u8>,
}

impl Client {
    pub(super) fn new(stream: UnixStream) -> Self {
        Self {
            stream,
            reply: vec![0; 1 << 20],
        }
    }

    /// Negotiates, so that the client may send commands.
    pub(in crate::bench) fn negotiated(stream: UnixStream) -> Result<Self, Failure> {
        let mut client = Self::new(stream);
        client.line()?;
        client.ask("{\"execute\": \"qmp_capabilities\"}\n")?;
        Ok(client)
    }

    pub(in crate::bench) fn ask(&mut self, request: &str) -> Result<&[u8], Failure> {
        self.stream.write_all(request.as_bytes()).map_err(text)?;
        self.line()
    }

    /// Reads one line.
    pub(in crate::bench) fn line(&mut self) -> Result<&[u8], Failure> {
        let mut filled = 0;
        loop {
            let room = self.reply.get_mut(filled..).unwrap_or_default();
            let count = self.stream.read(room).map_err(text)?;
            if count == 0 {
                return Err("a server has closed the connection".to_owned());
            }
            filled += count;
            let line = self.reply.get(..filled).unwrap_or_default();
            if line.ends_with(b"\n") {
                break;
            }
            if filled == self.reply.len() {
                self.reply.resize(2 * filled, 0);
            }
        }
        Ok(self.reply.get(..filled).unwrap_or_default())
    }
}
