//! Writes the plan as Rust.
//!
//! In: a `Plan`. Out: the text of each generated file. This room must not decide
//! anything; each of its files writes one kind of item.
//!
//! Names of `qapi-wire` are written as `wire::...`, an alias that each generated
//! module starts with. Names of the standard prelude are written as the plan
//! spells them, because a schema may define its own `Option`. All other names
//! are written in full.

mod alternates;
mod attributes;
mod commands;
mod enums;
mod events;
mod features;
mod file;
mod module;
mod plain;
mod pretty;
mod print;
mod root;
mod schema_info;
mod structs;
mod table;
mod unions;
mod vacancy;

use super::options::Layout;
use super::placeholder::Placeholders;
use super::plan::{ModulePlan, Plan};

pub(crate) use file::{File, Item};
pub(crate) use print::print;

/// Writes the files that concern all modules: `mod.rs`, and the schema as data
/// unless it is part of `mod.rs`. The modules in `inline` become part of `mod.rs`.
pub(crate) fn root<'p>(
    plan: &'p Plan,
    inline: &'p [ModulePlan],
    placeholders: &'p Placeholders<'_>,
) -> Vec<File<'p>> {
    let introspection = || plan.introspection.iter().map(Vec::as_slice);
    let items = root::root(plan, inline, placeholders).map(Item::Tokens);
    match plan.layout {
        Layout::OneFile => {
            let introspection = introspection().map(schema_info::inline).map(Item::Text);
            vec![File {
                name: "mod.rs".to_owned(),
                schema_file: None,
                items: Box::new(items.chain(introspection)),
            }]
        }
        Layout::FilePerModule => {
            let root = File {
                name: "mod.rs".to_owned(),
                schema_file: None,
                items: Box::new(items),
            };
            let introspection = introspection().map(|infos| File {
                name: "schema_info.rs".to_owned(),
                schema_file: None,
                items: Box::new(schema_info::items(infos)),
            });
            std::iter::once(root).chain(introspection).collect()
        }
    }
}

/// Writes the file of a module.
pub(crate) fn module_file<'p>(
    plan: &'p ModulePlan,
    placeholders: &'p Placeholders<'_>,
) -> File<'p> {
    File {
        name: format!("{}.rs", plan.ident),
        schema_file: Some(&plan.file),
        items: Box::new(module::module_items(plan, placeholders).map(Item::Tokens)),
    }
}
