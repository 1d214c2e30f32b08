//! The names of downstream additions.
//!
//! In: a schema, and the interface to which it adds. Out: additions whose names anybody
//! could choose.

use std::collections::BTreeSet;

use super::advice::{Advice, Places, Rule};
use super::since;
use crate::interface::Interface;

/// Reports additions to an upstream interface whose names anybody could choose.
pub(super) fn check(places: &Places<'_>, upstream: &Interface, advice: &mut Vec<Advice>) {
    let ours = Interface::of_schema(places.schema, places.sources);
    let theirs: BTreeSet<String> = since::parts(upstream).into_iter().collect();
    for part in since::parts(&ours) {
        let name = part.rsplit(['/', '=']).next().unwrap_or(&part);
        // The parts of an addition need no prefix of their own.
        let owner = part.rfind(['/', '=']).and_then(|at| part.get(..at));
        let is_within_addition = owner.is_some_and(|owner| !theirs.contains(owner));
        if theirs.contains(&part) || is_within_addition || name.starts_with("__") {
            continue;
        }
        // A type's name is not on the wire.
        let definition = part.split(['/', '=']).next().unwrap_or(&part);
        if definition == part && places.schema.type_named(definition).is_some() {
            continue;
        }
        let entity = places.schema.entity_named(definition);
        advice.push(Advice {
            rule: Rule::PrefixMissing,
            message: format!("upstream has no '{name}' here; call it __RFQDN_{name}"),
            place: since::place_of(places, entity, name),
            subject: part,
        });
    }
}
