//! The side of the VMM: its files, and the connection on which they are given.
//!
//! In: a VM's name, files and changes. Out: packets on a socket, each by one
//! sendmsg(2).

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::io::Errno;
use rustix::net::{
    AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect as connect_socket, socket_with,
    sockopt,
};

use crate::error::Error;
use crate::grammar::{check_name, check_uuid};
use crate::packet::OutgoingPacket;
use crate::state::{Entry, Object, State, checked};

/// The size of a socket's buffer that [`connect`] asks for: enough for the longest
/// names of 4,096 vCPUs. The kernel gives less if `net.core.wmem_max` is less.
const SEND_BUFFER_SIZE: usize = 2 * 1024 * 1024;

/// The statistics files of one VM, which a VMM gives to another process.
///
/// Add the files first, then [`give`](Self::give). Every later change is sent at once,
/// in one packet. The value keeps all files open, so that it can give them again when
/// the receiver has restarted. Dropping the value ends the hand-over: the receiver
/// forgets the VM.
///
/// A call after `give` sends without waiting and makes no system call but `sendmsg`, and
/// `close` for a file that it replaces or removes; [`add_vcpu`](Self::add_vcpu) and
/// [`set_vm`](Self::set_vm) open a file before that. Giving and removing allocate
/// nothing. Adding allocates nothing while the room that [`reserve`](Self::reserve) made
/// lasts.
///
/// If sending fails, the connection is closed and the change is kept. The VM is not
/// disturbed, and a later `give` with a new connection gives everything.
#[derive(Debug)]
pub struct Handover {
    /// The statement of the name, with its end.
    name: String,
    /// The statement of the UUID, with its end.
    uuid: String,
    state: State,
    socket: Option<OwnedFd>,
}

impl Handover {
    /// Makes a hand-over of the VM of that name.
    ///
    /// # Errors
    ///
    /// Returns [`Error::OldKernel`] on kernels before Linux 6.5, see
    /// [`kvm_stats::keeps_vm_alive`], and [`Error::Text`] if the name is not valid.
    pub fn new(name: &str) -> Result<Self, Error> {
        Self::on_kernel(kvm_stats::keeps_vm_alive(), name)
    }

    fn on_kernel(keeps_vm_alive: bool, name: &str) -> Result<Self, Error> {
        if !keeps_vm_alive {
            return Err(Error::OldKernel);
        }
        checked("name", name, check_name)?;
        Ok(Self {
            name: format!("name {name}\n"),
            uuid: String::new(),
            state: State::default(),
            socket: None,
        })
    }

    /// Sets the UUID of the VM, which the next [`give`](Self::give) sends.
    ///
    /// # Errors
    ///
    /// Returns [`Error::Text`] if the text is not a UUID with hyphens.
    pub fn set_uuid(&mut self, uuid: &str) -> Result<(), Error> {
        checked("uuid", uuid, check_uuid)?;
        self.uuid = format!("uuid {uuid}\n");
        Ok(())
    }

    /// Opens the statistics of the VM, and adds their file.
    ///
    /// # Errors
    ///
    /// Returns [`Error::Open`] as [`kvm_stats::open`] does, and otherwise as
    /// [`set_vm_fd`](Self::set_vm_fd).
    pub fn set_vm(&mut self, vm: &impl AsRawFd) -> Result<(), Error> {
        let file = open(vm, Object::Vm)?;
        self.set_vm_fd(file)
    }

    /// Adds the file of the VM's statistics, which
    /// [`kvm_stats::open`](kvm_stats::open()) opened, or, in a jail without `/proc`,
    /// [`kvm_stats::open_unchecked`].
    ///
    /// This call does not check the file, which would take a system call; the receiver
    /// closes the connection if the file is of another kind.
    ///
    /// # Errors
    ///
    /// Returns [`Error::Send`] if the state was given and the change cannot be sent.
    pub fn set_vm_fd(&mut self, file: OwnedFd) -> Result<(), Error> {
        self.insert(Object::Vm, None, file)
    }

    /// Opens the statistics of a vCPU, and adds their file: before the vCPU runs for the
    /// first time, see [`kvm_stats::open`].
    ///
    /// The index is the one by which the VMM's users know the vCPU, and the path is that
    /// of its object, such as `/machine/cpu[0]`. If the index has a file, it is replaced.
    ///
    /// # Errors
    ///
    /// Returns [`Error::Open`] as [`kvm_stats::open`] does, and otherwise as
    /// [`add_vcpu_fd`](Self::add_vcpu_fd).
    pub fn add_vcpu(&mut self, index: u32, path: &str, vcpu: &impl AsRawFd) -> Result<(), Error> {
        let file = open(vcpu, Object::Vcpu(index))?;
        self.add_vcpu_fd(index, path, file)
    }

    /// Adds the file of a vCPU's statistics, see [`set_vm_fd`](Self::set_vm_fd) and
    /// [`add_vcpu`](Self::add_vcpu).
    ///
    /// # Errors
    ///
    /// Returns [`Error::Index`], [`Error::Text`] or [`Error::PathTaken`] if the index or
    /// the path is not valid, and [`Error::Send`] if the state was given and the change
    /// cannot be sent.
    pub fn add_vcpu_fd(&mut self, index: u32, path: &str, file: OwnedFd) -> Result<(), Error> {
        self.insert(Object::Vcpu(index), Some(path), file)
    }

    /// Adds a file in the kernel's format with the statistics of another object, such as
    /// a device: the file of a [`kvm_stats::Writer`], or another sealed memfd.
    ///
    /// Receivers show the statistics under a provider and a target that both have the
    /// name `provider`. If the provider's object has a file, it is replaced.
    ///
    /// # Errors
    ///
    /// Returns [`Error::Text`] if the provider's name or the path is not valid, and
    /// [`Error::Send`] if the state was given and the change cannot be sent.
    pub fn add_object(&mut self, provider: &str, path: &str, file: OwnedFd) -> Result<(), Error> {
        self.insert(Object::Other { provider, path }, None, file)
    }

    /// Adds a pidfd of the VM's process, if that is not the calling process.
    ///
    /// # Errors
    ///
    /// Returns [`Error::Send`] if the state was given and the change cannot be sent.
    pub fn set_process(&mut self, pidfd: OwnedFd) -> Result<(), Error> {
        self.insert(Object::Process, None, pidfd)
    }

    /// Allocates room for as many files more, so that adding them allocates nothing.
    pub fn reserve(&mut self, files: usize) {
        self.state.reserve(files);
    }

    /// Removes the file of the VM's statistics.
    ///
    /// # Errors
    ///
    /// Returns [`Error::Absent`] if the VM has no file, and [`Error::Send`] if the state
    /// was given and the change cannot be sent.
    pub fn remove_vm(&mut self) -> Result<(), Error> {
        self.remove(Object::Vm)
    }

    /// Removes the file of a vCPU.
    ///
    /// # Errors
    ///
    /// Returns [`Error::Absent`] if the vCPU has no file, and [`Error::Send`] if the state
    /// was given and the change cannot be sent.
    pub fn remove_vcpu(&mut self, index: u32) -> Result<(), Error> {
        self.remove(Object::Vcpu(index))
    }

    /// Removes the file of another object.
    ///
    /// # Errors
    ///
    /// Returns [`Error::Absent`] if the object has no file, and [`Error::Send`] if the
    /// state was given and the change cannot be sent.
    pub fn remove_object(&mut self, provider: &str, path: &str) -> Result<(), Error> {
        self.remove(Object::Other { provider, path })
    }

    /// Gives all files on a socket: a Unix socket of type `SOCK_SEQPACKET` that is
    /// connected to the receiver, as [`connect`] makes it, or inherited from the
    /// launcher. An earlier connection is closed.
    ///
    /// # Errors
    ///
    /// Returns [`Error::Send`] if the kernel refuses to send; the socket is closed then.
    pub fn give(&mut self, socket: OwnedFd) -> Result<(), Error> {
        self.socket = None;
        self.send_all(socket.as_fd()).map_err(send_error)?;
        self.socket = Some(socket);
        Ok(())
    }

    /// Closes the connection, so that the receiver forgets the VM. The files stay open
    /// here.
    pub fn end(&mut self) {
        self.socket = None;
    }

    /// Returns the connection, or `None` if the state was not given, or sending failed.
    ///
    /// The receiver never writes. The socket is readable when the receiver has closed
    /// its end: then give again on a new connection.
    #[must_use]
    pub fn connection(&self) -> Option<BorrowedFd<'_>> {
        self.socket.as_ref().map(OwnedFd::as_fd)
    }

    fn send_all(&self, socket: BorrowedFd<'_>) -> Result<(), Errno> {
        let mut packet = OutgoingPacket::new(socket);
        packet.text(&self.name);
        packet.text(&self.uuid);
        for entry in self.state.entries() {
            packet.statement(entry.line(), entry.file())?;
        }
        packet.send()
    }

    fn insert(
        &mut self,
        object: Object<'_>,
        vcpu_path: Option<&str>,
        file: OwnedFd,
    ) -> Result<(), Error> {
        let entry = self.state.insert(object, vcpu_path, file)?;
        let Some(socket) = &self.socket else {
            return Ok(());
        };
        let mut packet = OutgoingPacket::new(socket.as_fd());
        let sent = packet
            .statement(entry.line(), entry.file())
            .and_then(|()| packet.send());
        self.end_if_failed(sent)
    }

    fn remove(&mut self, object: Object<'_>) -> Result<(), Error> {
        let socket = self.socket.as_ref().map(OwnedFd::as_fd);
        let send = |entry: &Entry| {
            let Some(socket) = socket else { return Ok(()) };
            let mut packet = OutgoingPacket::new(socket);
            packet.text("remove ");
            packet.text(entry.name());
            packet.text("\n");
            packet.send()
        };
        let sent = self.state.remove(object, send)?;
        self.end_if_failed(sent)
    }

    /// Closes the connection if a packet was lost, because the receiver would otherwise
    /// have another state.
    fn end_if_failed(&mut self, sent: Result<(), Errno>) -> Result<(), Error> {
        if sent.is_err() {
            self.socket = None;
        }
        sent.map_err(send_error)
    }
}

fn open(object: &impl AsRawFd, named: Object<'_>) -> Result<OwnedFd, Error> {
    kvm_stats::open(object).map_err(|source| Error::Open {
        object: named.to_string(),
        source,
    })
}

fn send_error(errno: Errno) -> Error {
    Error::Send {
        errno: errno.raw_os_error(),
    }
}

/// Connects to the receiver that listens at a path, with a socket for
/// [`Handover::give`].
///
/// # Errors
///
/// Returns [`Error::Connect`] if no receiver listens there, or may not be reached.
pub fn connect(path: impl AsRef<Path>) -> Result<OwnedFd, Error> {
    let path = path.as_ref();
    connected(path).map_err(|errno| Error::Connect {
        path: path.to_string_lossy().into_owned(),
        errno: errno.raw_os_error(),
    })
}

fn connected(path: &Path) -> Result<OwnedFd, Errno> {
    let address = SocketAddrUnix::new(path)?;
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)?;
    // The kernel clamps the size to net.core.wmem_max and does not fail.
    sockopt::set_socket_send_buffer_size(&socket, SEND_BUFFER_SIZE)?;
    connect_socket(&socket, &address)?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hand_over_is_refused_when_the_kernel_frees_vms_too_early() {
        let error = Handover::on_kernel(false, "vm").unwrap_err();
        assert_eq!(error, Error::OldKernel);
        let text = error.to_string();
        assert!(text.contains("before Linux 6.5"), "{text}");
        assert!(text.contains("freed memory"), "{text}");
    }
}
