//! A monitor behind TLS, and `vmstats` as its client.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod program;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use qapi_stats::run_state::commands::QueryStatus;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use stats_runtime::server::{Options, Server};
use stats_runtime::{Monitor, NoHost, Registry};
use vmstats::client::{Client, ClientError};
use vmstats::endpoint::Endpoint;
use vmstats::listen::{self, Admission};

const TIMEOUT: Duration = Duration::from_secs(10);

struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        Self(CertifiedIssuer::self_signed(params, key).unwrap())
    }

    /// A folder as both sides take it, whose certificates are of this authority
    /// and which trusts `trusted`.
    fn fill(&self, folder: &Path, trusted: &Self) {
        std::fs::create_dir(folder).unwrap();
        std::fs::write(folder.join("ca-cert.pem"), trusted.0.pem()).unwrap();
        for side in ["server", "client"] {
            let key = KeyPair::generate().unwrap();
            let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
            let certificate = params.signed_by(&key, &self.0).unwrap();
            let write = |what: &str, text: String| {
                std::fs::write(folder.join(format!("{side}-{what}.pem")), text).unwrap();
            };
            write("cert", certificate.pem());
            write("key", key.serialize_pem());
        }
    }
}

fn serve(folder: &Path) -> (Server, SocketAddr) {
    let address = "tls:127.0.0.1:0".parse().unwrap();
    let listeners = listen::bind(&[address], Some(folder), &Admission::default()).unwrap();
    let address = listeners.iter().find_map(|listener| listener.tcp_address());
    let monitor = Monitor::new(Arc::new(Registry::new()), Arc::new(NoHost));
    let server = Server::start(monitor, listeners, Options::new()).unwrap();
    (server, address.unwrap())
}

fn endpoint(address: SocketAddr, folder: Option<&Path>) -> Endpoint {
    let endpoint: Endpoint = format!("tls:localhost:{}", address.port()).parse().unwrap();
    endpoint.with_credentials(folder)
}

#[test]
fn client_is_answered_when_its_certificate_is_known() {
    let scratch = tempfile::tempdir().unwrap();
    let [ours, theirs, stranger] =
        ["ours", "theirs", "stranger"].map(|name| scratch.path().join(name));
    let [authority, other] = [(), ()].map(|()| Authority::new());
    authority.fill(&ours, &authority);
    // Its certificate is nobody's here; and one who does not know the server's.
    other.fill(&theirs, &authority);
    authority.fill(&stranger, &other);
    let (_server, address) = serve(&ours);

    let mut client = Client::connect(&endpoint(address, Some(&ours)), TIMEOUT).unwrap();
    for _ in 0..3 {
        assert!(client.execute(&QueryStatus {}).unwrap().running);
    }
    // The shell reads in one thread and writes in another; and a reply of many
    // records.
    let at = format!("tls:localhost:{}", address.port());
    let output = program::vmstats(
        &["shell", &at, "--tls", ours.to_str().unwrap()],
        "query-name\nquery-qmp-schema\nquery-status\n",
    );
    assert!(output.status.success(), "{output:?}");
    let text = program::stdout(&output);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 3);
    assert_eq!(lines.first(), Some(&"{}"));

    for (folder, why) in [
        (None, "--tls"),
        (Some(theirs.as_path()), "alert"),
        (Some(stranger.as_path()), "invalid peer certificate"),
        (Some(scratch.path()), "ca-cert.pem"),
    ] {
        let refused: ClientError =
            Client::connect(&endpoint(address, folder), TIMEOUT).unwrap_err();
        assert!(refused.to_string().contains(why), "{refused}");
    }
    let plain: Endpoint = format!("tcp:localhost:{}", address.port()).parse().unwrap();
    assert!(Client::connect(&plain, Duration::from_millis(300)).is_err());
}

/// Nobody waits longer than they were told to.
#[test]
fn connecting_fails_in_time_when_the_server_says_nothing() {
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path().join("ours");
    let authority = Authority::new();
    authority.fill(&folder, &authority);
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = endpoint(silent.local_addr().unwrap(), Some(&folder));
    let error = Client::connect(&endpoint, Duration::from_millis(200)).unwrap_err();
    assert!(error.to_string().contains("no answer in time"), "{error}");
}
