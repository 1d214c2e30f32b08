//! The arguments of `export`.
//!
//! In: words. Out: places, the statistics that are exported, and where to.

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use stats_runtime::exposition::Buckets;

use super::reach::MonitorsArgs;
use super::value::interval;
use crate::listen::Listen;
use crate::selector::NamePatterns;

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
pub struct ExportArgs {
    /// The monitors.
    #[command(flatten)]
    pub monitors: MonitorsArgs,
    /// Serve /metrics at this address: HOST:PORT of the loopback, unix:PATH, or
    /// tls:ADDRESS:PORT for scrapers with a certificate (see --tls); may be given several
    /// times [default: 127.0.0.1:9747 without --textfile and --otlp]
    #[arg(long, value_name = "ADDR", value_parser = listen)]
    pub listen: Vec<Listen>,
    /// Serve only scrapers whose certificate has this subject, such as
    /// O=Example,CN=prometheus; may be given several times
    #[arg(long, value_name = "SUBJECT")]
    pub tls_allow: Vec<String>,
    /// Write the statistics to this file at the interval, for the textfile collector of
    /// node_exporter
    #[arg(long, value_name = "PATH")]
    pub textfile: Option<PathBuf>,
    /// Send the statistics at the interval to this OpenTelemetry receiver, such as
    /// http://127.0.0.1:4318/v1/metrics
    #[arg(long, value_name = "URL", value_parser = url)]
    pub otlp: Option<OtlpUrl>,
    /// The number of seconds from one file or message to the next
    #[arg(long, value_name = "S", default_value = "15", value_parser = interval, allow_negative_numbers = true)]
    pub interval: Duration,
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
    /// Export statistics only of the N virtual machines that ran longest since the last
    /// scrape, and totals of the host
    #[arg(long, value_name = "N")]
    pub top: Option<NonZeroUsize>,
    /// Write when each counter was zero, as OpenMetrics allows; a series more for each in
    /// Prometheus 2
    #[arg(long)]
    pub created: bool,
    /// The number of samples that a virtual machine may have; the others are left out and
    /// counted
    #[arg(long, value_name = "N", default_value = "10000")]
    pub series_max: NonZeroUsize,
    /// Print how many series and bytes each choice costs, and end
    #[arg(long)]
    pub dry_run: bool,
    /// The number of hosts to compute the cost of
    #[arg(long, value_name = "N", requires = "dry_run", default_value = "1")]
    pub hosts: NonZeroUsize,
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
    let wrong =
        || "expected HOST:PORT such as 127.0.0.1:9747, unix:PATH, or tls:ADDRESS:PORT".to_owned();
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
            let number = text.strip_prefix("every-").map(|number| {
                // People write every-2nd, every-3rd and every-4th.
                number.trim_end_matches(|character: char| character.is_ascii_lowercase())
            });
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
        for wrong in ["9747", "localhost", "vsock:1:2", "fd:3", ""] {
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
        assert_eq!(buckets("every-2nd"), Ok(every(2)));
        assert_eq!(buckets("every-4"), Ok(every(4)));
        assert_eq!(buckets("none"), Ok(Buckets::Infinite));
        assert!(buckets("every-0").is_err() && buckets("2").is_err());
    }
}
