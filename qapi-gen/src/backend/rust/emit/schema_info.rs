//! Writes the schema as data: the static from which a server answers
//! `query-qmp-schema`.
//!
//! In: the planned entries. Out: the static as text. Text instead of tokens is
//! faster to write, and QEMU's schema has more than a thousand entries.

use std::fmt::{Display, Write as _};

use super::attributes::cfg_lines;
use super::file::Item;
use crate::backend::rust::cfg::Presence;
use crate::backend::rust::plan::{
    BranchTypePlan, EnumMemberPlan, FeaturePlan, InfoPlan, MemberPlan, MetaPlan,
};

/// Writes the static as the content of a file.
pub(super) fn items(infos: &[InfoPlan]) -> impl Iterator<Item = Item> {
    let mut text = Text::default();
    text.items(infos);
    std::iter::once(Item::Text(text.out))
}

/// Writes the static as a module within another file.
pub(super) fn inline(infos: &[InfoPlan]) -> String {
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

    fn items(&mut self, infos: &[InfoPlan]) {
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

    fn info(&mut self, plan: &InfoPlan) {
        self.cfg(&plan.cfg);
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
            MetaPlan::Alternate { types } => self.nested("meta: Meta::Alternate {", "},", |text| {
                text.list("members: ", types, ",", Self::branch_type);
            }),
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

    fn branch_type(&mut self, plan: &BranchTypePlan) {
        self.cfg(&plan.cfg);
        self.line(format_args!("\"{}\",", plan.ty));
    }

    fn enum_member(&mut self, plan: &EnumMemberPlan) {
        let EnumMemberPlan {
            name,
            cfg,
            features,
        } = plan;
        self.cfg(cfg);
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
            cfg,
            features,
        } = plan;
        self.cfg(cfg);
        let kind = if *optional { "Optional" } else { "Required" };
        let member = format!("Member::{kind}(\"{name}\", \"{ty}\")");
        if features.is_empty() {
            self.line(format_args!("{member},"));
        } else {
            let features = Names(features);
            self.line(format_args!("Member::Featured(&{member}, {features}),"));
        }
    }

    fn variant(&mut self, plan: &MemberPlan) {
        let MemberPlan { name, ty, cfg, .. } = plan;
        self.cfg(cfg);
        self.line(format_args!("Variant(\"{name}\", \"{ty}\"),"));
    }
}

/// A slice of features. A literal needs no escapes, because the names of
/// features are plain ASCII.
struct Names<'a>(&'a [FeaturePlan]);

impl Display for Names<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("&[")?;
        for (index, feature) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { ", " };
            let cfg = cfg_lines(&feature.cfg);
            let blank = if cfg.is_empty() { "" } else { " " };
            write!(
                f,
                "{separator}{}{blank}\"{}\"",
                cfg.trim_end(),
                feature.name
            )?;
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
