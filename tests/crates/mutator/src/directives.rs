//! Mutations that insert pragmas and includes, at right and wrong places.

use crate::input::{Mutation, MutationInput};

pub(crate) const MUTATIONS: &[Mutation] = &[insert_pragma, insert_list_pragma, insert_include];

/// Inserts a directive between two definitions, or before all.
fn insert(input: &mut MutationInput<'_>, directive: &str) -> Option<String> {
    let at = if input.random.one_in(2) {
        0
    } else {
        input.definition()?.end
    };
    Some(input.insert(at, &format!("\n{directive}\n\n")))
}

fn insert_pragma(input: &mut MutationInput<'_>) -> Option<String> {
    const PRAGMAS: [&str; 9] = [
        "{ 'pragma': { 'doc-required': true } }",
        "{ 'pragma': { 'doc-required': false } }",
        "{ 'pragma': { 'doc-required': 'yes' } }",
        "{ 'pragma': { 'doc-required': true, 'no-such-pragma': [] } }",
        "{ 'pragma': { 'documentation-exceptions': [ [] ] } }",
        "{ 'pragma': { 'member-name-exceptions': 'all' } }",
        "{ 'pragma': {}, 'if': 'X' }",
        "{ 'pragma': [] }",
        "{ 'pragma': {} }",
    ];
    let pragma = input.random.pick(&PRAGMAS)?;
    insert(input, pragma)
}

/// Returns an exception of a pragma for a name of the schema.
fn insert_list_pragma(input: &mut MutationInput<'_>) -> Option<String> {
    const LISTS: [&str; 4] = [
        "command-name-exceptions",
        "command-returns-exceptions",
        "documentation-exceptions",
        "member-name-exceptions",
    ];
    let list = input.random.pick(&LISTS)?;
    let name = input.string()?;
    let name = input.at(&name);
    insert(
        input,
        &format!("{{ 'pragma': {{ '{list}': [ '{name}' ] }} }}"),
    )
}

/// Returns an include of a file that exists or not. `# file:` begins another
/// file where one text has several files; elsewhere it is a comment.
fn insert_include(input: &mut MutationInput<'_>) -> Option<String> {
    const INCLUDES: [&str; 9] = [
        "{ 'include': 'b.json' }",
        "{ 'include': './b.json' }",
        "{ 'include': 'main.json' }",
        "{ 'include': 'include/../no-such-file.json' }",
        "{ 'include': '' }",
        "{ 'include': '/' }",
        "{ 'include': [ 'b.json' ] }",
        "{ 'include': 'b.json', 'if': 'X' }",
        "{ 'include': 'b.json' }\n# file: b.json",
    ];
    let include = input.random.pick(&INCLUDES)?;
    insert(input, include)
}
