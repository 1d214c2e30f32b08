//! `vmstats adopt --list`: what could be adopted, without adopting.
//!
//! In: processes. Out: one table, or one line of JSON for each.

use std::io::Write;

use super::process::{COMMAND_LINE_TIMEOUT, SharedInode};
use super::qemu::Qemu;
use super::take::Files;
use super::why_not::{NO_VM_STATISTICS, WhyNot};
use crate::failure::Failure;
use crate::printable::json_string;
use crate::table::{columns, print, right_align, wrap_last_column};

const COLUMNS: [&str; 5] = ["PID", "NAME", "UUID", "VCPUS", "WHY NOT"];

/// A process, and what it would give.
pub(super) struct Row {
    qemu: Qemu,
    outcome: Result<Files, WhyNot>,
}

impl Row {
    /// Looks at a process, and takes its files for a moment, because only taking the
    /// files shows that the kernel permits it. Returns `None` if the process has ended
    /// or is not a QEMU.
    pub(super) fn of(mut qemu: Qemu, inode: &SharedInode, is_old_kernel: bool) -> Option<Self> {
        // A process whose command line does not come has the name qemu-PID.
        let _ = qemu.identify(COMMAND_LINE_TIMEOUT);
        let outcome = match qemu.list(inode) {
            Ok(_) if is_old_kernel => Err(WhyNot::OldKernel),
            list => list.and_then(|list| qemu.take(&list)),
        };
        let is_told = { outcome.as_ref().err() }.is_none_or(|why| qemu.is_worth_telling(why));
        is_told.then_some(Self { qemu, outcome })
    }

    fn vcpus(&self) -> usize {
        self.outcome.as_ref().map_or(0, |files| files.vcpus.len())
    }

    fn why_not(&self) -> String {
        match &self.outcome {
            Ok(files) if files.vm.is_some() => String::new(),
            Ok(_) => NO_VM_STATISTICS.to_owned(),
            Err(why_not) => why_not.to_string(),
        }
    }

    fn json(&self) -> String {
        let text = |text: &str| match text {
            "" => "null".to_owned(),
            text => json_string(text),
        };
        format!(
            "{{\"pid\":{},\"name\":{},\"uuid\":{},\"vcpus\":{},\"why-not\":{}}}",
            self.qemu.pid,
            json_string(&self.qemu.name),
            text(self.qemu.uuid.as_deref().unwrap_or_default()),
            self.vcpus(),
            text(&self.why_not())
        )
    }
}

/// Prints the rows as a table, or as lines of JSON.
pub(super) fn show(rows: &[Row], as_json: bool, out: &mut dyn Write) -> Result<(), Failure> {
    if as_json {
        for row in rows {
            writeln!(out, "{}", row.json())?;
        }
        return Ok(());
    }
    let mut table = columns(&COLUMNS);
    for row in rows {
        table.add_row([
            row.qemu.pid.to_string(),
            row.qemu.name.clone(),
            row.qemu.uuid.clone().unwrap_or_else(|| "-".to_owned()),
            row.vcpus().to_string(),
            row.why_not(),
        ]);
    }
    right_align(&mut table, 0);
    right_align(&mut table, 3);
    wrap_last_column(&mut table);
    print(out, &table)?;
    Ok(())
}
