//! Files given by one side and received by the other.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests"
)]

mod pair;

use std::os::fd::{AsFd, OwnedFd};

use kvm_stats::{FileKind, Stats, identify, open};
use pair::{next, pair, sealed};
use stats_handover::receive::{Message, Packet, ReceiveError, Statement, peek_sender};
use stats_handover::{Error, Handover};

const UUID: &str = "4f9f0a2e-9b5c-4b7e-8a55-0d6f3f6f2f11";

/// Returns the text of a packet.
fn text(packet: &Packet) -> &str {
    str::from_utf8(&packet.text).unwrap()
}

fn message(packet: &Packet) -> Message<'_> {
    Message::parse(&packet.text, packet.files.len()).unwrap()
}

/// Returns the first value of a statistics file.
fn first_value(file: &OwnedFd) -> u64 {
    let stats = Stats::new(file.try_clone().unwrap()).unwrap();
    let mut values = stats.buffer();
    stats.read(&mut values).unwrap();
    values.iter().next().unwrap().1[0]
}

#[test]
fn packet_has_every_field_when_a_vm_is_given() {
    let (theirs, ours) = pair();
    let mut handover = Handover::new("vm 1").unwrap();
    handover.set_uuid(UUID).unwrap();
    handover.add_object("block", "/disk0", sealed(3)).unwrap();
    handover.add_vcpu_fd(1, "/cpu 1", sealed(11)).unwrap();
    handover.add_vcpu_fd(0, "/cpu 0", sealed(10)).unwrap();
    handover.set_vm_fd(sealed(1)).unwrap();
    assert!(handover.connection().is_none());
    handover.give(theirs).unwrap();
    assert!(handover.connection().is_some());

    let sender = peek_sender(ours.as_fd()).unwrap().unwrap();
    let packet = next(&ours);
    assert_eq!(packet.sender, Some(sender));
    assert_eq!(sender.pid, i32::try_from(std::process::id()).ok());
    assert_eq!(sender.uid, rustix::process::getuid().as_raw());
    let expected = format!(
        "stats-handover/1\nname vm 1\nuuid {UUID}\nvm\nvcpu 0 /cpu 0\nvcpu 1 /cpu 1\nobject \
         block /disk0\n"
    );
    assert_eq!(text(&packet), expected);
    let values: Vec<_> = packet.files.iter().map(first_value).collect();
    assert_eq!(values, [1, 10, 11, 3]);
    let message = message(&packet);
    assert!(message.is_complete);
    assert_eq!(
        message.statements,
        [
            Statement::Name("vm 1"),
            Statement::Uuid(UUID),
            Statement::Vm { file: 0 },
            Statement::Vcpu {
                index: 0,
                path: "/cpu 0",
                file: 1
            },
            Statement::Vcpu {
                index: 1,
                path: "/cpu 1",
                file: 2
            },
            Statement::Object {
                provider: "block",
                path: "/disk0",
                file: 3
            },
        ]
    );
    for file in &packet.files {
        assert_eq!(identify(file), Ok(FileKind::Sealed));
    }
}

#[test]
fn changes_are_sent_at_once_when_the_state_was_given() {
    let (theirs, ours) = pair();
    let mut handover = Handover::new("vm").unwrap();
    handover.add_vcpu_fd(0, "/cpu0", sealed(1)).unwrap();
    handover.give(theirs).unwrap();
    assert_eq!(next(&ours).files.len(), 1);
    assert_eq!(
        Packet::receive(ours.as_fd()).unwrap_err(),
        ReceiveError::WouldBlock
    );

    handover.add_vcpu_fd(1, "/cpu1", sealed(2)).unwrap();
    handover.add_vcpu_fd(1, "/cpu1-b", sealed(3)).unwrap();
    handover.remove_vcpu(0).unwrap();
    handover.set_vm_fd(sealed(4)).unwrap();
    handover.remove_vm().unwrap();
    handover.add_object("net", "/nic 0", sealed(5)).unwrap();
    handover.remove_object("net", "/nic 0").unwrap();
    for (line, files) in [
        ("vcpu 1 /cpu1", 1),
        ("vcpu 1 /cpu1-b", 1),
        ("remove vcpu 0", 0),
        ("vm", 1),
        ("remove vm", 0),
        ("object net /nic 0", 1),
        ("remove object net /nic 0", 0),
    ] {
        let packet = next(&ours);
        assert_eq!(text(&packet), format!("stats-handover/1\n{line}\n"));
        assert_eq!(packet.files.len(), files);
        assert!(message(&packet).is_complete);
    }

    // The receiver restarts: it gets what is left.
    let (theirs, ours_again) = pair();
    handover.give(theirs).unwrap();
    let packet = next(&ours_again);
    assert_eq!(text(&packet), "stats-handover/1\nname vm\nvcpu 1 /cpu1-b\n");
    assert_eq!(first_value(&packet.files[0]), 3);
    assert!(Packet::receive(ours.as_fd()).unwrap().is_none());
    assert_eq!(peek_sender(ours.as_fd()), Ok(None));
    handover.end();
    assert!(Packet::receive(ours_again.as_fd()).unwrap().is_none());
}

#[test]
fn state_is_kept_when_the_receiver_has_gone() {
    let (theirs, ours) = pair();
    let mut handover = Handover::new("vm").unwrap();
    handover.give(theirs).unwrap();
    drop(ours);
    let error = handover.add_vcpu_fd(0, "/cpu0", sealed(1)).unwrap_err();
    assert!(matches!(error, Error::Send { .. }), "{error}");
    assert!(error.to_string().contains("its log"), "{error}");
    assert!(handover.connection().is_none());
    // Nothing is sent, and nothing is lost, before the next hand-over.
    handover.add_vcpu_fd(1, "/cpu1", sealed(2)).unwrap();
    let (theirs, ours) = pair();
    handover.give(theirs).unwrap();
    assert_eq!(next(&ours).files.len(), 2);
}

#[test]
fn packets_are_divided_when_files_or_text_exceed_one() {
    for (count, path_size, packets) in [
        (1, 10, 1),
        (253, 10, 1),
        (254, 10, 2),
        (1025, 40, 5),
        // 245 lines of 266 bytes and less fill a packet.
        (500, 255, 3),
    ] {
        // The table of descriptors has room for as many.
        let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
        rustix::process::setrlimit(
            rustix::process::Resource::Nofile,
            rustix::process::Rlimit {
                current: limit.maximum,
                ..limit
            },
        )
        .unwrap();
        let (theirs, ours) = pair();
        let mut handover = Handover::new("vm").unwrap();
        let file = sealed(7);
        for index in 0..count {
            let path = format!("/{index:0>width$}", width = path_size - 1);
            let file = file.try_clone().unwrap();
            handover.add_vcpu_fd(index, &path, file).unwrap();
        }
        handover.give(theirs).unwrap();
        let mut indexes = Vec::new();
        for number in 1..=packets {
            let packet = next(&ours);
            let message = message(&packet);
            assert_eq!(message.is_complete, number == packets, "{count}");
            for statement in &message.statements {
                if let Statement::Vcpu { index, .. } = statement {
                    indexes.push(*index);
                }
            }
        }
        assert_eq!(indexes, (0..count).collect::<Vec<_>>());
        assert_eq!(
            Packet::receive(ours.as_fd()).unwrap_err(),
            ReceiveError::WouldBlock
        );
    }
}

#[test]
fn files_of_kvm_are_received_when_a_real_vm_is_given() {
    let kvm = match kvm_ioctls::Kvm::new() {
        Ok(kvm) => kvm,
        Err(error) => {
            skip::because(format_args!("/dev/kvm cannot be opened: {error}"));
            return;
        }
    };
    let vm = kvm.create_vm().unwrap();
    let vcpus = [3, 1].map(|id| vm.create_vcpu(id).unwrap());
    let (theirs, ours) = pair();
    let mut handover = Handover::new("vm").unwrap();
    handover.set_vm(&vm).unwrap();
    for (index, vcpu) in (0..).zip(&vcpus) {
        let path = format!("/machine/cpu[{index}]");
        handover.add_vcpu(index, &path, vcpu).unwrap();
    }
    handover.give(theirs).unwrap();
    let packet = next(&ours);
    let kinds: Vec<_> = packet.files.iter().map(identify).collect();
    assert_eq!(
        kinds,
        [
            Ok(FileKind::VmStats),
            Ok(FileKind::VcpuStats(3)),
            Ok(FileKind::VcpuStats(1))
        ]
    );
    for file in packet.files {
        Stats::new(file).unwrap();
    }
    let error = handover.set_vm(&kvm).unwrap_err();
    assert!(error.to_string().contains("vm: KVM stats: fd"), "{error}");
    assert!(open(&kvm).is_err());
}

#[test]
fn fields_are_refused_by_name_when_their_text_is_not_valid() {
    let error = Handover::new("a\nb").unwrap_err().to_string();
    assert_eq!(
        error,
        "hand-over of statistics: the name \"a\\nb\" has a control character"
    );
    let mut handover = Handover::new("vm").unwrap();
    for (error, expected) in [
        (handover.set_uuid("x").unwrap_err(), "the uuid \"x\" is not"),
        (
            handover.add_vcpu_fd(4096, "/", sealed(0)).unwrap_err(),
            "the index 4096 of a vCPU exceeds 4095",
        ),
        (
            handover.add_vcpu_fd(0, "", sealed(0)).unwrap_err(),
            "the vCPU's path \"\" is empty",
        ),
        (
            handover.add_object("kvm", "/", sealed(0)).unwrap_err(),
            "the provider's name \"kvm\" is reserved",
        ),
        (
            handover.add_object("net", "\t", sealed(0)).unwrap_err(),
            "the object's path \"\\t\" has a control character",
        ),
        (
            handover.remove_vcpu(3).unwrap_err(),
            "vcpu 3 cannot be removed: it was not added",
        ),
    ] {
        assert!(error.to_string().contains(expected), "{error}");
    }
    handover.add_vcpu_fd(0, "/a b", sealed(0)).unwrap();
    handover.add_vcpu_fd(1, "b", sealed(0)).unwrap();
    let error = handover.add_vcpu_fd(2, "/a b", sealed(0)).unwrap_err();
    assert!(matches!(error, Error::PathTaken { .. }), "{error}");
    handover.add_vcpu_fd(0, "/a b", sealed(0)).unwrap();
}
