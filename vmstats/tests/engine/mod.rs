//! The engines that scrape exporters: Prometheus with its promtool, and VictoriaMetrics.
//!
//! In: a configuration and questions in PromQL. Out: answers. `PATH` has one release of
//! Prometheus; `PROMETHEUS_3` names a folder with another one, and `VICTORIA_METRICS` a program.

#![allow(dead_code, reason = "each test file uses a part")]

use std::env;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::program::feed;

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

/// A release of Prometheus, with its promtool.
pub(crate) struct Release {
    prometheus: PathBuf,
    promtool: PathBuf,
    major: u32,
}

impl Release {
    /// Returns the release in `PATH`; `None`, with the reason printed, if there is none.
    pub(crate) fn installed() -> Option<Self> {
        Self::of(Path::new("prometheus"), Path::new("promtool"))
    }

    /// Returns a release that keeps NHCB; `None`, with the reason printed, if there is none.
    pub(crate) fn with_nhcb() -> Option<Self> {
        if let Some(folder) = env::var_os("PROMETHEUS_3").map(PathBuf::from) {
            let release = Self::of(&folder.join("prometheus"), &folder.join("promtool"));
            let release = release.filter(|release| release.major >= 3);
            assert!(release.is_some(), "PROMETHEUS_3 has no Prometheus 3");
            return release;
        }
        let installed = Self::installed().filter(|release| release.major >= 3);
        if installed.is_none() {
            skip::because("Prometheus 3 is not there: PROMETHEUS_3 names no folder with it");
        }
        installed
    }

    /// Returns all releases that are there, the installed one first.
    pub(crate) fn all() -> Vec<Self> {
        let installed = Self::installed();
        // A release that is installed and has NHCB is not taken twice.
        let is_new = installed.as_ref().is_none_or(|release| release.major < 3);
        let other = is_new.then(Self::with_nhcb).flatten();
        installed.into_iter().chain(other).collect()
    }

    fn of(prometheus: &Path, promtool: &Path) -> Option<Self> {
        let output = run_installed(Command::new(prometheus).arg("--version"))?;
        // "prometheus, version 2.42.0+ds (branch: ...": up to 2.42 on standard error.
        let text = [output.stdout, output.stderr].concat();
        let text = String::from_utf8(text).unwrap();
        let version = text.split("version ").nth(1).unwrap();
        Some(Self {
            prometheus: prometheus.to_owned(),
            promtool: promtool.to_owned(),
            major: version.split('.').next().unwrap().parse().unwrap(),
        })
    }

    /// Returns whether the release keeps NHCB.
    pub(crate) fn has_nhcb(&self) -> bool {
        self.major >= 3
    }

    /// Runs promtool in a folder, with an input.
    pub(crate) fn promtool(&self, folder: &Path, arguments: &[&str], input: &str) -> Output {
        let mut command = Command::new(&self.promtool);
        feed(command.args(arguments).current_dir(folder), input)
    }

    /// Starts this Prometheus with a configuration file of the folder, and waits until it is
    /// ready.
    pub(crate) fn start(&self, folder: &Path, configuration: &str, options: &[&str]) -> Engine {
        Engine::start(&self.prometheus, folder, |command, address| {
            command
                .arg(format!("--config.file={configuration}"))
                .arg(format!("--web.listen-address={address}"))
                .arg("--storage.tsdb.path=data")
                .args(options);
        })
    }
}

/// Starts VictoriaMetrics with a configuration file of the folder; returns `None`, with the
/// reason printed, if it is not there.
pub(crate) fn victoria_metrics(folder: &Path, configuration: &str) -> Option<Engine> {
    let Some(program) = env::var_os("VICTORIA_METRICS") else {
        skip::because("VictoriaMetrics is not there: VICTORIA_METRICS names no program");
        return None;
    };
    let arguments = |command: &mut Command, address: &str| {
        command
            .arg(format!("-promscrape.config={configuration}"))
            .arg(format!("-httpListenAddr={address}"))
            .arg("-storageDataPath=data")
            // Answers have samples that are younger than half a minute too.
            .arg("-search.latencyOffset=0s");
    };
    Some(Engine::start(Path::new(&program), folder, arguments))
}

/// An engine that runs.
pub(crate) struct Engine {
    address: String,
    log: PathBuf,
    program: Child,
}

impl Engine {
    fn start(program: &Path, folder: &Path, arguments: impl FnOnce(&mut Command, &str)) -> Self {
        // The port is free for a moment, which suffices on a machine for tests.
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = free.local_addr().unwrap().to_string();
        drop(free);
        let log = folder.join("engine.log");
        let mut command = Command::new(program);
        arguments(&mut command, &address);
        let program = command
            .current_dir(folder)
            .stdout(Stdio::null())
            .stderr(File::create(&log).unwrap())
            .spawn();
        let mut engine = Self {
            address,
            log,
            program: program.unwrap(),
        };
        let begin = Instant::now();
        while !engine.is_ready() {
            let has_ended = engine.program.try_wait().unwrap().is_some();
            let is_late = begin.elapsed() > Duration::from_secs(60);
            assert!(!has_ended && !is_late, "{}", engine.log());
            thread::sleep(Duration::from_millis(100));
        }
        engine
    }

    fn is_ready(&self) -> bool {
        TcpStream::connect(&self.address).is_ok() && self.fetch("/-/ready").0 == 200
    }

    /// Returns what the engine wrote to its log.
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

    /// Returns the number that an expression has at a time in seconds since 1970. Returns
    /// `None` if it has no series.
    pub(crate) fn number_at(&self, expression: &str, time: f64) -> Option<f64> {
        let time = format!("{time:.3}");
        let data = self.api("query", &[("query", expression), ("time", &time)]);
        let data = data.unwrap_or_else(|error| panic!("{expression}: {error}"));
        let series = data["result"].as_array().unwrap();
        assert!(series.len() <= 1, "{expression}: {data}");
        series.first()?["value"][1].as_str()?.parse().ok()
    }
}

impl Drop for Engine {
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
