//! Listening sockets, and a thread for each client.
//!
//! In: a bound listener and what answers the clients. Out: served connections,
//! until the server is stopped. It knows no JSON: that is the session's.

mod connection;
mod unix;

pub use unix::{UnixServer, bind_private};
