//! Generates Rust for every schema under `cases/rust`, so that the tests
//! compile it; for some in several ways.

use std::path::{Path, PathBuf};
use std::{env, fs, io};

use qapi_gen::Builder;

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed=cases/rust");
    let out_dir = PathBuf::from(env::var_os("OUT_DIR").ok_or(io::ErrorKind::NotFound)?);
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
    configurations(&out_dir);
    choices(&out_dir);
    Ok(())
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
        .compile();
}
