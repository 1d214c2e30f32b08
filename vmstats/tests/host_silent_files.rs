//! `vmstats host` and a file that cannot be closed. A process that has the file cannot start
//! another one, so this test is alone in its program.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod hostile;
mod hosting;
mod program;

use std::time::{Duration, Instant};

use hostile::SilentFiles;
use hosting::{Host, is_closed, kvm_files, made_up_vm, query, send, wait, wait_until_served};
use rustix::process::{Pid, Signal, kill_process};
use stats_handover::connect;

#[test]
fn host_goes_on_when_a_file_cannot_be_closed() {
    let Some(mut files) = SilentFiles::mount() else {
        return;
    };
    let host = Host::start(&[]);
    let mut good = made_up_vm("good", 1);
    good.give(connect(host.handover()).unwrap()).unwrap();
    let socket = host.socket("good");
    wait_until_served(&socket);
    files.open();
    files.fall_silent();
    let connection = connect(host.handover()).unwrap();
    send(&connection, "stats-handover/1\nvm\n", &[files.fd()]);
    host.wait_for_log("refused until vmstats host restarts");
    assert!(is_closed(&connection));
    // Whoever sent it does not get another chance, and those who were served are served.
    let second = connect(host.handover()).unwrap();
    wait("refused", || is_closed(&second), || host.log());
    assert_eq!(query(&socket, "vcpu").len(), 1);
    assert_eq!(kvm_files(host.pid()), 0);
    // The end does not wait for the process that hangs.
    let begin = Instant::now();
    let pid = Pid::from_raw(host.pid().try_into().unwrap()).unwrap();
    kill_process(pid, Signal::TERM).unwrap();
    let Host { mut program, .. } = host;
    assert!(program.0.wait().unwrap().success());
    assert!(
        begin.elapsed() < Duration::from_secs(2),
        "{:?}",
        begin.elapsed()
    );
}
