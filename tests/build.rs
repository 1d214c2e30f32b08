//! Generates Rust for every schema under `cases/rust`, for some in several
//! ways, and for those that take modules from elsewhere, so that the tests
//! compile it.

use std::error::Error;
use std::ffi::OsString;
use std::path::Path;
use std::{env, fs};

use qapi_gen::Builder;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=cases/rust");
    let out_dir = variable("OUT_DIR")?;
    let out_dir = Path::new(&out_dir);
    for entry in fs::read_dir("cases/rust")? {
        let path = entry?.path();
        let stem = path.file_stem().unwrap_or_default();
        if path
            .extension()
            .is_some_and(|extension| extension == "json")
        {
            Builder::new(&path).out_dir(out_dir.join(stem)).compile();
        }
    }
    vmm_with_our_statistics(variable("DEP_QAPI_STATS_SCHEMA")?, &out_dir.join("vmm"));
    Builder::new("cases/extern/qapi-schema.json")
        .include_folder("shapes", "cases/rust")
        .extern_module("shapes/every-shape.json", "crate::every_shape::every_shape")
        .out_dir(out_dir.join("extern"))
        .compile();
    configurations(out_dir);
    choices(out_dir);
    schema_of_page(out_dir)
}

/// Compiles the schema in `docs/schema-language.md`, which is in its blocks `qapi`.
fn schema_of_page(out_dir: &Path) -> Result<(), Box<dyn Error>> {
    let page = "../docs/schema-language.md";
    println!("cargo::rerun-if-changed={page}");
    let page = fs::read_to_string(page)?;
    let blocks = page.split("```qapi\n").skip(1);
    let schema: String = blocks
        .filter_map(|block| Some(block.split_once("```")?.0))
        .collect();
    let path = out_dir.join("lamps.json");
    fs::write(&path, schema)?;
    Builder::new(path)
        .out_dir(out_dir.join("schema-language"))
        .compile();
    Ok(())
}

/// What a VMM does whose schema includes ours.
fn vmm_with_our_statistics(ours: OsString, out_dir: &Path) {
    Builder::new("cases/vmm/qapi-schema.json")
        .include_folder("qapi-stats", ours)
        .extern_module("qapi-stats/control.json", "::qapi_stats::control")
        .extern_module("qapi-stats/introspect.json", "::qapi_stats::introspect")
        .extern_module("qapi-stats/stats.json", "::qapi_stats::stats")
        .out_dir(out_dir)
        .compile();
}

fn variable(name: &str) -> Result<OsString, String> {
    env::var_os(name).ok_or_else(|| format!("{name} is not set"))
}

/// Predicates that always or never hold let one build have all configurations.
fn configurations(out_dir: &Path) {
    let builder = |name| Builder::new("cases/rust/conditional.json").out_dir(out_dir.join(name));
    for (name, a, b) in [
        ("conditional-off", "false", "false"),
        ("conditional-a", "true", "false"),
        ("conditional-b", "false", "true"),
        ("conditional-on", "true", "true"),
    ] {
        builder(name)
            .cfg_predicate("CONFIG_A", a)
            .cfg_predicate("CONFIG_B", b)
            .compile();
    }
    builder("resolved-off").config([""; 0]).one_file().compile();
    builder("resolved-a").config(["CONFIG_A"]).compile();
    // As features of the tests, which anybody may turn on.
    builder("conditional-features")
        .cfg()
        .cfg_feature("CONFIG_A", "conditional-a")
        .cfg_feature("CONFIG_B", "conditional-b")
        .compile();
}

fn choices(out_dir: &Path) {
    Builder::new("cases/rust/every-shape.json")
        .out_dir(out_dir.join("choices"))
        .only("paint")
        .only("things")
        .only("FIGURE")
        .replace("Circle", "crate::replacement::Disc")
        .derive_for("__org.example_Thing", "PartialOrd")
        .derive_for("Shape", "PartialOrd")
        .attribute_for("Figure", "#[allow(clippy::large_enum_variant)]")
        .attribute_for("Figure.group", "#[doc(alias = \"many\")]")
        .one_file()
        .formatted(false)
        .compile();
}
