//! A file that hangs its readers really does, and the ways to tell it from others do not
//! ask it.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod hostile;

use std::io::{BufRead, BufReader, Write};
use std::os::fd::AsRawFd;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use hostile::{SilentFiles, process_state, request};
use rustix::fs::fcntl_get_seals;
use rustix::io::Errno;

#[test]
fn file_hangs_its_reader_but_says_what_it_is_when_its_server_is_silent() {
    let Some(mut files) = SilentFiles::mount() else {
        return;
    };
    let path = files.path();
    // The reader opens the file while the server answers, and reads it later.
    let mut reader = Command::new("sh")
        .args(["-c", "exec 3<\"$0\"; echo opened; read go; read line <&3"])
        .arg(&path)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let mut output = BufReader::new(reader.stdout.take().unwrap());
    output.read_line(&mut line).unwrap();
    assert_eq!(line, "opened\n");
    files.open();
    files.fall_silent();
    reader.stdin.take().unwrap().write_all(b"go\n").unwrap();
    files.wait_for(request::READ);
    assert_eq!(reader.try_wait().unwrap(), None);
    // Not even this signal ends it.
    reader.kill().unwrap();
    thread::sleep(Duration::from_millis(300));
    assert_eq!(process_state(reader.id()), Some('D'));
    // The two questions that are safe are answered at once.
    let begin = Instant::now();
    let link = std::fs::read_link(format!("/proc/self/fd/{}", files.fd().as_raw_fd())).unwrap();
    assert_eq!(link, path);
    assert_eq!(fcntl_get_seals(files.fd()), Err(Errno::INVAL));
    assert!(begin.elapsed() < Duration::from_secs(1));
    drop(files);
    assert!(!reader.wait().unwrap().success());
}
