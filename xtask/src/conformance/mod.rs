//! `cargo xtask conformance QEMU_SRC`: compares our compiler with the generator
//! of a QEMU tree.
//!
//! In: a QEMU source tree, and Python 3. Out: a table and every difference. The
//! tree's schemas and tests are read in place and never copied.

mod compile;
mod live;
mod our_compiler;
mod qemu_generator;
mod seeds;
mod table;

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use qapi_gen::Rules;

use crate::progress::step;
use crate::tools::{Failure, text};
use our_compiler::OurCompiler;
use qemu_generator::{QemuGenerator, Verdict};
use seeds::Seeds;
use table::Table;

/// Compare the schema compiler with a QEMU tree's own
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// A QEMU source tree
    #[arg(value_name = "QEMU_SRC")]
    source: PathBuf,
    /// How many mutated schemas to compare, besides the tree's own
    #[arg(long, value_name = "N", default_value_t = 0)]
    mutations: usize,
    /// Where the mutations begin
    #[arg(long, value_name = "S", default_value_t = 1)]
    seed: u64,
    /// Leave out what takes long: compiling the tree's schemas as Rust
    #[arg(long)]
    no_compile: bool,
    /// A QEMU that was built from the tree, to compare a generated server with
    #[arg(
        long,
        value_name = "QEMU_BINARY",
        num_args = 0..=1,
        default_missing_value = "qemu-system-x86_64"
    )]
    live: Option<PathBuf>,
    /// How many malformed arguments each of its commands gets
    #[arg(long, value_name = "N", default_value_t = 200)]
    rounds: usize,
    /// How many differences of a kind to print
    #[arg(long, value_name = "N", default_value_t = 5)]
    show: usize,
}

/// The schemas that QEMU itself is built from.
const REAL_SCHEMAS: [&str; 3] = [
    "qapi/qapi-schema.json",
    "qga/qapi-schema.json",
    "storage-daemon/qapi/qapi-schema.json",
];

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let source = fs::canonicalize(&arguments.source)
        .map_err(|error| format!("{}: {error}", arguments.source.display()))?;
    let (version, rules) = rules(&source)?;
    println!("QEMU {version}, rules {rules}\n");
    let tests = source.join("tests/qapi-schema");
    let mut table = Table::new(arguments.show);
    step("the tree's own tests");
    corpus(&tests, rules, &mut table)?;
    let schemas: Vec<&str> = REAL_SCHEMAS
        .into_iter()
        .filter(|schema| source.join(schema).exists())
        .collect();
    for schema in &schemas {
        step(schema);
        let compiler = OurCompiler::check(&source, schema, rules);
        let verdict = QemuGenerator::start(&source, &source)?.ask(schema)?;
        REAL.compare(schema, &compiler, &verdict, &mut table);
        if !arguments.no_compile {
            step(format_args!("{schema} as Rust"));
            compile::compile(&source, schema, &mut table)?;
        }
    }
    if let Some(qemu) = &arguments.live {
        step(format_args!("malformed arguments for {}", qemu.display()));
        let choices = live::Choices {
            qemu,
            rounds: arguments.rounds,
            seed: arguments.seed,
        };
        live::compare(&source, rules, &choices, &mut table)?;
    }
    if arguments.mutations > 0 {
        mutations(&source, &schemas, rules, arguments, &mut table)?;
    }
    table.finish()
}

/// Returns the tree's version and the rules of its release.
fn rules(source: &Path) -> Result<(String, Rules), Failure> {
    let version = fs::read_to_string(source.join("VERSION"))
        .map_err(|error| format!("{}: no QEMU tree: VERSION: {error}", source.display()))?;
    let version = version.trim().to_owned();
    let rules = Rules::of_version(&version)
        .ok_or_else(|| format!("{}: VERSION has no version", source.display()))?
        .map_err(text)?;
    Ok((version, rules))
}

/// Compares the outcome of each of the tree's own tests with the output that
/// the tree expects.
fn corpus(tests: &Path, rules: Rules, table: &mut Table) -> Result<(), Failure> {
    let entries = fs::read_dir(tests).map_err(|error| format!("{}: {error}", tests.display()))?;
    let mut names: Vec<String> = entries
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter_map(|name| name.strip_suffix(".err").map(str::to_owned))
        .collect();
    names.sort();
    // Skip tests that are not listed in the build file: nobody maintains them.
    let listed = fs::read_to_string(tests.join("meson.build")).unwrap_or_default();
    for name in names {
        let input = format!("{name}.json");
        if !listed.contains(&format!("'{input}'")) {
            table.count("corpus: not run by QEMU itself");
            continue;
        }
        let compiler = OurCompiler::check(tests, &input, rules);
        let read = |ending: &str| {
            fs::read_to_string(tests.join(format!("{name}.{ending}"))).unwrap_or_default()
        };
        // Skip a missing input, because packages of QEMU lack some, except where
        // the test expects the error "can't read schema file".
        if !tests.join(&input).exists() && !read("err").contains("can't read schema file") {
            table.count("corpus: input missing");
            continue;
        }
        let mut error = compiler.first_error();
        if !error.is_empty() {
            error.push('\n');
        }
        table.compare("corpus: first error", &name, &error, &read("err"));
        if compiler.is_accepted() {
            table.compare("corpus: dump", &name, &compiler.dump(), &read("out"));
        }
    }
    Ok(())
}

/// The rows of the table for one kind of schema.
struct Rows {
    error: &'static str,
    dump: &'static str,
    masked: &'static str,
    unmasked: &'static str,
}

const REAL: Rows = Rows {
    error: "schemas: error",
    dump: "schemas: dump",
    masked: "schemas: introspection",
    unmasked: "schemas: introspection, unmasked",
};
const MUTATED: Rows = Rows {
    error: "mutations: error",
    dump: "mutations: dump",
    masked: "mutations: introspection",
    unmasked: "mutations: introspection, unmasked",
};

impl Rows {
    /// Compares the first error of a schema and, if the schema is accepted, its
    /// dump and its introspection. Returns true as [`Table::compare`].
    fn compare(
        &self,
        name: &str,
        compiler: &OurCompiler,
        verdict: &Verdict,
        table: &mut Table,
    ) -> bool {
        let error = verdict.error.as_deref().unwrap_or_default();
        let mut same = table.compare(self.error, name, &compiler.first_error(), error);
        if let (true, Some(full)) = (compiler.is_accepted(), &verdict.full) {
            same &= table.compare(self.dump, name, &compiler.dump(), &full.dump);
            for (row, unmask, theirs) in [
                (self.masked, false, &full.masked),
                (self.unmasked, true, &full.unmasked),
            ] {
                let ours = compiler.introspection(unmask);
                same &= table.compare(row, name, &ours, &theirs.to_string());
            }
        }
        same
    }
}

/// Compares mutated schemas.
fn mutations(
    source: &Path,
    schemas: &[&str],
    rules: Rules,
    arguments: &Arguments,
    table: &mut Table,
) -> Result<(), Failure> {
    let folder = tempfile::tempdir().map_err(text)?;
    seeds::link(source, schemas, folder.path())?;
    let mut seeds = Seeds::new(source, schemas, arguments.seed)?;
    let mut generator = QemuGenerator::start(source, folder.path())?;
    for number in 0..arguments.mutations {
        if number % 100 == 0 {
            step(format_args!("mutation {number} of {}", arguments.mutations));
        }
        let name = format!("mutation-{number}.json");
        let path = folder.path().join(&name);
        let schema = seeds.next();
        fs::write(&path, &schema).map_err(text)?;
        let verdict = generator.ask(&name)?;
        if verdict.crash.is_some() {
            table.count("mutations on which QEMU's generator crashes");
        } else {
            let compiler = OurCompiler::check(folder.path(), &name, rules);
            if !MUTATED.compare(&name, &compiler, &verdict, table) {
                let schema = schema.trim_end().replace('\n', "\n          ");
                println!("  schema: {schema}");
            }
        }
        let _ = fs::remove_file(path);
    }
    Ok(())
}
