//! Writes the schema as data: the static from which a server answers
//! `query-qmp-schema`.
//!
//! In: the planned entries. Out: the static as text. Text instead of tokens is
//! faster to write, and QEMU's schema has more than a thousand entries.

use std::fmt::{Display, Write as _};

use super::attributes::cfg_lines;
use super::file::Item;
use crate::analysis::schema_info::{Features, Info, Meta, Typed, Value};
use crate::backend::rust::cfg::Presence;

/// Writes the static as the content of a file.
pub(super) fn items(infos: &[Info<'_, Presence>]) -> impl Iterator<Item = Item> {
    let mut text = Text::default();
    text.items(infos);
    std::iter::once(Item::Text(text.out))
}

/// Writes the static as a module within another file.
pub(super) fn inline(infos: &[Info<'_, Presence>]) -> String {
    let mut text = Text::default();
    text.nested("mod schema_info {", "}", |text| text.items(infos));
    text.out
}

/// Lines of code, indented by the number of open brackets.
#[derive(Default)]
struct Text {
    out: String,
    depth: usize,
}

impl Text {
    fn line(&mut self, line: impl Display) {
        self.out.extend(std::iter::repeat_n("    ", self.depth));
        // Writing to a string does not fail.
        let _ = writeln!(self.out, "{line}");
    }

    fn items(&mut self, infos: &[Info<'_, Presence>]) {
        self.line(
            "#[allow(unused_imports, reason = \"not every schema has entries of every kind\")]",
        );
        self.line("use ::qapi_wire::introspect::{EnumMember, Member, Meta, SchemaInfo, Variant};");
        self.out.push('\n');
        self.line("/// The schema as `query-qmp-schema` returns it: commands and events by");
        self.line("/// name, types by number.");
        self.list(
            "pub static SCHEMA: &[SchemaInfo] = ",
            infos,
            ";",
            Self::info,
        );
    }

    /// Writes the condition of the line that follows.
    fn cfg(&mut self, cfg: &Presence) {
        for line in cfg_lines(cfg).lines() {
            self.line(line);
        }
    }

    /// Writes lines between an opening and a closing line.
    fn nested(&mut self, open: impl Display, close: &str, write: impl FnOnce(&mut Self)) {
        self.line(open);
        self.depth += 1;
        write(self);
        self.depth -= 1;
        self.line(close);
    }

    /// Writes a slice with the text before and after it.
    fn list<T>(&mut self, before: &str, items: &[T], after: &str, write: fn(&mut Self, &T)) {
        if items.is_empty() {
            return self.line(format_args!("{before}&[]{after}"));
        }
        let close = format!("]{after}");
        self.nested(format_args!("{before}&["), &close, |text| {
            for item in items {
                write(text, item);
            }
        });
    }

    fn info(&mut self, info: &Info<'_, Presence>) {
        self.cfg(&info.cond);
        self.nested("SchemaInfo {", "},", |text| {
            text.line(format_args!("name: \"{}\",", info.name));
            text.meta(&info.meta);
            text.line(format_args!("features: {},", Names(&info.features)));
        });
    }

    fn meta(&mut self, meta: &Meta<'_, Presence>) {
        match meta {
            Meta::Builtin { json_type } => self.line(format_args!(
                "meta: Meta::Builtin {{ json_type: \"{json_type}\" }},"
            )),
            Meta::Enum { open, values } => self.nested("meta: Meta::Enum {", "},", |text| {
                text.line(format_args!("open: {},", Maybe(*open)));
                text.list("members: ", values, ",", Self::value);
            }),
            Meta::Array { element } => self.line(format_args!(
                "meta: Meta::Array {{ element_type: \"{element}\" }},"
            )),
            Meta::Object { members, union } => self.nested("meta: Meta::Object {", "},", |text| {
                let union = union.as_ref();
                let cases = union.map_or(&[][..], |union| &union.cases);
                text.list("members: ", members, ",", Self::member);
                text.line(format_args!(
                    "tag: {},",
                    Maybe(union.map(|union| union.tag))
                ));
                text.list("variants: ", cases, ",", Self::variant);
            }),
            Meta::Alternate { branches } => self.nested("meta: Meta::Alternate {", "},", |text| {
                text.list("members: ", branches, ",", Self::branch);
            }),
            Meta::Command {
                arg,
                ret,
                allow_oob,
            } => self.nested("meta: Meta::Command {", "},", |text| {
                text.line(format_args!("arg_type: \"{arg}\","));
                text.line(format_args!("ret_type: \"{ret}\","));
                text.line(format_args!("allow_oob: {allow_oob},"));
            }),
            Meta::Event { arg } => {
                self.line(format_args!("meta: Meta::Event {{ arg_type: \"{arg}\" }},"));
            }
        }
    }

    fn branch(&mut self, branch: &Typed<'_, Presence>) {
        self.cfg(&branch.cond);
        self.line(format_args!("\"{}\",", branch.ty));
    }

    fn value(&mut self, value: &Value<'_, Presence>) {
        self.cfg(&value.cond);
        let (name, features) = (value.name, Names(&value.features));
        if value.features.present.is_empty() {
            self.line(format_args!("EnumMember::Plain(\"{name}\"),"));
        } else {
            self.line(format_args!(
                "EnumMember::Featured(\"{name}\", {features}),"
            ));
        }
    }

    fn member(&mut self, member: &Typed<'_, Presence>) {
        self.cfg(&member.cond);
        let (name, ty, features) = (member.name, &member.ty, Names(&member.features));
        let kind = if member.optional {
            "Optional"
        } else {
            "Required"
        };
        if member.features.present.is_empty() {
            self.line(format_args!("Member::{kind}(\"{name}\", \"{ty}\"),"));
        } else {
            self.line(format_args!(
                "Member::Featured(&Member::{kind}(\"{name}\", \"{ty}\"), {features}),"
            ));
        }
    }

    fn variant(&mut self, case: &Typed<'_, Presence>) {
        self.cfg(&case.cond);
        self.line(format_args!("Variant(\"{}\", \"{}\"),", case.name, case.ty));
    }
}

/// A slice of features. A literal needs no escapes, because the names of
/// features are plain ASCII.
struct Names<'a>(&'a Features<'a, Presence>);

impl Display for Names<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("&[")?;
        for (index, (name, cfg)) in self.0.present.iter().enumerate() {
            let separator = if index == 0 { "" } else { ", " };
            let cfg = cfg_lines(cfg);
            let blank = if cfg.is_empty() { "" } else { " " };
            write!(f, "{separator}{}{blank}\"{name}\"", cfg.trim_end())?;
        }
        f.write_str("]")
    }
}

/// An optional name as an expression.
struct Maybe<'a>(Option<&'a str>);

impl Display for Maybe<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            Some(name) => write!(f, "Some(\"{name}\")"),
            None => f.write_str("None"),
        }
    }
}
