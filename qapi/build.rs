#![allow(clippy::all, clippy::unwrap_used)] //! temp
fn main(){ let o=std::path::Path::new(&std::env::var_os("OUT_DIR").unwrap()).join("qapi"); std::fs::create_dir_all(&o).unwrap(); for e in std::fs::read_dir("/tmp/proto/out/qapi-schema").unwrap(){ let e=e.unwrap(); std::fs::copy(e.path(), o.join(e.file_name())).unwrap(); } println!("cargo::rerun-if-changed=/tmp/proto/out"); }
