//! The files of Unix sockets: their modes, and who may bind where.

#![cfg(feature = "server")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::io::ErrorKind;

use stats_runtime::server::bind_private;

#[test]
fn path_is_refused_when_it_would_name_an_abstract_socket() {
    for (path, expected) in [
        ("", "the path of the socket is empty"),
        ("\0abstract", "the path of the socket contains a NUL byte"),
        ("qmp\0.sock", "the path of the socket contains a NUL byte"),
    ] {
        let error = bind_private(path.as_ref()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert_eq!(error.to_string(), expected);
    }
}
