//! Prints the statistics of a new VM and its vCPU.

use kvm_stats::{Stats, open};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let vm = kvm_ioctls::Kvm::new()?.create_vm()?;
    let vcpu = vm.create_vcpu(0)?;
    for fd in [open(&vm)?, open(&vcpu)?] {
        let stats = Stats::new(fd)?;
        let mut values = stats.buffer();
        stats.read(&mut values)?;
        for (statistic, values) in values.iter() {
            println!("{} {values:?}", statistic.name());
        }
    }
    Ok(())
}
