//! The address of a monitor, and how to connect to it.
//!
//! In: an address. Out: a connected stream, or the reason against it in words for
//! an operator. This room knows no protocol above TLS.

mod address;
mod host_folder;
mod socket_file;
mod tcp;
mod unix;

use std::io;
use std::time::Instant;

use rustix::io::Errno;
use vsock::VsockStream;

use crate::stream::Stream;
use crate::tls::{self, TlsStream};

pub use address::{Endpoint, HostPort, SECOND_MONITOR};
pub use host_folder::{HOST_FOLDER, explain_missing, socket_name, vms_folder, vms_in};

impl Endpoint {
    /// Connects before the deadline.
    ///
    /// # Errors
    ///
    /// Returns [`TimedOut`](io::ErrorKind::TimedOut) if the deadline passes,
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) if TLS has no certificate
    /// or this build has no TLS,
    /// and otherwise an error with the kernel's kind. Its text says what to do.
    pub fn connect(&self, deadline: Instant) -> io::Result<Stream> {
        match self {
            Self::Unix(path) => {
                let connected = unix::connect(path, deadline);
                connected.map_err(|error| {
                    let reason = socket_file::explain(path, &error);
                    io::Error::new(error.kind(), reason)
                })
            }
            Self::Abstract(name) => unix::connect_abstract(name, deadline),
            Self::Tcp(address) => {
                let stream = tcp::connect(address, deadline)?;
                Ok(Stream::Plain(stream.into()))
            }
            // The kernel gives up after two seconds, so no deadline is needed.
            Self::Vsock { cid, port } => {
                let connected = VsockStream::connect_with_cid_port(*cid, *port);
                let stream = connected.map_err(|error| explain_vsock(&error))?;
                Ok(Stream::Plain(stream.into()))
            }
            Self::Tls {
                address,
                credentials,
            } => {
                let folder = tls::folder(credentials.as_deref())?;
                let stream = tcp::connect(address, deadline)?;
                TlsStream::new(stream, &address.host, folder).map(Stream::Tls)
            }
        }
    }

    /// Returns whether a program that is starting could remove this error of
    /// [`connect`](Self::connect): nobody listens yet, and nothing is in the way.
    #[must_use]
    pub fn may_appear_after(&self, error: &io::Error) -> bool {
        match (self, error.kind()) {
            (Self::Unix(path), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) => {
                socket_file::may_appear(path)
            }
            (_, kind) => kind == io::ErrorKind::ConnectionRefused,
        }
    }
}

fn explain_vsock(error: &io::Error) -> io::Error {
    let reason = match error.raw_os_error().map(Errno::from_raw_os_error) {
        Some(Errno::CONNRESET) => "nobody listens at that port".to_owned(),
        Some(Errno::NODEV) => "no guest has that CID".to_owned(),
        Some(Errno::AFNOSUPPORT) => "this kernel has no vsock".to_owned(),
        _ => error.to_string(),
    };
    io::Error::new(error.kind(), reason)
}
