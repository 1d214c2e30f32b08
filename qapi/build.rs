//! The build script: compiles `schema/*.json` to Rust, and tells the build
//! scripts of dependents where the schema is, so that theirs can include it.

use std::env;
use std::path::Path;

fn main() {
    qapi_gen::Builder::new("schema/qapi-schema.json")
        .open_enum("StatsProvider")
        .direct_reply("query-qmp-schema")
        .direct_reply("query-stats")
        .direct_reply("query-stats-schemas")
        .compile();
    if let Some(package) = env::var_os("CARGO_MANIFEST_DIR") {
        let schema = Path::new(&package).join("schema");
        println!("cargo::metadata=schema={}", schema.display());
    }
}
