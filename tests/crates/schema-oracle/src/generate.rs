//! Values that a type accepts.
//!
//! In: a type, random numbers, a depth. Out: a value whose members are in the
//! order of the schema: base, own members, branch.

use std::collections::{BTreeMap, BTreeSet};

use mutator::Random;
use qapi_gen::schema::{Builtin, CheckedSchema, Object, TypeId, TypeKind};
use qapi_wire::{Dict, Value};

use crate::SchemaOracle;

/// Returns for each type the depth of its least deep value. Types without
/// finite values are left out.
///
/// Each round finds the types whose parts earlier rounds have found.
fn depths(oracle: &SchemaOracle<'_>) -> BTreeMap<TypeId, usize> {
    let mut depths = BTreeMap::new();
    loop {
        let found: Vec<(TypeId, usize)> = oracle
            .schema
            .types()
            .filter(|(id, _)| !depths.contains_key(id))
            .filter_map(|(id, _)| Some((id, depth(oracle, id, &|id| depths.get(&id).copied())?)))
            .collect();
        if found.is_empty() {
            return depths;
        }
        depths.extend(found);
    }
}

fn depth(
    oracle: &SchemaOracle<'_>,
    id: TypeId,
    depth_of: &dyn Fn(TypeId) -> Option<usize>,
) -> Option<usize> {
    match &oracle.schema.ty(id).kind {
        TypeKind::Builtin(_) | TypeKind::Array(_) => Some(0),
        TypeKind::Enum(_) => oracle.values(id).next().map(|_| 0),
        TypeKind::Alternate(_) => {
            let branches = oracle.alternatives(id);
            branches.into_iter().filter_map(depth_of).min()
        }
        TypeKind::Object(object) => {
            let mut deepest = match object.base {
                Some(base) => depth_of(base)?,
                None => 0,
            };
            for member in oracle.own_members(object).filter(|member| !member.optional) {
                deepest = deepest.max(depth_of(member.ty)? + 1);
            }
            if let Some(branches) = &object.branches {
                let cases = oracle.values(branches.tag_type);
                let cases = cases.filter_map(|value| match oracle.branch(branches, value) {
                    Some(branch) => depth_of(branch),
                    None => Some(0),
                });
                deepest = deepest.max(cases.min()?);
            }
            Some(deepest)
        }
    }
}

impl<'s> SchemaOracle<'s> {
    /// Returns the oracle of a schema where exactly these configuration symbols
    /// are defined. Without `config` everything conditional exists.
    #[must_use]
    pub fn new(schema: &'s CheckedSchema, config: Option<BTreeSet<String>>) -> Self {
        let mut oracle = Self {
            schema,
            config,
            empty: schema.type_named("q_empty"),
            depths: BTreeMap::new(),
        };
        oracle.depths = depths(&oracle);
        oracle
    }
}

impl SchemaOracle<'_> {
    /// Generates a value of a type that nests to about this depth. Returns
    /// `None` if the type has no values.
    pub fn generate(&self, ty: TypeId, random: &mut Random, depth: usize) -> Option<Value> {
        match &self.schema.ty(ty).kind {
            TypeKind::Builtin(builtin) => Some(scalar(*builtin, random, depth)),
            TypeKind::Enum(_) => {
                let values: Vec<&str> = self.values(ty).collect();
                random.pick(&values).map(Value::from)
            }
            TypeKind::Array(element) => {
                let fits = self.depth(*element).is_some_and(|least| least < depth);
                let count = if fits { random.below(4) } else { 0 };
                let elements = (0..count).map(|_| self.generate(*element, random, depth - 1));
                elements.collect::<Option<_>>().map(Value::Array)
            }
            TypeKind::Object(_) => {
                let mut dict = Dict::new();
                self.make_members(ty, None, random, depth, &mut dict)?;
                Some(Value::Object(dict))
            }
            TypeKind::Alternate(_) => {
                let branches = self.alternatives(ty);
                let branch = self.choose(&branches, |ty| self.depth(*ty), random, depth)?;
                self.generate(*branch, random, depth)
            }
        }
    }

    /// Generates a value of a union with this discriminator.
    pub fn make_case(
        &self,
        union: TypeId,
        tag: &str,
        random: &mut Random,
        depth: usize,
    ) -> Option<Value> {
        let mut dict = Dict::new();
        self.make_members(union, Some(tag), random, depth, &mut dict)?;
        Some(Value::Object(dict))
    }

    fn make_members(
        &self,
        id: TypeId,
        tag: Option<&str>,
        random: &mut Random,
        depth: usize,
        dict: &mut Dict,
    ) -> Option<()> {
        let object = self.object(id)?;
        // Choose the case first, because the discriminator is one of the base's
        // members.
        let case = match &object.branches {
            None => None,
            Some(branches) => {
                let values: Vec<&str> = match tag {
                    Some(tag) => vec![tag],
                    None => self.values(branches.tag_type).collect(),
                };
                let least = |value: &&str| match self.branch(branches, value) {
                    Some(branch) => self.depth(branch),
                    None => Some(0),
                };
                let value = *self.choose(&values, least, random, depth)?;
                Some((branches, value))
            }
        };
        let tag = case.map(|(branches, value)| (branches.tag.as_str(), value));
        self.make_plain(object, tag, random, depth, dict)?;
        if let Some((branches, value)) = case
            && let Some(branch) = self.branch(branches, value)
        {
            self.make_members(branch, None, random, depth, dict)?;
        }
        Some(())
    }

    /// Generates the members outside of a union's branch.
    fn make_plain(
        &self,
        object: &Object,
        tag: Option<(&str, &str)>,
        random: &mut Random,
        depth: usize,
        dict: &mut Dict,
    ) -> Option<()> {
        if let Some(base) = object.base.and_then(|base| self.object(base)) {
            self.make_plain(base, tag, random, depth, dict)?;
        }
        let members = object.members.iter();
        for member in members.filter(|member| self.has(member.cond.as_ref())) {
            if let Some((name, value)) = tag
                && member.name == name
            {
                dict.push(name, Value::from(value));
                continue;
            }
            let fits = self.depth(member.ty).is_some_and(|least| least < depth);
            if !member.optional || fits && random.one_in(2) {
                let value = self.generate(member.ty, random, depth.saturating_sub(1))?;
                dict.push(member.name.as_str(), value);
            }
        }
        Some(())
    }

    /// Picks a type that is not too deep; if all are, returns the least deep
    /// one.
    fn choose<'c, T>(
        &self,
        from: &'c [T],
        least: impl Fn(&T) -> Option<usize>,
        random: &mut Random,
        depth: usize,
    ) -> Option<&'c T> {
        let fitting: Vec<&T> = from
            .iter()
            .filter(|one| least(one).is_some_and(|least| least <= depth))
            .collect();
        random.pick(&fitting).or_else(|| {
            let possible = from.iter().filter(|one| least(one).is_some());
            possible.min_by_key(|one| least(one))
        })
    }

    fn depth(&self, ty: TypeId) -> Option<usize> {
        self.depths.get(&ty).copied()
    }
}

/// Strings with which something may go wrong, and strings that resemble others.
const TEXTS: [&str; 10] = [
    "",
    "a",
    "name",
    "with \"quotes\" and \\",
    "\u{1}\n\t\u{7f}",
    "gr\u{fc}n \u{1f600}",
    "null",
    "0",
    "a.b[0]",
    "\0",
];

fn scalar(ty: Builtin, random: &mut Random, depth: usize) -> Value {
    match ty {
        Builtin::Str => text(random),
        // Halves and small integers are the same in every JSON parser.
        Builtin::Number => match random.below(3) {
            0 => Value::Double(f64::from(small(random)) + 0.5),
            1 => Value::Double(1e300),
            _ => Value::Int(i64::from(small(random))),
        },
        Builtin::Bool => Value::Bool(random.one_in(2)),
        Builtin::Null => Value::Null,
        Builtin::Any => any(random, depth.min(3)),
        Builtin::Int | Builtin::Int64 => signed(i64::MIN, i64::MAX, random),
        Builtin::Int8 => signed(i8::MIN.into(), i8::MAX.into(), random),
        Builtin::Int16 => signed(i16::MIN.into(), i16::MAX.into(), random),
        Builtin::Int32 => signed(i32::MIN.into(), i32::MAX.into(), random),
        Builtin::Uint8 => unsigned(u8::MAX.into(), random),
        Builtin::Uint16 => unsigned(u16::MAX.into(), random),
        Builtin::Uint32 => unsigned(u32::MAX.into(), random),
        Builtin::Uint64 | Builtin::Size => unsigned(u64::MAX, random),
    }
}

fn text(random: &mut Random) -> Value {
    Value::from(random.pick(&TEXTS).unwrap_or_default())
}

fn small(random: &mut Random) -> i32 {
    i32::try_from(random.below(2000)).unwrap_or(0) - 1000
}

fn signed(min: i64, max: i64, random: &mut Random) -> Value {
    Value::Int(match random.below(4) {
        0 => min,
        1 => max,
        _ => i64::from(small(random)).clamp(min, max),
    })
}

fn unsigned(max: u64, random: &mut Random) -> Value {
    Value::from(match random.below(4) {
        0 => max,
        1 => max / 2 + 1,
        _ => random.next().min(max),
    })
}

/// Generates a JSON value of any type.
fn any(random: &mut Random, depth: usize) -> Value {
    let kinds = if depth == 0 { 5 } else { 7 };
    match random.below(kinds) {
        0 => Value::Null,
        1 => Value::Bool(random.one_in(2)),
        2 => signed(i64::MIN, i64::MAX, random),
        3 => unsigned(u64::MAX, random),
        4 => text(random),
        5 => Value::Array(
            (0..random.below(3))
                .map(|_| any(random, depth - 1))
                .collect(),
        ),
        _ => {
            let count = random.below(3);
            let names = TEXTS.iter().take(count);
            let members = names.map(|name| ((*name).to_owned(), any(random, depth - 1)));
            Value::Object(members.collect())
        }
    }
}
