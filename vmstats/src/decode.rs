//! `vmstats decode`: the statistics in a copy of a KVM binary statistics file.
//!
//! In: a file. Out: results and schemas as JSON, or one line that says what is
//! wrong with the file. This command uses no monitor.

use std::io::{self, Read, Write};

use kvm_stats::{IMAGE_SIZE_MAX, Image, warnings};
use qapi_stats::stats::{
    StatsFilter, StatsFilterBranch, StatsProvider, StatsTarget, StatsVCPUFilter,
};
use qapi_stats::wire;
use stats_runtime::Registry;
use stats_runtime::kvm::DescribedLayout;

use crate::byte_order;
use crate::cli::{DecodeArgs, KvmTarget};
use crate::failure::Failure;
use crate::printable::printable;
use crate::replay::{open_file, target_of_id};

/// The number of warnings about a file that are printed.
const WARNINGS_MAX: usize = 10;

/// Runs `vmstats decode`.
///
/// # Errors
///
/// Returns an error if the file cannot be read, is not a statistics file, or
/// belongs to another kind of object than the arguments say.
pub fn run(arguments: &DecodeArgs, out: &mut dyn Write) -> Result<(), Failure> {
    if arguments.target == Some(KvmTarget::Vm) && arguments.qom_path.is_some() {
        return Err(Failure::usage("--qom-path needs --target vcpu"));
    }
    let name = if reads_stdin(arguments) {
        "standard input".to_owned()
    } else {
        arguments.image.display().to_string()
    };
    let explain = |why: &dyn std::fmt::Display| Failure::other(format!("{name}: {why}"));
    let bytes = read(arguments).map_err(|error| explain(&error))?;
    if bytes.len() > IMAGE_SIZE_MAX {
        return Err(explain(&format_args!("longer than {IMAGE_SIZE_MAX} bytes")));
    }
    let bytes = byte_order::to_native(&bytes);
    let image = Image::read(&bytes).map_err(|error| explain(&error))?;
    let target = target(arguments, image.id()).map_err(|why| explain(&why))?;
    if target == KvmTarget::Vm && arguments.qom_path.is_some() {
        return Err(explain(
            &"--qom-path is for a vCPU, and this is a VM's copy",
        ));
    }
    // Only print what the kernel's own test of statistics files would complain
    // about, because kernels have written such files nevertheless.
    let warnings = warnings(&bytes).unwrap_or_default();
    // Ignore a closed stream, because the statistics are the output.
    let warn = |text: &dyn std::fmt::Display| {
        let _ = writeln!(io::stderr(), "vmstats: warning: {text}");
    };
    for warning in warnings.iter().take(WARNINGS_MAX) {
        warn(&printable(&format!("{name}: {warning}")));
    }
    if let more @ 1.. = warnings.len().saturating_sub(WARNINGS_MAX) {
        warn(&format_args!("and {more} more like these"));
    }
    let registry = registry(image, target.into(), arguments.qom_path.clone());
    let target = match target {
        KvmTarget::Vm => StatsFilterBranch::Vm,
        KvmTarget::Vcpu => StatsFilterBranch::Vcpu(StatsVCPUFilter { vcpus: None }),
    };
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

fn reads_stdin(arguments: &DecodeArgs) -> bool {
    arguments.image.as_os_str() == "-"
}

/// Reads the file, or the beginning of a file that is too long.
fn read(arguments: &DecodeArgs) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let limit = IMAGE_SIZE_MAX as u64 + 1;
    if reads_stdin(arguments) {
        io::stdin().lock().take(limit).read_to_end(&mut bytes)?;
    } else {
        open_file(&arguments.image)?
            .take(limit)
            .read_to_end(&mut bytes)?;
    }
    Ok(bytes)
}

/// Returns the kind of object that a copy is about. The kernel's id of the object
/// decides, because nothing else in a copy shows a mistake of the caller.
fn target(arguments: &DecodeArgs, id: &str) -> Result<KvmTarget, String> {
    let of_id = target_of_id(id);
    match (arguments.target, of_id) {
        (Some(wanted), Some(found)) if wanted != found => {
            let (found, wanted) = (found.name(), wanted.name());
            Err(format!(
                "these are the statistics of a {found}, by their id '{id}': use --target {found} \
                 instead of {wanted}, or leave it out"
            ))
        }
        (Some(target), _) | (None, Some(target)) => Ok(target),
        (None, None) => Err(format!(
            "the id '{id}' shows no kind of object: add --target vm or --target vcpu"
        )),
    }
}

/// Makes a registry with a provider for the image, so that the image is decoded
/// exactly as a live statistics file would be.
fn registry(image: Image, target: StatsTarget, qom_path: Option<String>) -> Registry {
    let registry = Registry::new();
    let layout = DescribedLayout::from(image.layout().clone());
    let schema: Vec<_> = layout.schema().cloned().collect();
    let described = target.clone();
    let registered = registry.add_stats_callbacks(
        StatsProvider::Kvm,
        move |query, sink| {
            if *query.target() == target {
                sink.result(qom_path.as_deref());
                layout.write_values(image.words(), sink);
            }
            Ok(())
        },
        move |sink| {
            sink.schema(described.clone());
            schema.iter().for_each(|stat| sink.stat(stat));
            Ok(())
        },
    );
    debug_assert!(registered.is_ok(), "a new registry has no other provider");
    registry
}
