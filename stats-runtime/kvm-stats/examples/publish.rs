//! Publishes counters of a component, and reads them as another process would.

use kvm_stats::{Base, Stats, Unit, Writer};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let writer = Writer::builder("block-disk0")
        .counter("reads")
        .log2_histogram("read_latency", Unit::Seconds, (Base::Pow10, -9), 32)
        .build()?;
    let reads = writer.counter("reads").ok_or("it was just declared")?;
    let latency = writer.counter("read_latency").ok_or("so was this")?;
    for latency_ns in [90_000, 120_000, 2_500_000] {
        reads.add(1);
        latency.observe(latency_ns);
    }

    let stats = Stats::new(writer.try_clone_fd()?)?;
    let mut values = stats.buffer();
    stats.read(&mut values)?;
    for (statistic, values) in values.iter() {
        println!("{} {values:?}", statistic.name());
    }
    Ok(())
}
