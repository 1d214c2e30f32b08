//! The client that waits, on real sockets and pipes.

use std::io::ErrorKind;
use std::net::TcpListener;
use std::os::unix::net::{UnixListener, UnixStream};
use std::time::{Duration, Instant};

use qapi_wire::client::{Client, ClientError, Options, Pipes};
use qapi_wire::message::Outcome;
use qapi_wire::{Dict, Value};

use crate::commands::{Sizes, Yank};
use crate::server::{Await, EMPTY, GREETING, Repeat, SIZES, Send, Sleep, Stay, Step};
use crate::server::{check_closed, closing, negotiated, serve};
use crate::socket_path::{SocketPath, fill_queue};

const SOON: Duration = Duration::from_millis(200);
const LONG: Duration = Duration::from_secs(20);

fn options(timeout: Duration) -> Options {
    Options::default().with_timeout(timeout)
}

/// A client of a server that does these steps.
fn client(steps: Vec<Step>, timeout: Duration) -> Result<Client<UnixStream>, ClientError> {
    let (ours, theirs) = UnixStream::pair().unwrap();
    serve(theirs.try_clone().unwrap(), theirs, steps);
    Client::over(ours, options(timeout))
}

#[test]
fn call_gets_its_reply_over_every_kind_of_stream() {
    let steps = negotiated(&[Await("sizes"), Send(SIZES), Stay]);

    let path = SocketPath::new();
    let listener = UnixListener::bind(&path.0).unwrap();
    let mut unix = std::thread::scope(|scope| {
        scope.spawn(|| {
            let (stream, _) = listener.accept().unwrap();
            serve(stream.try_clone().unwrap(), stream, steps.clone());
        });
        Client::connect_unix(&path.0, options(LONG)).unwrap()
    });
    assert_eq!(unix.execute(&Sizes::default()).unwrap(), [7, 8]);
    assert_eq!(unix.version().to_string(), "7.2.22");
    assert_eq!(unix.session().greeting().unwrap().capabilities(), ["oob"]);

    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let mut tcp = std::thread::scope(|scope| {
        scope.spawn(|| {
            let (stream, _) = listener.accept().unwrap();
            serve(stream.try_clone().unwrap(), stream, steps.clone());
        });
        Client::connect_tcp(&address, options(LONG)).unwrap()
    });
    assert_eq!(tcp.execute(&Sizes::default()).unwrap(), [7, 8]);

    let (server_reads, ours) = std::io::pipe().unwrap();
    let (theirs, server_writes) = std::io::pipe().unwrap();
    serve(server_reads, server_writes, steps);
    let pipes = Pipes::new(theirs, ours).unwrap();
    let mut piped = Client::over(pipes, options(LONG)).unwrap();
    assert_eq!(piped.execute(&Sizes::default()).unwrap(), [7, 8]);
    let silence = piped.execute_within(&Sizes::default(), SOON).unwrap_err();
    assert!(matches!(silence, ClientError::Timeout { .. }), "{silence}");
}

#[test]
fn late_reply_does_not_disturb_the_next_call() {
    let steps = [
        Await("sizes"),
        Sleep(3 * SOON),
        Send("{\"return\": [1], \"id\": $0}\r\n"),
        Await("sizes"),
        Send("{\"return\": [2], \"id\": $0}\r\n"),
        Await("yank"),
        Send("{\"return\": {\"unknown\": 1}, \"id\": $0}\r\n"),
        Stay,
    ];
    let mut client = client(negotiated(&steps), LONG).unwrap();
    let begin = Instant::now();
    let error = client.execute_within(&Sizes::default(), SOON).unwrap_err();
    assert!(matches!(error, ClientError::Timeout { .. }), "{error}");
    assert!(begin.elapsed() >= SOON && begin.elapsed() < LONG / 2);
    assert_eq!(client.execute(&Sizes::default()).unwrap(), [2]);
    assert!(matches!(client.call(&Yank), Ok(Outcome::Return(_))));
    assert_eq!(client.session().late_replies(), 1);
}

#[test]
fn deadline_is_kept_when_the_server_only_sends_events() {
    let event = "{\"event\": \"STOP\"}\r\n";
    let flood = Repeat(100_000, event);
    let mut client = client(negotiated(&[flood.clone(), flood, Stay]), LONG).unwrap();
    for timeout in [Duration::ZERO, Duration::from_nanos(1), SOON] {
        let begin = Instant::now();
        let error = client.execute_within(&Yank, timeout).unwrap_err();
        assert!(matches!(error, ClientError::Timeout { .. }), "{error}");
        assert!(begin.elapsed() < LONG / 2, "{:?}", begin.elapsed());
    }
    let mut count = 0;
    loop {
        match client.next_event(SOON) {
            Ok(Some(event)) => {
                assert_eq!(event.name(), "STOP");
                count += 1;
            }
            Ok(None) => break,
            Err(ClientError::EventsLost { count: lost }) => count += lost,
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!(count, 200_000);
}

#[test]
fn error_names_the_end_when_the_server_closes_at_any_step() {
    for (steps, expected) in closing() {
        let count = steps.len();
        let outcome = client(steps, LONG).and_then(|mut client| client.execute(&Sizes::default()));
        check_closed(count, expected, outcome);
    }
}

#[test]
fn error_says_what_to_do_when_nobody_answers() {
    let path = SocketPath::new();
    let connect = |timeout| Client::connect_unix(&path.0, options(timeout)).map(drop);
    let error = connect(LONG).unwrap_err();
    assert!(error.to_string().contains("is the server running"));
    assert!(
        matches!(&error, ClientError::Connect { error, .. } if error.kind() == ErrorKind::NotFound)
    );

    // Now the system's call itself waits.
    let listener = fill_queue(&path);
    let error = connect(SOON).unwrap_err();
    assert!(
        matches!(&error, ClientError::Connect { error, .. } if error.kind() == ErrorKind::TimedOut),
        "{error}"
    );
    drop(listener);

    let error = client(vec![Stay], SOON).unwrap_err();
    assert!(matches!(error, ClientError::NoGreeting), "{error}");
    let error = client(vec![Send(GREETING), Stay], SOON).unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("no reply to qmp_capabilities")
    );
    let begin = Instant::now();
    let garbage = client(vec![Send("login: "), Stay], LONG).unwrap_err();
    assert!(garbage.to_string().contains("it begins with 'login: '"));
    assert!(begin.elapsed() < LONG / 2);
}

#[test]
fn request_is_given_up_when_the_server_does_not_read() {
    let mut client = client(negotiated(&[Sleep(3 * SOON), Stay]), SOON).unwrap();
    let large = Sizes {
        of: Some("x".repeat(8 << 20)),
    };
    let error = client.execute(&large).unwrap_err();
    assert!(matches!(error, ClientError::Timeout { is_sent: true, .. }));
    let error = client.execute_within(&Yank, Duration::ZERO).unwrap_err();
    assert!(matches!(error, ClientError::Timeout { is_sent: false, .. }));
    let error = error.to_string();
    assert!(error.contains("will not be executed"), "{error}");
}

#[test]
fn untyped_request_gets_an_id_of_the_client() {
    let refusal = "{\"error\": {\"class\": \"CommandNotFound\", \"desc\": \"no\"}, \"id\": $0}";
    let steps = [Await("other"), Send(EMPTY), Await("other"), Send(refusal)];
    let mut client = client(negotiated(&steps), LONG).unwrap();
    let mut body = Dict::new();
    body.push("execute", Value::from("other"));
    body.push("id", Value::from("mine"));
    assert!(matches!(
        client.call_untyped(body.clone()).unwrap(),
        Outcome::Return(_)
    ));
    assert!(matches!(
        client.call_untyped(body).unwrap(),
        Outcome::Error(_)
    ));
}

#[test]
fn session_goes_on_when_another_driver_takes_it() {
    let steps = [Await("sizes"), Send(SIZES)];
    let client = client(negotiated(&steps), LONG).unwrap();
    let (mut session, stream) = client.into_parts();
    let call = session.call(&Sizes::default()).unwrap();
    let (mut reader, mut writer) = (&stream, &stream);
    std::io::Write::write_all(&mut writer, session.unsent()).unwrap();
    session.sent(1 << 20);
    let mut reply = Vec::new();
    std::io::Read::read_to_end(&mut reader, &mut reply).unwrap();
    session.receive(&reply);
    assert!(session.take_reply(&call).unwrap().is_ok());
}
