//! Imports between the files of one package.
//!
//! In: the source files of every package of the workspace, the permitted
//! circles and the map in ARCHITECTURE.md. Out: every circle of imports that is
//! not permitted, and every arrow between rooms on one side only.

mod circles;
mod graph;
mod map;
mod modules;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

use serde_json::Value;

use self::graph::Graph;
use self::modules::Modules;
use crate::tools::{Failure, cargo_output};

/// A package of the workspace.
struct Package {
    name: String,
    /// The name of the package's library in Rust code; empty without one.
    library: String,
    /// The folder of the package's root files.
    folder: PathBuf,
    /// The root files of the library and of programs, the library's first.
    roots: Vec<PathBuf>,
}

/// Checks every package's imports.
pub(crate) fn check() -> Result<(), Failure> {
    let graphs = graphs()?;
    let mut findings = circles::check(&graphs)?;
    findings.extend(map::check(&graphs)?);
    if findings.is_empty() {
        return Ok(());
    }
    Err(findings.join("\n"))
}

/// Writes the arrows between rooms into ARCHITECTURE.md.
pub(crate) fn bless() -> Result<(), Failure> {
    map::bless(&graphs()?)
}

/// Prints the arrows between the rooms of each package that is named, or of
/// all; with `files`, the arrows between files.
pub(crate) fn print(names: &[String], files: bool) -> Result<(), Failure> {
    for (package, graph) in graphs()? {
        if !names.is_empty() && !names.contains(&package) {
            continue;
        }
        println!("# {package}");
        if files {
            for (from, arrows) in &graph.arrows {
                for (to, place) in arrows {
                    let (from, to) = (from.display(), to.display());
                    println!("{from}:{} -> {to}: {}", place.line, place.path);
                }
            }
        } else {
            print!("{}", map::text(&package, &graph)?);
        }
        println!();
    }
    Ok(())
}

/// Returns each package's name and graph; the paths in a graph are relative to
/// the package's root files.
fn graphs() -> Result<Vec<(String, Graph)>, Failure> {
    let graph = |package: Package| Ok((package.name.clone(), package.graph()?));
    packages()?.into_iter().map(graph).collect()
}

impl Package {
    fn graph(&self) -> Result<Graph, Failure> {
        let mut modules = Modules::default();
        for (root, number) in self.roots.iter().zip(0..) {
            let id = modules.read(root)?;
            if number == 0 {
                modules.libraries.insert(self.library.clone(), id);
            }
        }
        for module in &mut modules.all {
            if let Ok(path) = module.file.strip_prefix(&self.folder) {
                module.file = path.to_owned();
            }
        }
        Ok(Graph::of(&modules))
    }
}

/// Asks cargo for the packages of the workspace.
fn packages() -> Result<Vec<Package>, Failure> {
    let text = cargo_output(&[
        "metadata",
        "--no-deps",
        "--offline",
        "--format-version",
        "1",
    ])?;
    let metadata: Value =
        serde_json::from_str(&text).map_err(|error| format!("cargo metadata: {error}"))?;
    let packages = list(&metadata, "packages").iter().filter_map(package);
    let mut packages: Vec<Package> = packages.collect();
    packages.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(packages)
}

/// Returns `None` if the package has neither a library nor a program.
fn package(metadata: &Value) -> Option<Package> {
    let targets = list(metadata, "targets");
    let of_kind = |kind: &str| {
        let is = |target: &&Value| list(target, "kind").iter().any(|it| it == kind);
        targets.iter().filter(is).collect::<Vec<_>>()
    };
    let (libraries, programs) = (of_kind("lib"), of_kind("bin"));
    let library = libraries.first().map(|target| string(target, "name"));
    let roots = libraries.iter().chain(&programs);
    let roots: Vec<PathBuf> = roots
        .map(|target| string(target, "src_path").into())
        .collect();
    Some(Package {
        name: string(metadata, "name"),
        library: library.unwrap_or_default().replace('-', "_"),
        folder: roots.first()?.parent()?.to_owned(),
        roots,
    })
}

fn list<'v>(value: &'v Value, key: &str) -> &'v [Value] {
    let list = value.get(key).and_then(Value::as_array);
    list.map(Vec::as_slice).unwrap_or_default()
}

fn string(value: &Value, key: &str) -> String {
    let text = value.get(key).and_then(Value::as_str);
    text.unwrap_or_default().to_owned()
}
