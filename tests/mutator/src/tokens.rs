//! Tokens that go, come, or change places, whatever they mean.

use crate::Mutation;
use crate::scene::Scene;

pub(crate) const MUTATIONS: &[Mutation] = &[
    drop_one,
    insert_any,
    replace_by_any,
    swap,
    repeat,
    change_character,
    move_run,
];

/// Cuts a schema into strings, words, comments, blanks and single characters,
/// with nothing lost.
pub(crate) fn cut(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let first = rest.chars().next()?;
        let run = |belongs: fn(char) -> bool| rest.find(|c| !belongs(c)).unwrap_or(rest.len());
        let end = match first {
            '\'' => string_bytes(rest),
            '#' => rest.find('\n').unwrap_or(rest.len()),
            ' ' => run(|c| c == ' '),
            _ if first.is_ascii_alphanumeric() => run(|c| c.is_ascii_alphanumeric()),
            _ => first.len_utf8(),
        };
        let (token, tail) = rest.split_at_checked(end).unwrap_or((rest, ""));
        rest = tail;
        Some(token)
    })
}

/// The length of the string that a text begins with; a quote alone if it does
/// not end in its line.
fn string_bytes(text: &str) -> usize {
    let tail = text.get(1..).unwrap_or_default();
    match tail.find(['\'', '\n']) {
        Some(end) if tail.get(end..=end) == Some("'") => end + 2,
        _ => 1,
    }
}

/// The tokens, and the index of one of them.
fn tokens<'a>(scene: &mut Scene<'a>) -> Option<(Vec<&'a str>, usize)> {
    let tokens: Vec<&str> = cut(scene.text).collect();
    let at = scene.random.index(tokens.len())?;
    Some((tokens, at))
}

fn drop_one(scene: &mut Scene<'_>) -> Option<String> {
    let (mut tokens, at) = tokens(scene)?;
    tokens.remove(at);
    Some(tokens.concat())
}

fn insert_any(scene: &mut Scene<'_>) -> Option<String> {
    let (mut tokens, at) = tokens(scene)?;
    tokens.insert(at, scene.mutator.token(scene.random));
    Some(tokens.concat())
}

fn replace_by_any(scene: &mut Scene<'_>) -> Option<String> {
    let (mut tokens, at) = tokens(scene)?;
    *tokens.get_mut(at)? = scene.mutator.token(scene.random);
    Some(tokens.concat())
}

fn swap(scene: &mut Scene<'_>) -> Option<String> {
    let (mut tokens, at) = tokens(scene)?;
    let other = scene.random.below(tokens.len());
    tokens.swap(at, other);
    Some(tokens.concat())
}

fn repeat(scene: &mut Scene<'_>) -> Option<String> {
    let (mut tokens, at) = tokens(scene)?;
    let copy = *tokens.get(at)?;
    let to = scene.random.below(tokens.len() + 1);
    tokens.insert(to, copy);
    Some(tokens.concat())
}

/// A run of tokens moves: a member, a key, a comment line.
fn move_run(scene: &mut Scene<'_>) -> Option<String> {
    let (mut tokens, at) = tokens(scene)?;
    let end = (at + scene.random.below(8)).min(tokens.len());
    let run: Vec<&str> = tokens.splice(at..end, []).collect();
    let to = scene.random.below(tokens.len() + 1);
    tokens.splice(to..to, run);
    Some(tokens.concat())
}

fn change_character(scene: &mut Scene<'_>) -> Option<String> {
    const OTHERS: [&str; 20] = [
        "_", "-", "A", "z", "0", ".", "*", "'", "\\", "@", ":", "#", " ", "\n", "[", "}", ",", "=",
        "\"", "",
    ];
    let at = scene.boundary();
    let old = scene.text.get(at..)?.chars().next()?;
    let new = scene.random.pick(&OTHERS)?;
    Some(scene.replace(&(at..at + old.len_utf8()), new))
}
