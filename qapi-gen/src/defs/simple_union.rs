//! Unions without a discriminator, which schemas of QEMU 6.1 and earlier have.
//!
//! In: such a union. Out: a union whose discriminator is its member `type`, with the
//! definitions that it needs: an enum of the branches' names, and for each branch's
//! type a struct with the only member `data`.

use std::borrow::Cow;

use rustc_hash::FxHashSet as HashSet;

use super::definition::{Body, Branch, Definition, Member, Members, Name, TypeRef, Value};
use super::members::{BranchesOf, branches};
use super::scope::{Lowered, Scope};
use crate::load::ModuleIndex;
use crate::rules::Fact;
use crate::source::Span;
use crate::syntax::Object;

/// The name of the member that selects the branch.
const TAG: &str = "type";

/// The name of the member that has the branch's value.
const CONTENT: &str = "data";

/// The definitions that simple unions need.
#[derive(Default)]
pub(super) struct SimpleUnions<'s> {
    /// The definitions for the union that was lowered last.
    pub(super) needed: Vec<Definition<'s>>,
    /// The names of all structs around types. Several unions may need the same.
    wrappers: HashSet<String>,
}

/// Returns whether an expression is a union without a discriminator, in a schema
/// that may have such unions.
pub(super) fn is_simple(object: &Object<'_>, scope: &Scope<'_>) -> bool {
    scope.rules.have(Fact::SimpleUnions)
        && object.get("union").is_some()
        && object.get("discriminator").is_none()
}

impl<'s> SimpleUnions<'s> {
    /// Lowers a simple union.
    pub(super) fn lower(
        &mut self,
        name: &Name<'s>,
        (module, span): (ModuleIndex, Span),
        object: &Object<'s>,
        scope: &mut Scope<'_>,
    ) -> Lowered<Body<'s>> {
        let data = super::kinds::required(object, "data", scope)?;
        let branches = branches(data, BranchesOf::SimpleUnion, scope)?;
        // The implicit parts have no place of their own, so messages show the
        // union's name.
        let named = |text: String| Name {
            text: Cow::Owned(text),
            span: name.span,
        };
        let definition = |name, body| Definition {
            module,
            name,
            span,
            doc: None,
            cond: None,
            features: Box::default(),
            body,
        };
        let member = |text: &str, ty| Member {
            name: named(text.to_owned()),
            optional: false,
            ty,
            cond: None,
            features: Box::default(),
        };
        let kind = format!("{}Kind", name.text);
        let values = branches.iter().map(|branch| Value {
            name: branch.name.clone(),
            cond: branch.cond.clone(),
            features: Box::default(),
        });
        let body = Body::Enum {
            prefix: None,
            values: values.collect(),
        };
        self.needed.push(definition(named(kind.clone()), body));
        let mut wrapped = Vec::with_capacity(branches.len());
        for Branch { name, ty, cond } in branches {
            let wrapper = match &ty {
                TypeRef::Named(ty) => format!("q_obj_{}-wrapper", ty.text),
                TypeRef::ArrayOf(element) => format!("q_obj_{}List-wrapper", element.text),
            };
            if self.wrappers.insert(wrapper.clone()) {
                let body = Body::Struct {
                    base: None,
                    members: [member(CONTENT, ty)].into(),
                };
                self.needed.push(definition(named(wrapper.clone()), body));
            }
            let ty = TypeRef::Named(named(wrapper));
            wrapped.push(Branch { name, ty, cond });
        }
        let tag = member(TAG, TypeRef::Named(named(kind)));
        Ok(Body::Union {
            base: Members::Inline([tag].into()),
            discriminator: named(TAG.to_owned()),
            branches: wrapped.into(),
        })
    }
}
