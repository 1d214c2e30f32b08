//! Where a monitor listens, and who is let in.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod program;

use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use program::{RawClient, Running, Server, stderr, stdout, vmstats, write_recording};

fn query(endpoint: &str) -> std::process::Output {
    vmstats(&["query", endpoint, "--target", "vm", "--timeout", "5"], "")
}

#[test]
fn sockets_have_the_mode_that_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let second = folder.path().join("second.sock");
    let listen = format!("unix:{}", second.display());
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    for (options, expected) in [(&[][..], 0o600), (&["--mode", "660"][..], 0o660)] {
        let server = Server::recording(folder.path(), &[&["--listen", &listen], options].concat());
        assert_eq!(mode(server.socket.as_ref()), expected);
        assert_eq!(mode(&second), expected);
    }
    for wrong in ["888", "1777", "-1", ""] {
        let replay = folder.path().to_str().unwrap();
        let output = vmstats(&["serve", "--replay", replay, "--mode", wrong], "");
        assert_eq!(output.status.code(), Some(2), "{wrong}");
    }
}

#[test]
fn client_is_served_when_its_user_or_group_is_allowed() {
    let uid = rustix::process::getuid().as_raw();
    let gid = rustix::process::getgid().as_raw();
    let (own, other) = (uid.to_string(), (uid + 1).to_string());
    let (group, others) = (gid.to_string(), (gid + 1).to_string());
    for (options, is_let_in) in [
        (["--allow-uid", &own, "--allow-gid", &others], true),
        (["--allow-uid", &other, "--allow-gid", &group], true),
        (["--allow-uid", &other, "--allow-gid", &others], false),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let server = Server::recording(folder.path(), &options);
        let output = query(&server.socket);
        assert_eq!(output.status.success(), is_let_in, "{}", stderr(&output));
        if is_let_in {
            assert!(stdout(&output).contains("pages"));
        }
    }
}

#[test]
fn tcp_port_is_printed_and_vsock_answers() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::recording(folder.path(), &["--listen", "tcp:127.0.0.1:0"]);
    let output = query(&format!("tcp:{}", server.line()));
    assert!(stdout(&output).contains("pages"), "{}", stderr(&output));

    // The loopback's context ID, where the kernel has one.
    let port = 40_000 + std::process::id() % 10_000;
    let endpoint = format!("vsock:1:{port}");
    if let Err(error) = vsock::VsockListener::bind_with_cid_port(1, port) {
        return println!("vsock not tried, for the kernel has no loopback: {error}");
    }
    let folder = tempfile::tempdir().unwrap();
    let _server = Server::recording(folder.path(), &["--listen", &endpoint]);
    let output = query(&endpoint);
    assert!(stdout(&output).contains("pages"), "{}", stderr(&output));
    let nobody = query("vsock:1:7");
    assert_eq!(nobody.status.code(), Some(1));
    assert!(stderr(&nobody).contains("vsock:1:7"), "{}", stderr(&nobody));
}

/// Starts `serve` with one end of a socket pair as descriptor 3, and returns the
/// other end.
fn serve_connected(folder: &Path, listen: &str, names: Option<&str>) -> (Running, RawClient) {
    write_recording(folder);
    let (ours, theirs) = UnixStream::pair().unwrap();
    let mut command = Command::new("sh");
    let set_up = match names {
        Some(_) => "LISTEN_PID=$$ exec \"$0\" \"$@\" 3<&0 </dev/null",
        None => "exec \"$0\" \"$@\" 3<&0 </dev/null",
    };
    command
        .args(["-c", set_up, env!("CARGO_BIN_EXE_vmstats"), "serve"])
        .args(["--replay", folder.to_str().unwrap(), "--listen", listen])
        .stdin(OwnedFd::from(theirs))
        .stdout(Stdio::null());
    if let Some(names) = names {
        command.env("LISTEN_FDS", "1").env("LISTEN_FDNAMES", names);
    }
    let program = Running(command.spawn().unwrap());
    drop(command);
    (program, RawClient::over(ours))
}

#[test]
fn connected_descriptor_is_served_by_name_and_number() {
    for (listen, names) in [("fd:mon", Some("mon")), ("fd:3", None), ("fd:0", Some(""))] {
        let folder = tempfile::tempdir().unwrap();
        let (_program, mut client) = serve_connected(folder.path(), listen, names);
        let name = client.ask("{'execute': 'query-name'}");
        assert!(name["return"].is_object(), "{listen}: {name}");
        // An error that ends the session also ends the connection, though the
        // program has inherited the descriptor.
        client.shut_down_writing();
        assert_eq!(client.read(), None, "{listen}");
    }
}

#[test]
fn server_connects_to_a_program_that_waits() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("waits.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let address = format!("unix:{}", path.display());
    let _server = Server::recording(folder.path(), &["--connect", &address]);
    let mut client = RawClient::over(listener.accept().unwrap().0);
    assert!(client.ask("{'execute': 'query-name'}")["return"].is_object());

    let replay = folder.path().to_str().unwrap();
    for (address, status, why) in [
        ("unix:/nowhere", 1, "cannot connect to unix:/nowhere"),
        ("tcp:192.0.2.1:4444", 2, "not encrypted"),
        ("tls:127.0.0.1:4444", 2, "expected unix:PATH"),
    ] {
        let output = vmstats(&["serve", "--replay", replay, "--connect", address], "");
        assert_eq!(output.status.code(), Some(status), "{address}");
        assert!(stderr(&output).contains(why), "{}", stderr(&output));
    }
}

#[test]
fn server_removes_its_socket_at_each_signal_that_ends_it() {
    for signal in ["INT", "TERM", "HUP"] {
        let folder = tempfile::tempdir().unwrap();
        Server::recording(folder.path(), &[]).end(signal);
    }
}

#[test]
fn server_keeps_the_limits_that_it_is_given() {
    let folder = tempfile::tempdir().unwrap();
    let options = [
        ["--connections-max", "1"],
        ["--threads", "2"],
        ["--held-bytes-max", "8M"],
        ["--message-bytes-max", "4K"],
    ];
    let server = Server::recording(folder.path(), &options.concat());
    let mut client = RawClient::connect(&server.socket);
    let refused = query(&server.socket);
    assert!(
        stderr(&refused).contains("the server closed the connection"),
        "{}",
        stderr(&refused)
    );
    let long = format!("{{'execute': '{}'}}", "x".repeat(5 << 10));
    assert!(client.ask(&long)["error"].is_object());
    let name = |length| format!("{{'execute': '{}'}}\n", "x".repeat(length));
    loop {
        // The rest of the long message may be an error of its own.
        let answer = client.ask(&name(3 << 10));
        if answer["error"]["class"] == "CommandNotFound" {
            break;
        }
    }
}

#[test]
fn server_is_waited_for_when_a_timeout_is_given() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("late.sock");
    let socket = socket.to_str().unwrap();
    let asks = |timeout: &'static [&'static str]| {
        let socket = socket.to_owned();
        thread::spawn(move || {
            let begin = Instant::now();
            let query = ["query", &socket, "--target", "vm"];
            let output = vmstats(&[&query, timeout].concat(), "");
            (output, begin.elapsed())
        })
    };
    // Without one, a path that is wrong is an error at once.
    let (output, elapsed) = asks(&[]).join().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(elapsed < Duration::from_secs(5), "{elapsed:?}");
    // With one, the user is told, and the error comes in time.
    let (output, elapsed) = asks(&["--timeout", "1"]).join().unwrap();
    assert!(elapsed >= Duration::from_secs(1) && elapsed < Duration::from_secs(8));
    assert!(stderr(&output).contains("there is no such socket; waiting for it"));
    let waiting = asks(&["--timeout", "60"]);
    thread::sleep(Duration::from_millis(500));
    let _server = Server::recording(folder.path(), &["--qmp", socket]);
    let (output, _) = waiting.join().unwrap();
    assert!(stdout(&output).contains("pages"), "{}", stderr(&output));
    // Nothing that could appear.
    let output = vmstats(&["query", "/nosuch/socket", "--timeout", "60"], "");
    assert!(stderr(&output).contains("there is no folder /nosuch"));
}
