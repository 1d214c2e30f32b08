//! The cost of each choice of `export`.
//!
//! In: one collection of everything. Out: tables of series, bytes and what a store of a
//! fleet needs for them. Nothing is exported.

use std::io::Write;
use std::num::NonZeroUsize;

use std::time::{Duration, Instant};

use comfy_table::Table;
use qapi_wire::client::deadline;
use stats_runtime::exposition::{Buckets, Format};

use super::choice::Choice;
use super::collector::{Collection, Collector, CollectorOptions};
use super::encoder::{Encoder, Text};
use super::exporter::compressed;
use crate::cli::ExportArgs;
use crate::failure::Failure;
use crate::{measure, table};

/// The series for which Mimir's documentation plans one processor core and
/// [`GIGABYTES_TENTHS`] of an ingester.
const SERIES_PER_CORE: usize = 300_000;

/// The memory that is planned with each core of an ingester, in tenths of a gigabyte.
const GIGABYTES_TENTHS: usize = 25;

/// The ingesters that have each series.
const REPLICAS: usize = 3;

/// The number of virtual machines of the row for `--top`.
const TOP: NonZeroUsize = NonZeroUsize::MIN.saturating_add(9);

/// The maximum number of virtual machines whose silence is explained.
const REASONS_MAX: usize = 5;

/// The size of a text.
struct Cost {
    /// The choice that makes the text, as options.
    choice: String,
    /// The samples.
    series: usize,
    /// The samples if each histogram is one.
    folded: usize,
    bytes: usize,
    /// The bytes after compression.
    compressed: usize,
}

/// Asks all virtual machines for everything, and prints what each choice costs.
///
/// # Errors
///
/// Fails as [`print`] does.
pub(super) fn run(
    arguments: &ExportArgs,
    timeout: Duration,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let choice = Choice::new(&arguments.exposition);
    let options = CollectorOptions {
        credentials: arguments.exposition.tls.clone(),
        selection: choice.everything(),
    };
    let collector = Collector::new(arguments.places(), options);
    let collection = collector.collect(Instant::now(), deadline::after(timeout));
    print(&collection, &choice, arguments.hosts, out)
}

/// Prints the costs of choices, the asked one first.
///
/// # Errors
///
/// Returns an error if a name selects nothing, or if a virtual machine did not answer; the
/// costs of the others are printed nevertheless.
fn print(
    collection: &Collection,
    asked: &Choice,
    hosts: NonZeroUsize,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let up = collection.vms.iter().filter(|vm| vm.failure.is_none());
    let up = up.count();
    if up == 0 {
        return Err(Failure::other(format!(
            "no virtual machine answered: {}",
            reasons(collection)
        )));
    }
    missing(collection, asked)?;
    let choices = choices(asked).into_iter();
    let costs: Vec<_> = choices
        .map(|(name, choice)| cost(name, choice, collection))
        .collect();
    write_host(out, &costs)?;
    writeln!(out)?;
    write_fleet(out, &costs, hosts)?;
    let (series, folded) = per_machine(asked, collection);
    writeln!(
        out,
        "\nAs asked, a virtual machine has {series} series, or {folded} as NHCB: histograms that \
         the scraper folds into one\nseries each (convert_classic_histograms_to_nhcb). cores, GB: \
         Mimir's ingesters, at one core and 2.5 GB for\n300,000 series, three times.",
        series = rounded(series, up),
        folded = rounded(folded, up),
    )?;
    let silent = collection.vms.len() - up;
    let has_empty_place = collection.places.iter().any(|(_, found)| found.is_err());
    if silent > 0 || has_empty_place {
        let plural = if up == 1 { "" } else { "s" };
        return Err(Failure::other(format!(
            "the figures are of the {up} virtual machine{plural} that answered: {}",
            reasons(collection)
        )));
    }
    Ok(())
}

/// Returns the size of the text of a choice.
fn cost(name: String, choice: Choice, collection: &Collection) -> Cost {
    // Only OpenMetrics has the lines of --created.
    let format = match choice.with_created {
        true => Format::OpenMetrics,
        false => Format::Prometheus,
    };
    let text = Encoder::new(choice).encode(collection, format, None);
    Cost {
        choice: name,
        series: text.series,
        folded: folded(&text, |_| true),
        bytes: text.bytes(),
        compressed: compressed(text).into_iter().map(|part| part.len()).sum(),
    }
}

/// Writes what a scrape of this host costs.
fn write_host(out: &mut dyn Write, costs: &[Cost]) -> Result<(), Failure> {
    let mut table = aligned(&["this host", "series", "NHCB", "bytes", "gzip"]);
    for cost in costs {
        let numbers = [cost.series, cost.folded, cost.bytes, cost.compressed];
        table.add_row(row(&cost.choice, numbers.map(grouped)));
    }
    Ok(table::print(out, &table)?)
}

/// Writes what a store of several hosts costs.
fn write_fleet(out: &mut dyn Write, costs: &[Cost], hosts: NonZeroUsize) -> Result<(), Failure> {
    let plural = if hosts.get() == 1 { "" } else { "s" };
    let heading = format!("{} host{plural}", grouped(hosts.get()));
    let mut table = aligned(&[&heading, "series", "cores", "GB", "NHCB", "cores", "GB"]);
    for cost in costs {
        let store = |series: usize| {
            let series = series.saturating_mul(hosts.get());
            let (cores, gigabytes) = ingesters(series);
            [grouped(series), cores, gigabytes]
        };
        let cells = [store(cost.series), store(cost.folded)].concat();
        table.add_row(row(&cost.choice, cells));
    }
    Ok(table::print(out, &table)?)
}

/// Returns a table whose columns after the first have numbers.
fn aligned(names: &[&str]) -> Table {
    let mut table = table::columns(names);
    for column in 1..names.len() {
        table::right_align(&mut table, column);
    }
    table
}

/// Returns the cells of a row.
fn row(name: &str, numbers: impl IntoIterator<Item = String>) -> Vec<String> {
    std::iter::once(name.to_owned()).chain(numbers).collect()
}

fn grouped(number: usize) -> String {
    measure::grouped(u64::try_from(number).unwrap_or(u64::MAX))
}

/// Returns the series of all virtual machines together, without those of the exporter, and
/// the same if each histogram is one.
fn per_machine(choice: &Choice, collection: &Collection) -> (usize, usize) {
    let text = Encoder::new(choice.clone()).encode(collection, Format::Prometheus, None);
    let is_of_machine = |line: &str| line.contains("{vm=\"");
    let lines = text.parts.iter().flat_map(|part| part.lines());
    let series = lines.filter(|line| !line.starts_with('#') && is_of_machine(line));
    (series.count(), folded(&text, is_of_machine))
}

/// Returns the choices with the options that make them.
fn choices(asked: &Choice) -> Vec<(String, Choice)> {
    let with = |change: &dyn Fn(&mut Choice)| {
        let mut choice = asked.clone();
        change(&mut choice);
        choice
    };
    let every = |step| NonZeroUsize::new(step).map_or(Buckets::All, Buckets::Every);
    let all = |choice: &mut Choice| choice.names.extend("*".parse());
    let mut choices = vec![("as asked".to_owned(), asked.clone())];
    let mut add = |name: &str, choice: Choice| choices.push((name.to_owned(), choice));
    if asked.buckets == Buckets::All {
        add(
            "--buckets every-2",
            with(&|choice| choice.buckets = every(2)),
        );
        add(
            "--buckets every-4",
            with(&|choice| choice.buckets = every(4)),
        );
        add(
            "--buckets none",
            with(&|choice| choice.buckets = Buckets::Infinite),
        );
    }
    if !asked.per_vcpu {
        add("--per-vcpu", with(&|choice| choice.per_vcpu = true));
    }
    if asked.top.is_none() {
        add(
            &format!("--top {TOP}"),
            with(&|choice| choice.top = Some(TOP)),
        );
    }
    if !asked.with_created {
        add("--created", with(&|choice| choice.with_created = true));
    }
    if asked.names.is_empty() {
        add("--names '*'", with(&all));
        add(
            "--names '*' --per-vcpu",
            with(&|choice| {
                all(choice);
                choice.per_vcpu = true;
            }),
        );
    }
    choices
}

/// Returns the number of samples that `is_wanted` accepts, if each histogram is one.
fn folded(text: &Text, is_wanted: impl Fn(&str) -> bool) -> usize {
    let mut is_histogram = false;
    let mut count = 0;
    for line in text.parts.iter().flat_map(|part| part.lines()) {
        if line.starts_with("# TYPE ") {
            is_histogram = line.ends_with(" histogram");
            continue;
        }
        let is_counted = !is_histogram || line.contains("le=\"+Inf\"");
        if !line.starts_with('#') && is_counted && is_wanted(line) {
            count += 1;
        }
    }
    count
}

/// Returns the cores and the gigabytes that ingesters need for series.
fn ingesters(series: usize) -> (String, String) {
    let cores = series.saturating_mul(REPLICAS);
    let gigabytes_tenths = cores.saturating_mul(GIGABYTES_TENTHS);
    (
        tenths(cores.saturating_mul(10), SERIES_PER_CORE),
        tenths(gigabytes_tenths, SERIES_PER_CORE),
    )
}

/// Returns a quotient of tenths, which is rounded last: below ten to a tenth.
fn tenths(dividend: usize, divisor: usize) -> String {
    let tenths = rounded(dividend, divisor);
    match tenths {
        0 if dividend > 0 => "<0.1".to_owned(),
        0..100 => format!("{}.{}", tenths / 10, tenths % 10),
        _ => grouped(rounded(dividend, divisor.saturating_mul(10))),
    }
}

/// Returns a quotient, rounded to the nearest whole number.
fn rounded(dividend: usize, divisor: usize) -> usize {
    dividend.saturating_add(divisor / 2) / divisor
}

/// Returns the reasons why virtual machines did not answer or were not found.
fn reasons(collection: &Collection) -> String {
    let machines = collection.vms.iter().filter_map(|vm| {
        let (_, text) = vm.failure.as_ref()?;
        Some(format!("{}: {text}", vm.vm.endpoint))
    });
    let places = { collection.places.iter() }.filter_map(|(place, found)| match found {
        Ok(0) if place.is_searched() => Some(place.nothing()),
        Ok(_) => None,
        Err(problem) => Some(problem.clone()),
    });
    let reasons: Vec<_> = places.chain(machines).collect();
    let listed: Vec<_> = { reasons.iter() }
        .take(REASONS_MAX)
        .map(String::as_str)
        .collect();
    let mut text = listed.join("; ");
    match reasons.len().checked_sub(REASONS_MAX) {
        Some(1..) => text.push_str("; and others"),
        _ if reasons.is_empty() => text.push_str("no virtual machine was found"),
        _ => {}
    }
    text
}

/// Fails if a name selects nothing.
fn missing(collection: &Collection, asked: &Choice) -> Result<(), Failure> {
    match collection.unmatched(&asked.names).next() {
        Some(pattern) => Err(Failure::other(format!(
            "no statistic matches '{}' (`vmstats schemas` lists those that there are)",
            pattern.text()
        ))),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ingesters_are_those_of_the_planning_rule() {
        let texts = |series| {
            let (cores, gigabytes) = ingesters(series);
            format!("{cores} {gigabytes}")
        };
        assert_eq!(texts(51_000_000), "510 1,275");
        // Rounded after the multiplication, not before.
        assert_eq!(texts(53_000), "0.5 1.3");
        assert_eq!(texts(34), "<0.1 <0.1");
        assert_eq!(texts(0), "0.0 0.0");
        assert_eq!(texts(998_000), "10 25");
    }

    #[test]
    fn histogram_is_one_series_when_it_is_folded() {
        let text = Text {
            parts: vec![
                "# TYPE a counter\n# HELP a x\n".to_owned(),
                "a 1\na{b=\"c\"} 2\n".to_owned(),
                "# TYPE h histogram\n# HELP h x\n".to_owned(),
                "h_bucket{le=\"1.0\"} 1\nh_bucket{le=\"+Inf\"} 2\nh_count 2\nh_sum 3\n".to_owned(),
            ],
            series: 6,
        };
        assert_eq!(folded(&text, |_| true), 3);
        assert_eq!(folded(&text, |line| line.contains("{b=")), 1);
    }
}
