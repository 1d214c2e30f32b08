//! Single definitions.
//!
//! In: the expressions of a schema. Out: a typed definition for each, with its
//! keys, names, conditions and features checked. Each definition is checked by
//! itself: no name is looked up.

use crate::diag::{
    DefinitionKind, Diagnostics, Key, MessageSubject, Problem, QemuAttribution, Site,
};
use crate::load::{Item, ModuleIndex};
use crate::pragmas::Pragmas;
use crate::rules::{Fact, Rules};
use crate::source::{SourceMap, Span};
use crate::syntax::{DocBlock, Object, ValueKind};

mod definition;
mod doc_match;
mod features;
mod if_key;
mod keys;
mod kinds;
mod members;
mod name_rules;
mod scope;
mod shared_lines;

pub(crate) use definition::{
    Body, Branch, DefItem, Definition, Feature, Member, Members, Name, TypeRef, Value,
};
use scope::Scope;
use shared_lines::SharedLines;

/// Turns every expression into a definition. Wrong definitions are reported
/// and left out. Also returns the definition that messages name for each.
pub(crate) fn lower<'s>(
    items: Vec<Item<'s>>,
    pragmas: &Pragmas,
    rules: Rules,
    sources: &SourceMap,
    diagnostics: &mut Diagnostics,
) -> (Vec<DefItem<'s>>, QemuAttribution) {
    let settings = Settings {
        pragmas,
        rules,
        sources,
    };
    let attribution = QemuAttribution::new(rules.have(Fact::ParametersHaveOwners));
    let mut shared_lines = SharedLines::new(attribution);
    let items = items
        .into_iter()
        .filter_map(|item| match item {
            Item::FreeForm { module, doc } => Some(DefItem::FreeForm { module, doc }),
            Item::Include {
                module,
                included,
                span,
            } => Some(DefItem::Include {
                module,
                included,
                span,
            }),
            Item::Expression {
                module,
                span,
                object,
                doc,
            } => lower_definition(
                module,
                span,
                object,
                doc,
                settings,
                &mut shared_lines,
                diagnostics,
            )
            .map(|definition| DefItem::Definition(Box::new(definition))),
        })
        .collect();
    diagnostics.sort_by_rank(|rank| rank);
    (items, shared_lines.finish())
}

/// The settings for all definitions.
#[derive(Clone, Copy)]
struct Settings<'a> {
    pragmas: &'a Pragmas,
    rules: Rules,
    sources: &'a SourceMap,
}

fn lower_definition<'s>(
    module: ModuleIndex,
    span: Span,
    object: Object<'s>,
    doc: Option<DocBlock>,
    Settings {
        pragmas,
        rules,
        sources,
    }: Settings<'_>,
    shared_lines: &mut SharedLines,
    diagnostics: &mut Diagnostics,
) -> Option<Definition<'s>> {
    let site = Site {
        // Until the name is known, QEMU's messages name the definition before,
        // if that is on the same line.
        definition: shared_lines.last_on_line(span, sources),
        ..Site::line(span)
    };
    let mut kinds = DefinitionKind::ALL
        .into_iter()
        .filter_map(|kind| Some((kind, object.get(kind.key())?)));
    let (Some((kind, name)), None) = (kinds.next(), kinds.next()) else {
        diagnostics.report_at(Problem::NotOneDefinition, Some(site));
        return None;
    };
    let ValueKind::Str(text) = &name.kind else {
        let problem = Problem::NameNotString(MessageSubject::Value(Key::Name(kind)));
        diagnostics.report_at(problem, Some(site.showing(Some(name.span))));
        return None;
    };
    let name = Name {
        text: text.clone(),
        span: name.span,
    };
    let named = (kind, name.text.as_ref().into());
    shared_lines.add(span, &named, sources);
    let mut scope = Scope {
        kind,
        site: Site {
            definition: Some(named),
            ..site
        },
        // `member-name-exceptions` does not apply to arguments and event data.
        has_free_member_names: !matches!(kind, DefinitionKind::Command | DefinitionKind::Event)
            && pragmas.member_name_exceptions.contains(name.text.as_ref()),
        rules,
        diagnostics,
    };
    let subject = MessageSubject::Definition(kind);
    let named = name_rules::check_definition(&name, &mut scope, pragmas);
    let documented = doc_match::check(doc.as_ref(), &name, &object, &mut scope, pragmas);
    keys::check(&object, span, &subject, keys::of(kind), &mut scope).ok()?;
    let body = kinds::body(&object, &mut scope);
    let cond = if_key::condition(&object, &subject, &mut scope);
    let features = features::features(&object, &mut scope);
    let flags = kinds::check_flags(&object, &mut scope);
    named.and(documented).and(flags).ok()?;
    Some(Definition {
        module,
        name,
        span,
        doc,
        cond: cond.ok()?,
        features: features.ok()?,
        body: body.ok()?,
    })
}
