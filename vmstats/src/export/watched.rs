//! A stream that fails when its peer takes nothing.
//!
//! In: a stream. Out: the same bytes, or an error if a write makes no progress for too
//! long. This file knows no protocol above the stream.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

/// A stream whose writes have a timeout, which each accepted byte renews.
#[derive(Debug)]
pub(super) struct Watched<S> {
    stream: S,
    timeout: Duration,
    timer: Pin<Box<Sleep>>,
    /// True while a write waits.
    is_waiting: bool,
}

impl<S> Watched<S> {
    /// Watches a stream. Call it within a runtime of tokio.
    pub(super) fn new(stream: S, timeout: Duration) -> Self {
        Self {
            stream,
            timeout,
            timer: Box::pin(sleep(timeout)),
            is_waiting: false,
        }
    }

    /// Returns the outcome of a write, or an error if the peer has taken nothing for too
    /// long.
    fn outcome(
        &mut self,
        context: &mut Context<'_>,
        written: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        if written.is_ready() {
            self.is_waiting = false;
            return written;
        }
        if !self.is_waiting {
            self.timer.as_mut().reset(Instant::now() + self.timeout);
            self.is_waiting = true;
        }
        let timer = self.timer.as_mut();
        timer.poll(context).map(|()| {
            let why = "the client does not take its response";
            Err(io::Error::new(io::ErrorKind::TimedOut, why))
        })
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.outcome(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.outcome(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::io::Read;

    use tokio::net::UnixStream;

    use super::*;

    #[test]
    fn write_fails_when_the_peer_stops_reading_and_not_before() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let (ours, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
            ours.set_nonblocking(true).unwrap();
            let ours = UnixStream::from_std(ours).unwrap();
            let mut watched = Watched::new(ours, Duration::from_millis(200));
            // A slow reader takes some every 50 ms, for longer than the timeout.
            let reader = std::thread::spawn(move || {
                let mut theirs = theirs;
                for _ in 0..20 {
                    std::thread::sleep(Duration::from_millis(50));
                    theirs.read_exact(&mut vec![0; 256 << 10]).unwrap();
                }
                theirs
            });
            let bytes = vec![0; 64 << 10];
            let mut total = 0;
            let error = loop {
                let write = poll_fn(|context| Pin::new(&mut watched).poll_write(context, &bytes));
                match write.await {
                    Ok(count) => total += count,
                    Err(error) => break error,
                }
            };
            assert_eq!(error.kind(), io::ErrorKind::TimedOut);
            assert!(total >= 20 * (256 << 10), "{total}");
            drop(reader.join().unwrap());
        });
    }
}
