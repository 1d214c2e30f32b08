//! Connecting to a TCP port.
//!
//! In: a host and a port. Out: a stream to the first of the host's addresses that
//! answers, before a deadline; or why each address failed.

use std::io;
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::os::fd::OwnedFd;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, sockopt};

use super::address::HostPort;
use qapi_wire::client::deadline::remaining;

/// The time after which the next address is tried while earlier ones have not
/// answered; RFC 8305 recommends it.
const ATTEMPT_INTERVAL: Duration = Duration::from_millis(250);

// A host that has vanished is noticed after a minute of silence.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(30);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);
const KEEPALIVE_PROBES: u32 = 3;

/// Connects to the first address that answers.
pub(super) fn connect(address: &HostPort, deadline: Instant) -> io::Result<TcpStream> {
    let addresses = alternate_families(resolve(address, deadline)?);
    let stream = connect_to_any(&addresses, deadline)?;
    stream.set_nodelay(true)?;
    sockopt::set_socket_keepalive(&stream, true)?;
    sockopt::set_tcp_keepidle(&stream, KEEPALIVE_IDLE)?;
    sockopt::set_tcp_keepintvl(&stream, KEEPALIVE_INTERVAL)?;
    sockopt::set_tcp_keepcnt(&stream, KEEPALIVE_PROBES)?;
    Ok(stream)
}

/// Returns the addresses of a host. The system's resolver has its own deadlines,
/// of many seconds, so it runs on a thread which nobody waits for after ours.
fn resolve(address: &HostPort, deadline: Instant) -> io::Result<Vec<SocketAddr>> {
    let HostPort { host, port } = address.clone();
    let (sender, receiver) = mpsc::channel();
    thread::Builder::new()
        .name("resolver".to_owned())
        .spawn(move || {
            let resolved = (host.as_str(), port).to_socket_addrs();
            // Fails if the deadline has passed.
            let _ = sender.send(resolved.map(Vec::from_iter));
        })?;
    let resolved = receiver.recv_timeout(remaining(deadline)?);
    let host = &address.host;
    match resolved {
        Ok(Ok(addresses)) if !addresses.is_empty() => Ok(addresses),
        Ok(Ok(_)) => Err(io::Error::other(format!("'{host}' has no address"))),
        Ok(Err(error)) => {
            let reason = format!("the address of '{host}' cannot be found: {error}");
            Err(io::Error::other(reason))
        }
        Err(_) => {
            let reason = format!("the address of '{host}' was not found in time");
            Err(io::Error::new(io::ErrorKind::TimedOut, reason))
        }
    }
}

/// Orders addresses so that IPv6 and IPv4 take turns, beginning with the family
/// that the system prefers.
fn alternate_families(addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let is_preferred = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let (first, second): (Vec<_>, Vec<_>) = addresses
        .into_iter()
        .partition(|address| address.is_ipv6() == is_preferred);
    let mut ordered = Vec::with_capacity(first.len() + second.len());
    let (mut first, mut second) = (first.into_iter(), second.into_iter());
    loop {
        let pair = [first.next(), second.next()];
        if pair == [None, None] {
            return ordered;
        }
        ordered.extend(pair.into_iter().flatten());
    }
}

/// An attempt to connect that has not ended.
struct Attempt {
    address: SocketAddr,
    socket: OwnedFd,
}

/// Connects to the first address that answers. The attempts begin one after the
/// other, early enough that each address is tried before the deadline.
fn connect_to_any(addresses: &[SocketAddr], deadline: Instant) -> io::Result<TcpStream> {
    let share = u32::try_from(addresses.len())
        .map(|count| remaining(deadline).map(|left| left / count.max(1)));
    let interval = match share {
        Ok(share) => ATTEMPT_INTERVAL.min(share?),
        Err(_) => Duration::ZERO,
    };
    let mut untried = addresses.iter().copied();
    let mut next_start = Instant::now();
    let mut attempts: Vec<Attempt> = Vec::new();
    let mut failures: Vec<(SocketAddr, io::Error)> = Vec::new();
    loop {
        if untried.len() > 0 && (attempts.is_empty() || Instant::now() >= next_start) {
            let Some(address) = untried.next() else {
                continue;
            };
            next_start = Instant::now() + interval;
            match begin(&address) {
                Ok(socket) => attempts.push(Attempt { address, socket }),
                Err(error) => failures.push((address, error)),
            }
        }
        if attempts.is_empty() && untried.len() == 0 {
            return Err(summarize(&failures));
        }
        let until = if untried.len() > 0 {
            next_start.min(deadline)
        } else {
            deadline
        };
        wait(&attempts, until)?;
        let mut index = 0;
        while let Some(attempt) = attempts.get(index) {
            match outcome(attempt) {
                None => index += 1,
                Some(outcome) => {
                    let Attempt { address, socket } = attempts.swap_remove(index);
                    match outcome {
                        Ok(()) => {
                            rustix::io::ioctl_fionbio(&socket, false)?;
                            return Ok(socket.into());
                        }
                        Err(error) => failures.push((address, error)),
                    }
                }
            }
        }
        if Instant::now() >= deadline {
            let late = attempts
                .iter()
                .map(|attempt| attempt.address)
                .chain(untried);
            failures.extend(late.map(|address| (address, io::ErrorKind::TimedOut.into())));
            return Err(summarize(&failures));
        }
    }
}

fn begin(address: &SocketAddr) -> io::Result<OwnedFd> {
    let family = match address {
        SocketAddr::V4(_) => AddressFamily::INET,
        SocketAddr::V6(_) => AddressFamily::INET6,
    };
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = rustix::net::socket_with(family, SocketType::STREAM, flags, None)?;
    match rustix::net::connect(&socket, address) {
        Ok(()) | Err(Errno::INPROGRESS | Errno::INTR) => Ok(socket),
        Err(errno) => Err(errno.into()),
    }
}

/// Waits until an attempt ends or the time comes.
fn wait(attempts: &[Attempt], until: Instant) -> io::Result<()> {
    let left = until.saturating_duration_since(Instant::now());
    let sockets = attempts.iter().map(|attempt| &attempt.socket);
    let mut sockets: Vec<_> = sockets
        .map(|socket| PollFd::new(socket, PollFlags::OUT))
        .collect();
    match rustix::event::poll(&mut sockets, Timespec::try_from(left).ok().as_ref()) {
        Ok(_) | Err(Errno::INTR) => Ok(()),
        Err(errno) => Err(errno.into()),
    }
}

/// Returns how an attempt has ended; `None` if it goes on.
fn outcome(attempt: &Attempt) -> Option<io::Result<()>> {
    match sockopt::socket_error(&attempt.socket) {
        Ok(Err(errno)) | Err(errno) => return Some(Err(errno.into())),
        Ok(Ok(())) => {}
    }
    // Without an error, a socket that has no peer is still being connected.
    rustix::net::getpeername(&attempt.socket).ok()?;
    let own = rustix::net::getsockname(&attempt.socket).and_then(SocketAddr::try_from);
    // The kernel may choose the wanted port for our side, and connects the socket
    // to itself.
    if own == Ok(attempt.address) {
        return Some(Err(io::ErrorKind::ConnectionRefused.into()));
    }
    Some(Ok(()))
}

/// Returns one error for all addresses, of the kind of the first.
fn summarize(failures: &[(SocketAddr, io::Error)]) -> io::Error {
    let Some((_, first)) = failures.first() else {
        return io::ErrorKind::TimedOut.into();
    };
    let reason = |error: &io::Error| match error.kind() {
        io::ErrorKind::ConnectionRefused => "nobody listens there".to_owned(),
        io::ErrorKind::TimedOut => "no answer in time".to_owned(),
        _ => error.to_string(),
    };
    let text = if let [(_, only)] = failures {
        reason(only)
    } else {
        let each = failures.iter();
        let each = each.map(|(address, error)| format!("{address}: {}", reason(error)));
        each.collect::<Vec<_>>().join("; ")
    };
    // As long as one address could begin to listen, the host could.
    let kinds = failures.iter().map(|(_, error)| error.kind());
    let refused = io::ErrorKind::ConnectionRefused;
    let kind = kinds.fold(
        first.kind(),
        |kind, other| if other == refused { other } else { kind },
    );
    io::Error::new(kind, text)
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    fn soon(milliseconds: u64) -> Instant {
        Instant::now() + Duration::from_millis(milliseconds)
    }

    /// An address whose queue is full, so that it answers nobody; and the sockets
    /// that make it so.
    fn silent() -> (SocketAddr, Vec<OwnedFd>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        rustix::net::listen(&listener, 0).unwrap();
        let address = listener.local_addr().unwrap();
        let clients = (0..3).map(|_| begin(&address).unwrap());
        let mut sockets: Vec<OwnedFd> = clients.collect();
        thread::sleep(Duration::from_millis(50));
        sockets.push(listener.into());
        (address, sockets)
    }

    #[test]
    fn second_address_is_reached_when_the_first_is_silent_or_refuses() {
        let (silent, _sockets) = silent();
        let refusing: SocketAddr = "127.0.0.1:1".parse().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        for addresses in [
            vec![silent, address],
            vec![refusing, address],
            vec![silent, refusing, silent, address],
        ] {
            let stream = connect_to_any(&addresses, soon(400)).unwrap();
            assert_eq!(stream.peer_addr().unwrap(), address, "{addresses:?}");
        }
        let stream = connect(
            &HostPort {
                host: "localhost".to_owned(),
                port: address.port(),
            },
            soon(5000),
        );
        assert!(sockopt::socket_keepalive(stream.unwrap()).unwrap());
    }

    #[test]
    fn error_names_each_address_when_none_answers() {
        let (silent, _sockets) = silent();
        let refusing: SocketAddr = "127.0.0.1:1".parse().unwrap();
        let begin = Instant::now();
        let error = connect_to_any(&[silent, refusing], soon(300)).unwrap_err();
        assert!(begin.elapsed() < Duration::from_secs(5));
        assert_eq!(
            error.to_string(),
            format!("127.0.0.1:1: nobody listens there; {silent}: no answer in time")
        );
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
        let error = connect_to_any(&[refusing], soon(300)).unwrap_err();
        assert_eq!(error.to_string(), "nobody listens there");
    }

    #[test]
    fn families_take_turns() {
        let parse = |text: &str| text.parse::<SocketAddr>().unwrap();
        let [a, b, c, d] = ["[::1]:1", "[::2]:1", "[::3]:1", "127.0.0.1:1"].map(parse);
        assert_eq!(alternate_families(vec![a, b, c, d]), [a, d, b, c]);
        assert_eq!(alternate_families(vec![d, a, b]), [d, a, b]);
    }
}
