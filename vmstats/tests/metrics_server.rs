//! The exporter as a part of another program: bound first, started later, ended by its
//! handle.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod program;
mod scraper;
mod simulated;

use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Parser;
use scraper::{get, samples};
use serde_json::json;
use vmstats::cli::ExpositionArgs;
use vmstats::export::MetricsServer;
use vmstats::failure::Failure;
use vmstats::source::Place;

/// The arguments as another command has them.
#[derive(Parser)]
struct Command {
    #[command(flatten)]
    exposition: ExpositionArgs,
}

fn bind(folder: &Path, words: &[&str]) -> Result<MetricsServer, Failure> {
    let words = [&["command"], words].concat();
    let command = Command::try_parse_from(words).unwrap();
    MetricsServer::bind(vec![Place::Host(folder.into())], &command.exposition)
}

/// Returns the samples of the places and of the machines.
fn counts(address: &str) -> Vec<(String, String)> {
    let (head, body) = get(address, "/metrics", "");
    assert!(head.starts_with("HTTP/1.1 200 OK"), "{head}");
    let samples = samples(&String::from_utf8(body).unwrap()).into_iter();
    let is_count = |name: &str| name.starts_with("vmstats_place_sockets") || name == "vmstats_vms";
    samples.filter(|(name, _)| is_count(name)).collect()
}

#[test]
fn folder_of_a_host_has_no_machine_until_one_comes() {
    let folder = tempfile::tempdir().unwrap();
    let vms = folder.path().join("vms");
    std::fs::create_dir(&vms).unwrap();
    let socket = folder.path().join("metrics.sock");
    let unix = format!("unix:{}", socket.display());
    let server = bind(&vms, &["--listen", "127.0.0.1:0", "--listen", &unix]).unwrap();
    let urls: Vec<_> = server.urls().map(str::to_owned).collect();
    assert_eq!(urls.get(1), Some(&unix));
    let address = urls.first().unwrap().strip_prefix("http://").unwrap();
    let address = address.strip_suffix("/metrics").unwrap();
    let running = server.start().unwrap();
    let expected = |count: &str| {
        let place = format!("vmstats_place_sockets{{place=\"{}\"}}", vms.display());
        let vms = "vmstats_vms".to_owned();
        [(place, count.to_owned()), (vms, count.to_owned())]
    };
    assert_eq!(counts(address), expected("0"));
    let answer = simulated::text(&json!([]));
    simulated::serve(
        &vms.join("a.sock"),
        Arc::new(move |_, _| Arc::clone(&answer)),
    );
    // A collection of the last moment is shared.
    std::thread::sleep(Duration::from_millis(200));
    assert_eq!(counts(address), expected("1"));
    UnixStream::connect(&socket).unwrap();
    let begin = Instant::now();
    drop(running);
    assert!(begin.elapsed() < Duration::from_secs(5));
    assert!(!socket.exists());
    assert!(std::net::TcpStream::connect(address).is_err());
}

#[test]
fn sockets_are_removed_when_the_server_is_never_started() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("metrics.sock");
    let unix = format!("unix:{}", socket.display());
    let server = bind(folder.path(), &["--listen", &unix]).unwrap();
    assert!(socket.exists());
    drop(server);
    assert!(!socket.exists());
    // Nothing is bound without an address.
    let server = bind(folder.path(), &[]).unwrap();
    assert_eq!(server.urls().len(), 0);
}

#[test]
fn options_are_refused_when_they_have_no_effect() {
    let folder = tempfile::tempdir().unwrap();
    let words = ["--listen", "127.0.0.1:0", "--tls-allow", "CN=x"];
    let failure = bind(folder.path(), &words).err().unwrap();
    assert!(failure.to_string().contains("--listen tls:"), "{failure}");
}
