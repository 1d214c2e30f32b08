//! The arguments of `export`.
//!
//! In: words. Out: places, the statistics that are exported, and where to.

use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use stats_runtime::exposition::Buckets;

use super::reach::with_credentials;
use super::value::{interval, place, seconds};
use crate::listen::Listen;
use crate::selector::NamePatterns;
use crate::source::Place;

/// Export the statistics of many virtual machines to Prometheus or OpenTelemetry.
///
/// Without other options, a virtual machine has 118 series, or 19 if the scraper folds
/// histograms: the counters that say most about a slow one, its histograms of halts and its
/// steal time, summed over its vCPUs. --dry-run prints what each option costs.
///
/// A scrape asks all monitors at once and waits for them until shortly before the
/// scraper's own timeout. One that hangs is not waited for again until it has answered;
/// it has vmstats_vm_up 0 and no other values.
#[derive(Debug, Args)]
#[command(mut_arg("tls", |tls| tls.help(TLS_HELP)), mut_arg("listen", |listen| listen.help(LISTEN_HELP)))]
pub struct ExportArgs {
    /// The monitors: a socket's path, a folder of sockets, a glob such as
    /// '/run/vm/*.sock', host: for all virtual machines of `vmstats host` or host:NAME for
    /// one, @NAME for an abstract socket, HOST:PORT or tcp:HOST:PORT, tls:HOST:PORT or
    /// vsock:CID:PORT
    #[arg(value_name = "ENDPOINT-OR-GLOB", required = true, value_parser = place())]
    places: Vec<Place>,
    /// The statistics that scrapers get, and where they connect.
    #[command(flatten)]
    pub exposition: ExpositionArgs,
    /// Write the statistics to this file (*.prom) at the interval, for the textfile
    /// collector of node_exporter; the file is removed at the end
    #[arg(long, value_name = "PATH")]
    pub textfile: Option<PathBuf>,
    /// Send the statistics at the interval to this OpenTelemetry receiver, such as
    /// http://127.0.0.1:4318/v1/metrics
    #[arg(long, value_name = "URL", value_parser = url)]
    pub otlp: Option<OtlpUrl>,
    /// The number of seconds from one file or message to the next [default: 15]
    #[arg(long, value_name = "S", value_parser = interval, allow_negative_numbers = true)]
    pub interval: Option<Duration>,
    /// Print how many series and bytes each choice costs, and end
    #[arg(long)]
    pub dry_run: bool,
    /// The number of hosts to compute the cost of
    #[arg(long, value_name = "N", requires = "dry_run", default_value = "1", value_parser = count)]
    pub hosts: NonZeroUsize,
}

/// The help of --tls of a command that also asks monitors of other hosts.
const TLS_HELP: &str = "The folder with ca-cert.pem and, to listen at tls:, server-cert.pem and \
                        server-key.pem; for monitors at tls:, client-cert.pem and client-key.pem. \
                        The files to listen with are read once, at the start";

/// The help of --listen of a command that has other outputs too.
const LISTEN_HELP: &str = "Serve /metrics at this address: ADDRESS:PORT of the loopback, \
                           unix:PATH, or tls:ADDRESS:PORT for scrapers with a certificate (see \
                           --tls); may be given several times [default: 127.0.0.1:9747, unless \
                           --textfile or --otlp is given]";

/// The statistics that a command serves to scrapers, and where.
#[derive(Clone, Debug, Args)]
pub struct ExpositionArgs {
    /// The folder with ca-cert.pem, server-cert.pem and server-key.pem, to listen at tls:.
    /// The files are read once, at the start
    #[arg(long, value_name = "DIR")]
    pub tls: Option<PathBuf>,
    /// How many seconds monitors are waited for if the scraper does not tell its own
    /// timeout, as Prometheus does [default: 5]
    #[arg(long, value_name = "S", value_parser = seconds, allow_negative_numbers = true)]
    pub timeout: Option<Duration>,
    /// Serve /metrics at this address: ADDRESS:PORT of the loopback, unix:PATH, or
    /// tls:ADDRESS:PORT for scrapers with a certificate (see --tls); may be given several
    /// times
    #[arg(long, value_name = "ADDR", value_parser = listen)]
    pub listen: Vec<Listen>,
    /// Serve only scrapers whose certificate has this subject, such as
    /// O=Example,CN=prometheus, with its parts in the certificate's order; may be given
    /// several times
    #[arg(long, value_name = "SUBJECT")]
    pub tls_allow: Vec<String>,
    /// Export each vCPU too, beside the sums
    #[arg(long)]
    pub per_vcpu: bool,
    /// Export statistics with these names instead of the default ones: globs such as
    /// 'halt_*', '*' for all, or regular expressions such as '/poll|wait/'
    #[arg(long, value_name = "A,B")]
    pub names: Vec<NamePatterns>,
    /// Export only statistics of this provider; may be given several times
    #[arg(long = "provider", value_name = "P")]
    pub providers: Vec<String>,
    /// Export only these bounds of histograms: all, every-N for each N-th, or none
    #[arg(long, value_name = "WHICH", default_value = "all", value_parser = buckets)]
    pub buckets: Buckets,
    /// Export statistics only of the N busiest virtual machines since the last
    /// scrape, and totals of the host
    #[arg(long, value_name = "N", value_parser = count)]
    pub top: Option<NonZeroUsize>,
    /// Add a _created line to each counter in OpenMetrics: when it was zero. Prometheus 2
    /// stores the line as one more series
    #[arg(long)]
    pub created: bool,
    /// The maximum number of samples of a virtual machine; further ones are left out and
    /// counted in vmstats_vm_dropped_statistics
    #[arg(long, value_name = "N", default_value = "10000", value_parser = count)]
    pub series_max: NonZeroUsize,
}

impl ExpositionArgs {
    /// Returns why an option cannot act beside the others. Returns `None` if all can.
    #[must_use]
    pub fn contradiction(&self) -> Option<&'static str> {
        let is_tls = |listen: &Listen| matches!(listen, Listen::Tls(_));
        (!self.tls_allow.is_empty() && !self.listen.iter().any(is_tls))
            .then_some("--tls-allow admits nobody by itself: it needs --listen tls:ADDRESS:PORT")
    }
}

impl ExportArgs {
    /// Returns where the monitors are, with the credentials for TLS.
    #[must_use]
    pub fn places(&self) -> Vec<Place> {
        with_credentials(&self.places, self.exposition.tls.as_deref())
    }

    /// Returns why an option cannot act beside the others. Returns `None` if all can.
    #[must_use]
    pub fn contradiction(&self) -> Option<&'static str> {
        let has_interval = self.textfile.is_some() || self.otlp.is_some();
        let has_scrapers = !self.exposition.listen.is_empty() || !has_interval;
        let is_read = |path: &PathBuf| path.extension().is_some_and(|end| end == "prom");
        if let Some(why) = self.exposition.contradiction() {
            Some(why)
        } else if self.interval.is_some() && !has_interval {
            Some(
                "--interval has no effect on scrapes, which come when the scraper wants: it needs \
                 --textfile or --otlp",
            )
        } else if self.exposition.created && !has_scrapers {
            Some("--created has no effect on --textfile and --otlp: it needs --listen")
        } else if self.textfile.as_ref().is_some_and(|path| !is_read(path)) {
            Some(
                "--textfile needs a file name that ends with .prom, because node_exporter reads no \
                 other",
            )
        } else {
            None
        }
    }
}

/// Parses a number that is not zero.
fn count(text: &str) -> Result<NonZeroUsize, String> {
    let number = text.parse();
    number.map_err(|_| "expected a number from 1".to_owned())
}

/// The address of an OpenTelemetry receiver over HTTP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OtlpUrl {
    /// The host and the port, as HTTP's header `Host` has them.
    pub authority: String,
    /// The path.
    pub path: String,
}

/// Parses the URL of an OpenTelemetry receiver.
fn url(text: &str) -> Result<OtlpUrl, String> {
    if text.starts_with("https://") {
        return Err(
            "TLS is left to an agent of this host, such as the OpenTelemetry collector: expected \
             http://HOST:PORT/v1/metrics"
                .to_owned(),
        );
    }
    let wrong = || "expected http://HOST:PORT/v1/metrics".to_owned();
    let rest = text.strip_prefix("http://").ok_or_else(wrong)?;
    let (authority, path) = match rest.find('/') {
        Some(index) => rest.split_at(index),
        None => (rest, ""),
    };
    let is_visible = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic());
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if port.parse::<u16>().is_ok() => host,
        _ => return Err(wrong()),
    };
    if host.is_empty() || host.contains('@') || !is_visible(rest) {
        return Err(wrong());
    }
    Ok(OtlpUrl {
        authority: authority.to_owned(),
        path: match path {
            "" | "/" => "/v1/metrics".to_owned(),
            path => path.to_owned(),
        },
    })
}

/// Parses an address to serve at.
fn listen(text: &str) -> Result<Listen, String> {
    let wrong = || {
        "expected ADDRESS:PORT such as 127.0.0.1:9747 with a port of at most 65535, \
         localhost:PORT, unix:PATH, or tls:ADDRESS:PORT"
            .to_owned()
    };
    let local = text.strip_prefix("tcp:").unwrap_or(text);
    let local = local.strip_prefix("localhost:").map(str::parse);
    if let Some(port) = local {
        let port: u16 = port.map_err(|_| wrong())?;
        return Ok(Listen::Tcp((Ipv4Addr::LOCALHOST, port).into()));
    }
    let listen = match text.parse::<SocketAddr>() {
        Ok(address) => Listen::Tcp(address),
        Err(_) => text.parse().map_err(|_| wrong())?,
    };
    match &listen {
        Listen::Tcp(address) if !address.ip().is_loopback() => Err(format!(
            "{address} can be reached from other machines, and the connection would not be \
             encrypted: write tls:{address} with --tls DIR, or an address of the loopback"
        )),
        Listen::Tcp(_) | Listen::Tls(_) | Listen::Unix(_) => Ok(listen),
        Listen::Vsock { .. } | Listen::Inherited(_) => Err(wrong()),
    }
}

/// Parses a choice of buckets.
fn buckets(text: &str) -> Result<Buckets, String> {
    match text {
        "all" => Ok(Buckets::All),
        "none" => Ok(Buckets::Infinite),
        _ => {
            let number = text.strip_prefix("every-");
            // The parser of numbers would take a sign too.
            let number = number.filter(|number| number.bytes().all(|byte| byte.is_ascii_digit()));
            number
                .and_then(|number| number.parse().ok())
                .map(Buckets::Every)
                .ok_or_else(|| "expected all, none, or every-N such as every-2".to_owned())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn address_is_refused_when_others_could_read_what_passes() {
        let is_ok = |text: &str| listen(text).is_ok();
        assert!(is_ok("127.0.0.1:0") && is_ok("tcp:[::1]:9747") && is_ok("[::1]:1"));
        assert!(is_ok("tls:0.0.0.0:9747") && is_ok("unix:/run/x.sock"));
        assert!(
            listen("0.0.0.0:9747")
                .unwrap_err()
                .contains("tls:0.0.0.0:9747")
        );
        let local = Ok(Listen::Tcp(([127, 0, 0, 1], 9747).into()));
        assert_eq!(listen("localhost:9747"), local);
        assert_eq!(listen("tcp:localhost:9747"), local);
        for wrong in [
            "9747",
            "localhost",
            "localhost:99999",
            "127.0.0.1:99999",
            "example:1",
            "vsock:1:2",
            "fd:3",
            "",
        ] {
            assert!(
                listen(wrong).unwrap_err().contains("127.0.0.1:9747"),
                "{wrong}"
            );
        }
    }

    #[test]
    fn receiver_has_the_usual_path_when_none_is_given() {
        let parsed = url("http://[::1]:4318").unwrap();
        assert_eq!(
            (&*parsed.authority, &*parsed.path),
            ("[::1]:4318", "/v1/metrics")
        );
        assert_eq!(url("http://h:1/api").unwrap().path, "/api");
        assert!(url("https://h:1/").unwrap_err().contains("TLS"));
        for wrong in [
            "h:1",
            "http://h",
            "http://:1",
            "http://a@h:1",
            "http://h:1/ x",
        ] {
            assert!(url(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn buckets_are_chosen_by_their_distance() {
        let every = |number| Buckets::Every(NonZeroUsize::new(number).unwrap());
        assert_eq!(buckets("every-4"), Ok(every(4)));
        assert_eq!(buckets("none"), Ok(Buckets::Infinite));
        for wrong in [
            "every-0",
            "2",
            "every-4th",
            "every-4banana",
            "every-+4",
            "every-",
        ] {
            assert!(buckets(wrong).is_err(), "{wrong}");
        }
    }
}
