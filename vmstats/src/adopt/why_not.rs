//! The reasons why statistics of a QEMU cannot be had.
//!
//! In: what a scan found. Out: one line of text that says what helps. This file reads no
//! file.

use std::fmt;

use rustix::io::Errno;

/// The statistics that are missing even of a QEMU whose vCPUs are adopted, and the reason.
pub(super) const NO_VM_STATISTICS: &str =
    "no statistics of the whole VM: QEMU opens their file only while it answers query-stats";

/// The reason why a process gives no statistics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum WhyNot {
    /// The running kernel frees a VM although its statistics files are open.
    OldKernel,
    /// The process has a VM, but keeps no statistics file open.
    NoFiles,
    /// The process has no VM of KVM's.
    NoKvm,
    /// The process has a VM without vCPUs, and may be starting.
    NoVcpus,
    /// The kernel does not let this process look at the files of the other one, or take them.
    NotPermitted(Errno),
    /// The process has closed a file since its files were listed.
    Changed {
        /// The number of the file in the process.
        fd: i32,
    },
    /// A statistics file that is not as Linux writes it.
    Unreadable {
        /// The reason.
        reason: String,
    },
    /// The number of a vCPU is too high for the protocol of hand-overs.
    VcpuIndex {
        /// The number.
        index: u32,
    },
    /// The command line was not read in time.
    SlowCommandLine,
    /// This process may not have more open files.
    TooManyFiles,
    /// The process is not a QEMU.
    NotQemu {
        /// The name of its program.
        program: String,
    },
    /// The process has ended.
    Ended,
    /// Any other refusal of the kernel.
    Failed {
        /// The action that failed.
        action: &'static str,
        /// The kernel's reason.
        errno: Errno,
    },
}

impl WhyNot {
    /// Sorts an error of the kernel.
    pub(super) fn of(action: &'static str, errno: Errno) -> Self {
        match errno {
            Errno::PERM | Errno::ACCESS => Self::NotPermitted(errno),
            Errno::SRCH | Errno::NOENT => Self::Ended,
            Errno::MFILE | Errno::NFILE => Self::TooManyFiles,
            _ => Self::Failed { action, errno },
        }
    }

    /// Returns whether a process that is starting may have the statistics soon.
    pub(super) fn may_pass(&self) -> bool {
        matches!(
            self,
            Self::NoFiles | Self::NoKvm | Self::NoVcpus | Self::Changed { .. }
        )
    }
}

impl fmt::Display for WhyNot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OldKernel => f.write_str(
                "kernels before Linux 6.5 free a VM although its statistics files are open, so \
                 that reading an adopted file would read freed memory of the kernel: use a newer \
                 kernel, or ask QEMU's monitor",
            ),
            Self::NoFiles => f.write_str(
                "QEMU keeps no statistics file open: it is older than 8.1; ask its monitor instead",
            ),
            Self::NoKvm => f.write_str(
                "QEMU keeps no statistics file open: it has no KVM (TCG or another accelerator)",
            ),
            Self::NoVcpus => f.write_str("QEMU has made no vCPU yet"),
            Self::NotPermitted(errno) => write!(
                f,
                "not permitted ({errno}): CAP_SYS_PTRACE is needed in the user namespace of the \
                 QEMU; without it, only QEMUs of the same user can be adopted, and only if \
                 kernel.yama.ptrace_scope is 0; SELinux and AppArmor may refuse it too"
            ),
            Self::Changed { fd } => write!(f, "the process has closed its file {fd} meanwhile"),
            Self::Unreadable { reason } => {
                write!(f, "statistics cannot be handed over: {reason}")
            }
            Self::VcpuIndex { index } => write!(
                f,
                "the vCPU {index} has a number above {}, which hand-overs do not take",
                stats_handover::VCPU_INDEX_MAX
            ),
            Self::SlowCommandLine => f.write_str(
                "the kernel did not return the command line of the process within a second, so the VM \
                 is called qemu-PID",
            ),
            Self::TooManyFiles => f.write_str(
                "this process has too many open files: raise its limit (LimitNOFILE= of its unit)",
            ),
            Self::NotQemu { program } => write!(f, "not a QEMU: its program is {program}"),
            Self::Ended => f.write_str("the process has ended"),
            Self::Failed { action, errno } => write!(f, "{action} failed: {errno}"),
        }
    }
}
