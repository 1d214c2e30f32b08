//! `vmstats decode`: a copy of a binary stats file, in the schema's terms.
//!
//! In: a file. Out: results and schemas as JSON, or one line that says what is
//! wrong with the file. It serves nothing and asks nobody.

use std::io::{Read, Write};
use std::sync::Mutex;

use qapi_stats::stats::{
    StatsFilter, StatsFilterBranch, StatsProvider, StatsTarget, StatsVCPUFilter,
};
use qapi_stats::wire;
use stats_runtime::kvm::{IMAGE_SIZE_MAX, Image, warnings};
use stats_runtime::{ProviderError, Registry};

use crate::cli::{Decode, KvmTarget};
use crate::failure::Failure;
use crate::printable::printable;
use crate::replay::open_file;

/// How much that is odd about a file is told of in full.
const WARNINGS_MAX: usize = 10;

/// Runs `vmstats decode`.
///
/// # Errors
///
/// A file that cannot be read or is no stats file, and why.
pub fn run(arguments: &Decode, out: &mut dyn Write) -> Result<(), Failure> {
    let target = match (arguments.target, &arguments.qom_path) {
        (KvmTarget::Vm, Some(_)) => {
            return Err(Failure::usage("--qom-path goes with --target vcpu only"));
        }
        (KvmTarget::Vm, None) => StatsFilterBranch::Vm,
        (KvmTarget::Vcpu, _) => StatsFilterBranch::Vcpu(StatsVCPUFilter { vcpus: None }),
    };
    let name = arguments.image.display();
    let explain = |why: &dyn std::fmt::Display| Failure::other(format!("{name}: {why}"));
    let bytes = read(arguments).map_err(|error| explain(&error))?;
    if bytes.len() > IMAGE_SIZE_MAX {
        return Err(explain(&format_args!("longer than {IMAGE_SIZE_MAX} bytes")));
    }
    let image = Image::read(&bytes).map_err(|error| explain(&error))?;
    // What the kernel's own test of such files would find: odd, but no reason
    // to refuse what a kernel wrote.
    let warnings = warnings(&bytes).unwrap_or_default();
    for warning in warnings.iter().take(WARNINGS_MAX) {
        let line = format!("{name}: {warning}");
        eprintln!("vmstats: warning: {}", printable(&line));
    }
    if warnings.len() > WARNINGS_MAX {
        eprintln!(
            "vmstats: warning: and {} more like these",
            warnings.len() - WARNINGS_MAX
        );
    }
    let registry = registry(image, arguments.target.into(), arguments.qom_path.clone());
    let filter = StatsFilter {
        target,
        providers: None,
    };
    let results = registry.query(&filter).map_err(|error| explain(&error))?;
    let schemas = registry.schemas(None).map_err(|error| explain(&error))?;
    let mut text = Vec::new();
    let mut writer = wire::Writer::new(&mut text);
    let mut object = writer.object();
    object.required("results", &results);
    object.required("schemas", &schemas);
    object.end();
    text.push(b'\n');
    out.write_all(&text)?;
    Ok(())
}

/// Reads the file, and not more of it than a stats file can have.
fn read(arguments: &Decode) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let limit = IMAGE_SIZE_MAX as u64 + 1;
    open_file(&arguments.image)?
        .take(limit)
        .read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The image as a provider, so that it is answered as a live one would be.
fn registry(image: Image, target: StatsTarget, qom_path: Option<String>) -> Registry {
    let registry = Registry::new();
    let schema: Vec<_> = image.layout().schema().cloned().collect();
    let image = Mutex::new(image);
    let described = target.clone();
    let registered = registry.add_stats_callbacks(
        StatsProvider::Kvm,
        move |query, sink| {
            if *query.target() == target {
                sink.result(qom_path.as_deref());
                let mut image = image
                    .lock()
                    .map_err(|error| ProviderError::new(error.to_string()))?;
                image.write_values(query, sink)?;
            }
            Ok(())
        },
        move |sink| {
            sink.schema(described.clone());
            schema.iter().for_each(|stat| sink.stat(stat));
            Ok(())
        },
    );
    debug_assert!(registered.is_ok(), "it is the only one");
    registry
}
