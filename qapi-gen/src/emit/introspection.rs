//! The schema as data: the static that `query-qmp-schema` is answered from.
//!
//! In: the planned entries. Out: one table, written as text: QEMU's has more
//! than a thousand entries, and all of the same few shapes.

use std::fmt::{Display, Write as _};

use proc_macro2::TokenStream;
use quote::quote;

use super::Item;
use crate::rust::plan::{EnumMemberPlan, InfoPlan, MemberPlan, MetaPlan};

pub(super) fn introspection(infos: &[InfoPlan]) -> impl Iterator<Item = Item> {
    [Item::Tokens(imports()), Item::Text(table(infos))].into_iter()
}

fn imports() -> TokenStream {
    quote! {
        #[allow(unused_imports, reason = "not every schema has entries of every kind")]
        use ::qapi_wire::introspect::{EnumMember, Member, Meta, SchemaInfo, Variant};
    }
}

fn table(infos: &[InfoPlan]) -> String {
    let mut text = Text::default();
    text.line("/// The schema as `query-qmp-schema` tells it: commands and events by");
    text.line("/// their names, types by number.");
    text.list(
        "pub static SCHEMA: &[SchemaInfo] = ",
        infos,
        ";",
        Text::info,
    );
    text.out
}

/// Lines that grow, indented as deeply as brackets are open.
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

    /// Lines between brackets.
    fn nested(&mut self, open: impl Display, close: &str, write: impl FnOnce(&mut Self)) {
        self.line(open);
        self.depth += 1;
        write(self);
        self.depth -= 1;
        self.line(close);
    }

    /// A slice, with what stands in front of it and behind it.
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

    fn info(&mut self, plan: &InfoPlan) {
        self.nested("SchemaInfo {", "},", |text| {
            text.line(format_args!("name: \"{}\",", plan.name));
            text.meta(&plan.meta);
            text.line(format_args!("features: {},", Names(&plan.features)));
        });
    }

    fn meta(&mut self, plan: &MetaPlan) {
        match plan {
            MetaPlan::Builtin { json_type } => self.line(format_args!(
                "meta: Meta::Builtin {{ json_type: \"{json_type}\" }},"
            )),
            MetaPlan::Enum { open, members } => self.nested("meta: Meta::Enum {", "},", |text| {
                text.line(format_args!("open: {},", Maybe(open.as_deref())));
                text.list("members: ", members, ",", Self::enum_member);
            }),
            MetaPlan::Array { element } => self.line(format_args!(
                "meta: Meta::Array {{ element_type: \"{element}\" }},"
            )),
            MetaPlan::Object {
                members,
                tag,
                variants,
            } => self.nested("meta: Meta::Object {", "},", |text| {
                text.list("members: ", members, ",", Self::member);
                text.line(format_args!("tag: {},", Maybe(tag.as_deref())));
                text.list("variants: ", variants, ",", Self::variant);
            }),
            MetaPlan::Alternate { types } => self.line(format_args!(
                "meta: Meta::Alternate {{ members: {} }},",
                Names(types)
            )),
            MetaPlan::Command {
                arg,
                ret,
                allow_oob,
            } => self.nested("meta: Meta::Command {", "},", |text| {
                text.line(format_args!("arg_type: \"{arg}\","));
                text.line(format_args!("ret_type: \"{ret}\","));
                text.line(format_args!("allow_oob: {allow_oob},"));
            }),
            MetaPlan::Event { arg } => {
                self.line(format_args!("meta: Meta::Event {{ arg_type: \"{arg}\" }},"));
            }
        }
    }

    fn enum_member(&mut self, plan: &EnumMemberPlan) {
        let EnumMemberPlan { name, features } = plan;
        if features.is_empty() {
            self.line(format_args!("EnumMember::Plain(\"{name}\"),"));
        } else {
            let features = Names(features);
            self.line(format_args!(
                "EnumMember::Featured(\"{name}\", {features}),"
            ));
        }
    }

    fn member(&mut self, plan: &MemberPlan) {
        let MemberPlan {
            name,
            ty,
            optional,
            features,
        } = plan;
        let kind = if *optional { "Optional" } else { "Required" };
        let member = format_args!("Member::{kind}(\"{name}\", \"{ty}\")");
        if features.is_empty() {
            self.line(format_args!("{member},"));
        } else {
            let features = Names(features);
            self.line(format_args!("Member::Featured(&{member}, {features}),"));
        }
    }

    fn variant(&mut self, plan: &MemberPlan) {
        let MemberPlan { name, ty, .. } = plan;
        self.line(format_args!("Variant(\"{name}\", \"{ty}\"),"));
    }
}

/// A slice of names. They have no character that a literal would escape.
struct Names<'a>(&'a [String]);

impl Display for Names<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("&[")?;
        for (index, name) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { ", " };
            write!(f, "{separator}\"{name}\"")?;
        }
        f.write_str("]")
    }
}

/// A name that may be absent.
struct Maybe<'a>(Option<&'a str>);

impl Display for Maybe<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            Some(name) => write!(f, "Some(\"{name}\")"),
            None => f.write_str("None"),
        }
    }
}
