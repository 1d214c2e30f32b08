//! Statistics of virtual machines, for any VMM to link.
//!
//! A VMM registers providers of statistics. Clients query the statistics over
//! QMP with `query-stats` and `query-stats-schemas`, and people with the human
//! monitor's `info stats`. The stations of one request are:
//!
//! `bytes → message → request → dispatch → filter → registry → provider → sink →
//! bytes out`
//!
//! # Example
//!
//! ```
//! use qapi_stats::stats::StatsTarget;
//! use stats_runtime::{Monitor, NoHost, Registry, qmp::Session};
//!
//! let registry = Registry::new();
//! registry.add_stats_callbacks(
//!     "xyz",
//!     |query, sink| {
//!         if *query.target() == StatsTarget::Vm {
//!             sink.result(None);
//!             sink.scalar("balloon-inflations", 42);
//!         }
//!         Ok(())
//!     },
//!     |sink| {
//!         sink.schema(StatsTarget::Vm);
//!         Ok(())
//!     },
//! )?;
//!
//! let monitor = Monitor::new(registry, NoHost);
//! let mut session = Session::new(&monitor.host().version(), Default::default());
//! session.sent(session.output().len()); // the greeting
//! session.receive(
//!     b"{'execute': 'qmp_capabilities'}
//!       {'execute': 'query-stats', 'arguments': {'target': 'vm'}}",
//! );
//! session.run(&monitor, &monitor.context());
//! assert_eq!(
//!     str::from_utf8(session.output())?,
//!     "{\"return\": {}}\r\n{\"return\": [{\"provider\": \"xyz\", \"stats\": \
//!      [{\"name\": \"balloon-inflations\", \"value\": 42}]}]}\r\n"
//! );
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Features
//!
//! - `kvm`: [`kvm`], the statistics of KVM's virtual machines and vCPUs.
//! - `qmp`: [`Monitor`], [`Host`] and [`qmp`], the protocol without a socket.
//! - `hmp`: [`hmp`], the human monitor.
//! - `server`: [`server`], listening sockets and their threads. `tls`, `vsock`
//!   and `activation` (systemd's sockets) add further kinds of sockets.
//! - `exposition`: [`exposition`], OpenMetrics and Prometheus' text.
//! - `serde`: serde's traits for everything that a query returns.
//! - `tracing`: the server logs who connected, was refused and left, and why, as
//!   events of `tracing` with target `stats_runtime::server`.

pub mod cryptodev;
#[cfg(all(feature = "server", not(target_os = "linux")))]
compile_error!(
    "stats-runtime: feature `server` needs Linux, because servers wait with epoll and timerfd. \
     For other systems, leave the default features out and drive `qmp::Session` instead."
);

#[cfg(feature = "qmp")]
mod events;
#[cfg(feature = "exposition")]
pub mod exposition;
#[cfg(feature = "hmp")]
pub mod hmp;
#[cfg(feature = "qmp")]
pub mod host;
#[cfg(feature = "kvm")]
pub mod kvm;
mod lock;
#[cfg(feature = "qmp")]
mod monitor;
#[cfg(all(feature = "server", target_os = "linux"))]
mod net;
mod provider;
#[cfg(feature = "qmp")]
pub mod qmp;
mod registry;
pub mod sandbox;
#[cfg(all(feature = "server", target_os = "linux"))]
pub mod server;
mod set;
pub mod sink;
#[cfg(feature = "server")]
mod sys;
pub mod testing;

#[cfg(feature = "qmp")]
pub use events::{EventLimit, Subscription};
#[cfg(feature = "qmp")]
pub use host::{Host, NoHost};
#[cfg(feature = "qmp")]
pub use monitor::Monitor;
pub use provider::{Provider, ProviderError, ProviderErrorClass, StatsQuery};
pub use registry::{DuplicateStatistic, RegisterError, Registration, Registry};
pub use set::{Log2Histogram, StatsSet};
pub use sink::{SchemaSink, StatsSink};
