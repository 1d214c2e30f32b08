//! Sockets that the servers of QMP and of the human monitor both use.
//!
//! In: paths. Out: bound sockets. This module knows no server and no protocol.

pub(crate) mod unix;
