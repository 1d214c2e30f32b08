//! Members, values and definitions that go, come, change places or shape.

use std::ops::Range;

use crate::scene::Scene;
use crate::{Mutation, Random};

pub(crate) const MUTATIONS: &[Mutation] = &[
    drop_part,
    repeat_part,
    swap_parts,
    swap_values,
    graft_part,
    change_value,
    change_value,
    insert_key,
    insert_key,
    insert_key,
    insert_member,
    change_condition,
    change_condition,
    change_kind,
    drop_definition,
    repeat_definition,
    swap_definitions,
    graft_definition,
];

/// Keys of definitions, members and features, with values that are right in
/// some places. `COND`, `NAME` and `TYPE` stand for any.
const KEYS: [&str; 47] = [
    "'if': COND",
    "'if': COND",
    "'if': COND",
    "'if': ''",
    "'if': []",
    "'features': [ 'deprecated' ]",
    "'features': [ 'unstable', 'deprecated' ]",
    "'features': [ { 'name': 'NAME', 'if': COND } ]",
    "'features': [ 'NAME', 'NAME' ]",
    "'features': []",
    "'features': 'deprecated'",
    "'features': [ { 'if': 'X' } ]",
    "'base': 'NAME'",
    "'base': { 'NAME': TYPE }",
    "'base': {}",
    "'base': [ 'NAME' ]",
    "'discriminator': 'NAME'",
    "'discriminator': ''",
    "'discriminator': true",
    "'prefix': 'NAME'",
    "'prefix': 'q-x'",
    "'prefix': [ 'X' ]",
    "'returns': TYPE",
    "'returns': [ TYPE ]",
    "'returns': 'int'",
    "'returns': {}",
    "'boxed': true",
    "'boxed': false",
    "'gen': false",
    "'gen': true",
    "'success-response': false",
    "'success-response': 'no'",
    "'allow-oob': true",
    "'allow-preconfig': true",
    "'coroutine': true",
    "'coroutine': false",
    "'allow-oob': false",
    "'base': ''",
    "'returns': ''",
    "'data': ''",
    "'data': 'NAME'",
    "'data': {}",
    "'data': [ 'NAME' ]",
    "'data': { 'NAME': TYPE }",
    "'type': TYPE",
    "'name': 'NAME'",
    "'unknown': 'x'",
];

const MEMBERS: [&str; 9] = [
    "'NAME': TYPE",
    "'*NAME': TYPE",
    "'NAME': { 'type': TYPE, 'if': COND }",
    "'NAME': { 'type': TYPE, 'features': [ 'unstable' ] }",
    "'NAME': { 'type': TYPE, 'if': COND, 'features': [ { 'name': 'NAME', 'if': COND } ] }",
    "'NAME': { 'if': COND }",
    "'NAME'",
    "{ 'name': 'NAME', 'if': COND }",
    "{ 'name': 'NAME', 'features': [ 'deprecated' ] }",
];

/// What a value can become; `OLD` stands for what it was.
const VALUES: [&str; 28] = [
    "[ OLD ]",
    "[ OLD ]",
    "[ OLD, OLD ]",
    "{ 'type': OLD }",
    "{ 'type': OLD, 'if': COND }",
    "{ 'type': OLD, 'features': [ 'deprecated' ] }",
    "{ 'type': OLD, 'if': COND, 'features': [ { 'name': 'unstable', 'if': COND } ] }",
    "{ 'type': OLD, 'NAME': OLD }",
    "{ 'name': OLD }",
    "{ 'name': OLD, 'if': COND }",
    "{ 'name': OLD, 'features': [ 'unstable' ] }",
    "{ 'not': OLD }",
    "{ 'all': [ OLD ] }",
    "{ 'any': [ COND, OLD ] }",
    "{ 'all': OLD }",
    "TYPE",
    "TYPE",
    "[ TYPE ]",
    "'NAME'",
    "COND",
    "true",
    "false",
    "{}",
    "[]",
    "''",
    "''",
    "[ '' ]",
    "[ [ TYPE ] ]",
];

const KINDS: [&str; 8] = [
    "struct",
    "union",
    "alternate",
    "enum",
    "command",
    "event",
    "include",
    "pragma",
];

const TYPES: [&str; 20] = [
    "str", "int", "number", "bool", "null", "any", "int8", "int16", "int32", "int64", "uint8",
    "uint16", "uint32", "uint64", "size", "QType", "q_empty", "q_obj", "intList", "void",
];

/// A condition, mostly a right one.
fn condition(random: &mut Random, depth: usize) -> String {
    let inner = |random: &mut Random| condition(random, depth + 1);
    match random.below(if depth < 3 { 12 } else { 2 }) {
        0..=3 => random.pick(&["CONFIG_X", "X_Y", "defined(X)"]).map(quoted),
        4 => Some(format!("{{ 'not': {} }}", inner(random))),
        5 => Some(format!("{{ 'all': [ {} ] }}", inner(random))),
        6 => Some(format!(
            "{{ 'any': [ {}, {} ] }}",
            inner(random),
            inner(random)
        )),
        7 => Some(format!("{{ 'all': {} }}", inner(random))),
        8 => Some(format!("{{ 'none': {} }}", inner(random))),
        9 => Some(format!("{{ 'not': 'X', 'all': [ {} ] }}", inner(random))),
        _ => random
            .pick(&[
                "''",
                "' '",
                "{}",
                "[]",
                "{ 'any': [] }",
                "'X Y'",
                "'1X'",
                "true",
            ])
            .map(str::to_owned),
    }
    .unwrap_or_default()
}

fn quoted(text: &str) -> String {
    format!("'{text}'")
}

/// Fills in a pattern: each of its words becomes something.
fn fill(scene: &mut Scene<'_>, pattern: &str) -> String {
    let mut text = pattern.to_owned();
    for word in ["COND", "NAME", "TYPE"] {
        while text.contains(word) {
            let filling = match word {
                "COND" => condition(scene.random, 0),
                "NAME" => name(scene),
                _ if scene.random.one_in(2) => quoted(&name(scene)),
                _ => scene.random.pick(&TYPES).map(quoted).unwrap_or_default(),
            };
            // What it becomes must not be filled in again.
            text = text.replacen(word, &filling.replace(word, "X"), 1);
        }
    }
    text
}

/// A name of the schema, or one that it need not know.
fn name(scene: &mut Scene<'_>) -> String {
    const NAMES: [&str; 6] = ["foo", "data", "type", "Foo", "max", "x-foo"];
    let known = scene.string().filter(|_| !scene.random.one_in(3));
    match known {
        Some(range) => scene.at(&range).to_owned(),
        None => scene.random.pick(&NAMES).unwrap_or_default().to_owned(),
    }
}

/// A part with the comma behind it, or in front of it if it is the last.
fn with_comma(scene: &Scene<'_>, part: &Range<usize>) -> Range<usize> {
    let blanks = |c: char| c == ' ' || c == '\n';
    let after = scene.text.get(part.end..).unwrap_or_default();
    let before = scene.text.get(..part.start).unwrap_or_default();
    if let Some(rest) = after.trim_start_matches(blanks).strip_prefix(',') {
        part.start..scene.text.len() - rest.len()
    } else if let Some(rest) = before.trim_end_matches(blanks).strip_suffix(',') {
        rest.len()..part.end
    } else {
        part.clone()
    }
}

fn drop_part(scene: &mut Scene<'_>) -> Option<String> {
    let part = scene.part()?.whole;
    Some(scene.replace(&with_comma(scene, &part), ""))
}

fn repeat_part(scene: &mut Scene<'_>) -> Option<String> {
    let part = scene.part()?.whole;
    let to = scene.part()?.whole.end;
    Some(scene.insert(to, &format!(", {}", scene.at(&part))))
}

fn swap_parts(scene: &mut Scene<'_>) -> Option<String> {
    let (one, other) = (scene.part()?.whole, scene.part()?.whole);
    scene.swap(&one, &other)
}

fn swap_values(scene: &mut Scene<'_>) -> Option<String> {
    let (one, other) = (scene.part()?.value, scene.part()?.value);
    scene.swap(&one, &other)
}

/// A part of another schema comes in.
fn graft_part(scene: &mut Scene<'_>) -> Option<String> {
    let seed = scene.mutator.seed(scene.random);
    let part = Scene::new(seed, scene.mutator, scene.random).part()?;
    let (whole, value) = (seed.get(part.whole)?, seed.get(part.value)?);
    let to = scene.part()?;
    Some(match scene.random.below(3) {
        0 => scene.insert(to.whole.end, &format!(", {whole}")),
        1 => scene.replace(&to.whole, whole),
        _ => scene.replace(&to.value, value),
    })
}

fn change_value(scene: &mut Scene<'_>) -> Option<String> {
    let part = scene.part()?;
    let old = scene.at(&part.value);
    let inner = old.strip_prefix('[').and_then(|old| old.strip_suffix(']'));
    if let Some(inner) = inner.filter(|_| scene.random.one_in(2)) {
        return Some(scene.replace(&part.value, inner.trim()));
    }
    let pattern = scene.random.pick(&VALUES)?;
    let value = fill(scene, pattern).replace("OLD", old);
    Some(scene.replace(&part.value, &value))
}

/// Puts something at the end of an object or a list.
fn append(scene: &mut Scene<'_>, depth: Option<usize>, what: &str) -> Option<String> {
    let at_depth = |of: usize| depth.is_none_or(|depth| depth == of);
    let count = scene
        .outline
        .ends
        .iter()
        .filter(|end| at_depth(end.depth))
        .count();
    let index = scene.random.index(count)?;
    let mut ends = scene.outline.ends.iter().filter(|end| at_depth(end.depth));
    let end = ends.nth(index)?;
    if !end.is_object && depth.is_some() {
        return None;
    }
    let comma = if end.is_empty { "" } else { ", " };
    Some(scene.insert(end.at, &format!("{comma}{what} ")))
}

fn insert_key(scene: &mut Scene<'_>) -> Option<String> {
    let pattern = scene.random.pick(&KEYS)?;
    let key = fill(scene, pattern);
    let depth = (!scene.random.one_in(4)).then_some(1);
    append(scene, depth, &key)
}

fn insert_member(scene: &mut Scene<'_>) -> Option<String> {
    let pattern = scene.random.pick(&MEMBERS)?;
    let member = fill(scene, pattern);
    let depth = scene.random.one_in(2).then_some(2);
    append(scene, depth, &member)
}

/// A condition gets another condition around it.
fn change_condition(scene: &mut Scene<'_>) -> Option<String> {
    const AROUND: [&str; 7] = [
        "{ 'not': OLD }",
        "{ 'all': [ OLD ] }",
        "{ 'any': [ OLD, COND ] }",
        "{ 'all': [ COND, OLD, COND ] }",
        "{ 'not': [ OLD ] }",
        "[ OLD ]",
        "COND",
    ];
    let conditions: Vec<Range<usize>> = scene
        .outline
        .parts
        .iter()
        .filter(|part| scene.at(&part.whole).starts_with("'if'"))
        .map(|part| part.value.clone())
        .collect();
    let value = conditions.get(scene.random.below(conditions.len()))?;
    let pattern = scene.random.pick(&AROUND)?;
    let around = fill(scene, pattern).replace("OLD", scene.at(value));
    Some(scene.replace(value, &around))
}

/// A definition becomes one of another kind.
fn change_kind(scene: &mut Scene<'_>) -> Option<String> {
    let definition = scene.definition()?;
    let kinds: Vec<Range<usize>> = scene
        .outline
        .strings
        .iter()
        .filter(|range| definition.contains(&range.start) && KINDS.contains(&scene.at(range)))
        .cloned()
        .collect();
    let kind = kinds.first()?;
    let other = scene.random.pick(&KINDS)?;
    Some(scene.replace(kind, other))
}

fn drop_definition(scene: &mut Scene<'_>) -> Option<String> {
    let definition = scene.definition()?;
    Some(scene.replace(&definition, ""))
}

fn repeat_definition(scene: &mut Scene<'_>) -> Option<String> {
    let definition = scene.definition()?;
    let to = scene.definition()?.end;
    Some(scene.insert(to, &format!("\n\n{}", scene.at(&definition))))
}

fn swap_definitions(scene: &mut Scene<'_>) -> Option<String> {
    let (one, other) = (scene.definition()?, scene.definition()?);
    scene.swap(&one, &other)
}

/// A definition of another schema comes in.
fn graft_definition(scene: &mut Scene<'_>) -> Option<String> {
    let seed = scene.mutator.seed(scene.random);
    let definition = Scene::new(seed, scene.mutator, scene.random).definition()?;
    let definition = seed.get(definition)?;
    let to = scene.definition()?.end;
    Some(scene.insert(to, &format!("\n\n{definition}\n")))
}
