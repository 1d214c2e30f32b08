//! The client that many tasks share, on tokio's runtime.

use std::future::Future;
use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::pin::pin;
use std::task::{Context, Waker};
use std::thread;
use std::time::{Duration, Instant};

use qapi_wire::client::{AsyncClient, ClientError, Options};
use qapi_wire::message::Outcome;
use qapi_wire::{Dict, Value};
use tokio::runtime::{Builder, Runtime};

use crate::commands::{Sizes, Yank};
use crate::server::{Await, EMPTY, GREETING, Repeat, SIZES, Send, Sleep, Stay, Step};
use crate::server::{check_closed, closing, negotiated, serve};
use crate::socket_path::{SocketPath, fill_queue};

const SOON: Duration = Duration::from_millis(200);
const LONG: Duration = Duration::from_secs(20);

fn options(timeout: Duration) -> Options {
    Options::default().with_timeout(timeout)
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

/// A client's end of a pair of sockets, and the server's end.
fn pair() -> (tokio::net::UnixStream, UnixStream) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    ours.set_nonblocking(true).unwrap();
    (tokio::net::UnixStream::from_std(ours).unwrap(), theirs)
}

/// A client of a server that does these steps.
async fn client(steps: Vec<Step>, options: Options) -> Result<AsyncClient, ClientError> {
    let (ours, theirs) = pair();
    serve(theirs.try_clone().unwrap(), theirs, steps);
    AsyncClient::over(ours, options).await
}

/// A server that answers each request for sizes with the number in `of`, once
/// `count` requests have come, in the opposite order.
fn answer_backwards(mut stream: UnixStream, count: usize) {
    let mut text = String::new();
    while text.lines().count() < count || !text.ends_with('\n') {
        let mut bytes = [0; 4096];
        let read = stream.read(&mut bytes).unwrap();
        text.push_str(std::str::from_utf8(&bytes[..read]).unwrap());
    }
    for line in text.lines().rev() {
        let request: serde_json::Value = serde_json::from_str(line).unwrap();
        let of = request["arguments"]["of"].as_str().unwrap();
        let reply = format!("{{\"return\": [{of}], \"id\": {}}}\r\n", request["id"]);
        stream.write_all(reply.as_bytes()).unwrap();
    }
}

#[test]
fn every_task_gets_its_own_reply_when_many_call_at_once() {
    const TASKS: usize = 300;
    let runtime = Builder::new_multi_thread().enable_all().build();
    runtime.unwrap().block_on(async {
        let (ours, theirs) = pair();
        let (reader, writer) = (theirs.try_clone().unwrap(), theirs.try_clone().unwrap());
        serve(reader, writer, negotiated(&[]));
        let client = AsyncClient::over(ours, options(LONG)).await.unwrap();
        thread::spawn(move || answer_backwards(theirs, TASKS));
        let tasks: Vec<_> = (0..TASKS)
            .map(|number| {
                let client = client.clone();
                let of = Some(number.to_string());
                tokio::spawn(async move { client.execute(&Sizes { of }).await })
            })
            .collect();
        for (number, task) in tasks.into_iter().enumerate() {
            let sizes = task.await.unwrap().unwrap();
            assert_eq!(sizes, [i64::try_from(number).unwrap()]);
        }
        let counts =
            client.with_session(|session| (session.late_replies(), session.foreign_replies()));
        assert_eq!(counts, (0, 0));
    });
}

#[test]
fn call_gets_its_reply_over_every_kind_of_stream() {
    let steps = negotiated(&[
        Await("sizes"),
        Send(SIZES),
        Await("yank"),
        Send(EMPTY),
        Stay,
    ]);
    runtime().block_on(async {
        let path = SocketPath::new();
        let listener = UnixListener::bind(&path.0).unwrap();
        let unix_steps = steps.clone();
        thread::spawn(move || {
            let (stream, _) = listener.accept().unwrap();
            serve(stream.try_clone().unwrap(), stream, unix_steps);
        });
        let client = AsyncClient::connect_unix(&path.0, options(LONG)).await;
        let client = client.unwrap();
        assert_eq!(client.execute(&Sizes::default()).await.unwrap(), [7, 8]);
        assert!(matches!(client.call(&Yank).await, Ok(Outcome::Return(_))));
        assert_eq!(client.version().to_string(), "7.2.22");

        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        thread::spawn(move || {
            let (stream, _) = listener.accept().unwrap();
            serve(stream.try_clone().unwrap(), stream, steps);
        });
        let client = AsyncClient::connect_tcp(&address, options(LONG)).await;
        let client = client.unwrap();
        let mut body = Dict::new();
        body.push("execute", Value::from("sizes"));
        let outcome = client.call_untyped(body).await;
        assert!(matches!(outcome, Ok(Outcome::Return(_))));
        let error = client.execute_out_of_band(&Yank).await.unwrap_err();
        assert!(matches!(error, ClientError::NotOutOfBand { .. }), "{error}");
    });
}

#[test]
fn late_reply_does_not_disturb_the_next_call() {
    let steps = [
        Await("sizes"),
        Sleep(3 * SOON),
        Send("{\"return\": [1], \"id\": $0}\r\n"),
        Await("sizes"),
        Send("{\"return\": [2], \"id\": $0}\r\n"),
        Stay,
    ];
    runtime().block_on(async {
        let client = client(negotiated(&steps), options(LONG)).await.unwrap();
        let error = client.execute_within(&Sizes::default(), SOON).await;
        let error = error.unwrap_err();
        assert!(
            matches!(error, ClientError::Timeout { is_sent: true, .. }),
            "{error}"
        );
        assert_eq!(client.execute(&Sizes::default()).await.unwrap(), [2]);
        assert_eq!(client.with_session(|session| session.late_replies()), 1);
    });
}

#[test]
fn dropped_call_is_forgotten_and_not_sent_when_it_waits() {
    let steps = [
        Await("sizes"),
        Send("{\"return\": [1], \"id\": $0}\r\n"),
        Await("yank"),
        Send(EMPTY),
        Stay,
    ];
    runtime().block_on(async {
        let client = client(negotiated(&steps), options(LONG)).await.unwrap();
        let sizes = Sizes::default();
        let mut context = Context::from_waker(Waker::noop());
        // The client's task does not run before the call is dropped.
        assert!(pin!(client.execute(&sizes)).poll(&mut context).is_pending());
        {
            let mut call = pin!(client.execute(&sizes));
            assert!(call.as_mut().poll(&mut context).is_pending());
            // The request is sent meanwhile, and the reply comes.
            tokio::time::sleep(SOON).await;
        }
        client.execute(&Yank).await.unwrap();
    });
}

#[test]
fn every_subscriber_gets_every_event_until_the_end() {
    let numbered = "{\"event\": \"A\"}\r\n{\"event\": \"B\", \"data\": {\"x\": 1}}\r\n";
    let steps = [Await("yank"), Send(numbered), Send(EMPTY)];
    runtime().block_on(async {
        let client = client(negotiated(&steps), options(LONG)).await.unwrap();
        let mut subscriptions = [client.subscribe(), client.subscribe()];
        // A reader that is dropped loses no event.
        let nothing = tokio::time::timeout(SOON, subscriptions[0].next()).await;
        assert!(nothing.is_err());
        client.execute(&Yank).await.unwrap();
        let mut late = client.subscribe();
        drop(client);
        for subscription in &mut subscriptions {
            assert_eq!(subscription.next().await.unwrap().name(), "A");
            assert_eq!(subscription.next().await.unwrap().name(), "B");
            let end = subscription.next().await.unwrap_err();
            assert!(matches!(end, ClientError::Closed), "{end}");
        }
        assert!(late.next().await.is_err());
    });
}

#[test]
fn lost_events_are_counted_when_nobody_reads() {
    let flood = Repeat(100_000, "{\"event\": \"STOP\"}\r\n");
    let steps = negotiated(&[Await("yank"), flood, Send(EMPTY), Stay]);
    runtime().block_on(async {
        let options = options(LONG).with_event_bytes_max(50_000);
        let client = client(steps, options).await.unwrap();
        let mut events = client.subscribe();
        client.execute(&Yank).await.unwrap();
        let Err(ClientError::EventsLost { count }) = events.next().await else {
            panic!("events are lost");
        };
        let mut kept = 0;
        while let Ok(event) = tokio::time::timeout(SOON, events.next()).await {
            assert_eq!(event.unwrap().name(), "STOP");
            kept += 1;
        }
        assert_eq!(count + kept, 100_000);
        assert!(kept > 100 && kept < 1000, "{kept}");
    });
}

#[test]
fn call_is_sent_when_the_server_sends_events_all_the_time() {
    runtime().block_on(async {
        let (ours, theirs) = pair();
        let (mut reader, mut writer) = (theirs.try_clone().unwrap(), theirs);
        serve(
            reader.try_clone().unwrap(),
            writer.try_clone().unwrap(),
            negotiated(&[]),
        );
        let client = AsyncClient::over(ours, options(LONG)).await.unwrap();
        let flood = thread::spawn(move || {
            let events = "{\"event\": \"STOP\"}\r\n".repeat(10_000);
            writer.set_write_timeout(Some(LONG)).unwrap();
            loop {
                if let Err(error) = writer.write_all(events.as_bytes()) {
                    return error.kind();
                }
            }
        });
        tokio::time::sleep(SOON).await;
        let error = client.execute_within(&Yank, SOON).await.unwrap_err();
        assert!(
            matches!(error, ClientError::Timeout { is_sent: true, .. }),
            "{error}"
        );
        drop(client);
        // The client's task ends, and with it the connection.
        tokio::task::yield_now().await;
        tokio::time::sleep(SOON).await;
        assert_eq!(flood.join().unwrap(), ErrorKind::BrokenPipe);
        let mut request = String::new();
        reader.read_to_string(&mut request).unwrap_or_default();
        assert!(request.contains("\"yank\""), "{request}");
    });
}

#[test]
fn error_names_the_end_when_the_server_closes_at_any_step() {
    runtime().block_on(async {
        for (steps, expected) in closing() {
            let count = steps.len();
            let outcome = match client(steps, options(LONG)).await {
                Ok(client) => client.execute(&Sizes::default()).await,
                Err(error) => Err(error),
            };
            check_closed(count, expected, outcome);
        }
    });
}

#[test]
fn error_says_what_to_do_when_nobody_answers() {
    runtime().block_on(async {
        let path = SocketPath::new();
        let error = AsyncClient::connect_unix(&path.0, options(LONG)).await;
        let error = error.unwrap_err().to_string();
        assert!(error.contains("is the server running"), "{error}");
        let listener = fill_queue(&path);
        let error = AsyncClient::connect_unix(&path.0, options(SOON)).await;
        let error = error.unwrap_err();
        assert!(
            matches!(&error, ClientError::Connect { error, .. } if error.kind() == ErrorKind::TimedOut),
            "{error}"
        );
        drop(listener);

        let error = client(vec![Stay], options(SOON)).await.unwrap_err();
        assert!(matches!(error, ClientError::NoGreeting), "{error}");
        let steps = vec![Send(GREETING), Stay];
        let error = client(steps, options(SOON)).await.unwrap_err().to_string();
        assert!(error.starts_with("no reply to qmp_capabilities"), "{error}");
        let begin = Instant::now();
        let steps = vec![Send("login: "), Stay];
        let garbage = client(steps, options(LONG)).await.unwrap_err();
        assert!(garbage.to_string().contains("it begins with 'login: '"));
        assert!(begin.elapsed() < LONG / 2);
        let steps = negotiated(&[Await("yank"), Send("nonsense\r\n"), Stay]);
        let client = client(steps, options(LONG)).await.unwrap();
        let error = client.execute(&Yank).await.unwrap_err();
        assert!(error.to_string().contains("is not a message"), "{error}");
    });
}

#[test]
fn waiting_subscriber_sees_the_end_when_the_runtime_shuts_down() {
    let first = runtime();
    let (client, mut events) = first.block_on(async {
        let client = client(negotiated(&[Stay]), options(LONG)).await.unwrap();
        let events = client.subscribe();
        (client, events)
    });
    drop(first);
    let second = runtime();
    let end = second.block_on(async { tokio::time::timeout(LONG, events.next()).await });
    let end = end.unwrap().unwrap_err();
    assert!(matches!(end, ClientError::Closed), "{end}");
    let end = second.block_on(client.execute(&Yank)).unwrap_err();
    assert!(matches!(end, ClientError::Closed), "{end}");
}

#[test]
fn futures_can_move_between_threads() {
    fn is_send<T: std::marker::Send>(_: &T) {}
    fn check(client: &AsyncClient) {
        is_send(client);
        is_send(&client.execute(&Yank));
        is_send(&client.subscribe().next());
        is_send(&AsyncClient::connect_tcp("localhost:1", Options::default()));
    }
    let _ = check;
}
