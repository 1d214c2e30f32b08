//! Mutations of tokens, whatever their meaning: tokens are removed, inserted,
//! replaced and moved.

use crate::input::{Mutation, MutationInput};
use crate::lexer::cut;

pub(crate) const MUTATIONS: &[Mutation] = &[
    drop_one,
    insert_any,
    replace_by_any,
    swap,
    repeat,
    change_character,
    move_run,
];

/// Returns the tokens, and the index of one of them.
fn tokens<'a>(input: &mut MutationInput<'a>) -> Option<(Vec<&'a str>, usize)> {
    let tokens: Vec<&str> = cut(input.text).collect();
    let at = input.random.index(tokens.len())?;
    Some((tokens, at))
}

fn drop_one(input: &mut MutationInput<'_>) -> Option<String> {
    let (mut tokens, at) = tokens(input)?;
    tokens.remove(at);
    Some(tokens.concat())
}

fn insert_any(input: &mut MutationInput<'_>) -> Option<String> {
    let (mut tokens, at) = tokens(input)?;
    tokens.insert(at, input.seeds.token(input.random));
    Some(tokens.concat())
}

fn replace_by_any(input: &mut MutationInput<'_>) -> Option<String> {
    let (mut tokens, at) = tokens(input)?;
    *tokens.get_mut(at)? = input.seeds.token(input.random);
    Some(tokens.concat())
}

fn swap(input: &mut MutationInput<'_>) -> Option<String> {
    let (mut tokens, at) = tokens(input)?;
    let other = input.random.below(tokens.len());
    tokens.swap(at, other);
    Some(tokens.concat())
}

fn repeat(input: &mut MutationInput<'_>) -> Option<String> {
    let (mut tokens, at) = tokens(input)?;
    let copy = *tokens.get(at)?;
    let to = input.random.below(tokens.len() + 1);
    tokens.insert(to, copy);
    Some(tokens.concat())
}

/// Moves a run of tokens, such as a member, a key or a comment line.
fn move_run(input: &mut MutationInput<'_>) -> Option<String> {
    let (mut tokens, at) = tokens(input)?;
    let end = (at + input.random.below(8)).min(tokens.len());
    let run: Vec<&str> = tokens.splice(at..end, []).collect();
    let to = input.random.below(tokens.len() + 1);
    tokens.splice(to..to, run);
    Some(tokens.concat())
}

fn change_character(input: &mut MutationInput<'_>) -> Option<String> {
    const OTHERS: [&str; 20] = [
        "_", "-", "A", "z", "0", ".", "*", "'", "\\", "@", ":", "#", " ", "\n", "[", "}", ",", "=",
        "\"", "",
    ];
    let at = input.boundary();
    let old = input.text.get(at..)?.chars().next()?;
    let new = input.random.pick(&OTHERS)?;
    Some(input.replace(&(at..at + old.len_utf8()), new))
}
