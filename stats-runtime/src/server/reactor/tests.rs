//! A reactor whose commands do not return.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::sync::mpsc;
use std::thread;

use qapi_stats::stats::StatsProvider;

use super::super::threads::Threads;
use super::*;
use crate::{NoHost, Registry};

const PATIENCE: Duration = Duration::from_secs(20);

fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let begin = Instant::now();
    while !is_so() {
        assert!(begin.elapsed() < PATIENCE, "{what}");
        thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn reactor_forgets_parked_clients_that_have_left() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("qmp.sock");
    let (release, receiver) = mpsc::channel::<()>();
    let receiver = Lock::new(receiver);
    let registry = Registry::new();
    let query = move |_: &crate::StatsQuery<'_>, _: &mut dyn crate::StatsSink| {
        let _ = receiver.lock().recv();
        Ok(())
    };
    registry
        .add_stats_callbacks(StatsProvider::Kvm, query, |_| Ok(()))
        .unwrap();
    let monitor = Monitor::new(registry, NoHost);
    let listener = Listener::unix(&path).unwrap();
    let options = Options::new().threads(2);
    let mut threads = Threads::start(monitor, vec![listener], options).unwrap();
    let reactor = Arc::clone(threads.reactor());
    let clients: Vec<UnixStream> = (0..10)
        .map(|_| {
            let mut stream = UnixStream::connect(&path).unwrap();
            let request = "{'execute': 'qmp_capabilities'}\
                           {'execute': 'query-stats', 'arguments': {'target': 'vm'}}";
            stream.write_all(request.as_bytes()).unwrap();
            let mut lines = BufReader::new(&stream).lines();
            assert!(lines.next().unwrap().unwrap().starts_with("{\"QMP\""));
            stream
        })
        .collect();
    let parked = || reactor.capacity.parked();
    wait_until("all clients but one are parked", || parked() == 9);
    drop(clients);
    wait_until("the clients are forgotten", || reactor.connections() == 0);
    wait_until("no client is parked", || parked() == 0);
    drop(release);
    threads.stop(PATIENCE);
}
