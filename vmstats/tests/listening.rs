//! Where a monitor listens, and who is let in.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod program;

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use program::{Server, stderr, stdout, vmstats};
use stats_runtime::kvm::{ImageBuilder, ImageStat};

/// A recorded VM, served with these options.
fn serve(folder: &Path, options: &[&str]) -> Server {
    let image = ImageBuilder::new("kvm-1").stat(ImageStat::new("pages", 1, 0, [7]));
    std::fs::write(folder.join("vm.bin"), image.build()).unwrap();
    let replay = folder.to_str().unwrap();
    Server::start(&[&["serve", "--replay", replay], options].concat())
}

fn query(endpoint: &str) -> std::process::Output {
    vmstats(&["query", endpoint, "--target", "vm", "--timeout", "5"], "")
}

#[test]
fn the_mode_of_the_sockets_is_as_told() {
    let folder = tempfile::tempdir().unwrap();
    let second = folder.path().join("second.sock");
    let listen = format!("unix:{}", second.display());
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    for (options, expected) in [(&[][..], 0o600), (&["--mode", "660"][..], 0o660)] {
        let server = serve(folder.path(), &[&["--listen", &listen], options].concat());
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
fn users_and_groups_are_let_in_by_their_ids() {
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
        let server = serve(folder.path(), &options);
        let output = query(&server.socket);
        assert_eq!(output.status.success(), is_let_in, "{}", stderr(&output));
        if is_let_in {
            assert!(stdout(&output).contains("pages"));
        }
    }
}

#[test]
fn tcp_says_its_port_and_vsock_is_asked_too() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = serve(folder.path(), &["--listen", "tcp:127.0.0.1:0"]);
    let output = query(&format!("tcp:{}", server.line()));
    assert!(stdout(&output).contains("pages"), "{}", stderr(&output));

    // The loopback's context ID, where the kernel has one.
    let port = 40_000 + std::process::id() % 10_000;
    let endpoint = format!("vsock:1:{port}");
    if let Err(error) = vsock::VsockListener::bind_with_cid_port(1, port) {
        return println!("vsock not tried, for the kernel has no loopback: {error}");
    }
    let folder = tempfile::tempdir().unwrap();
    let _server = serve(folder.path(), &["--listen", &endpoint]);
    let output = query(&endpoint);
    assert!(stdout(&output).contains("pages"), "{}", stderr(&output));
    let nobody = query("vsock:1:7");
    assert_eq!(nobody.status.code(), Some(1));
    assert!(stderr(&nobody).contains("vsock:1:7"), "{}", stderr(&nobody));
}
