//! Stand-in until the schema compiler writes this; replaced in this change.
#![allow(missing_docs)]
pub use qapi_wire as wire;
pub mod stats {
    #[derive(Clone, Debug, PartialEq, Eq, Hash)]
    pub enum StatsType { Cumulative, Instant, Peak, LinearHistogram, Log2Histogram, Unknown(Box<str>) }
    #[derive(Clone, Debug, PartialEq, Eq, Hash)]
    pub enum StatsUnit { Bytes, Seconds, Cycles, Boolean, Unknown(Box<str>) }
    #[derive(Clone, Debug, PartialEq, Eq, Hash)]
    pub enum StatsProvider { Kvm, Cryptodev, Unknown(Box<str>) }
    #[derive(Clone, Debug, PartialEq, Eq, Hash)]
    pub enum StatsTarget { Vm, Vcpu, Cryptodev, Unknown(Box<str>) }
    #[derive(Clone, Debug, PartialEq)]
    pub enum StatsValue { Scalar(u64), Boolean(bool), List(Vec<u64>) }
    #[derive(Clone, Debug, PartialEq)]
    pub struct Stats { pub name: String, pub value: StatsValue }
    #[derive(Clone, Debug, PartialEq)]
    pub struct StatsResult { pub provider: StatsProvider, pub qom_path: Option<String>, pub stats: Vec<Stats> }
    #[derive(Clone, Debug, PartialEq)]
    pub struct StatsSchemaValue { pub name: String, pub type_: StatsType, pub unit: Option<StatsUnit>, pub base: Option<i8>, pub exponent: i16, pub bucket_size: Option<u32> }
    #[derive(Clone, Debug, PartialEq)]
    pub struct StatsSchema { pub provider: StatsProvider, pub target: StatsTarget, pub stats: Vec<StatsSchemaValue> }
}
