//! Commands and events: what they take and return.
//!
//! In: a schema. Out: reports.

use rustc_hash::FxHashMap as HashMap;

use crate::diag::{DefinitionKind, Diagnostics, Key, Problem};
use crate::rules::Fact;
use crate::schema::describe;
use crate::schema::provenance::ResolvedSchema;
use crate::schema::qemu_order::{ARGUMENTS, CheckPoint};
use crate::schema::{Entity, TypeId, TypeKind};

/// Checks every command.
pub(super) fn check_commands(schema: &ResolvedSchema, diagnostics: &mut Diagnostics) {
    let mut arguments = Arguments::new(schema, DefinitionKind::Command);
    for (id, command) in schema.commands() {
        let entity = Entity::Command(id);
        arguments.check(entity, command.arg, command.boxed, diagnostics);
        let exceptions = &schema.pragmas.command_returns_exceptions;
        let is_free = schema.rules.have(Fact::ConventionsIgnored);
        if is_free || exceptions.contains(command.common.name.as_str()) {
            continue;
        }
        if let Some(ret) = command.ret.filter(|&ret| !is_returnable(schema, ret)) {
            let problem = Problem::CannotTake {
                kind: DefinitionKind::Command,
                key: Key::Returns,
                ty: describe::type_name(schema, ret),
            };
            let step = CheckPoint::new(entity, 1, 1);
            diagnostics.report_ranked(problem, schema.site(entity), step.rank());
        }
    }
}

/// Checks every event.
pub(super) fn check_events(schema: &ResolvedSchema, diagnostics: &mut Diagnostics) {
    let mut arguments = Arguments::new(schema, DefinitionKind::Event);
    for (id, event) in schema.events() {
        arguments.check(Entity::Event(id), event.arg, event.boxed, diagnostics);
    }
}

/// Returns whether a command may return a type: an object or an array of
/// objects, to which later releases can add members.
fn is_returnable(schema: &ResolvedSchema, id: TypeId) -> bool {
    match &schema.ty(id).kind {
        TypeKind::Object(_) => true,
        TypeKind::Array(element) => matches!(schema.ty(*element).kind, TypeKind::Object(_)),
        _ => false,
    }
}

/// A checker of the arguments of commands, or of the data of events.
struct Arguments<'a> {
    schema: &'a ResolvedSchema,
    kind: DefinitionKind,
    /// Whether an object has conditional members, remembered because many
    /// definitions may use the same object.
    conditional: HashMap<TypeId, bool>,
}

impl<'a> Arguments<'a> {
    /// Creates a checker for commands or for events.
    fn new(schema: &'a ResolvedSchema, kind: DefinitionKind) -> Self {
        Self {
            schema,
            kind,
            conditional: HashMap::default(),
        }
    }

    /// Checks the arguments or data of one definition.
    fn check(
        &mut self,
        entity: Entity,
        arg: Option<TypeId>,
        boxed: bool,
        diagnostics: &mut Diagnostics,
    ) {
        let schema = self.schema;
        let kind = self.kind;
        let Some(arg) = arg.filter(|&arg| !schema.is_unresolved(arg)) else {
            return;
        };
        let mut report = |problem, (segment, order)| {
            let step = CheckPoint::new(entity, segment, order);
            diagnostics.report_ranked(problem, schema.site(entity), step.rank());
        };
        let TypeKind::Object(object) = &schema.ty(arg).kind else {
            let ty = describe::type_name(schema, arg);
            let key = Key::Data;
            report(Problem::CannotTake { kind, key, ty }, ARGUMENTS);
            return;
        };
        if boxed {
            return;
        }
        if object.branches.is_some() {
            let ty = describe::type_name(schema, arg);
            report(Problem::NeedsBoxed { kind, ty }, ARGUMENTS);
        }
        let conditional = *self.conditional.entry(arg).or_insert_with(|| {
            schema
                .lineage(arg)
                .into_iter()
                .flat_map(|owner| schema.own_members(owner))
                .any(|member| member.cond.is_some())
        });
        if conditional && schema.rules.have(Fact::ConditionalArgumentsBoxed) {
            report(Problem::ConditionalNeedsBoxed(kind), (1, 0));
        }
    }
}
