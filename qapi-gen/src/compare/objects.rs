//! The comparison of structs and unions.
//!
//! In: two object types at one place. Out: the differences of their members. Members
//! are compared as the wire has them: those of the base and those of the branch that
//! a value of the tag selects are one set, so that moving a member between the two
//! is a change only for the values that gain or lose it.

use std::collections::{BTreeMap, BTreeSet};

use super::change::{Direction, Level};
use super::codes::Code;
use super::walk::{At, TooManyChanges, Walk, union_of_keys};
use crate::interface::{Interface, Member, Object, Shape, Variants};

type Members = BTreeMap<String, Member>;

/// The members that each value of a tag selects, without those of the base.
type Cases<'a> = BTreeMap<&'a str, &'a Members>;

impl Walk<'_> {
    pub(super) fn objects(
        &mut self,
        at: &At,
        old: &Object,
        new: &Object,
    ) -> Result<(), TooManyChanges> {
        self.steps += old.members.len() + new.members.len();
        let sides = Sides {
            old_values: tag_values(self.old, old, tag(new)),
            new_values: tag_values(self.new, new, tag(old)),
            old_cases: cases(self.old, old),
            new_cases: cases(self.new, new),
            same_tag: tag(old) == tag(new),
            old: &old.members,
            new: &new.members,
        };
        match (&old.variants, &new.variants) {
            (None, Some(_)) => {
                let (old, new) = ("struct".to_owned(), "union".to_owned());
                self.push(at, Code::StructToUnion, Some(old), Some(new));
            }
            (Some(_), None) => {
                let (old, new) = ("union".to_owned(), "struct".to_owned());
                self.push(at, Code::UnionToStruct, Some(old), Some(new));
            }
            (Some(old), Some(new)) if old.tag != new.tag => {
                let (old, new) = (old.tag.clone(), new.tag.clone());
                self.push(at, Code::TagChanged, Some(old), Some(new));
            }
            _ => {}
        }
        for name in union_of_keys(&old.members, &new.members) {
            match (old.members.get(name), new.members.get(name)) {
                (Some(old), Some(new)) => {
                    let at = at.part("/", name, Some(&old.traits), Some(&new.traits));
                    self.members(&at, old, new)?;
                }
                (Some(old), None) => self.left_the_base(at, name, old, &sides)?,
                (None, Some(new)) => self.joined_the_base(at, name, new, &sides)?,
                (None, None) => {}
            }
        }
        match (&old.variants, &new.variants) {
            (Some(old), Some(new)) if sides.same_tag => self.branches(at, old, new, &sides),
            (Some(_), _) => {
                self.lost_branches(at, &sides);
                Ok(())
            }
            (None, _) => {
                self.gained_branches(at, &sides);
                Ok(())
            }
        }
    }

    /// Compares what each value of the tag selects.
    fn branches(
        &mut self,
        at: &At,
        old: &Variants,
        new: &Variants,
        sides: &Sides<'_>,
    ) -> Result<(), TooManyChanges> {
        for (case, old_branch) in &old.cases {
            let Some(new_branch) = new.cases.get(case) else {
                continue;
            };
            let at = at.part("/+", case, None, Some(&new_branch.traits));
            self.traits(&at, &old_branch.traits, &new_branch.traits);
            let objects = (
                self.old.object(old_branch.ty),
                self.new.object(new_branch.ty),
            );
            match objects {
                // Members that joined or left the base have been compared there.
                (Some(old), Some(new)) if sides.moved_any(old) || sides.moved_any(new) => {
                    let (old_type, new_type) =
                        (self.old.ty(old_branch.ty), self.new.ty(new_branch.ty));
                    self.traits(&at, &old_type.traits, &new_type.traits);
                    self.objects(&at, &sides.without_moved(old), &sides.without_moved(new))?;
                }
                _ => self.types(&at, old_branch.ty, new_branch.ty)?,
            }
        }
        Ok(())
    }

    /// Reports the members of branches that the older struct did not have.
    fn gained_branches(&mut self, at: &At, sides: &Sides<'_>) {
        for (case, members) in &sides.new_cases {
            let at = at.part("/+", case, None, None);
            for (name, member) in *members {
                if !sides.old.contains_key(name) {
                    self.added(&at, name, member);
                }
            }
        }
    }

    /// Reports the members of branches that are not members of the newer struct.
    fn lost_branches(&mut self, at: &At, sides: &Sides<'_>) {
        for (case, members) in &sides.old_cases {
            let at = at.part("/+", case, None, None);
            for (name, member) in *members {
                let stays = sides.new.contains_key(name)
                    || sides
                        .new_cases
                        .values()
                        .any(|members| members.contains_key(name));
                if !stays {
                    self.removed(&at, name, member);
                }
            }
        }
    }

    /// Compares a member that all values of the tag had.
    fn left_the_base(
        &mut self,
        at: &At,
        name: &str,
        old: &Member,
        sides: &Sides<'_>,
    ) -> Result<(), TooManyChanges> {
        let has = |members: &Members| members.contains_key(name);
        if !sides.new_cases.values().any(|members| has(members)) {
            self.removed(at, name, old);
            return Ok(());
        }
        let mut is_everywhere = true;
        for (case, members) in &sides.new_cases {
            // A value that the older tag lacks cannot have been used.
            if sides
                .old_values
                .as_ref()
                .is_some_and(|values| !values.contains(*case))
            {
                continue;
            }
            let at = at.part("/+", case, None, None);
            if let Some(new) = members.get(name) {
                let at = at.part("/", name, Some(&old.traits), Some(&new.traits));
                self.members(&at, old, new)?;
            } else {
                is_everywhere = false;
                if at.direction == Some(Direction::Send) {
                    self.removed(&at, name, old);
                }
            }
        }
        if !is_everywhere && at.direction == Some(Direction::Receive) && !old.optional {
            let at = at.part("/", name, Some(&old.traits), None);
            let ty = self.old.describe(old.ty);
            let new = "only with some values of the tag".to_owned();
            self.push(&at, Code::BecameOptional, Some(mandatory(&ty)), Some(new));
        }
        Ok(())
    }

    /// Compares a member that all values of the tag have now.
    fn joined_the_base(
        &mut self,
        at: &At,
        name: &str,
        new: &Member,
        sides: &Sides<'_>,
    ) -> Result<(), TooManyChanges> {
        let mut is_everywhere = !sides.old_cases.is_empty();
        for (case, members) in &sides.old_cases {
            // A value that the newer tag lacks is reported as removed.
            if sides
                .new_values
                .as_ref()
                .is_some_and(|values| !values.contains(*case))
            {
                continue;
            }
            match members.get(name) {
                Some(old) => {
                    let at = at.part("/+", case, None, None);
                    let at = at.part("/", name, Some(&old.traits), Some(&new.traits));
                    self.members(&at, old, new)?;
                }
                None => is_everywhere = false,
            }
        }
        if !is_everywhere {
            self.added(at, name, new);
        }
        Ok(())
    }

    /// Compares a member that both sides have.
    fn members(&mut self, at: &At, old: &Member, new: &Member) -> Result<(), TooManyChanges> {
        self.traits(at, &old.traits, &new.traits);
        if old.optional != new.optional {
            let code = if new.optional {
                Code::BecameOptional
            } else {
                Code::BecameMandatory
            };
            let old = presence(old, &self.old.describe(old.ty));
            let new = presence(new, &self.new.describe(new.ty));
            self.push(at, code, Some(old), Some(new));
        }
        self.types(at, old.ty, new.ty)
    }

    fn removed(&mut self, at: &At, name: &str, old: &Member) {
        let at = at.part("/", name, Some(&old.traits), None);
        // A member of a reply that was optional may have been absent all the time.
        let level = match at.direction {
            Some(Direction::Receive) if old.optional => Level::Risky,
            direction => Code::MemberRemoved.level(direction),
        };
        let ty = presence(old, &self.old.describe(old.ty));
        self.push_at_level(&at, Code::MemberRemoved, level, Some(ty), None);
    }

    fn added(&mut self, at: &At, name: &str, new: &Member) {
        let at = at.part("/", name, None, Some(&new.traits));
        let code = if new.optional {
            Code::MemberAdded
        } else {
            Code::MandatoryAdded
        };
        let ty = presence(new, &self.new.describe(new.ty));
        self.push(&at, code, None, Some(ty));
    }
}

/// The members of two object types.
struct Sides<'a> {
    old: &'a Members,
    new: &'a Members,
    old_cases: Cases<'a>,
    new_cases: Cases<'a>,
    /// The values that the tag can have; `None` for a tag that is not an enumeration.
    old_values: Option<BTreeSet<String>>,
    new_values: Option<BTreeSet<String>>,
    same_tag: bool,
}

impl Sides<'_> {
    /// Returns whether a member is in one base only.
    fn moved(&self, name: &str) -> bool {
        self.old.contains_key(name) != self.new.contains_key(name)
    }

    fn moved_any(&self, branch: &Object) -> bool {
        branch.members.keys().any(|name| self.moved(name))
    }

    fn without_moved(&self, branch: &Object) -> Object {
        let members = branch.members.iter().filter(|(name, _)| !self.moved(name));
        Object {
            members: members
                .map(|(name, member)| (name.clone(), member.clone()))
                .collect(),
            variants: branch.variants.clone(),
        }
    }
}

fn cases<'a>(interface: &'a Interface, object: &'a Object) -> Cases<'a> {
    let cases = object.variants.iter().flat_map(|variants| &variants.cases);
    cases
        .filter_map(|(case, branch)| {
            let members = &interface.object(branch.ty)?.members;
            Some((case.as_str(), members))
        })
        .collect()
}

/// Returns the values that the tag of a union can have, or the member of a struct that
/// is the tag on the other side.
fn tag_values(
    interface: &Interface,
    object: &Object,
    other_tag: Option<&str>,
) -> Option<BTreeSet<String>> {
    if let Some(variants) = &object.variants {
        return Some(variants.cases.keys().cloned().collect());
    }
    let member = object.members.get(other_tag?)?;
    match &interface.ty(member.ty).shape {
        Shape::Enum(values) => Some(values.keys().cloned().collect()),
        _ => None,
    }
}

fn tag(object: &Object) -> Option<&str> {
    let variants = object.variants.as_ref()?;
    Some(&variants.tag)
}

fn presence(member: &Member, ty: &str) -> String {
    if member.optional {
        format!("optional {ty}")
    } else {
        mandatory(ty)
    }
}

fn mandatory(ty: &str) -> String {
    format!("mandatory {ty}")
}
