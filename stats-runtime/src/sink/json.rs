//! The sinks that write results and schemas as JSON text.
//!
//! In: the calls of providers. Out: a JSON array at the end of a buffer, equal
//! to the encoding of the typed results. No statistic costs an allocation.

use qapi_stats::stats::{StatsProvider, StatsSchemaValue, StatsTarget};
use qapi_stats::wire::{Encode, Writer};

use super::wire_order::{WireValue, wire_value};
use super::{ResultsSink, Row, SchemaSink, SchemasSink, StatsSink};

/// The longest text of a row that is written at once.
const ROW_BYTES_MAX: usize = 1 << 20;

/// Writes results. Call [`finish`](Self::finish) after the last one.
#[derive(Debug)]
pub struct JsonResults<'b, 'a> {
    out: &'b mut Writer<'a>,
    provider: StatsProvider,
    open: Option<OpenResult>,
    any_result: bool,
}

/// A result whose statistics are being written.
#[derive(Clone, Copy, Debug)]
struct OpenResult {
    /// The position of the result's first byte, the comma before it included.
    mark: usize,
    any_stat: bool,
}

impl<'b, 'a> JsonResults<'b, 'a> {
    /// Begins the array of results.
    pub fn new(out: &'b mut Writer<'a>) -> Self {
        out.raw(b"[");
        Self {
            out,
            provider: StatsProvider::Kvm,
            open: None,
            any_result: false,
        }
    }

    /// Ends the array of results.
    pub fn finish(mut self) {
        self.close();
        self.out.raw(b"]");
    }

    /// Ends the open result, or removes it if it has no statistic.
    fn close(&mut self) {
        match self.open.take() {
            Some(OpenResult { any_stat: true, .. }) => {
                self.out.raw(b"]}");
                self.any_result = true;
            }
            Some(OpenResult {
                mark,
                any_stat: false,
            }) => self.out.truncate(mark),
            None => {}
        }
    }

    /// Begins a statistic: writes everything before its value.
    fn stat(&mut self, name: &str) {
        if let Some(open) = &mut self.open {
            let before: &[u8] = if open.any_stat {
                b", {\"name\": "
            } else {
                b"{\"name\": "
            };
            open.any_stat = true;
            self.out.raw(before);
            self.out.string(name);
            self.out.raw(b", \"value\": ");
        }
    }
}

impl ResultsSink for JsonResults<'_, '_> {
    fn provider(&mut self, name: &StatsProvider) {
        self.provider.clone_from(name);
    }

    fn is_full(&self) -> bool {
        self.out.overflowed()
    }
}

impl StatsSink for JsonResults<'_, '_> {
    fn result(&mut self, qom_path: Option<&str>) {
        self.close();
        self.open = Some(OpenResult {
            mark: self.out.mark(),
            any_stat: false,
        });
        self.out.raw(if self.any_result {
            b", {\"provider\": "
        } else {
            b"{\"provider\": "
        });
        self.out.string(self.provider.name());
        if let Some(qom_path) = qom_path {
            self.out.raw(b", \"qom-path\": ");
            self.out.string(qom_path);
        }
        self.out.raw(b", \"stats\": [");
    }

    fn scalar(&mut self, name: &str, value: u64) {
        self.stat(name);
        self.out.integer(value);
        self.out.raw(b"}");
    }

    fn boolean(&mut self, name: &str, value: bool) {
        self.stat(name);
        self.out.boolean(value);
        self.out.raw(b"}");
    }

    fn row(&mut self, qom_path: Option<&str>, row: &Row<'_>) {
        self.result(qom_path);
        let text = row.columns().json();
        if text.len_max() > ROW_BYTES_MAX {
            // Write each statistic by itself, because only single calls stop at
            // the writer's limit.
            return row.write_each(self);
        }
        let Some(open) = &mut self.open else {
            return;
        };
        if row.columns().is_empty() {
            return;
        }
        open.any_stat = true;
        let columns = row.columns().iter();
        let values = columns.map(|column| column.values(row.values()));
        self.out.append(|out| text.write(values, out));
    }

    fn histogram(&mut self, name: &str, buckets: &[u64]) {
        self.stat(name);
        match wire_value(buckets) {
            WireValue::Scalar(value) => self.out.integer(value),
            WireValue::List(values) => {
                let mut array = self.out.array();
                for value in values {
                    array.element().integer(*value);
                }
                array.end();
            }
        }
        self.out.raw(b"}");
    }
}

/// Writes schemas. Call [`finish`](Self::finish) after the last one.
#[derive(Debug)]
pub struct JsonSchemas<'b, 'a> {
    out: &'b mut Writer<'a>,
    provider: StatsProvider,
    any_schema: bool,
    any_stat: bool,
}

impl<'b, 'a> JsonSchemas<'b, 'a> {
    /// Begins the array of schemas.
    pub fn new(out: &'b mut Writer<'a>) -> Self {
        out.raw(b"[");
        Self {
            out,
            provider: StatsProvider::Kvm,
            any_schema: false,
            any_stat: false,
        }
    }

    /// Ends the array of schemas.
    pub fn finish(self) {
        self.out.raw(if self.any_schema { b"]}]" } else { b"]" });
    }
}

impl SchemasSink for JsonSchemas<'_, '_> {
    fn provider(&mut self, name: &StatsProvider) {
        self.provider.clone_from(name);
    }
}

impl SchemaSink for JsonSchemas<'_, '_> {
    fn schema(&mut self, target: StatsTarget) {
        self.out.raw(if self.any_schema { b"]}, " } else { b"" });
        self.out.raw(b"{\"provider\": ");
        self.out.string(self.provider.name());
        self.out.raw(b", \"target\": ");
        self.out.string(target.name());
        self.out.raw(b", \"stats\": [");
        self.any_schema = true;
        self.any_stat = false;
    }

    fn stat(&mut self, stat: &StatsSchemaValue) {
        if self.any_schema {
            self.out.raw(if self.any_stat { b", " } else { b"" });
            stat.encode(self.out);
            self.any_stat = true;
        }
    }
}
