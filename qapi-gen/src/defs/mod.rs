//! Single definitions.
//!
//! In: the expressions of a schema. Out: a typed definition for each, its
//! keys, names, conditions and features checked. One definition is enough
//! for that: nothing is looked up here.

use std::borrow::Cow;

use crate::diag::{DefinitionKind, Diagnostics, Key, Problem, Rank, Site, Subject};
use crate::load::{Item, ModuleIndex, Pragmas};
use crate::rules::Rules;
use crate::schema::Cond;
use crate::source::{SourceMap, Span};
use crate::syntax::{DocBlock, Object, ValueKind};

mod cond;
mod doc;
mod features;
mod keys;
mod kinds;
mod lines;
mod members;
mod name;

use lines::Lines;
pub(crate) use lines::SharedLines;

/// A definition.
#[derive(Debug)]
pub(crate) struct Definition<'s> {
    pub(crate) module: ModuleIndex,
    pub(crate) name: Name<'s>,
    pub(crate) span: Span,
    pub(crate) doc: Option<DocBlock>,
    pub(crate) cond: Option<Cond>,
    pub(crate) features: Box<[Feature<'s>]>,
    pub(crate) body: Body<'s>,
}

/// A name and where it stands.
#[derive(Clone, Debug)]
pub(crate) struct Name<'s> {
    pub(crate) text: Cow<'s, str>,
    pub(crate) span: Span,
}

/// A feature.
#[derive(Debug)]
pub(crate) struct Feature<'s> {
    pub(crate) name: Name<'s>,
    pub(crate) cond: Option<Cond>,
}

/// What is particular to a kind of definition.
#[derive(Debug)]
pub(crate) enum Body<'s> {
    Enum {
        prefix: Option<Cow<'s, str>>,
        values: Box<[Value<'s>]>,
    },
    Struct {
        base: Option<Name<'s>>,
        members: Box<[Member<'s>]>,
    },
    Union {
        base: Members<'s>,
        discriminator: Name<'s>,
        branches: Box<[Branch<'s>]>,
    },
    Alternate {
        branches: Box<[Branch<'s>]>,
    },
    Command {
        arguments: Option<Members<'s>>,
        returns: Option<TypeRef<'s>>,
        flags: Flags,
    },
    Event {
        arguments: Option<Members<'s>>,
        boxed: bool,
    },
}

impl Body<'_> {
    /// The kind of definition.
    pub(crate) fn kind(&self) -> DefinitionKind {
        match self {
            Self::Enum { .. } => DefinitionKind::Enum,
            Self::Struct { .. } => DefinitionKind::Struct,
            Self::Union { .. } => DefinitionKind::Union,
            Self::Alternate { .. } => DefinitionKind::Alternate,
            Self::Command { .. } => DefinitionKind::Command,
            Self::Event { .. } => DefinitionKind::Event,
        }
    }
}

/// What a command's flags say.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Flags {
    pub(crate) boxed: bool,
    pub(crate) gen_code: bool,
    pub(crate) success_response: bool,
    pub(crate) allow_oob: bool,
    pub(crate) allow_preconfig: bool,
    pub(crate) coroutine: bool,
}

/// The value of an enum.
#[derive(Debug)]
pub(crate) struct Value<'s> {
    pub(crate) name: Name<'s>,
    pub(crate) cond: Option<Cond>,
    pub(crate) features: Box<[Feature<'s>]>,
}

/// Members, named by a type that has them or written in place.
#[derive(Debug)]
pub(crate) enum Members<'s> {
    Of(Name<'s>),
    Inline(Box<[Member<'s>]>),
}

/// A member.
#[derive(Debug)]
pub(crate) struct Member<'s> {
    /// The name without the `*` of an optional member.
    pub(crate) name: Name<'s>,
    pub(crate) optional: bool,
    pub(crate) ty: TypeRef<'s>,
    pub(crate) cond: Option<Cond>,
    pub(crate) features: Box<[Feature<'s>]>,
}

/// A branch of a union or an alternate.
#[derive(Debug)]
pub(crate) struct Branch<'s> {
    pub(crate) name: Name<'s>,
    pub(crate) ty: TypeRef<'s>,
    pub(crate) cond: Option<Cond>,
}

/// The use of a type.
#[derive(Clone, Debug)]
pub(crate) enum TypeRef<'s> {
    Named(Name<'s>),
    ArrayOf(Name<'s>),
}

/// A part of a schema's definitions.
#[derive(Debug)]
pub(crate) enum DefItem<'s> {
    Definition(Box<Definition<'s>>),
    FreeForm {
        module: ModuleIndex,
        doc: DocBlock,
    },
    Include {
        module: ModuleIndex,
        included: ModuleIndex,
        span: Span,
    },
}

/// Turns every expression into a definition; the wrong ones are reported and
/// left out.
pub(crate) fn lower<'s>(
    items: Vec<Item<'s>>,
    pragmas: &Pragmas,
    rules: Rules,
    sources: &SourceMap,
    diagnostics: &mut Diagnostics,
) -> (Vec<DefItem<'s>>, SharedLines) {
    let settings = Settings {
        pragmas,
        rules,
        sources,
    };
    let mut lines = Lines::default();
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
            } => definition(module, span, object, doc, settings, &mut lines, diagnostics)
                .map(|definition| DefItem::Definition(Box::new(definition))),
        })
        .collect();
    diagnostics.sort_by_rank(|rank| rank);
    (items, lines.finish(rules))
}

/// What holds for all definitions.
#[derive(Clone, Copy)]
struct Settings<'a> {
    pragmas: &'a Pragmas,
    rules: Rules,
    sources: &'a SourceMap,
}

/// What a problem would be about. Most have none, and then it costs nothing.
#[derive(Clone, Copy)]
enum About<'a> {
    Definition(DefinitionKind),
    Value(Key),
    Unnamed(Key),
    Member(Key, &'a str),
    Condition(&'a About<'a>),
}

impl From<About<'_>> for Subject {
    fn from(about: About<'_>) -> Self {
        match about {
            About::Definition(kind) => Self::Definition(kind),
            About::Value(key) => Self::Value(key),
            About::Unnamed(key) => Self::Unnamed(key),
            About::Member(key, name) => Self::Member(key, name.into()),
            About::Condition(of) => Self::Condition(Box::new((*of).into())),
        }
    }
}

/// A problem has been reported.
#[derive(Debug)]
struct Reported;

type Lowered<T> = Result<T, Reported>;

/// The definition that is being lowered: what its parts need to know of it,
/// and where their problems go.
struct Scope<'a> {
    kind: DefinitionKind,
    site: Site,
    /// Whether the pragma for exceptions sets its members' names free.
    free_names: bool,
    rules: Rules,
    diagnostics: &'a mut Diagnostics,
}

impl Scope<'_> {
    /// Reports a problem and where it shows.
    fn report(&mut self, problem: Problem, shown: Span) -> Reported {
        let site = self.site.clone().showing(Some(shown));
        self.diagnostics.report_at(problem, Some(site));
        Reported
    }

    /// Reports a problem that QEMU's generator finds when all definitions have
    /// been looked at.
    fn report_late(&mut self, problem: Problem, shown: Span) -> Reported {
        const LATE: Rank = Rank(1, 0);
        let site = self.site.clone().showing(Some(shown));
        self.diagnostics.report_ranked(problem, Some(site), LATE);
        Reported
    }
}

fn definition<'s>(
    module: ModuleIndex,
    span: Span,
    object: Object<'s>,
    doc: Option<DocBlock>,
    Settings {
        pragmas,
        rules,
        sources,
    }: Settings<'_>,
    lines: &mut Lines,
    diagnostics: &mut Diagnostics,
) -> Option<Definition<'s>> {
    let site = Site {
        definition: lines.known(span, sources),
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
        let problem = Problem::NameNotString(Subject::Value(Key::Name(kind)));
        diagnostics.report_at(problem, Some(site.showing(Some(name.span))));
        return None;
    };
    let name = Name {
        text: text.clone(),
        span: name.span,
    };
    let named = (kind, name.text.as_ref().into());
    lines.begin(span, &named, sources);
    let mut scope = Scope {
        kind,
        site: Site {
            definition: Some(named),
            ..site
        },
        // Arguments of commands and data of events have no exceptions.
        free_names: !matches!(kind, DefinitionKind::Command | DefinitionKind::Event)
            && pragmas.member_name_exceptions.contains(name.text.as_ref()),
        rules,
        diagnostics,
    };
    let named = name::definition(&name, &mut scope, pragmas);
    let documented = doc::check(doc.as_ref(), &name, &object, &mut scope, pragmas);
    keys::check(
        &object,
        span,
        About::Definition(kind),
        keys::of(kind),
        &mut scope,
    )
    .ok()?;
    let body = kinds::body(&object, &mut scope);
    let cond = cond::condition(&object, About::Definition(kind), &mut scope);
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
