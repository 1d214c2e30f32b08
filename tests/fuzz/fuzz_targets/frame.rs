//! Any bytes as a client's: a session answers or waits, the same whether they
//! come whole or in pieces.
#![no_main]

use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use stats_runtime::qmp::{Limits, Session};
use stats_runtime::{Host, Monitor, NoHost, Registry};

fn answers(monitor: &Monitor, pieces: impl Iterator<Item = Vec<u8>>) -> Vec<u8> {
    let mut session = Session::new(&NoHost.version(), Limits::default());
    let mut answers = Vec::new();
    let prelude = b"{'execute': 'qmp_capabilities'}".to_vec();
    for piece in std::iter::once(prelude).chain(pieces) {
        session.receive(&piece);
        session.run(monitor, &monitor.context());
        answers.extend_from_slice(session.output());
        session.sent(session.output().len());
    }
    answers
}

fuzz_target!(|input: (u8, Vec<u8>)| {
    let (cut, bytes) = input;
    let monitor = Monitor::new(Registry::new(), NoHost);
    let whole = answers(&monitor, std::iter::once(bytes.clone()));
    let pieces = bytes.chunks(usize::from(cut).max(1)).map(<[u8]>::to_vec);
    assert_eq!(whole, answers(&monitor, pieces));
    assert!(whole.is_ascii());
});
