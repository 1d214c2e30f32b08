//! Generates Rust for every schema under `cases/rust`, and for those that take
//! modules from elsewhere, so that the tests compile it.

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
    Ok(())
}

/// What a VMM does whose schema includes ours.
fn vmm_with_our_statistics(ours: OsString, out_dir: &Path) {
    Builder::new("cases/vmm/qapi-schema.json")
        .include_folder("qapi-stats", ours)
        .extern_module("qapi-stats/control.json", "::qapi::control")
        .extern_module("qapi-stats/introspect.json", "::qapi::introspect")
        .extern_module("qapi-stats/stats.json", "::qapi::stats")
        .out_dir(out_dir)
        .compile();
}

fn variable(name: &str) -> Result<OsString, String> {
    env::var_os(name).ok_or_else(|| format!("{name} is not set"))
}
