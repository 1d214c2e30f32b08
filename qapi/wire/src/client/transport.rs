//! Streams of bytes on which a blocking client waits no longer than it wants.
//!
//! In: a socket, or any reader and writer. Out: reads and writes with deadlines.
//! This file knows no protocol.

use std::io::{self, Read, Write};
use std::net::TcpStream;
#[cfg(unix)]
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread;
use std::time::Instant;

use super::deadline::remaining;

/// A stream of bytes for [`Client`](super::Client). Implement it for other streams,
/// for example of TLS.
///
/// The client does not read while it writes a request. A server that stops reading
/// until its replies and events are read, and a request that is longer than the
/// stream's buffers, would wait for each other until the deadline; the session and
/// `AsyncClient` do both at once.
pub trait Transport {
    /// Reads the bytes that have come. Waits for the first byte until the deadline,
    /// or forever without a deadline. Returns 0 at the end of the stream.
    ///
    /// # Errors
    ///
    /// Returns [`TimedOut`](io::ErrorKind::TimedOut) or
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) if the deadline has passed, even if
    /// bytes have come, and otherwise the stream's error.
    fn read(&mut self, buffer: &mut [u8], deadline: Option<Instant>) -> io::Result<usize>;

    /// Writes some of `bytes`, and returns their number.
    ///
    /// # Errors
    ///
    /// Returns [`TimedOut`](io::ErrorKind::TimedOut) or
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) if the deadline passes first, and
    /// otherwise the stream's error.
    fn write(&mut self, bytes: &[u8], deadline: Instant) -> io::Result<usize>;
}

impl<T: Transport + ?Sized> Transport for Box<T> {
    fn read(&mut self, buffer: &mut [u8], deadline: Option<Instant>) -> io::Result<usize> {
        (**self).read(buffer, deadline)
    }

    fn write(&mut self, bytes: &[u8], deadline: Instant) -> io::Result<usize> {
        (**self).write(bytes, deadline)
    }
}

macro_rules! socket {
    ($socket:ty) => {
        impl Transport for $socket {
            fn read(&mut self, buffer: &mut [u8], deadline: Option<Instant>) -> io::Result<usize> {
                self.set_read_timeout(deadline.map(remaining).transpose()?)?;
                Read::read(self, buffer)
            }

            fn write(&mut self, bytes: &[u8], deadline: Instant) -> io::Result<usize> {
                self.set_write_timeout(Some(remaining(deadline)?))?;
                Write::write(self, bytes)
            }
        }
    };
}

socket!(TcpStream);
#[cfg(unix)]
socket!(UnixStream);

/// A reader and a writer that know no deadlines, for example the pipes of a QEMU
/// with `-qmp stdio`. A thread reads, so that a read can be given up.
///
/// A write has no deadline: it waits for as long as the peer does not read. The
/// thread ends with the stream: after its end or an error, or with the first bytes
/// after the pipes were dropped.
///
/// ```no_run
/// use std::process::{Command, Stdio};
///
/// use qapi_wire::client::{Client, Options, Pipes};
///
/// let mut qemu = Command::new("qemu-system-x86_64")
///     .args(["-machine", "none", "-display", "none", "-qmp", "stdio"])
///     .stdin(Stdio::piped())
///     .stdout(Stdio::piped())
///     .spawn()?;
/// let (output, input) = (qemu.stdout.take().unwrap(), qemu.stdin.take().unwrap());
/// let client = Client::over(Pipes::new(output, input)?, Options::default())?;
/// println!("QEMU {}", client.version());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Pipes<W> {
    chunks: Receiver<io::Result<Vec<u8>>>,
    /// Bytes that have come and that nobody has read.
    unread: io::Cursor<Vec<u8>>,
    writer: W,
}

/// The number of bytes that the thread reads at a time.
const CHUNK_BYTES: usize = 16 << 10;

impl<W: Write> Pipes<W> {
    /// Starts the thread that reads.
    ///
    /// # Errors
    ///
    /// Returns the system's error if there can be no thread.
    pub fn new(reader: impl Read + Send + 'static, writer: W) -> io::Result<Self> {
        let mut reader = reader;
        // Two chunks at most wait: one in the channel, and one in the thread.
        let (sender, chunks) = sync_channel(1);
        let read = move || {
            loop {
                let mut chunk = vec![0; CHUNK_BYTES];
                let read = match reader.read(&mut chunk) {
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                    read => read,
                };
                let is_last = !matches!(read, Ok(1..));
                let chunk = read.map(|count| {
                    chunk.truncate(count);
                    chunk
                });
                if sender.send(chunk).is_err() || is_last {
                    return;
                }
            }
        };
        thread::Builder::new()
            .name("qmp-reader".to_owned())
            .spawn(read)?;
        Ok(Self {
            chunks,
            unread: io::Cursor::default(),
            writer,
        })
    }
}

impl<W: Write> Transport for Pipes<W> {
    fn read(&mut self, buffer: &mut [u8], deadline: Option<Instant>) -> io::Result<usize> {
        let left = deadline.map(remaining).transpose()?;
        let count = self.unread.read(buffer)?;
        if count > 0 || buffer.is_empty() {
            return Ok(count);
        }
        let chunk = match left {
            Some(left) => self.chunks.recv_timeout(left),
            None => self.chunks.recv().map_err(RecvTimeoutError::from),
        };
        match chunk {
            Ok(chunk) => self.unread = io::Cursor::new(chunk?),
            Err(RecvTimeoutError::Timeout) => return Err(io::ErrorKind::TimedOut.into()),
            // The thread has ended, after the end of the stream or its error.
            Err(RecvTimeoutError::Disconnected) => return Ok(0),
        }
        self.unread.read(buffer)
    }

    fn write(&mut self, bytes: &[u8], deadline: Instant) -> io::Result<usize> {
        remaining(deadline)?;
        let count = self.writer.write(bytes)?;
        self.writer.flush()?;
        Ok(count)
    }
}
