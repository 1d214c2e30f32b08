//! A client of QMP servers: QEMU, or a monitor of one's own.
//!
//! In: a server's address or a stream, and typed requests of generated code. Out:
//! typed replies, and events. No schema: a command brings the type of its result.
//!
//! - [`Client`] waits for each reply, and needs nothing but the standard library.
//! - `AsyncClient`, with feature `tokio`, is shared by many tasks.
//! - [`Session`] is the part of both clients that does no I/O.
//!
//! # Example
//!
//! ```no_run
//! use qapi_wire::client::{Client, ClientError, Options};
//! # mod commands {
//! #     use qapi_wire::command::{CommandInfo, Request};
//! #     use qapi_wire::{EncodeMembers, ObjectWriter};
//! #     pub struct QueryName {}
//! #     pub struct NameInfo { pub name: Option<String> }
//! #     qapi_wire::object!(NameInfo { name: optional("name"), });
//! #     impl EncodeMembers for QueryName {
//! #         fn encode_members(&self, _: &mut ObjectWriter<'_, '_>) {}
//! #     }
//! #     impl Request for QueryName {
//! #         type Reply = NameInfo;
//! #         const INFO: &'static CommandInfo = &CommandInfo::new("query-name");
//! #     }
//! # }
//! use commands::QueryName; // of the code that qapi-gen has generated
//!
//! fn main() -> Result<(), ClientError> {
//!     let mut client = Client::connect_unix("/run/vm/qmp.sock", Options::default())?;
//!     let info = client.execute(&QueryName {})?;
//!     println!("{} on QEMU {}", info.name.unwrap_or_default(), client.version());
//!     Ok(())
//! }
//! ```
//!
//! # Errors
//!
//! [`ClientError`] tells the server's refusal, with class and description, from
//! errors of the connection. After a [timeout](ClientError::Timeout) the connection
//! stays usable: if the reply comes later, it is dropped, and never taken for the
//! reply of another call.

#[cfg(feature = "tokio")]
mod asynchronous;
mod blocking;
pub mod deadline;
mod error;
mod event_queue;
mod opening;
mod options;
mod outbox;
mod session;
mod telnet;
mod transport;
mod version;

#[cfg(feature = "tokio")]
pub use asynchronous::{AsyncClient, Subscription};
pub use blocking::Client;
pub use error::ClientError;
pub use options::Options;
pub use session::{Session, Subscriber, decode_reply};
pub use transport::{Pipes, Transport};
pub use version::Version;
