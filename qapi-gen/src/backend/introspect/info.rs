//! Writes the table of `SchemaInfo` as JSON.
//!
//! In: the table. Out: text, without the items that the configuration leaves
//! out. The names and the order of types are the table's decision.

use crate::analysis::schema_info::{Info, Meta, Typed};
use crate::json::Json;
use crate::schema::{Cond, EnumValue, Feature};

/// Returns the table as a JSON array of the items for whose condition `includes`
/// holds.
pub(super) fn write(infos: &[Info<'_>], includes: &dyn Fn(Option<&Cond>) -> bool) -> String {
    let mut writer = Writer {
        includes,
        json: Json::default(),
    };
    writer.json.begin_array();
    for info in infos {
        writer.info(info);
    }
    writer.json.end_lines();
    writer.json.end_array();
    writer.json.finish()
}

struct Writer<'a> {
    includes: &'a dyn Fn(Option<&Cond>) -> bool,
    json: Json,
}

impl Writer<'_> {
    fn info(&mut self, info: &Info<'_>) {
        if !(self.includes)(info.common.cond.as_ref()) {
            return;
        }
        self.json.begin_line();
        self.json.begin_object();
        self.json.member("name", &info.name);
        self.json.member("meta-type", info.meta.name());
        self.meta(&info.meta);
        self.features(&info.common.features);
        self.json.end_object();
    }

    fn meta(&mut self, meta: &Meta<'_>) {
        match meta {
            Meta::Builtin { json_type } => self.json.member("json-type", json_type),
            Meta::Enum { values, .. } => self.enumeration(values),
            Meta::Array { element } => self.json.member("element-type", element),
            Meta::Object { members, union } => {
                self.list("members", members, |member| member.cond, Self::member);
                if let Some(union) = union {
                    self.json.member("tag", union.tag);
                    self.list("variants", &union.cases, |case| case.cond, Self::case);
                }
            }
            Meta::Alternate { branches } => {
                self.list("members", branches, |branch| branch.cond, Self::branch);
            }
            Meta::Command {
                arg,
                ret,
                allow_oob,
            } => {
                self.json.member("arg-type", arg);
                self.json.member("ret-type", ret);
                if *allow_oob {
                    self.json.key("allow-oob");
                    self.json.word("true");
                }
            }
            Meta::Event { arg } => self.json.member("arg-type", arg),
        }
    }

    fn enumeration(&mut self, values: &[EnumValue]) {
        fn cond(value: &EnumValue) -> Option<&Cond> {
            value.cond.as_ref()
        }
        self.list("members", values, cond, |writer, value| {
            writer.json.begin_object();
            writer.json.member("name", &value.name);
            writer.features(&value.features);
            writer.json.end_object();
        });
        // Older clients read this list, which predates features of values.
        self.list("values", values, cond, |writer, value| {
            writer.json.string(&value.name);
        });
    }

    fn member(&mut self, member: &Typed<'_>) {
        self.json.begin_object();
        self.json.member("name", member.name);
        self.json.member("type", &member.ty);
        if member.optional {
            // The presence of a default marks the member as optional. QEMU never
            // says which value it is.
            self.json.key("default");
            self.json.word("null");
        }
        self.features(member.features);
        self.json.end_object();
    }

    fn case(&mut self, case: &Typed<'_>) {
        self.json.begin_object();
        self.json.member("case", case.name);
        self.json.member("type", &case.ty);
        self.json.end_object();
    }

    fn branch(&mut self, branch: &Typed<'_>) {
        self.json.begin_object();
        self.json.member("type", &branch.ty);
        self.json.end_object();
    }

    fn features(&mut self, features: &[Feature]) {
        fn cond(feature: &Feature) -> Option<&Cond> {
            feature.cond.as_ref()
        }
        if features.is_empty() {
            return;
        }
        self.list("features", features, cond, |writer, feature| {
            writer.json.string(&feature.name);
        });
    }

    /// Writes a key and an array of the items that are included.
    fn list<'i, T>(
        &mut self,
        key: &str,
        items: &'i [T],
        cond: impl Fn(&'i T) -> Option<&'i Cond>,
        item: impl Fn(&mut Self, &'i T),
    ) {
        self.json.key(key);
        self.json.begin_array();
        for each in items {
            if (self.includes)(cond(each)) {
                item(self, each);
            }
        }
        self.json.end_array();
    }
}

impl Meta<'_> {
    /// Returns the name of the kind in JSON.
    fn name(&self) -> &'static str {
        match self {
            Self::Builtin { .. } => "builtin",
            Self::Enum { .. } => "enum",
            Self::Array { .. } => "array",
            Self::Object { .. } => "object",
            Self::Alternate { .. } => "alternate",
            Self::Command { .. } => "command",
            Self::Event { .. } => "event",
        }
    }
}
