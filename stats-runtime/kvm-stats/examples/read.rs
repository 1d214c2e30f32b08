//! Prints the statistics file of an fd that this process has inherited: of a file that
//! was recorded, or that another process opened and passed on.

use std::fs::File;

use kvm_stats::Stats;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let fd: u32 = std::env::args().nth(1).ok_or("usage: read FD")?.parse()?;
    // Open the file again, because the number alone proves no ownership.
    let stats = Stats::new(File::open(format!("/proc/self/fd/{fd}"))?.into())?;
    let mut values = stats.buffer();
    stats.read(&mut values)?;
    for (statistic, values) in values.iter() {
        println!("{} {values:?}", statistic.name());
    }
    Ok(())
}
