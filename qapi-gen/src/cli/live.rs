//! The interface of a running server.
//!
//! In: the address of a monitor. Out: its reply to `query-qmp-schema`.

use qapi_wire::client::{Client, ClientError, Options, Transport};
use qapi_wire::message::{Outcome, Return};
use qapi_wire::{Dict, Value};

/// The address of a monitor.
#[derive(Clone, Copy, Debug)]
pub(super) enum Address<'a> {
    Unix(&'a str),
    Tcp(&'a str),
}

impl<'a> Address<'a> {
    /// Parses `unix:PATH` and `tcp:HOST:PORT`.
    pub(super) fn parse(argument: &'a str) -> Option<Self> {
        if let Some(path) = argument.strip_prefix("unix:") {
            return Some(Self::Unix(path));
        }
        argument.strip_prefix("tcp:").map(Self::Tcp)
    }
}

/// Asks a server for its interface: an array of `SchemaInfo`.
pub(super) fn query_schema(address: Address<'_>) -> Result<Return, String> {
    let options = Options::default();
    let outcome = match address {
        Address::Unix(path) => ask(Client::connect_unix(path, options)),
        Address::Tcp(address) => ask(Client::connect_tcp(address, options)),
    };
    match outcome {
        Ok(Outcome::Return(reply)) => Ok(reply),
        Ok(Outcome::Error(reply)) => Err(reply.error().to_string()),
        Err(error) => Err(error.to_string()),
    }
}

fn ask<T: Transport>(client: Result<Client<T>, ClientError>) -> Result<Outcome, ClientError> {
    let mut request = Dict::new();
    request.push("execute", Value::from("query-qmp-schema"));
    client?.call_untyped(request)
}
