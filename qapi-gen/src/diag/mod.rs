//! Diagnostics: what can be wrong with a schema, and all English about it.
//!
//! In: problems, as the stages find them. Out: messages with places and hints.
//! This room does not look anything up in a schema.

mod backend_problem;
mod definition_kind;
mod definition_part;
mod diagnostic;
mod hint;
mod human;
mod message_subject;
mod module_alone;
mod printable;
mod problem;
mod problem_kinds;
mod qemu_attribution;
mod quoted;
mod site;
mod style;

pub use backend_problem::BackendProblem;
pub use definition_kind::DefinitionKind;
pub use definition_part::{DefinitionPart, Owner, TypeName};
pub use diagnostic::{Diagnostic, Diagnostics, Severity};
pub(crate) use diagnostic::{Rank, Reported};
#[cfg(feature = "wire")]
pub(crate) use hint::similar;
pub use human::Colors;
pub use message_subject::{Key, MessageSubject};
pub use module_alone::module_alone;
pub use printable::{is_printable, printable};
pub use problem::{Expected, MarkupAdvice, Problem};
pub(crate) use problem_kinds::problem_kinds;
pub(crate) use qemu_attribution::{NamedDefinition, QemuAttribution};
pub(crate) use quoted::{Quoted, plural};
pub use site::Site;
pub use style::Style;
