//! JSON as QEMU reads and writes it.
//!
//! In: bytes. Out: documents, trees, [`SyntaxError`]s and text. The language is
//! RFC 8259 with single-quoted strings and the escape `\'` besides; strings are
//! UTF-8 in which the bytes `C0 80` mean U+0000. See QEMU's
//! `qobject/json-lexer.c` and `docs/interop/qmp-spec`.

mod digits;
pub(crate) mod double;
mod error;
mod limits;
mod parse;
mod reader;
mod scan;
pub(crate) mod string;

pub use digits::write as write_digits;
pub use error::SyntaxError;
pub use limits::{Limits, MESSAGE_BYTES_MAX, NESTING_MAX};
pub use parse::parse;
pub use reader::MessageReader;
pub use scan::{Scan, Scanner};
