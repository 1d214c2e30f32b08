//! Single definitions.
//!
//! In: the expressions of a schema. Out: a typed definition for each, with its
//! keys, names, conditions and features checked. Each definition is checked by
//! itself: no name is looked up.

use crate::diag::{
    DefinitionKind, Diagnostics, Key, MessageSubject, Problem, QemuAttribution, Site,
};
use crate::load::{Expression, Item, Loss};
use crate::pragmas::Pragmas;
use crate::rules::{Fact, Rules};
use crate::source::SourceMap;
use crate::syntax::ValueKind;

mod c_condition;
mod definition;
mod doc_match;
mod features;
mod if_key;
mod keys;
mod kinds;
mod lost;
mod members;
mod name_rules;
mod scope;
mod shared_lines;
mod simple_union;

pub(crate) use definition::{
    Body, Branch, DefItem, Definition, Feature, Member, Members, Name, TypeRef, Value,
};
pub(crate) use lost::LostDefinitions;
use scope::Scope;
use shared_lines::SharedLines;
use simple_union::SimpleUnions;

/// The definitions of a schema.
pub(crate) struct Lowered<'s> {
    /// The definitions and the other items, in order.
    pub(crate) items: Vec<DefItem<'s>>,
    /// The definitions that messages name.
    pub(crate) attribution: QemuAttribution,
    /// The definitions that are not among the items.
    pub(crate) lost: LostDefinitions<'s>,
}

/// Turns every expression into a definition. Wrong definitions are reported
/// and left out; `loss` is the part of the schema that is missing already.
pub(crate) fn lower<'s>(
    items: Vec<Item<'s>>,
    loss: Loss,
    pragmas: &Pragmas,
    rules: Rules,
    sources: &SourceMap,
    diagnostics: &mut Diagnostics,
) -> Lowered<'s> {
    diagnostics.begin_stage();
    let mut lost = LostDefinitions::default();
    if loss != Loss::Nothing {
        lost.add_unnamed();
    }
    let settings = Settings {
        pragmas,
        rules,
        sources,
    };
    let attribution = QemuAttribution::new(rules.have(Fact::ParametersHaveOwners));
    let mut shared_lines = SharedLines::new(attribution);
    let mut simple_unions = SimpleUnions::default();
    let mut lowered = Vec::with_capacity(items.len());
    for item in items {
        let item = match item {
            Item::FreeForm { module, doc } => DefItem::FreeForm { module, doc },
            Item::Include {
                module,
                included,
                span,
            } => DefItem::Include {
                module,
                included,
                span,
            },
            Item::Expression(expression) => {
                let definition = lower_definition(
                    expression,
                    settings,
                    &mut shared_lines,
                    &mut simple_unions,
                    &mut lost,
                    diagnostics,
                );
                let needed = simple_unions.needed.drain(..);
                lowered.extend(needed.map(|needed| DefItem::Definition(Box::new(needed))));
                match definition {
                    Some(definition) => DefItem::Definition(Box::new(definition)),
                    None => continue,
                }
            }
        };
        lowered.push(item);
    }
    diagnostics.sort_by_rank(|rank| rank);
    Lowered {
        items: lowered,
        attribution: shared_lines.finish(),
        lost,
    }
}

/// The settings for all definitions.
#[derive(Clone, Copy)]
struct Settings<'a> {
    pragmas: &'a Pragmas,
    rules: Rules,
    sources: &'a SourceMap,
}

fn lower_definition<'s>(
    expression: Expression<'s>,
    settings: Settings<'_>,
    shared_lines: &mut SharedLines,
    simple_unions: &mut SimpleUnions<'s>,
    lost: &mut LostDefinitions<'s>,
    diagnostics: &mut Diagnostics,
) -> Option<Definition<'s>> {
    let Expression { span, object, .. } = &expression;
    let span = *span;
    let site = Site {
        // Until the name is known, QEMU's messages name the definition before,
        // if that is on the same line.
        definition: shared_lines.last_on_line(span, settings.sources),
        ..Site::line(span)
    };
    let mut kinds = DefinitionKind::ALL
        .into_iter()
        .filter_map(|kind| Some((kind, object.get(kind.key())?)));
    let (Some((kind, name)), None) = (kinds.next(), kinds.next()) else {
        let keys = keys::written(object);
        diagnostics.report_at(Problem::NotOneDefinition { keys }, Some(site));
        lost.add_unnamed();
        return None;
    };
    let ValueKind::Str(text) = &name.kind else {
        let problem = Problem::NameNotString(MessageSubject::Value(Key::Name(kind)));
        diagnostics.report_at(problem, Some(site.showing(Some(name.span))));
        lost.add_unnamed();
        return None;
    };
    let name = Name {
        text: text.clone(),
        span: name.span,
    };
    let named = (kind, name.text.as_ref().into());
    shared_lines.add(span, &named, settings.sources);
    let site = Site {
        definition: Some(named),
        ..site
    };
    // `member-name-exceptions` does not apply to arguments and event data.
    let has_free_member_names = !matches!(kind, DefinitionKind::Command | DefinitionKind::Event)
        && settings
            .pragmas
            .member_name_exceptions
            .contains(name.text.as_ref());
    let mut scope = Scope {
        kind,
        site,
        has_free_member_names,
        rules: settings.rules,
        diagnostics,
    };
    let lost_name = name.text.clone();
    let definition = lower_named(
        name,
        expression,
        settings.pragmas,
        simple_unions,
        &mut scope,
    );
    if definition.is_err() {
        lost.add(lost_name);
    }
    definition.ok()
}

/// Lowers a definition whose kind and name are known.
fn lower_named<'s>(
    name: Name<'s>,
    expression: Expression<'s>,
    pragmas: &Pragmas,
    simple_unions: &mut SimpleUnions<'s>,
    scope: &mut Scope<'_>,
) -> scope::Lowered<Definition<'s>> {
    let Expression {
        module,
        span,
        object,
        doc,
    } = expression;
    let kind = scope.kind;
    let subject = MessageSubject::Definition(kind);
    let named = name_rules::check_definition(&name, scope, pragmas);
    let doc = doc_match::check(doc, &name, &object, scope, pragmas);
    let is_simple = simple_union::is_simple(&object, scope);
    let keys = match is_simple {
        true => keys::SIMPLE_UNION,
        false => keys::of(kind),
    };
    keys::check(&object, span, &subject, keys, scope)?;
    let body = match is_simple {
        true => simple_unions.lower(&name, (module, span), &object, scope),
        false => kinds::body(&object, scope),
    };
    let cond = if_key::condition(&object, &subject, scope);
    let features = features::features(&object, scope);
    let flags = kinds::check_flags(&object, scope);
    named.and(flags)?;
    Ok(Definition {
        module,
        name,
        span,
        doc,
        cond: cond?,
        features: features?,
        body: body?,
    })
}
