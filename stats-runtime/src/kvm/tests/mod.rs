//! Tests of the KVM backend on made-up files: what a sink receives for them.

mod files;
mod layouts;
mod providers;
mod random;

use qapi_stats::stats::{StatsSchemaValue, StatsTarget};

use kvm_stats::{Error, Image};

use super::DescribedLayout;
use crate::provider::{SchemaSink, StatsSink};

/// A value as a sink received it.
#[derive(Clone, Debug, PartialEq)]
enum Value {
    Scalar(u64),
    Boolean(bool),
    List(Vec<u64>),
}

/// An object's path and statistics as a sink received them.
type Received = (Option<String>, Vec<(String, Value)>);

/// A sink that keeps everything.
#[derive(Clone, Debug, Default, PartialEq)]
struct Kept(Vec<Received>);

impl Kept {
    fn push(&mut self, name: &str, value: Value) {
        self.0.last_mut().unwrap().1.push((name.to_owned(), value));
    }

    /// The paths, or `-` for the VM.
    fn paths(&self) -> Vec<&str> {
        self.0
            .iter()
            .map(|(path, _)| path.as_deref().unwrap_or("-"))
            .collect()
    }
}

impl StatsSink for Kept {
    fn result(&mut self, qom_path: Option<&str>) {
        self.0.push((qom_path.map(str::to_owned), Vec::new()));
    }

    fn scalar(&mut self, name: &str, value: u64) {
        self.push(name, Value::Scalar(value));
    }

    fn boolean(&mut self, name: &str, value: bool) {
        self.push(name, Value::Boolean(value));
    }

    fn histogram(&mut self, name: &str, buckets: &[u64]) {
        self.push(name, Value::List(buckets.to_vec()));
    }
}

/// A schema sink that keeps everything.
#[derive(Debug, Default)]
struct KeptSchemas(Vec<(StatsTarget, Vec<StatsSchemaValue>)>);

impl SchemaSink for KeptSchemas {
    fn schema(&mut self, target: StatsTarget) {
        self.0.push((target, Vec::new()));
    }

    fn stat(&mut self, stat: &StatsSchemaValue) {
        self.0.last_mut().unwrap().1.push(stat.clone());
    }
}

/// The values in a file.
fn values_of(bytes: &[u8]) -> Result<Vec<(String, Value)>, Error> {
    let image = Image::read(bytes)?;
    let mut kept = Kept::default();
    kept.result(None);
    DescribedLayout::from(image.layout().clone()).write_values(image.words(), &mut kept);
    Ok(kept.0.remove(0).1)
}

/// A list as queries have it.
fn owned(list: &[&str]) -> Vec<String> {
    list.iter().map(|&item| item.to_owned()).collect()
}

/// All values in a good file.
fn values(bytes: &[u8]) -> Vec<(String, Value)> {
    values_of(bytes).unwrap()
}

fn scalar(name: &str, value: u64) -> (String, Value) {
    (name.to_owned(), Value::Scalar(value))
}
