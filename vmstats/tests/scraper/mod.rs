//! An exporter under test, and what it writes.

#![allow(dead_code, reason = "each test file uses a part")]

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::program::{self, RawClient, Running, Server};

pub(crate) const OPEN_METRICS: &str = "Accept: application/openmetrics-text;version=1.0.0";

const LISTEN: [&str; 3] = ["export", "--listen", "127.0.0.1:0"];

/// An exporter that runs.
pub(crate) struct Exporter {
    pub(crate) server: Server,
    pub(crate) address: String,
}

impl Exporter {
    pub(crate) fn start(options: &[&str]) -> Self {
        Self::of(Server::start(&[&LISTEN[..], options].concat()))
    }

    /// An exporter whose standard error stream goes to a file.
    pub(crate) fn start_with_log(options: &[&str], log: &Path) -> Self {
        let log = File::create(log).unwrap();
        let arguments = [&LISTEN[..], options].concat();
        Self::of(Server::start_with_log(&arguments, log.into()))
    }

    fn of(server: Server) -> Self {
        // The first line of the program is its address.
        let url = server.socket.clone();
        let address = url.strip_prefix("http://").unwrap();
        let address = address.strip_suffix("/metrics").unwrap().to_owned();
        Self { server, address }
    }

    /// The text, whose labels `vm` are names of files instead of paths.
    pub(crate) fn metrics(&self, header: &str) -> String {
        brief(&self.text(header))
    }

    /// The text as it is.
    pub(crate) fn text(&self, header: &str) -> String {
        let (head, body) = get(&self.address, "/metrics", header);
        assert!(head.starts_with("HTTP/1.1 200 OK"), "{head}");
        String::from_utf8(body).unwrap()
    }

    /// The resident memory in bytes, or its highest value.
    pub(crate) fn memory(&self, field: &str) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.server.program.0.id()));
        let status = status.unwrap();
        let line = { status.lines() }.find_map(|line| line.strip_prefix(field));
        let kilobytes = line.unwrap().trim().trim_end_matches("kB").trim();
        kilobytes.parse::<u64>().unwrap() << 10
    }
}

/// A text whose labels `vm` are names of files instead of paths.
pub(crate) fn brief(text: &str) -> String {
    let mut parts = text.split("vm=\"");
    let mut brief = parts.next().unwrap().to_owned();
    for part in parts {
        let (path, rest) = part.split_once('"').unwrap();
        let file = Path::new(path).file_stem().unwrap().to_str().unwrap();
        brief.push_str(&format!("vm=\"{file}\"{rest}"));
    }
    brief
}

/// The head and the body of a response.
pub(crate) fn get(address: &str, path: &str, header: &str) -> (String, Vec<u8>) {
    let mut stream = TcpStream::connect(address).unwrap();
    let limit = Some(Duration::from_secs(60));
    stream.set_read_timeout(limit).unwrap();
    let header = if header.is_empty() {
        String::new()
    } else {
        format!("{header}\r\n")
    };
    let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{header}\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut response = Vec::new();
    stream.read_to_end(&mut response).unwrap();
    let end = response
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .unwrap();
    let head = String::from_utf8(response[..end].to_vec()).unwrap();
    (head, response[end + 4..].to_vec())
}

/// The samples of a text, by name with labels.
pub(crate) fn samples(text: &str) -> BTreeMap<String, String> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let mut samples = BTreeMap::new();
    for line in lines {
        let (name, value) = line.rsplit_once(' ').unwrap();
        let twice = samples.insert(name.to_owned(), value.to_owned());
        assert_eq!(twice, None, "{line}");
    }
    samples
}

pub(crate) fn demo(folder: &Path, file: &str, name: &str) -> Option<Server> {
    let socket = folder.join(format!("{file}.sock"));
    let options = ["--vcpus", "2", "--qmp", socket.to_str().unwrap()];
    program::kvm_opens()
        .then(|| Server::start(&[&["demo", "--hold", "--name", name], &options[..]].concat()))
}

pub(crate) fn signal(program: &Running, name: &str) {
    let pid = program.0.id().to_string();
    let status = Command::new("kill").args(["-s", name, &pid]).status();
    assert!(status.unwrap().success());
}

pub(crate) fn glob(folder: &Path) -> String {
    format!("{}/*.sock", folder.display())
}

/// The numbers of a raw reply, summed over the vCPUs: by the statistic and its bucket.
pub(crate) fn raw(client: &mut RawClient) -> BTreeMap<(String, usize), u128> {
    let reply = client.ask("{'execute': 'query-stats', 'arguments': {'target': 'vcpu'}}");
    let mut sums = BTreeMap::new();
    for result in reply["return"].as_array().unwrap() {
        for stat in result["stats"].as_array().unwrap() {
            let name = stat["name"].as_str().unwrap();
            let numbers: Vec<u64> = match &stat["value"] {
                // The highest bucket comes first.
                Value::Array(counts) => counts
                    .iter()
                    .rev()
                    .map(|count| count.as_u64().unwrap())
                    .collect(),
                Value::Number(number) => vec![number.as_u64().unwrap()],
                _ => continue,
            };
            for (bucket, number) in numbers.into_iter().enumerate() {
                *sums.entry((name.to_owned(), bucket)).or_default() += u128::from(number);
            }
        }
    }
    sums
}
