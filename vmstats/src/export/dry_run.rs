//! The cost of each choice of `export`.
//!
//! In: one collection of everything. Out: a table of series, bytes and what a store of a
//! fleet needs for them. Nothing is exported.

use std::collections::HashSet;
use std::io::Write;
use std::num::NonZeroUsize;

use stats_runtime::exposition::{Buckets, Format};

use super::choice::Choice;
use super::collector::Collection;
use super::encoder::{Encoder, Text};
use super::exporter::compressed;
use crate::failure::Failure;
use crate::table;

/// The series for which Mimir's documentation plans one processor core and
/// [`GIGABYTES`] of an ingester.
const SERIES_PER_CORE: usize = 300_000;

/// The memory beside a core, in tenths of a gigabyte.
const GIGABYTES_TENTHS: usize = 25;

/// The ingesters that have each series.
const REPLICAS: usize = 3;

/// Prints the costs of choices, the asked one first.
///
/// # Errors
///
/// Returns an error if no virtual machine answered, or if a name selects nothing.
pub(super) fn print(
    collection: &Collection,
    asked: &Choice,
    hosts: NonZeroUsize,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let up = collection.vms.iter().filter(|vm| vm.failure.is_none());
    let up = up.count();
    if up == 0 {
        return Err(nobody(collection));
    }
    missing(collection, asked)?;
    let mut table = table::columns(&[
        "choice", "series", "as NHCB", "bytes", "gzip", "fleet", "cores", "GB",
    ]);
    for column in 1..8 {
        table::right_align(&mut table, column);
    }
    for (name, choice) in choices(asked) {
        let text = Encoder::new(choice).encode(collection, Format::Prometheus, None);
        let (series, bytes, folded) = (text.series, text.bytes(), folded(&text));
        let gzip = compressed(text)
            .iter()
            .map(|part| part.len())
            .sum::<usize>();
        let fleet = folded.saturating_mul(hosts.get());
        let (cores, gigabytes) = ingesters(fleet);
        let numbers = [series, folded, bytes, gzip, fleet, cores, gigabytes];
        let cells = std::iter::once(name).chain(numbers.iter().map(usize::to_string));
        table.add_row(cells);
    }
    table::print(out, &table)?;
    let found = collection.vms.len();
    writeln!(
        out,
        "\n{up} of {found} virtual machines answered; a scrape has the series of all of them.\n\
         NHCB: histograms that the scraper folds into one series each \
         (convert_classic_histograms_to_nhcb).\n\
         fleet: the series as NHCB of {hosts} hosts like this one. cores, GB: Mimir's ingesters \
         for them, at one core and 2.5 GB for 300,000 series, three times."
    )?;
    Ok(())
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

/// Returns the series of a text if each histogram is one.
fn folded(text: &Text) -> usize {
    let mut is_histogram = false;
    let mut count = 0;
    for line in text.parts.iter().flat_map(|part| part.lines()) {
        if line.starts_with("# TYPE ") {
            is_histogram = line.ends_with(" histogram");
        } else if !line.starts_with('#') && (!is_histogram || line.contains("le=\"+Inf\"")) {
            count += 1;
        }
    }
    count
}

/// Returns the cores and the gigabytes that ingesters need for series.
fn ingesters(series: usize) -> (usize, usize) {
    let cores = series.saturating_mul(REPLICAS).div_ceil(SERIES_PER_CORE);
    (cores, cores.saturating_mul(GIGABYTES_TENTHS).div_ceil(10))
}

/// Returns an error with the reason why nobody answered.
fn nobody(collection: &Collection) -> Failure {
    let reason = collection.vms.iter().find_map(|vm| {
        let (_, text) = vm.failure.as_ref()?;
        Some(format!("{}: {text}", vm.vm.endpoint))
    });
    let mut places = collection.places.iter();
    let reason = reason.or_else(|| places.find_map(|(_, found)| found.clone().err()));
    let reason = reason.unwrap_or_else(|| "no virtual machine was found".to_owned());
    Failure::other(format!("no virtual machine answered: {reason}"))
}

/// Fails if a name selects nothing.
fn missing(collection: &Collection, asked: &Choice) -> Result<(), Failure> {
    let answers = collection.vms.iter().filter_map(|vm| vm.answer());
    let objects = answers.flat_map(|answer| &answer.sample.objects);
    let stats = objects.flat_map(|object| &object.table.stats);
    let names: HashSet<&str> = stats.map(|stat| stat.name.as_str()).collect();
    for pattern in &asked.names {
        if !names.iter().any(|name| pattern.matches(name)) {
            return Err(Failure::other(format!(
                "no statistic matches '{}' (`vmstats schemas` lists those that there are)",
                pattern.text()
            )));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ingesters_are_those_of_the_planning_rule() {
        assert_eq!(ingesters(51_000_000), (510, 1275));
        assert_eq!(ingesters(1), (1, 3));
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
        assert_eq!(folded(&text), 3);
    }
}
