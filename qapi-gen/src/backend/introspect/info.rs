//! Writes the table of `SchemaInfo` as JSON.
//!
//! In: the table. Out: text. The names, the order and the choice of items are the
//! table's decision.

use crate::analysis::schema_info::{Features, Info, Meta, Typed};

/// Returns the table as a JSON array, with a line for each entry. No string needs
/// escapes, because the names in a checked schema are plain ASCII.
pub(super) fn json(infos: &[Info<'_, ()>]) -> String {
    if infos.is_empty() {
        return "[]\n".to_owned();
    }
    let lines: Vec<_> = infos.iter().map(entry).collect();
    format!("[\n{}\n]\n", lines.join(",\n"))
}

fn entry(info: &Info<'_, ()>) -> String {
    let (kind, content) = match &info.meta {
        Meta::Builtin { json_type } => ("builtin", format!(r#""json-type":"{json_type}""#)),
        Meta::Enum { values, .. } => {
            let members = list(values, |value| {
                let features = features(&value.features);
                format!(r#"{{"name":"{}"{features}}}"#, value.name)
            });
            // Older clients read this list, which predates features of values.
            let names = list(values, |value| format!(r#""{}""#, value.name));
            ("enum", format!(r#""members":{members},"values":{names}"#))
        }
        Meta::Array { element } => ("array", format!(r#""element-type":"{element}""#)),
        Meta::Object { members, union } => {
            let mut content = format!(r#""members":{}"#, list(members, member));
            if let Some(union) = union {
                let cases = list(&union.cases, |case| {
                    format!(r#"{{"case":"{}","type":"{}"}}"#, case.name, case.ty)
                });
                content += &format!(r#","tag":"{}","variants":{cases}"#, union.tag);
            }
            ("object", content)
        }
        Meta::Alternate { branches } => {
            let types = list(branches, |branch| format!(r#"{{"type":"{}"}}"#, branch.ty));
            ("alternate", format!(r#""members":{types}"#))
        }
        Meta::Command {
            arg,
            ret,
            allow_oob,
        } => {
            let oob = if *allow_oob {
                r#","allow-oob":true"#
            } else {
                ""
            };
            let content = format!(r#""arg-type":"{arg}","ret-type":"{ret}"{oob}"#);
            ("command", content)
        }
        Meta::Event { arg } => ("event", format!(r#""arg-type":"{arg}""#)),
    };
    let (name, features) = (&info.name, features(&info.features));
    format!(r#"{{"name":"{name}","meta-type":"{kind}",{content}{features}}}"#)
}

fn member(member: &Typed<'_, ()>) -> String {
    // The presence of a default marks the member as optional. QEMU never says
    // which value it is.
    let default = if member.optional {
        r#","default":null"#
    } else {
        ""
    };
    let (name, ty, features) = (member.name, &member.ty, features(&member.features));
    format!(r#"{{"name":"{name}","type":"{ty}"{default}{features}}}"#)
}

/// Returns the member for features, which follows other members.
fn features(features: &Features<'_, ()>) -> String {
    if !features.any_listed {
        return String::new();
    }
    let names = list(&features.present, |(name, ())| format!(r#""{name}""#));
    format!(r#","features":{names}"#)
}

fn list<T>(items: &[T], item: impl Fn(&T) -> String) -> String {
    let items: Vec<_> = items.iter().map(item).collect();
    format!("[{}]", items.join(","))
}
