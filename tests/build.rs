//! Generates Rust for every schema under `cases/rust`, so that the tests
//! compile it.

use std::path::Path;
use std::{env, fs, io};

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed=cases/rust");
    let out_dir = env::var_os("OUT_DIR").ok_or(io::ErrorKind::NotFound)?;
    for entry in fs::read_dir("cases/rust")? {
        let path = entry?.path();
        let stem = path.file_stem().unwrap_or_default();
        if path
            .extension()
            .is_some_and(|extension| extension == "json")
        {
            qapi_gen::Builder::new(&path)
                .out_dir(Path::new(&out_dir).join(stem))
                .compile();
        }
    }
    Ok(())
}
