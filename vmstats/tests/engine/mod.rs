//! The installed Prometheus and its promtool.
//!
//! In: a configuration and questions in PromQL. Out: answers. `PATH` says which release.

#![allow(dead_code, reason = "each test file uses a part")]

use std::fmt::Write as _;
use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

/// Runs a program; returns `None`, with the reason printed, if it is not installed.
pub(crate) fn run_installed(command: &mut Command) -> Option<Output> {
    match command.output() {
        Ok(output) => Some(output),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let program = command.get_program().display();
            skip::because(format_args!("{program} is not installed"));
            None
        }
        Err(error) => panic!(
            "{} does not start: {error}",
            command.get_program().display()
        ),
    }
}

/// Runs promtool in a folder.
pub(crate) fn promtool(folder: &Path, arguments: &[&str]) -> Option<Output> {
    run_installed(Command::new("promtool").args(arguments).current_dir(folder))
}

/// Returns the major version of Prometheus.
pub(crate) fn major_version() -> Option<u32> {
    let output = run_installed(Command::new("prometheus").arg("--version"))?;
    // "prometheus, version 2.42.0+ds (branch: ...": up to 2.42 on standard error.
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8(text).unwrap();
    let version = text.split("version ").nth(1).unwrap();
    Some(version.split('.').next().unwrap().parse().unwrap())
}

/// A Prometheus that runs.
pub(crate) struct Prometheus {
    address: String,
    log: PathBuf,
    program: Child,
}

impl Prometheus {
    /// Starts a Prometheus with a configuration file of the folder, and waits until it is
    /// ready. Call [`major_version`] before, which skips the test.
    pub(crate) fn start(folder: &Path, configuration: &str, options: &[&str]) -> Self {
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = free.local_addr().unwrap().to_string();
        drop(free);
        let log = folder.join("prometheus.log");
        let program = Command::new("prometheus")
            .arg(format!("--config.file={configuration}"))
            .arg(format!("--web.listen-address={address}"))
            .arg("--storage.tsdb.path=data")
            .args(options)
            .current_dir(folder)
            .stdout(Stdio::null())
            .stderr(File::create(&log).unwrap())
            .spawn();
        let mut prometheus = Self {
            address,
            log,
            program: program.unwrap(),
        };
        let begin = Instant::now();
        while !prometheus.is_ready() {
            let has_ended = prometheus.program.try_wait().unwrap().is_some();
            let is_late = begin.elapsed() > Duration::from_secs(60);
            assert!(!has_ended && !is_late, "{}", prometheus.log());
            thread::sleep(Duration::from_millis(100));
        }
        prometheus
    }

    fn is_ready(&self) -> bool {
        TcpStream::connect(&self.address).is_ok() && self.fetch("/-/ready").0 == 200
    }

    /// Returns what Prometheus wrote to its log.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }

    /// Fetches a path with HTTP 1.0, whose answers are in one piece.
    fn fetch(&self, path: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let limit = Some(Duration::from_secs(30));
        stream.set_read_timeout(limit).unwrap();
        write!(stream, "GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, body.to_owned())
    }

    /// Asks the API, and returns the data of its answer, or its error.
    pub(crate) fn api(&self, path: &str, parameters: &[(&str, &str)]) -> Result<Value, String> {
        let parameters: Vec<_> = { parameters.iter() }
            .map(|(name, value)| format!("{name}={}", percent_encoded(value)))
            .collect();
        let (_, body) = self.fetch(&format!("/api/v1/{path}?{}", parameters.join("&")));
        let answer: Value = serde_json::from_str(&body).unwrap();
        match answer["status"].as_str() {
            Some("success") => Ok(answer["data"].clone()),
            _ => Err(answer["error"].to_string()),
        }
    }

    /// Returns the series that an expression has now.
    pub(crate) fn query(&self, expression: &str) -> Result<Vec<Value>, String> {
        let data = self.api("query", &[("query", expression)])?;
        Ok(data["result"].as_array().unwrap().clone())
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.program.kill();
        let _ = self.program.wait();
    }
}

fn percent_encoded(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => encoded.push(char::from(byte)),
            _ => write!(encoded, "%{byte:02X}").unwrap(),
        }
    }
    encoded
}
