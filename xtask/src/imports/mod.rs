//! Imports between the files of one package.
//!
//! In: the source files of every package of the workspace, and the map in
//! ARCHITECTURE.md. Out: every circle of imports that is not permitted, and every
//! arrow between rooms on one side only.

mod circles;
mod graph;
mod map;
mod modules;
#[cfg(test)]
mod tests;

use self::graph::Graph;
use self::modules::Modules;
use crate::tools::{Failure, Package, packages};

/// Checks every package's imports.
pub(crate) fn check() -> Result<(), Failure> {
    let graphs = graphs()?;
    let mut findings = circles::check(&graphs);
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

/// Returns each package's name and graph, for packages that have a library or a
/// program; the paths in a graph are relative to the package's root files.
fn graphs() -> Result<Vec<(String, Graph)>, Failure> {
    let mut packages = packages(false)?;
    packages.sort_by(|a, b| a.name.cmp(&b.name));
    let mut graphs = Vec::new();
    for package in packages {
        if let Some(graph) = graph_of(&package)? {
            graphs.push((package.name, graph));
        }
    }
    Ok(graphs)
}

/// Returns `None` if the package has neither a library nor a program.
fn graph_of(package: &Package) -> Result<Option<Graph>, Failure> {
    let of_kind = |kind: &'static str| {
        let targets = package.targets.iter();
        targets.filter(move |target| target.kind.iter().any(|it| it == kind))
    };
    let Some(root) = of_kind("lib").chain(of_kind("bin")).next() else {
        return Ok(None);
    };
    let mut modules = Modules::default();
    for library in of_kind("lib") {
        let id = modules.read(&library.src_path)?;
        modules.libraries.insert(library.name.replace('-', "_"), id);
    }
    for program in of_kind("bin") {
        modules.read(&program.src_path)?;
    }
    modules.make_relative(root.src_path.parent().unwrap_or(&root.src_path));
    Ok(Some(Graph::of(&modules)))
}
