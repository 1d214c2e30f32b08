//! What each option does to the generated text, and what is said of options
//! that do not fit the schema.

#![allow(clippy::unwrap_used, reason = "tests may stop at the first surprise")]

use std::path::{Path, PathBuf};
use std::{env, fs};

use qapi_gen::diag::Diagnostic;
use qapi_gen::{
    Addition, Builder, CfgNames, Conditions, FsLoader, Layout, MemoryLoader, Options, changes,
    generate, write_files,
};

const MAIN: &str = "
{ 'include': 'sub/shapes.json' }
{ 'enum': 'Kind', 'data': [ 'round', 'flat' ] }
{ 'struct': 'Part', 'data': { 'size': 'int', '*tags': [ 'Tag' ] } }
{ 'struct': 'Tag', 'data': { 'text': 'str' } }
{ 'struct': 'Lonely', 'data': { 'text': 'str' } }
{ 'union': 'Thing', 'base': { 'kind': 'Kind', 'id': 'int' },
  'discriminator': 'kind', 'data': { 'round': 'Part' } }
{ 'command': 'make', 'data': { 'thing': 'Thing', 'count': 'int' } }
{ 'command': 'unmake', 'data': { 'shape': 'Shape' } }
{ 'command': 'raw', 'gen': false }
{ 'event': 'MADE', 'data': 'Tag', 'boxed': true, 'if': 'CONFIG_EVENTS' }
";
const SHAPES: &str = "
{ 'struct': 'Shape', 'data': { 'outer': 'Outline' } }
{ 'struct': 'Outline', 'data': { 'points': [ 'int' ], '*part': 'Spot' } }
{ 'struct': 'Spot', 'data': { 'x': 'int' } }
{ 'enum': 'Hue', 'data': [ 'red' ] }
{ 'command': 'draw', 'data': { 'hue': 'Hue' } }
";

fn loader() -> MemoryLoader {
    MemoryLoader::from_iter([("main.json", MAIN), ("sub/shapes.json", SHAPES)])
}

/// All generated text in one file, or all that is wrong, one on a line.
fn generated(choose: impl FnOnce(&mut Options)) -> String {
    let mut options = Options::default();
    options.docs = false;
    options.layout = Layout::OneFile;
    choose(&mut options);
    let generation = generate("main.json", &loader(), &options);
    match &generation.files {
        Some(files) => files.iter().map(|file| file.text.as_str()).collect(),
        None => {
            let short = |error: &Diagnostic| error.short(&generation.sources);
            let errors: Vec<_> = generation.diagnostics.errors().map(short).collect();
            errors.join("\n")
        }
    }
}

/// The text without line breaks and indentation, which depend on lengths.
fn flat(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn check(choose: impl FnOnce(&mut Options), expected: &[&str], absent: &[&str]) {
    let text = flat(&generated(choose));
    for expected in expected {
        assert!(text.contains(expected), "no {expected} in {text}");
    }
    for absent in absent {
        assert!(!text.contains(absent), "{absent} in {text}");
    }
}

fn addition(to: Option<&str>, text: &str) -> Addition {
    match to {
        Some(name) => Addition::to(name, text),
        None => Addition::to_all(text),
    }
}

#[test]
fn derives_are_added_once() {
    let derives = [
        addition(None, "::x::Marked"),
        addition(None, "PartialOrd"),
        addition(Some("Part"), "Ord"),
    ];
    check(
        |options| options.derives.extend(derives),
        &[
            "#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Copy, ::x::Marked)] \
             pub enum Kind",
            "#[derive(Clone, Debug, PartialEq, Eq, Hash, ::x::Marked, PartialOrd, Ord)] \
             pub struct Part ",
            "#[derive(Clone, Debug, PartialEq, Eq, Hash, ::x::Marked, PartialOrd)] \
             pub struct Make ",
            "#[derive(Clone, Debug, PartialEq, Eq, Hash, ::x::Marked, PartialOrd)] \
             pub enum ThingBranch",
        ],
        &[],
    );
}

#[test]
fn attributes_are_added_to_the_named_items() {
    let attributes = [
        addition(None, "#[all]"),
        addition(Some("Part"), "#[one] #[two(x = \"y\")]"),
        addition(Some("Part.size"), "#[size]"),
        addition(Some("Kind.flat"), "#[flat]"),
        addition(Some("Thing.id"), "#[id]"),
        addition(Some("Thing.round"), "#[round]"),
        addition(Some("make.count"), "#[count]"),
        addition(Some("MADE"), "#[made]"),
    ];
    check(
        |options| options.attributes.extend(attributes),
        &[
            "#[all] #[one] #[two(x = \"y\")] pub struct Part { #[size] pub size: i64,",
            "#[all] pub enum Kind { Round, #[flat] Flat, }",
            "#[all] pub struct Thing { pub kind: ThingBranch, #[id] pub id: i64, }",
            "#[all] pub enum ThingBranch { #[round] Round(Part), Flat, }",
            "pub thing: super::Thing, #[count] pub count: i64,",
            "#[all] #[made] pub struct Made(",
        ],
        &[],
    );
}

/// Documentation and tables are filled in where marks stand for them.
#[test]
fn strings_in_attributes_are_verbatim() {
    for formatted in [true, false] {
        let text = |attribute: &str| {
            generated(|options| {
                options.docs = true;
                options.formatted = formatted;
                options.attributes.push(addition(Some("Tag"), attribute));
            })
        };
        let plain = text("#[doc = \"own\"]");
        for own in ["@0", "\\x400", "@qapi-gen"] {
            let value = own.replace("\\x40", "@");
            let (attribute, shown) = match formatted {
                true => (format!("#[doc = \"{own}\"]"), format!("///{value}\n")),
                false => (format!("#[doc = \"{own}\"]"), format!("\"{own}\"")),
            };
            let text = text(&attribute);
            assert!(text.contains(&shown), "{text}");
            let with = if formatted { "///own\n" } else { "\"own\"" };
            assert_eq!(text.replacen(&shown, with, 1), plain);
        }
        let text = text("#[doc = concat!(\"@0\")]");
        assert!(text.contains("\"@0\""), "{text}");
    }
}

#[test]
fn replaced_type_is_used_everywhere() {
    check(
        |options| {
            let replaced = [("Part", "crate::Own"), ("Outline", "Vec<u8>")];
            let replaced = replaced.map(|(name, ty)| (name.to_owned(), ty.to_owned()));
            options.replaced.extend(replaced);
        },
        &[
            "#[derive(Clone, Debug, PartialEq)] pub enum ThingBranch { Round(crate::Own), Flat, }",
            "pub outer: Vec<u8>",
            "pub struct Tag",
        ],
        &["struct Part", "struct Outline"],
    );
}

#[test]
fn selected_part_includes_the_types_that_it_needs() {
    let only = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    check(
        |options| options.only = only(&["make"]),
        &[
            "struct Make ",
            "struct Thing ",
            "enum Kind",
            "struct Part ",
            "struct Tag ",
        ],
        &["Unmake", "Shape", "Lonely", "Made", "Spot"],
    );
    check(
        |options| options.only = only(&["sub/shapes.json", "MADE"]),
        &[
            "struct Shape",
            "struct Outline",
            "struct Spot",
            "struct Made(",
            "struct Tag ",
        ],
        &["struct Make", "Kind", "Lonely", "struct Raw", "fn raw"],
    );
    check(
        |options| options.except = only(&["make"]),
        &[
            "struct Unmake",
            "struct Shape",
            "struct Lonely",
            "struct Tag ",
        ],
        &["struct Make ", "struct Thing", "struct Part ", "enum Kind"],
    );
    // A type that something needs stays.
    check(
        |options| options.except = only(&["sub/shapes.json", "main.json"]),
        &[],
        &["struct", "enum"],
    );
    check(
        |options| options.except = only(&["sub/shapes.json"]),
        &["struct Shape", "struct Spot", "struct Make "],
        &[],
    );
    // What a replaced type holds is not needed.
    check(
        |options| {
            options.only = only(&["unmake"]);
            options
                .replaced
                .insert("Outline".to_owned(), "X".to_owned());
        },
        &["struct Shape", "pub outer: X"],
        &["Spot"],
    );
}

#[test]
fn conditions_are_cfgs_or_resolved() {
    let names = CfgNames::default();
    let cfg = |names| |options: &mut Options| options.conditions = Conditions::Cfg(names);
    check(
        cfg(names.clone()),
        &[
            "#[cfg(feature = \"events\")] pub mod events",
            "#[cfg(feature = \"events\")] Made(",
        ],
        &[],
    );
    check(
        cfg(names.clone().feature("CONFIG_EVENTS", "other")),
        &["#[cfg(feature = \"other\")] pub mod events"],
        &["\"events\""],
    );
    check(
        cfg(names.predicate("CONFIG_EVENTS", "all(unix, not(x))")),
        &["#[cfg(all(unix, not(x)))] pub mod events"],
        &["feature = "],
    );
    let config = |symbols: &[&str]| {
        let defined = symbols.iter().map(|symbol| (*symbol).to_owned()).collect();
        |options: &mut Options| options.conditions = Conditions::Config(defined)
    };
    check(config(&["CONFIG_EVENTS"]), &["struct Made"], &["cfg"]);
    check(config(&["OTHER"]), &["struct Tag"], &["Made", "cfg"]);
}

#[test]
fn code_is_unconditional_when_conditions_are_ignored() {
    let cfg = |options: &mut Options| {
        options.only.insert("make".to_owned());
        options.conditions = Conditions::Cfg(CfgNames::default());
    };
    let none = |options: &mut Options| {
        options.only.insert("make".to_owned());
    };
    assert_eq!(generated(cfg), generated(none));
}

#[test]
fn layout_puts_modules_in_one_file_or_one_each() {
    let files = |layout| {
        let mut options = Options::default();
        options.layout = layout;
        let files = generate("main.json", &loader(), &options).into_files();
        let files = files.unwrap().into_iter();
        files.map(|file| file.name).collect::<Vec<_>>()
    };
    assert_eq!(
        files(Layout::FilePerModule),
        ["mod.rs", "main.rs", "sub_shapes.rs", "schema_info.rs"]
    );
    assert_eq!(files(Layout::OneFile), ["mod.rs"]);
}

#[test]
fn option_is_an_error_when_its_name_is_unknown() {
    let check = |choose: fn(&mut Options), expected: &str| {
        assert_eq!(generated(choose), expected);
    };
    check(
        |options| {
            options.open_enums.insert("Part".to_owned());
            options.direct_replies.insert("MADE".to_owned());
            options.derives.push(addition(Some("int"), "X"));
            options.attributes.push(addition(Some("Part.id"), "#[x]"));
            options.attributes.push(addition(Some("q_empty"), "#[x]"));
            options.replaced.insert("make".to_owned(), "X".to_owned());
            options.only.insert("shapes.json".to_owned());
            options.except.insert("TagList".to_owned());
            let names = CfgNames::default().feature("CONFIG_X", "x");
            options.conditions = Conditions::Cfg(names);
        },
        "replace: the schema has no type 'make'\n\
         only: the schema has no file or definition 'shapes.json'\n\
         except: the schema has no file or definition 'TagList'\n\
         open-enum: the schema has no enum 'Part'\n\
         direct-reply: the schema has no command 'MADE'\n\
         cfg: the schema has no configuration symbol 'CONFIG_X'\n\
         derive: the schema has no definition 'int'\n\
         attribute: the schema has no definition or member 'Part.id'\n\
         attribute: the schema has no definition or member 'q_empty'",
    );
    check(
        |options| drop(options.replaced.insert("Kind".to_owned(), "X".to_owned())),
        "replace: 'Kind' is the discriminator of union 'Thing', which needs its variants",
    );
}

#[test]
fn option_is_an_error_when_it_has_no_effect() {
    let check = |choose: fn(&mut Options), expected: &str| {
        assert_eq!(generated(choose), expected);
    };
    let external = |options: &mut Options| {
        let (module, path) = ("sub/shapes.json".to_owned(), "::shapes".to_owned());
        options.extern_modules.insert(module, path);
    };
    // What is said of another crate's definitions would have to be said there.
    check(
        |options| {
            let module = "sub/shapes.json".to_owned();
            options.extern_modules.insert(module, "::shapes".to_owned());
            options.replaced.insert("Spot".to_owned(), "X".to_owned());
            options.direct_replies.insert("draw".to_owned());
            options.derives.push(addition(Some("Shape"), "X"));
            options
                .attributes
                .push(addition(Some("Shape.outer"), "#[x]"));
        },
        "replace: nothing is done to 'Spot': another crate has the code of 'sub/shapes.json'\n\
         direct-reply: nothing is done to 'draw': another crate has the code of 'sub/shapes.json'\n\
         derive: nothing is done to 'Shape': another crate has the code of 'sub/shapes.json'\n\
         attribute: nothing is done to 'Shape.outer': \
         another crate has the code of 'sub/shapes.json'",
    );
    // That its enumerations are open has to be said here too.
    check_with(external, |options| {
        options.open_enums.insert("Hue".to_owned());
    });
    check(
        |options| {
            options.only.insert("Part".to_owned());
            options.replaced.insert("Spot".to_owned(), "X".to_owned());
            options.direct_replies.insert("make".to_owned());
            options.derives.push(addition(Some("Lonely"), "X"));
            options.attributes.push(addition(Some("Spot"), "#[x]"));
        },
        "direct-reply: nothing is done to 'make': 'only' or 'except' leaves it out\n\
         derive: nothing is done to 'Lonely': 'only' or 'except' leaves it out\n\
         attribute: nothing is done to 'Spot': another type replaces it",
    );
    check(
        |options| {
            options
                .direct_replies
                .extend(["raw".to_owned(), "make".to_owned()]);
            for names in [&mut options.only, &mut options.except] {
                names.extend(["Part".to_owned(), "sub/shapes.json".to_owned()]);
            }
            options.except.insert("Lonely".to_owned());
            options.only.extend(["make".to_owned(), "raw".to_owned()]);
        },
        "'Part' is named by both 'only' and 'except'\n\
         'sub/shapes.json' is named by both 'only' and 'except'\n\
         direct-reply: nothing is done to 'raw': \
         it is 'gen': false, so that its handler returns any value",
    );
}

/// Choices that go together.
fn check_with(one: impl FnOnce(&mut Options), other: impl FnOnce(&mut Options)) {
    let text = generated(|options| {
        one(options);
        other(options);
    });
    assert!(text.starts_with("// Generated"), "{text}");
}

#[test]
fn symbols_are_an_error_when_they_become_one_feature() {
    let loader = MemoryLoader::from_iter([(
        "a.json",
        "{ 'event': 'STOP', 'if': { 'any': [ 'A_B', 'CONFIG_A_B' ] } }",
    )]);
    let report = |names: CfgNames| {
        let mut options = Options::default();
        options.conditions = Conditions::Cfg(names);
        let generation = generate("a.json", &loader, &options);
        let error = generation.diagnostics.errors().next();
        error.map(|error| error.short(&generation.sources))
    };
    let expected = "cfg: 'A_B' and 'CONFIG_A_B' both become feature 'a-b'";
    assert_eq!(report(CfgNames::default()).as_deref(), Some(expected));
    // Who names one of them knows what it means.
    assert_eq!(report(CfgNames::default().feature("A_B", "a-b")), None);
}

#[test]
fn option_is_an_error_when_its_text_is_not_rust() {
    let begins = |choose: fn(&mut Options), expected: &str| {
        let report = generated(choose);
        assert!(report.starts_with(expected), "{report}");
        assert_eq!(report.lines().count(), 1, "{report}");
    };
    begins(
        |options| {
            let names = CfgNames::default().predicate("CONFIG_EVENTS", "most(a)");
            options.conditions = Conditions::Cfg(names);
        },
        "cfg: 'most(a)' is not a valid cfg predicate: expected 'all', 'any' or 'not'",
    );
    begins(
        |options| options.derives.push(addition(None, "a b")),
        "derive: 'a b' is not a valid path: ",
    );
    begins(
        |options| options.attributes.push(addition(None, "inline")),
        "attribute: 'inline' is not a valid attribute: ",
    );
    begins(
        |options| options.attributes.push(addition(None, "")),
        "attribute: '' is not a valid attribute: expected `#[...]`",
    );
    begins(
        |options| {
            let attribute = "#[doc = \"@qapi-gen:0\"]";
            options.attributes.push(addition(None, attribute));
        },
        "attribute: '#[doc = \"@qapi-gen:0\"]' is not a valid attribute: \
         the text 'qapi-gen:' is reserved",
    );
    begins(
        |options| drop(options.replaced.insert("Part".to_owned(), "{".to_owned())),
        "replace: '{' is not a valid type: ",
    );
}

/// A folder with the schema, for one test.
fn schema_folder(test: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(test);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(folder.join("sub")).unwrap();
    fs::write(folder.join("main.json"), MAIN).unwrap();
    fs::write(folder.join("sub/shapes.json"), SHAPES).unwrap();
    folder
}

/// What each option of the builder brings about, and that without it there is
/// nothing of the kind.
#[test]
fn every_builder_option_has_its_effect() {
    let folder = schema_folder("builder");
    let builder = || {
        Builder::new(folder.join("main.json"))
            .out_dir(folder.join("out"))
            .docs(false)
            .one_file()
    };
    let built = |builder: Builder| {
        builder.try_compile().unwrap();
        flat(&fs::read_to_string(folder.join("out/mod.rs")).unwrap())
    };
    let without = built(builder());
    let brings = |with: Builder, expected: &str| {
        assert!(!without.contains(expected), "{expected} in {without}");
        let with = built(with);
        assert!(with.contains(expected), "no {expected} in {with}");
    };
    let drops = |with: Builder, expected: &str| {
        assert!(without.contains(expected), "no {expected} in {without}");
        let with = built(with);
        assert!(!with.contains(expected), "{expected} in {with}");
    };
    brings(builder().docs(true), "/// `Tag` of the schema.");
    drops(builder().docs(true), "missing_docs");
    brings(
        builder().open_enum("Kind"),
        "pub enum Kind { Round, Flat, /// A value that the schema does not list",
    );
    brings(
        builder().direct_reply("make"),
        "arguments: commands::Make, reply: &mut wire::Writer<'_>",
    );
    drops(builder().config(["CONFIG_OTHER"]), "pub struct Made(");
    brings(builder().cfg(), "#[cfg(feature = \"events\")] Made(");
    brings(
        builder().cfg_feature("CONFIG_EVENTS", "told"),
        "#[cfg(feature = \"told\")] Made(",
    );
    brings(
        builder().cfg_predicate("CONFIG_EVENTS", "unix"),
        "#[cfg(unix)] Made(",
    );
    brings(
        builder().derive("::x::All"),
        "Hash, ::x::All)] pub struct Tag",
    );
    brings(
        builder().derive_for("Tag", "::x::One"),
        "Hash, ::x::One)] pub struct Tag",
    );
    brings(builder().attribute("#[all]"), "#[all] pub struct Tag");
    brings(
        builder().attribute_for("Tag.text", "#[text]"),
        "#[text] pub text: String",
    );
    brings(
        builder().replace("Outline", "crate::Own"),
        "pub outer: crate::Own",
    );
    drops(
        builder().replace("Outline", "crate::Own"),
        "pub struct Outline",
    );
    drops(builder().only("make"), "pub struct Lonely");
    drops(builder().except("make"), "pub struct Thing");
    drops(builder().introspection(false), "SCHEMA");
    brings(
        builder().formatted(false),
        "pub struct Tag { pub text : String ,",
    );
    let external = builder().extern_module("sub/shapes.json", "::shapes");
    brings(external.clone(), "::shapes::Shape");
    drops(external, "pub struct Shape");
    // Of several ways to treat conditions the last counts.
    drops(builder().cfg().config(["CONFIG_OTHER"]), "Made(");
    brings(
        builder().config(["CONFIG_OTHER"]).cfg(),
        "#[cfg(feature = \"events\")] Made(",
    );
}

#[test]
fn builder_reads_include_folders_and_reports_missing_ones() {
    let folder = schema_folder("builder-folders");
    let builder = |schema: &str| {
        fs::write(folder.join("top.json"), schema).unwrap();
        Builder::new(folder.join("top.json")).out_dir(folder.join("out"))
    };
    let include = "{ 'include': 'shipped/shapes.json' }";
    assert!(builder(include).try_compile().is_err());
    let found = builder(include).include_folder("shipped", folder.join("sub"));
    found.try_compile().unwrap();
    // Without `one_file` each schema file is one.
    let text = fs::read_to_string(folder.join("out/shipped_shapes.rs")).unwrap();
    assert!(text.contains("pub struct Shape"), "{text}");
    let missing = folder.join("nowhere");
    let error = builder(include).include_folder("shipped", &missing);
    assert_eq!(
        error.try_compile().unwrap_err(),
        format!(
            "include folder 'shipped': {} is not a folder",
            missing.display()
        )
    );
    let error = builder(MAIN.trim_start_matches("\n{ 'include': 'sub/shapes.json' }"));
    let error = error.except("unmake").only("nothing").try_compile();
    assert!(error.unwrap_err().contains("unknown type 'Shape'"));
    let error = builder("{ 'event': 'STOP' }").only("nothing").try_compile();
    assert_eq!(
        error.unwrap_err(),
        "error: only: the schema has no file or definition 'nothing'"
    );
}

#[test]
fn nearest_name_is_suggested_when_an_option_names_nothing() {
    let hint = |choose: &dyn Fn(&mut Options)| {
        let mut options = Options::default();
        choose(&mut options);
        let generation = generate("main.json", &loader(), &options);
        let first = generation.diagnostics.iter().next().unwrap();
        first.hint(&generation.sources)
    };
    let check = |choose: &dyn Fn(&mut Options), expected: &str| {
        let expected = format!("did you mean '{expected}'?");
        assert_eq!(hint(choose), Some(expected));
    };
    let set = |name: &str| [name.to_owned()].into();
    let add = |name: &str| Addition::to(name, "#[allow(dead_code)]");
    check(&|it| it.only = set("Prat"), "Part");
    let except = |it: &mut Options| it.except = set("sub/shape.json");
    check(&except, "sub/shapes.json");
    check(&|it| it.open_enums = set("kind"), "Kind");
    let direct = |it: &mut Options| it.direct_replies = set("makes");
    check(&direct, "make");
    check(&|it| it.attributes.push(add("Thing.roun")), "Thing.round");
    check(&|it| it.attributes.push(add("Part.sizes")), "Part.size");
    // An enum is wanted, and the name of a struct is nearer.
    let open = |it: &mut Options| it.open_enums = set("Part");
    assert_eq!(hint(&open), None);
    let loader = MemoryLoader::from_iter([("a.json", "{ 'event': 'A', 'if': 'CONFIG_LINUX' }")]);
    let mut options = Options::default();
    options.conditions = Conditions::Config(["CONFIG_LINXU".to_owned()].into());
    let generation = generate("a.json", &loader, &options);
    let warning = generation.diagnostics.warnings().next().unwrap();
    let hint = warning.hint(&generation.sources);
    assert_eq!(hint.as_deref(), Some("did you mean 'CONFIG_LINUX'?"));
}

#[test]
fn output_folder_is_compared_and_updated() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("folder");
    let _ = fs::remove_dir_all(&folder);
    let files = |layout| {
        let mut options = Options::default();
        options.layout = layout;
        generate("main.json", &loader(), &options)
            .into_files()
            .unwrap()
    };
    let differing = |layout| {
        let changes = changes(&folder, &files(layout)).unwrap();
        let changes = changes.into_iter();
        let change = |it: qapi_gen::Change| (it.name, it.old.is_some(), it.new.is_some());
        changes.map(change).collect::<Vec<_>>()
    };
    let row = |name: &str, old, new| (name.to_owned(), old, new);
    assert_eq!(
        differing(Layout::OneFile),
        [row("mod.rs", false, true)],
        "nothing is there, not even the folder"
    );
    write_files(&folder, &files(Layout::FilePerModule)).unwrap();
    assert_eq!(differing(Layout::FilePerModule), []);
    fs::write(folder.join("own.rs"), "// Written by hand.\n").unwrap();
    assert_eq!(
        differing(Layout::OneFile),
        [
            row("mod.rs", true, true),
            row("main.rs", true, false),
            row("schema_info.rs", true, false),
            row("sub_shapes.rs", true, false),
        ]
    );
    write_files(&folder, &files(Layout::OneFile)).unwrap();
    assert_eq!(differing(Layout::OneFile), []);
    let mut left: Vec<_> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    left.sort();
    assert_eq!(left, ["mod.rs", "own.rs"]);
}

#[test]
fn unformatted_code_has_the_same_tokens() {
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/cases/rust");
    let schemas = fs::read_dir(cases).unwrap();
    let schemas = schemas.map(|entry| entry.unwrap().path());
    let schemas: Vec<_> = schemas.filter(|path| path.is_file()).collect();
    assert!(!schemas.is_empty());
    for (schema, conditions, layout) in schemas.iter().flat_map(|schema| {
        let cfg = Conditions::Cfg(CfgNames::default());
        [
            (schema, Conditions::Ignore, Layout::FilePerModule),
            (schema, cfg, Layout::OneFile),
        ]
    }) {
        let mut options = Options::default();
        options.conditions = conditions;
        options.layout = layout;
        let mut files = |formatted| {
            options.formatted = formatted;
            let generation = generate(schema, &FsLoader, &options);
            generation.into_files().unwrap()
        };
        let (laid_out, plain) = (files(true), files(false));
        assert_eq!(laid_out.len(), plain.len());
        for (laid_out, plain) in laid_out.iter().zip(&plain) {
            assert_eq!(laid_out.name, plain.name);
            assert_eq!(tokens(&laid_out.text), tokens(&plain.text));
        }
    }
}

/// The items of a file as the compiler sees them, documentation included: laid
/// out alike, so that a comma more at an end is no difference.
fn tokens(text: &str) -> String {
    prettyplease::unparse(&syn::parse_file(text).unwrap())
}
