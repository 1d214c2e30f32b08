//! Records the demo guest's statistics files: how `vmstats/recorded` was made.
//!
//!     cargo run --release -p demo-guest --example record_guest -- vmstats/recorded

use std::path::PathBuf;
use std::time::Duration;
use std::{env, fs, thread};

use demo_guest::{Guest, GuestConfig};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = PathBuf::from(env::args_os().nth(1).ok_or("expected a folder")?);
    let guest = Guest::boot(GuestConfig {
        vcpus: 1,
        running: 1,
    })?;
    thread::sleep(Duration::from_secs(3));
    let recording = guest.provider().record()?;
    guest.stop()?;
    fs::create_dir_all(&folder)?;
    if let Some(vm) = recording.vm {
        fs::write(folder.join("vm.bin"), vm)?;
    }
    for (index, (_, vcpu)) in recording.vcpus.into_iter().enumerate() {
        fs::write(folder.join(format!("vcpu{index}.bin")), vcpu)?;
    }
    Ok(())
}
