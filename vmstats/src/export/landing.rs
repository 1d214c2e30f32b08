//! The page for people who follow a link to the exporter.
//!
//! In: the last collection. Out: HTML with the state of each virtual machine, in words.

use std::fmt::Write;

use super::collector::Collection;
use super::naming;
use crate::html::escaped;

/// The number of virtual machines on the page.
const ROWS_MAX: usize = 1000;

const HEAD: &str = "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
    <title>vmstats export</title><style>body{font-family:sans-serif;margin:2em}\
    td,th{text-align:left;padding:.1em 1em .1em 0}</style></head><body>\n\
    <h1>vmstats export</h1>\n\
    <p><a href=\"/metrics\">/metrics</a> has the statistics, \
    <a href=\"/-/healthy\">/-/healthy</a> says that this program runs.</p>\n";

/// Returns the page.
pub(super) fn page(collection: &Collection) -> String {
    let mut page = HEAD.to_owned();
    // Writing to a string does not fail.
    for (place, sockets) in &collection.places {
        let _ = match sockets {
            Ok(count) => writeln!(
                page,
                "<p>{}: {count} found.</p>",
                escaped(&place.to_string())
            ),
            Err(problem) => writeln!(page, "<p>{}</p>", escaped(problem)),
        };
    }
    page.push_str("<table><tr><th>vm<th>name<th>state</tr>\n");
    for vm in collection.vms.iter().take(ROWS_MAX) {
        let state = match &vm.failure {
            None => "up".to_owned(),
            Some((reason, text)) => format!("{}: {}", reason.name(), escaped(text)),
        };
        let label = escaped(&vm.vm.label);
        let name = vm.identity().and_then(|identity| identity.name.as_deref());
        let name = escaped(&naming::text(name.unwrap_or_default()));
        let _ = writeln!(page, "<tr><td>{label}<td>{name}<td>{state}</tr>");
    }
    page.push_str("</table>\n");
    if collection.vms.is_empty() {
        page.push_str("<p>Nobody has asked for /metrics yet, or no monitor was found.</p>\n");
    }
    if let Some(more) = collection
        .vms
        .len()
        .checked_sub(ROWS_MAX)
        .filter(|more| *more > 0)
    {
        let _ = writeln!(page, "<p>{more} more.</p>");
    }
    page.push_str("</body></html>\n");
    page
}
