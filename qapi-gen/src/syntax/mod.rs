//! From bytes to expressions.
//!
//! In: a file's text. Out: expressions and documentation blocks that borrow
//! from it, with their places. No keyword of the schema language appears here.

mod cursor;
mod doc_comment;
mod duplicate_names;
mod expression;
mod lexer;
mod parser;

pub use doc_comment::DocText;
pub(crate) use doc_comment::{DocBlock, Section, SectionKind};
pub(crate) use expression::{Member, Object, Value, ValueKind};
pub(crate) use parser::{Next, Parser};
