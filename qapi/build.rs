//! The build script: with feature `compile`, compiles `schema/*.json` to Rust.
//! Tells the build scripts of dependents where the schema is, so that theirs can
//! include it.

use std::env;
use std::path::Path;

#[cfg(feature = "compile")]
mod compile;

fn main() {
    #[cfg(feature = "compile")]
    compile::builder().compile();
    println!("cargo::rerun-if-changed=build.rs");
    if let Some(package) = env::var_os("CARGO_MANIFEST_DIR") {
        let schema = Path::new(&package).join("schema");
        println!("cargo::metadata=schema={}", schema.display());
    }
}
