//! Members, branches and the types that they use.
//!
//! In: the values of `data`, `base` and `returns`. Out: members, branches and
//! uses of types. Whether the types exist is not known here.

use super::definition::{Branch, Member, Members, Name, TypeRef};
use super::name_rules::{self, NameExceptions};
use super::scope::{Lowered, Scope};
use super::{features, if_key, keys};
use crate::diag::{Key, MessageSubject, Problem};
use crate::rules::{Fact, Rules};
use crate::syntax::{self, Object, Value, ValueKind};

/// Lowers a type name or inline members.
pub(super) fn members_or_type<'s>(
    value: &Value<'s>,
    key: Key,
    scope: &mut Scope<'_>,
) -> Lowered<Members<'s>> {
    match &value.kind {
        ValueKind::Str(_) => members_of(value, key, scope),
        _ => members(value, key, scope).map(Members::Inline),
    }
}

/// Lowers a type name that is used for the type's members. As in QEMU's
/// generator, an empty name means no members.
pub(super) fn members_of<'s>(
    value: &Value<'s>,
    key: Key,
    scope: &mut Scope<'_>,
) -> Lowered<Members<'s>> {
    let name = type_name(value, &MessageSubject::Value(key), scope)?;
    Ok(if name.text.is_empty() {
        Members::Inline(Box::default())
    } else {
        Members::Of(name)
    })
}

/// Lowers inline members.
pub(super) fn members<'s>(
    value: &Value<'s>,
    key: Key,
    scope: &mut Scope<'_>,
) -> Lowered<Box<[Member<'s>]>> {
    let ValueKind::Object(object) = &value.kind else {
        let problem = wrong_type(
            value,
            &MessageSubject::Value(key),
            Problem::NotObjectOrType,
            scope.rules,
        );
        return Err(scope.report(problem, value.span));
    };
    // Collect twice, because every member must be checked; collecting into a
    // `Result` stops at the first error.
    let members: Vec<_> = object
        .members
        .iter()
        .map(|m| member(m, key, scope))
        .collect();
    members.into_iter().collect()
}

fn member<'s>(member: &syntax::Member<'s>, key: Key, scope: &mut Scope<'_>) -> Lowered<Member<'s>> {
    let subject = MessageSubject::Member(key, member.key.as_ref().into());
    let optional = member.key.starts_with('*');
    let name = Name {
        text: without_star(&member.key),
        span: member.key_span,
    };
    let exceptions = NameExceptions::all(scope.has_free_member_names);
    let valid = name_rules::check_lower(&name, &subject, exceptions, scope);
    let valid = valid.and_then(|()| {
        let is_free = scope.rules.have(Fact::ConventionsIgnored);
        if !is_free && name_rules::is_reserved(&name.text) {
            return Err(scope.report(Problem::NameReserved(subject.clone()), name.span));
        }
        Ok(())
    });
    let (cond, features, ty) = match &member.value.kind {
        ValueKind::Object(object) => {
            keys::check(object, member.value.span, &subject, keys::MEMBER, scope)?;
            (
                if_key::condition(object, &subject, scope),
                features::features(object, scope),
                type_of(object, &member.value),
            )
        }
        _ => (Ok(None), Ok(Box::default()), &member.value),
    };
    let ty = type_or_array(ty, &subject, scope);
    valid?;
    Ok(Member {
        name,
        optional,
        ty: ty?,
        cond: cond?,
        features: features?,
    })
}

/// Returns a member's name without the `*` that makes the member optional.
fn without_star<'s>(key: &std::borrow::Cow<'s, str>) -> std::borrow::Cow<'s, str> {
    match key {
        std::borrow::Cow::Borrowed(key) => key.strip_prefix('*').unwrap_or(key).into(),
        std::borrow::Cow::Owned(key) => key.strip_prefix('*').unwrap_or(key).to_owned().into(),
    }
}

/// Returns the value of `type`, which `keys::check` has found in the object.
fn type_of<'v, 's>(object: &'v Object<'s>, value: &'v Value<'s>) -> &'v Value<'s> {
    object.get("type").unwrap_or(value)
}

/// The kind of definition that branches belong to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum BranchesOf {
    Union,
    SimpleUnion,
    Alternate,
}

/// Lowers the branches of a union or an alternate.
pub(super) fn branches<'s>(
    value: &Value<'s>,
    of: BranchesOf,
    scope: &mut Scope<'_>,
) -> Lowered<Box<[Branch<'s>]>> {
    let ValueKind::Object(object) = &value.kind else {
        return Err(scope.report(Problem::NotObject(Key::Data), value.span));
    };
    let branches: Vec<_> = object
        .members
        .iter()
        .map(|m| branch(m, of, scope))
        .collect();
    branches.into_iter().collect()
}

fn branch<'s>(
    member: &syntax::Member<'s>,
    of: BranchesOf,
    scope: &mut Scope<'_>,
) -> Lowered<Branch<'s>> {
    let subject = MessageSubject::Member(Key::Data, member.key.as_ref().into());
    let name = Name {
        text: member.key.clone(),
        span: member.key_span,
    };
    let valid = match of {
        // The name must be a value of the discriminator, which the checks of the
        // whole schema verify.
        BranchesOf::Union => Ok(()),
        BranchesOf::SimpleUnion | BranchesOf::Alternate => {
            name_rules::check_lower(&name, &subject, NameExceptions::all(false), scope)
        }
    };
    let (cond, ty) = match &member.value.kind {
        ValueKind::Object(object) => {
            keys::check(object, member.value.span, &subject, keys::BRANCH, scope)?;
            (
                if_key::condition(object, &subject, scope),
                type_of(object, &member.value),
            )
        }
        _ => (Ok(None), &member.value),
    };
    let ty = match of {
        BranchesOf::SimpleUnion => type_or_array(ty, &subject, scope),
        BranchesOf::Alternate if scope.rules.have(Fact::AlternateArrays) => {
            type_or_array(ty, &subject, scope)
        }
        BranchesOf::Union | BranchesOf::Alternate => {
            type_name(ty, &subject, scope).map(TypeRef::Named)
        }
    };
    valid?;
    Ok(Branch {
        name,
        ty: ty?,
        cond: cond?,
    })
}

/// Lowers a type name.
pub(super) fn type_name<'s>(
    value: &Value<'s>,
    subject: &MessageSubject,
    scope: &mut Scope<'_>,
) -> Lowered<Name<'s>> {
    match &value.kind {
        ValueKind::Str(text) => Ok(Name {
            text: text.clone(),
            span: value.span,
        }),
        _ => {
            let problem = wrong_type(value, subject, Problem::NotType, scope.rules);
            Err(scope.report(problem, value.span))
        }
    }
}

/// Returns the problem to report for a value of the wrong type: `OldArray` for an
/// array if the rules have a message of their own for arrays (QEMU 7.2), and
/// otherwise `newer`.
fn wrong_type(
    value: &Value<'_>,
    subject: &MessageSubject,
    newer: fn(MessageSubject) -> Problem,
    rules: Rules,
) -> Problem {
    match value.kind {
        ValueKind::List(_) if rules.have(Fact::ArraysHaveOwnMessages) => {
            Problem::OldArray(subject.clone())
        }
        _ => newer(subject.clone()),
    }
}

/// Lowers a type name or an array of one.
pub(super) fn type_or_array<'s>(
    value: &Value<'s>,
    subject: &MessageSubject,
    scope: &mut Scope<'_>,
) -> Lowered<TypeRef<'s>> {
    let list = match &value.kind {
        ValueKind::List(list) => list,
        ValueKind::Str(_) => {
            return type_name(value, subject, scope).map(TypeRef::Named);
        }
        _ => {
            let problem = if scope.rules.have(Fact::ArraysHaveOwnMessages) {
                Problem::NotType(subject.clone())
            } else {
                Problem::NotTypeOrArray(subject.clone())
            };
            return Err(scope.report(problem, value.span));
        }
    };
    match &**list {
        [
            element @ Value {
                kind: ValueKind::Str(_),
                ..
            },
        ] => type_name(element, subject, scope).map(TypeRef::ArrayOf),
        _ => Err(scope.report(Problem::ArrayType(subject.clone()), value.span)),
    }
}
