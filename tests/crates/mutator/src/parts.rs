//! Mutations of members, values and definitions, which are removed, inserted,
//! moved or reshaped.

use std::ops::Range;

use crate::input::{Mutation, MutationInput};
use crate::random::Random;

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

/// Keys of definitions, members and features, with values that are right at
/// some places. `COND`, `NAME` and `TYPE` are replaced by any condition, name
/// or type.
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

/// Patterns of new values; `OLD` is replaced by the old value.
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

/// Returns a condition, which is right most of the time.
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

/// Replaces each placeholder of a pattern.
fn fill(input: &mut MutationInput<'_>, pattern: &str) -> String {
    let mut text = pattern.to_owned();
    for word in ["COND", "NAME", "TYPE"] {
        while text.contains(word) {
            let filling = match word {
                "COND" => condition(input.random, 0),
                "NAME" => name(input),
                _ if input.random.one_in(2) => quoted(&name(input)),
                _ => input.random.pick(&TYPES).map(quoted).unwrap_or_default(),
            };
            // Do not fill in the replacement again.
            text = text.replacen(word, &filling.replace(word, "X"), 1);
        }
    }
    text
}

/// Returns a name of the schema, or another name.
fn name(input: &mut MutationInput<'_>) -> String {
    const NAMES: [&str; 6] = ["foo", "data", "type", "Foo", "max", "x-foo"];
    let known = input.string().filter(|_| !input.random.one_in(3));
    match known {
        Some(range) => input.at(&range).to_owned(),
        None => input.random.pick(&NAMES).unwrap_or_default().to_owned(),
    }
}

/// Returns the range of a part with the comma after it, or before it for the
/// last part.
fn with_comma(input: &MutationInput<'_>, part: &Range<usize>) -> Range<usize> {
    let blanks = |c: char| c == ' ' || c == '\n';
    let after = input.text.get(part.end..).unwrap_or_default();
    let before = input.text.get(..part.start).unwrap_or_default();
    if let Some(rest) = after.trim_start_matches(blanks).strip_prefix(',') {
        part.start..input.text.len() - rest.len()
    } else if let Some(rest) = before.trim_end_matches(blanks).strip_suffix(',') {
        rest.len()..part.end
    } else {
        part.clone()
    }
}

fn drop_part(input: &mut MutationInput<'_>) -> Option<String> {
    let part = input.part()?.whole;
    Some(input.replace(&with_comma(input, &part), ""))
}

fn repeat_part(input: &mut MutationInput<'_>) -> Option<String> {
    let part = input.part()?.whole;
    let to = input.part()?.whole.end;
    Some(input.insert(to, &format!(", {}", input.at(&part))))
}

fn swap_parts(input: &mut MutationInput<'_>) -> Option<String> {
    let (one, other) = (input.part()?.whole, input.part()?.whole);
    input.swap(&one, &other)
}

fn swap_values(input: &mut MutationInput<'_>) -> Option<String> {
    let (one, other) = (input.part()?.value, input.part()?.value);
    input.swap(&one, &other)
}

/// Inserts a part of another schema.
fn graft_part(input: &mut MutationInput<'_>) -> Option<String> {
    let seed = input.seeds.schema(input.random);
    let part = MutationInput::new(seed, input.seeds, input.random).part()?;
    let (whole, value) = (seed.get(part.whole)?, seed.get(part.value)?);
    let to = input.part()?;
    Some(match input.random.below(3) {
        0 => input.insert(to.whole.end, &format!(", {whole}")),
        1 => input.replace(&to.whole, whole),
        _ => input.replace(&to.value, value),
    })
}

fn change_value(input: &mut MutationInput<'_>) -> Option<String> {
    let part = input.part()?;
    let old = input.at(&part.value);
    let inner = old.strip_prefix('[').and_then(|old| old.strip_suffix(']'));
    if let Some(inner) = inner.filter(|_| input.random.one_in(2)) {
        return Some(input.replace(&part.value, inner.trim()));
    }
    let pattern = input.random.pick(&VALUES)?;
    let value = fill(input, pattern).replace("OLD", old);
    Some(input.replace(&part.value, &value))
}

/// Appends to an object or a list.
fn append(input: &mut MutationInput<'_>, depth: Option<usize>, what: &str) -> Option<String> {
    let at_depth = |of: usize| depth.is_none_or(|depth| depth == of);
    let count = input
        .outline
        .ends
        .iter()
        .filter(|end| at_depth(end.depth))
        .count();
    let index = input.random.index(count)?;
    let mut ends = input.outline.ends.iter().filter(|end| at_depth(end.depth));
    let end = ends.nth(index)?;
    if !end.is_object && depth.is_some() {
        return None;
    }
    let comma = if end.is_empty { "" } else { ", " };
    Some(input.insert(end.at, &format!("{comma}{what} ")))
}

fn insert_key(input: &mut MutationInput<'_>) -> Option<String> {
    let pattern = input.random.pick(&KEYS)?;
    let key = fill(input, pattern);
    let depth = (!input.random.one_in(4)).then_some(1);
    append(input, depth, &key)
}

fn insert_member(input: &mut MutationInput<'_>) -> Option<String> {
    let pattern = input.random.pick(&MEMBERS)?;
    let member = fill(input, pattern);
    let depth = input.random.one_in(2).then_some(2);
    append(input, depth, &member)
}

/// Wraps a condition in another one.
fn change_condition(input: &mut MutationInput<'_>) -> Option<String> {
    const AROUND: [&str; 7] = [
        "{ 'not': OLD }",
        "{ 'all': [ OLD ] }",
        "{ 'any': [ OLD, COND ] }",
        "{ 'all': [ COND, OLD, COND ] }",
        "{ 'not': [ OLD ] }",
        "[ OLD ]",
        "COND",
    ];
    let conditions: Vec<Range<usize>> = input
        .outline
        .parts
        .iter()
        .filter(|part| input.at(&part.whole).starts_with("'if'"))
        .map(|part| part.value.clone())
        .collect();
    let value = conditions.get(input.random.below(conditions.len()))?;
    let pattern = input.random.pick(&AROUND)?;
    let around = fill(input, pattern).replace("OLD", input.at(value));
    Some(input.replace(value, &around))
}

/// Changes the kind of a definition.
fn change_kind(input: &mut MutationInput<'_>) -> Option<String> {
    let definition = input.definition()?;
    let kinds: Vec<Range<usize>> = input
        .outline
        .strings
        .iter()
        .filter(|range| definition.contains(&range.start) && KINDS.contains(&input.at(range)))
        .cloned()
        .collect();
    let kind = kinds.first()?;
    let other = input.random.pick(&KINDS)?;
    Some(input.replace(kind, other))
}

fn drop_definition(input: &mut MutationInput<'_>) -> Option<String> {
    let definition = input.definition()?;
    Some(input.replace(&definition, ""))
}

fn repeat_definition(input: &mut MutationInput<'_>) -> Option<String> {
    let definition = input.definition()?;
    let to = input.definition()?.end;
    Some(input.insert(to, &format!("\n\n{}", input.at(&definition))))
}

fn swap_definitions(input: &mut MutationInput<'_>) -> Option<String> {
    let (one, other) = (input.definition()?, input.definition()?);
    input.swap(&one, &other)
}

/// Inserts a definition of another schema.
fn graft_definition(input: &mut MutationInput<'_>) -> Option<String> {
    let seed = input.seeds.schema(input.random);
    let definition = MutationInput::new(seed, input.seeds, input.random).definition()?;
    let definition = seed.get(definition)?;
    let to = input.definition()?.end;
    Some(input.insert(to, &format!("\n\n{definition}\n")))
}
