//! Graphs and circles of packages whose files are given as text.

use std::fs;
use std::path::Path;

use super::circles::{self, Permitted};
use super::graph::Graph;
use super::map;
use super::modules::Modules;

/// An exception for the arrow from `a.rs` to `b.rs`.
const PERMITTED: &[Permitted] = &[Permitted {
    package: "fixture",
    from: "a.rs",
    to: "b.rs",
}];

/// Returns the graph of a package with these files under `src/`.
fn graph(files: &[(&str, &str)]) -> Graph {
    let folder = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let mut modules = Modules::default();
    modules.read(&folder.path().join("lib.rs")).unwrap();
    modules.make_relative(folder.path());
    Graph::of(&modules)
}

fn arrows(files: &[(&str, &str)]) -> Vec<String> {
    let graph = graph(files);
    let mut all = Vec::new();
    for (from, arrows) in &graph.arrows {
        for (to, place) in arrows {
            all.push(format!(
                "{}:{} -> {}",
                from.display(),
                place.line,
                to.display()
            ));
        }
    }
    all
}

fn circle(files: &[(&str, &str)]) -> Option<Vec<String>> {
    let graph = graph(files);
    let circle = graph.circle()?;
    Some(
        circle
            .into_iter()
            .map(|file| file.display().to_string())
            .collect(),
    )
}

#[test]
fn import_is_an_arrow_to_the_file_that_defines_the_item() {
    let files = [
        ("lib.rs", "mod a;\nmod b;\n"),
        ("a.rs", "use crate::b::B;\npub struct A(B);\n"),
        ("b.rs", "pub struct B;\n"),
    ];
    assert_eq!(arrows(&files), ["a.rs:1 -> b.rs"]);
}

#[test]
fn reexport_of_a_child_is_no_arrow() {
    let files = [
        ("lib.rs", "mod a;\npub use a::A;\n"),
        ("a.rs", "pub struct A;\n"),
    ];
    assert_eq!(arrows(&files), [""; 0]);
}

#[test]
fn import_through_a_reexport_is_an_arrow_to_the_sibling() {
    let files = [
        ("lib.rs", "mod room;\n"),
        ("room/mod.rs", "mod a;\nmod b;\npub use b::B;\n"),
        ("room/a.rs", "use super::B;\npub struct A(B);\n"),
        ("room/b.rs", "pub struct B;\n"),
    ];
    assert_eq!(arrows(&files), ["room/a.rs:1 -> room/b.rs"]);
}

#[test]
fn glob_import_is_an_arrow_where_a_name_is_used() {
    let files = [
        ("lib.rs", "mod a;\nmod b;\n"),
        ("a.rs", "use crate::b::*;\n\npub fn a() -> B { B }\n"),
        ("b.rs", "pub struct B;\n"),
    ];
    assert_eq!(arrows(&files), ["a.rs:3 -> b.rs"]);
}

#[test]
fn path_in_code_is_an_arrow() {
    let files = [
        ("lib.rs", "mod a;\nmod b;\n"),
        ("a.rs", "pub fn a() {\n    super::b::b();\n}\n"),
        ("b.rs", "pub fn b() {}\n"),
    ];
    assert_eq!(arrows(&files), ["a.rs:2 -> b.rs"]);
}

#[test]
fn path_among_the_tokens_of_a_macro_is_an_arrow() {
    let files = [
        ("lib.rs", "mod a;\nmod b;\n"),
        (
            "a.rs",
            "pub fn a() {\n    println!(\"{}\", crate::b::NAME);\n}\n",
        ),
        ("b.rs", "pub const NAME: &str = \"b\";\n"),
    ];
    assert_eq!(arrows(&files), ["a.rs:2 -> b.rs"]);
}

#[test]
fn path_within_quoted_code_is_no_arrow() {
    let files = [
        ("lib.rs", "mod a;\nmod b;\n"),
        ("a.rs", "pub fn a() {\n    quote!(crate::b::NAME);\n}\n"),
        ("b.rs", "pub const NAME: &str = \"b\";\n"),
    ];
    assert_eq!(arrows(&files), [""; 0]);
}

#[test]
fn macro_is_an_arrow_to_the_file_that_defines_it() {
    let files = [
        ("lib.rs", "#[macro_use]\nmod macros;\nmod a;\n"),
        ("macros.rs", "macro_rules! one { () => { 1 } }\n"),
        ("a.rs", "pub const ONE: u8 = one!();\n"),
    ];
    assert_eq!(arrows(&files), ["a.rs:1 -> macros.rs"]);
}

#[test]
fn test_code_is_no_arrow() {
    let files = [
        ("lib.rs", "mod a;\nmod b;\n"),
        (
            "a.rs",
            "#[cfg(test)]\nmod tests {\n    use crate::b::B;\n}\n",
        ),
        ("b.rs", "pub struct B;\n"),
    ];
    assert_eq!(arrows(&files), [""; 0]);
}

#[test]
fn child_that_uses_an_item_of_its_parent_closes_a_circle_when_the_parent_uses_the_child() {
    let files = [
        ("lib.rs", "mod room;\n"),
        (
            "room/mod.rs",
            "mod a;\npub const MAX: u8 = 1;\npub fn room() { a::a(); }\n",
        ),
        ("room/a.rs", "pub fn a() { let _ = super::MAX; }\n"),
    ];
    let circle = circle(&files).unwrap();
    assert_eq!(circle, ["room/mod.rs", "room/a.rs"]);
}

#[test]
fn circle_is_reported_with_the_lines_that_tie_it() {
    let graph = graph(&[
        ("lib.rs", "mod a;\nmod b;\n"),
        ("a.rs", "use crate::b::B;\npub struct A;\n"),
        ("b.rs", "\nuse crate::a::A;\npub struct B;\n"),
    ]);
    let findings = circles::findings("fixture", &graph, &[]);
    assert_eq!(
        findings,
        ["fixture: files import each other in a circle:\n    \
          b.rs:2 uses `crate::a::A`, which is defined in a.rs\n    \
          a.rs:1 uses `crate::b::B`, which is defined in b.rs"]
    );
}

#[test]
fn circle_is_accepted_when_one_of_its_arrows_is_permitted() {
    let graph = graph(&[
        ("lib.rs", "mod a;\nmod b;\n"),
        ("a.rs", "use crate::b::B;\npub struct A;\n"),
        ("b.rs", "use crate::a::A;\npub struct B;\n"),
    ]);
    let findings = circles::findings("fixture", &graph, PERMITTED);
    assert_eq!(findings, [""; 0]);
}

#[test]
fn permitted_arrow_is_refused_when_it_closes_no_circle() {
    let graph = graph(&[
        ("lib.rs", "mod a;\nmod b;\n"),
        ("a.rs", "use crate::b::B;\npub struct A;\n"),
        ("b.rs", "pub struct B;\n"),
    ]);
    let findings = circles::findings("fixture", &graph, PERMITTED);
    assert_eq!(
        findings,
        ["fixture: a.rs -> b.rs closes no circle any more: delete the exception"]
    );
}

#[test]
fn map_differs_when_an_arrow_or_a_room_is_missing() {
    let graph = graph(&[
        ("lib.rs", "mod a;\nmod b;\n"),
        ("a/mod.rs", "mod inner;\nuse crate::b::B;\npub struct A;\n"),
        ("a/inner.rs", "pub struct Inner;\n"),
        ("b.rs", "pub struct B;\n"),
    ]);
    let rooms = map::parse_block("a/ ->\nb.rs -> a/\nc/ ->\n");
    assert_eq!(
        map::differences("fixture", &rooms, &graph),
        [
            "ARCHITECTURE.md: fixture: a/ -> nothing in the map, but b.rs in the code",
            "ARCHITECTURE.md: fixture: b.rs -> a/ in the map, but nothing in the code",
            "ARCHITECTURE.md: fixture: c/ -> nothing in the map, but no such room in the code",
            "ARCHITECTURE.md: fixture: lib.rs -> no such room in the map, but nothing in the code",
        ]
    );
    assert_eq!(map::room(&rooms, Path::new("a/inner.rs")), "a/");
}
