//! The words about the Rust back end, which QEMU has none for.
//!
//! In: a problem of that stage. Out: English. It knows nothing of places.

use std::fmt;

use super::list::{Quoted, plural};
use crate::diag::Problem;

pub(super) fn write(problem: &Problem, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    use Problem as P;
    match problem {
        P::RustNameClash {
            name, other, ident, ..
        } => {
            write!(f, "{name} and {other} both become '{ident}' in Rust")
        }
        P::NestedTypes { name, depth, limit } => write!(
            f,
            "types are nested about {depth} levels deep in '{name}': rustc's limit is {limit}"
        ),
        P::ExternModuleUnknown(name) => {
            write!(f, "no module of the schema is called '{name}'")
        }
        P::ExternPath { module, path } => write!(
            f,
            "the path '{path}' of module '{module}' must begin with '::' or 'crate::'"
        ),
        P::OptionUnknown { option, name, what } => {
            write!(f, "{option}: the schema has no {what} '{name}'")
        }
        P::OptionSyntax {
            option,
            text,
            what,
            reason,
        } => {
            write!(f, "{option}: '{text}' is no {what}: {reason}")
        }
        P::OptionIdle { option, name, why } => {
            write!(f, "{option}: nothing is done to '{name}': {why}")
        }
        P::OnlyAndExcept(name) => {
            write!(f, "'{name}' is named by both 'only' and 'except'")
        }
        P::ConfigUnused(symbols) => {
            let verb = if symbols.len() > 1 { "are" } else { "is" };
            write!(
                f,
                "config: symbol{} {} {verb} in no condition of the schema",
                plural(symbols),
                Quoted(symbols)
            )
        }
        P::FeatureClash {
            symbols: [one, other],
            feature,
        } => {
            write!(
                f,
                "cfg: '{one}' and '{other}' both become feature '{feature}'"
            )
        }
        P::ReplacedDiscriminator { ty, union } => {
            write!(
                f,
                "replace: '{ty}' is the discriminator of union '{union}', which needs its variants"
            )
        }
        // Every stage's problems have been taken by now.
        _ => Ok(()),
    }
}
