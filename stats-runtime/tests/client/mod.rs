//! A client that reads whole lines, for the tests of servers.

#![allow(dead_code, reason = "each test uses a part of it")]

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// The time after which a client gives up, so that a test fails instead of hanging.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct Client(pub(crate) BufReader<UnixStream>);

impl Client {
    pub(crate) fn new(stream: UnixStream) -> Self {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        // A thousand clients have small buffers.
        Self(BufReader::with_capacity(256, stream))
    }

    pub(crate) fn connect(path: &Path) -> Self {
        Self::new(UnixStream::connect(path).unwrap())
    }

    pub(crate) fn negotiated(path: &Path) -> Self {
        let mut client = Self::connect(path);
        assert!(client.read().starts_with("{\"QMP\""));
        assert_eq!(
            client.ask("{'execute': 'qmp_capabilities'}"),
            "{\"return\": {}}\r\n"
        );
        client
    }

    pub(crate) fn send(&mut self, request: &str) {
        self.0.get_mut().write_all(request.as_bytes()).unwrap();
    }

    pub(crate) fn read(&mut self) -> String {
        let mut line = String::new();
        self.0.read_line(&mut line).unwrap();
        line
    }

    pub(crate) fn ask(&mut self, request: &str) -> String {
        self.send(request);
        self.read()
    }

    pub(crate) fn reads_to_the_end(&mut self) -> String {
        let mut rest = String::new();
        self.0.read_to_string(&mut rest).unwrap();
        rest
    }
}
