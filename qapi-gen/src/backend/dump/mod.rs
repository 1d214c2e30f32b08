//! The canonical text of a schema.
//!
//! In: a checked schema. Out: every module with its definitions, then all
//! documentation blocks, in the form that QEMU's tests expect.

use crate::rules::Fact;
use crate::schema::{
    Branch, CheckedSchema, Command, Cond, Entity, Enum, Event, Feature, Member, Module, Object,
    Schema, Type, TypeId, TypeKind, UnionCase,
};

mod docs;
mod lines;

use lines::{Text, flag};

/// The indentation of lines that belong to a definition.
const OF_DEFINITION: usize = 4;
/// The indentation of lines that belong to a member, value or branch.
const OF_MEMBER: usize = 8;

/// Returns the canonical text of a schema. Two schemas with the same meaning have
/// the same text.
///
/// ```
/// use qapi_gen::{MemoryLoader, check, dump};
///
/// let files = MemoryLoader::from_iter([("a.json", "{ 'event': 'STOP' }")]);
/// let schema = check("a.json", &files).schema.unwrap();
/// assert!(dump(&schema).ends_with("module a.json\nevent STOP None\n    boxed=False\n"));
/// ```
#[must_use]
pub fn dump(schema: &CheckedSchema) -> String {
    let mut dump = Dump {
        schema,
        text: Text::default(),
    };
    for (_, module) in schema.modules() {
        dump.module(module);
    }
    docs::write(schema, &mut dump.text);
    dump.text.finish()
}

struct Dump<'a> {
    schema: &'a Schema,
    text: Text,
}

impl<'a> Dump<'a> {
    fn module(&mut self, module: &Module) {
        self.text.line(0, &["module ", &module.name]);
        let mut includes = module.includes.iter().peekable();
        for (index, &entity) in module.entities.iter().enumerate() {
            while let Some(include) = includes.next_if(|include| include.entities_before <= index) {
                self.include(&self.schema.module(include.module).name);
            }
            self.entity(entity);
        }
        for include in includes {
            self.include(&self.schema.module(include.module).name);
        }
    }

    fn include(&mut self, name: &str) {
        self.text.line(0, &["include ", name]);
    }

    fn entity(&mut self, entity: Entity) {
        match entity {
            Entity::Type(id) => {
                if !self.ty(self.schema.ty(id)) {
                    return;
                }
            }
            Entity::Command(id) => self.command(self.schema.command(id)),
            Entity::Event(id) => self.event(self.schema.event(id)),
        }
        let common = self.schema.common(entity);
        self.cond(OF_DEFINITION, common.cond.as_ref());
        self.features(OF_DEFINITION, &common.features);
    }

    /// Writes a type and returns `true`, or returns `false` for a type that every
    /// schema has.
    fn ty(&mut self, ty: &'a Type) -> bool {
        let name = ty.common.name.as_str();
        match &ty.kind {
            TypeKind::Builtin(_) => return false,
            // Every schema has arrays of the built-in types.
            TypeKind::Array(_) if ty.common.span.is_none() => return false,
            TypeKind::Array(element) => {
                self.text
                    .line(0, &["array ", name, " ", self.name(*element)]);
            }
            TypeKind::Enum(kind) => self.enumeration(name, kind),
            TypeKind::Object(object) => self.object(name, object),
            TypeKind::Alternate(alternate) => {
                self.text.line(0, &["alternate ", name]);
                self.cases("type", alternate.branches.iter().map(branch_case));
            }
        }
        true
    }

    fn enumeration(&mut self, name: &str, kind: &Enum) {
        self.text.line(0, &["enum ", name]);
        // Older generators give their own enumeration a prefix.
        let is_prefixed = name == "QType" && self.schema.rules.have(Fact::QTypeHasPrefix);
        let given = kind.prefix.as_deref().filter(|prefix| !prefix.is_empty());
        let prefix = given.or(is_prefixed.then_some("QTYPE"));
        if let Some(prefix) = prefix {
            self.text.line(OF_DEFINITION, &["prefix ", prefix]);
        }
        for value in &kind.values {
            self.text.line(OF_DEFINITION, &["member ", &value.name]);
            self.cond(OF_MEMBER, value.cond.as_ref());
            self.features(OF_MEMBER, &value.features);
        }
    }

    fn object(&mut self, name: &str, object: &'a Object) {
        self.text.line(0, &["object ", name]);
        if let Some(base) = object.base {
            self.text.line(OF_DEFINITION, &["base ", self.name(base)]);
        }
        for member in &object.members {
            self.member(member);
        }
        if let Some(branches) = &object.branches {
            self.cases(&branches.tag, self.schema.cases(branches).into_iter());
        }
    }

    fn member(&mut self, member: &Member) {
        let ty = self.name(member.ty);
        let optional = flag(member.optional);
        self.text.line(
            OF_DEFINITION,
            &["member ", &member.name, ": ", ty, " optional=", optional],
        );
        self.cond(OF_MEMBER, member.cond.as_ref());
        self.features(OF_MEMBER, &member.features);
    }

    fn cases<'c>(&mut self, tag: &str, cases: impl Iterator<Item = UnionCase<'c>>) {
        self.text.line(OF_DEFINITION, &["tag ", tag]);
        for case in cases {
            let ty = self.name(case.ty);
            self.text
                .line(OF_DEFINITION, &["case ", case.name, ": ", ty]);
            self.cond(OF_MEMBER, case.cond);
        }
    }

    fn command(&mut self, command: &Command) {
        let (arg, ret) = (
            self.name_or_none(command.arg),
            self.name_or_none(command.ret),
        );
        self.text.line(
            0,
            &["command ", &command.common.name, " ", arg, " -> ", ret],
        );
        self.text.line(
            OF_DEFINITION,
            &[
                "gen=",
                flag(command.gen_code),
                " success_response=",
                flag(command.success_response),
                " boxed=",
                flag(command.boxed),
                " oob=",
                flag(command.allow_oob),
                " preconfig=",
                flag(command.allow_preconfig),
                if command.coroutine {
                    " coroutine=True"
                } else {
                    ""
                },
            ],
        );
    }

    fn event(&mut self, event: &Event) {
        let arg = self.name_or_none(event.arg);
        self.text.line(0, &["event ", &event.common.name, " ", arg]);
        self.text
            .line(OF_DEFINITION, &["boxed=", flag(event.boxed)]);
    }

    fn features(&mut self, indent: usize, features: &[Feature]) {
        for feature in features {
            self.text.line(indent, &["feature ", &feature.name]);
            self.cond(indent + 4, feature.cond.as_ref());
        }
    }

    fn cond(&mut self, indent: usize, cond: Option<&Cond>) {
        if let Some(cond) = cond {
            self.text.line(indent, &["if ", &lines::cond(cond)]);
        }
    }

    fn name(&self, id: TypeId) -> &'a str {
        &self.schema.ty(id).common.name
    }

    fn name_or_none(&self, id: Option<TypeId>) -> &'a str {
        id.map_or("None", |id| self.name(id))
    }
}

fn branch_case(branch: &Branch) -> UnionCase<'_> {
    UnionCase {
        name: &branch.name,
        ty: branch.ty,
        cond: branch.cond.as_ref(),
    }
}
