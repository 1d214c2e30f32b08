//! The keys that only one kind of definition has.
//!
//! In: an object whose keys have been checked. Out: the values of the keys,
//! typed.

use super::definition::{Body, Flags, Members, Name, TypeRef, Value};
use super::members::{
    BranchesOf, branches, members, members_of, members_or_type, type_name, type_or_array,
};
use super::scope::{Lowered, Scope};
use super::{features, if_key, keys, name_rules};
use crate::diag::{DefinitionKind, Key, MessageSubject, Problem};
use crate::rules::Fact;
use crate::syntax::{self, Object, ValueKind};

/// Lowers the keys that only this kind of definition has.
pub(super) fn body<'s>(object: &Object<'s>, scope: &mut Scope<'_>) -> Lowered<Body<'s>> {
    match scope.kind {
        DefinitionKind::Enum => enumeration(object, scope),
        DefinitionKind::Struct => structure(object, scope),
        DefinitionKind::Union => union(object, scope),
        DefinitionKind::Alternate => alternate(object, scope),
        DefinitionKind::Command => command(object, scope),
        DefinitionKind::Event => event(object, scope),
    }
}

/// Returns the value of a key that the definition must have.
pub(super) fn required<'v, 's>(
    object: &'v Object<'s>,
    key: &'static str,
    scope: &mut Scope<'_>,
) -> Lowered<&'v syntax::Value<'s>> {
    let shown = scope.site.span;
    object.get(key).ok_or_else(|| {
        let problem = Problem::KeysMissing {
            of: MessageSubject::Definition(scope.kind),
            keys: vec![key.to_owned()],
            unknown: keys::unknown(object, keys::of(scope.kind)),
        };
        scope.report(problem, shown)
    })
}

fn enumeration<'s>(object: &Object<'s>, scope: &mut Scope<'_>) -> Lowered<Body<'s>> {
    let data = required(object, "data", scope)?;
    let ValueKind::List(list) = &data.kind else {
        return Err(scope.report(Problem::NotArray(Key::Data), data.span));
    };
    let prefix = match object
        .get("prefix")
        .map(|prefix| (&prefix.kind, prefix.span))
    {
        None => Ok(None),
        Some((ValueKind::Str(prefix), _)) => Ok(Some(prefix.clone())),
        Some((_, span)) => Err(scope.report(Problem::NotString(Key::Prefix), span)),
    };
    let values: Vec<_> = list.iter().map(|element| value(element, scope)).collect();
    Ok(Body::Enum {
        prefix: prefix?,
        values: values.into_iter().collect::<Lowered<_>>()?,
    })
}

fn value<'s>(element: &syntax::Value<'s>, scope: &mut Scope<'_>) -> Lowered<Value<'s>> {
    let (name, object) = features::named(element, Key::Data, keys::VALUE, scope)?;
    let subject = MessageSubject::Member(Key::Data, name.text.as_ref().into());
    let valid = name_rules::check_value(&name, &subject, scope);
    let (cond, features) = match object {
        Some(object) => (
            if_key::condition(object, &subject, scope),
            features::features(object, scope),
        ),
        None => (Ok(None), Ok(Box::default())),
    };
    valid?;
    Ok(Value {
        name,
        cond: cond?,
        features: features?,
    })
}

fn structure<'s>(object: &Object<'s>, scope: &mut Scope<'_>) -> Lowered<Body<'s>> {
    let data = required(object, "data", scope)?;
    // `data` must not be a type name, although QEMU's message suggests one. QEMU
    // 7.2 reports a type name only after it has read all definitions.
    let members = match &data.kind {
        ValueKind::Str(_) if scope.rules.have(Fact::StructDataCheckedLate) => {
            let problem = Problem::NotObjectOrType(MessageSubject::Value(Key::Data));
            Err(scope.report_late(problem, data.span))
        }
        _ => members(data, Key::Data, scope),
    };
    let base = object
        .get("base")
        .map(|base| type_name(base, &MessageSubject::Value(Key::Base), scope))
        .transpose();
    Ok(Body::Struct {
        base: base?.filter(|base| !base.text.is_empty()),
        members: members?,
    })
}

fn union<'s>(object: &Object<'s>, scope: &mut Scope<'_>) -> Lowered<Body<'s>> {
    let base = required(object, "base", scope)?;
    let base = members_or_type(base, Key::Base, scope);
    let discriminator = required(object, "discriminator", scope)?;
    let discriminator = match &discriminator.kind {
        ValueKind::Str(text) => Ok(Name {
            text: text.clone(),
            span: discriminator.span,
        }),
        _ => {
            let problem = Problem::NameNotString(MessageSubject::Value(Key::Discriminator));
            Err(scope.report(problem, discriminator.span))
        }
    };
    let data = required(object, "data", scope)?;
    let branches = branches(data, BranchesOf::Union, scope);
    Ok(Body::Union {
        base: base?,
        discriminator: discriminator?,
        branches: branches?,
    })
}

fn alternate<'s>(object: &Object<'s>, scope: &mut Scope<'_>) -> Lowered<Body<'s>> {
    let data = required(object, "data", scope)?;
    if is_empty(&data.kind) {
        return Err(scope.report(Problem::Empty(Key::Data), data.span));
    }
    let branches = branches(data, BranchesOf::Alternate, scope)?;
    Ok(Body::Alternate { branches })
}

/// Returns whether a value is false in Python, the language of QEMU's
/// generator.
fn is_empty(value: &ValueKind<'_>) -> bool {
    match value {
        ValueKind::Str(text) => text.is_empty(),
        ValueKind::Bool(value) => !value,
        ValueKind::List(list) => list.is_empty(),
        ValueKind::Object(object) => object.members.is_empty(),
    }
}

fn command<'s>(object: &Object<'s>, scope: &mut Scope<'_>) -> Lowered<Body<'s>> {
    let arguments = arguments(object, scope);
    let returns = object
        .get("returns")
        .map(|returns| type_or_array(returns, &MessageSubject::Value(Key::Returns), scope))
        .transpose();
    // As in `members_of`, an empty name means no type.
    let returns = returns.map(|returns| {
        returns.filter(|ty| !matches!(ty, TypeRef::Named(name) if name.text.is_empty()))
    });
    let flag = |key| object.get(key).is_some();
    Ok(Body::Command {
        arguments: arguments?,
        returns: returns?,
        flags: Flags {
            boxed: flag("boxed"),
            gen_code: !flag("gen"),
            success_response: !flag("success-response"),
            allow_oob: flag("allow-oob"),
            allow_preconfig: flag("allow-preconfig"),
            coroutine: flag("coroutine"),
        },
    })
}

fn event<'s>(object: &Object<'s>, scope: &mut Scope<'_>) -> Lowered<Body<'s>> {
    Ok(Body::Event {
        arguments: arguments(object, scope)?,
        boxed: object.get("boxed").is_some(),
    })
}

/// Lowers the `data` of a command or event.
fn arguments<'s>(object: &Object<'s>, scope: &mut Scope<'_>) -> Lowered<Option<Members<'s>>> {
    let data = object.get("data");
    // Take any value that Python regards as true for `true`, as QEMU does;
    // `check_flags` rejects wrong values later.
    let boxed = object.get("boxed").filter(|boxed| !is_empty(&boxed.kind));
    match (boxed, data) {
        (Some(boxed), None) => Err(scope.report(Problem::BoxedWithoutData, boxed.span)),
        (Some(_), Some(data)) => members_of(data, Key::Data, scope).map(Some),
        (None, Some(data)) => members_or_type(data, Key::Data, scope).map(Some),
        (None, None) => Ok(None),
    }
}

/// Checks the values of a definition's flags.
pub(super) fn check_flags(object: &Object<'_>, scope: &mut Scope<'_>) -> Lowered<()> {
    const FLAGS: [(&str, bool); 6] = [
        ("gen", false),
        ("success-response", false),
        ("boxed", true),
        ("allow-oob", true),
        ("allow-preconfig", true),
        ("coroutine", true),
    ];
    let mut lowered = Ok(());
    for (flag, only) in FLAGS {
        let Some(value) = object.get(flag) else {
            continue;
        };
        if !matches!(value.kind, ValueKind::Bool(value) if value == only) {
            lowered = Err(scope.report(Problem::FlagValue { flag, only }, value.span));
        }
    }
    if let (Some(_), Some(coroutine)) = (object.get("allow-oob"), object.get("coroutine")) {
        lowered = Err(scope.report(Problem::FlagsIncompatible, coroutine.span));
    }
    lowered
}
