//! Mutations of names, with or without the references to them.

use crate::input::{Mutation, MutationInput};

pub(crate) const MUTATIONS: &[Mutation] = &[
    respell_one,
    respell_everywhere,
    confuse_one,
    confuse_everywhere,
    make_optional,
];

/// Returns another spelling of a name, right or wrong.
fn respelled(input: &mut MutationInput<'_>, name: &str) -> String {
    let middle = name.char_indices().nth(name.chars().count() / 2);
    let (head, tail) = name.split_at(middle.map_or(0, |(at, _)| at));
    match input.random.below(24) {
        0 => name.to_uppercase(),
        1 => name.to_lowercase(),
        2 => name.replace('-', "_"),
        3 => name.replace('_', "-"),
        4 => format!("{head}-{tail}"),
        5 => format!("{head}_{tail}"),
        6 => format!("{head}.{tail}"),
        7 => format!("__org.example_{name}"),
        8 => format!("__org.x_{name}"),
        9 => format!("__{name}"),
        10 => format!("x-{name}"),
        11 => format!("q_{name}"),
        12 => format!("q_obj_{name}-arg"),
        13 => format!("has_{name}"),
        14 => format!("{name}List"),
        15 => format!("{name}Kind"),
        16 => format!("{name}-"),
        17 => format!("1{name}"),
        18 => format!("-{name}"),
        19 => name.repeat(2),
        20 => name.chars().take(1).collect(),
        21 => name.chars().rev().collect(),
        22 => name.repeat(40),
        _ => String::new(),
    }
}

/// Replaces a name by another one in all strings and descriptions.
fn everywhere(text: &str, old: &str, new: &str) -> String {
    let text = text.replace(&format!("'{old}'"), &format!("'{new}'"));
    let text = text.replace(&format!("'*{old}'"), &format!("'*{new}'"));
    text.replace(&format!("@{old}:"), &format!("@{new}:"))
}

fn respell_one(input: &mut MutationInput<'_>) -> Option<String> {
    let range = input.string()?;
    let new = respelled(input, input.at(&range));
    Some(input.replace(&range, &new))
}

fn respell_everywhere(input: &mut MutationInput<'_>) -> Option<String> {
    let range = input.string()?;
    let old = input.at(&range);
    let new = respelled(input, old);
    Some(everywhere(input.text, old, &new))
}

/// Replaces a name by another name of the schema.
fn confuse_one(input: &mut MutationInput<'_>) -> Option<String> {
    let (range, other) = (input.string()?, input.string()?);
    Some(input.replace(&range, input.at(&other)))
}

fn confuse_everywhere(input: &mut MutationInput<'_>) -> Option<String> {
    let (range, other) = (input.string()?, input.string()?);
    Some(everywhere(input.text, input.at(&range), input.at(&other)))
}

fn make_optional(input: &mut MutationInput<'_>) -> Option<String> {
    let range = input.string()?;
    let name = input.at(&range);
    let new = match name.strip_prefix('*') {
        Some(name) => name.to_owned(),
        None => format!("*{name}"),
    };
    Some(input.replace(&range, &new))
}
