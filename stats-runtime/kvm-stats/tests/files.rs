//! Files of KVM and of a writer, opened and read.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::fs::File;
use std::io::{Seek, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::thread;

use kvm_ioctls::Kvm;
use kvm_stats::{
    Base, Error, FileKind, Image, ImageBuilder, ImageStat, Kind, Stats, Unit, Writer, identify,
    open, open_unchecked, record, supports, warnings,
};
use rustix::fs::{
    CWD, MemfdFlags, Mode, SealFlags, fcntl_add_seals, fcntl_get_seals, memfd_create, mkfifoat,
};

fn kvm() -> Option<Kvm> {
    match Kvm::new() {
        Ok(kvm) => Some(kvm),
        Err(error) => {
            skip::because(format_args!("/dev/kvm cannot be opened: {error}"));
            None
        }
    }
}

#[test]
fn vm_and_vcpu_are_opened_whatever_type_their_fds_have() {
    let Some(kvm) = kvm() else { return };
    assert!(supports(&kvm).unwrap());
    let vm = kvm.create_vm().unwrap();
    let vcpu = vm.create_vcpu(3).unwrap();
    let stats = Stats::new(open(&vcpu).unwrap()).unwrap();
    let exits = stats.find("exits").unwrap();
    assert_eq!(stats.find("no_such_statistic"), None);
    let mut values = stats.buffer();
    assert_eq!(values[exits], [0]);
    stats.read(&mut values).unwrap();
    assert_eq!(values[exits], [0]);
    let copy = Image::read(&record(&stats).unwrap()).unwrap();
    assert!(copy.is_vcpu());
    assert_eq!(copy.values("exits"), Some(&[0][..]));

    // SAFETY: kvm-ioctls opened the fd.
    #[allow(unsafe_code, reason = "this is what is tested")]
    let unchecked = unsafe { open_unchecked(&vm) }.unwrap();
    let owned: OwnedFd = unchecked;
    assert!(
        Stats::new(owned)
            .unwrap()
            .find("remote_tlb_flush")
            .is_some()
    );
}

#[test]
fn other_fds_are_refused_by_what_they_are() {
    let file = tempfile::tempfile().unwrap();
    let null = File::open("/dev/null").unwrap();
    for fd in [file.as_raw_fd(), null.as_raw_fd()] {
        let error = open(&fd).unwrap_err();
        assert!(matches!(error, Error::NotKvm { .. }), "{error}");
        assert_eq!(error.errno(), None);
    }
    let error = open(&-1).unwrap_err();
    assert!(matches!(error, Error::Unchecked { .. }), "{error}");
    assert!(matches!(supports(&null), Err(Error::Ioctl { .. })));
    let Some(kvm) = kvm() else { return };
    let error = open(&kvm).unwrap_err();
    assert!(
        error
            .to_string()
            .ends_with("neither a VM nor a vCPU but /dev/kvm"),
        "{error}"
    );
}

#[test]
fn values_are_read_again_into_the_same_buffer_when_they_are_unaligned() {
    let image = |value: u64| {
        ImageBuilder::new("kvm-1")
            .stat(ImageStat::new("a", 0, 0, [value]).at(3))
            .stat(ImageStat::new("h", Kind::Log2Histogram.flag(), 0, [1, value]).at(24))
            .build()
    };
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(&image(7)).unwrap();
    let stats = Stats::new(file.try_clone().unwrap().into()).unwrap();
    let (a, h) = (stats.find("a").unwrap(), stats.find("h").unwrap());
    let mut values = stats.buffer();
    assert_eq!(values[h], [0, 0]);
    for value in [7, u64::MAX] {
        file.rewind().unwrap();
        file.write_all(&image(value)).unwrap();
        stats.read(&mut values).unwrap();
        assert_eq!((&values[a], &values[h]), (&[value][..], &[1, value][..]));
    }
    file.set_len(30).unwrap();
    assert!(matches!(
        stats.read(&mut values),
        Err(Error::ShortRead { .. })
    ));
}

#[test]
fn file_of_a_writer_is_one_of_the_kernels_format_and_keeps_its_length() {
    let writer = Writer::builder("block-disk0")
        .counter("reads")
        .scalar("depth_max", Kind::Peak, Unit::None, (Base::Pow10, 0))
        .scalar("bytes", Kind::Cumulative, Unit::Bytes, (Base::Pow2, 9))
        .log2_histogram("latency", Unit::Seconds, (Base::Pow10, -9), 4)
        .build()
        .unwrap();
    let bytes = record(&writer).unwrap();
    // The kernel's test wants an id of its own; nothing else is odd.
    assert_eq!(warnings(&bytes).unwrap().len(), 1);
    let sealed = SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL | SealFlags::FUTURE_WRITE;
    assert_eq!(fcntl_get_seals(&writer).unwrap(), sealed);
    assert!(rustix::fs::ftruncate(&writer, 10).is_err());
    assert!(rustix::io::pwrite(&writer, b"x", 0).is_err());

    let stats = Stats::new(writer.try_clone_fd().unwrap()).unwrap();
    let depth = writer.counter("depth_max").unwrap();
    depth.raise(9);
    depth.raise(2);
    writer.counter("bytes").unwrap().set(512);
    let latency = writer.counter("latency").unwrap();
    for value in [0, 1, 2, 3, 4, u64::MAX] {
        latency.observe(value);
    }
    let mut values = stats.buffer();
    stats.read(&mut values).unwrap();
    let all: Vec<_> = values.iter().map(|(s, v)| (s.name(), v.to_vec())).collect();
    assert_eq!(
        all,
        [
            ("reads", vec![0]),
            ("depth_max", vec![9]),
            ("bytes", vec![512]),
            ("latency", vec![1, 1, 2, 2]),
        ]
    );
    assert!(writer.counter("writes").is_none());
}

#[test]
fn counter_loses_nothing_when_many_threads_add() {
    let writer = Writer::builder("x").counter("n").build().unwrap();
    let n = writer.counter("n").unwrap();
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..10_000).for_each(|_| n.add(1)));
        }
    });
    // The file lives on in a reader's hands when its writer has gone.
    let stats = Stats::new(writer.try_clone_fd().unwrap()).unwrap();
    drop((writer, n));
    let mut values = stats.buffer();
    stats.read(&mut values).unwrap();
    assert_eq!(values[stats.find("n").unwrap()], [40_000]);
}

#[test]
fn writer_is_refused_when_no_reader_could_read_its_file() {
    let error = Writer::builder("x").build().unwrap_err();
    assert!(matches!(error, Error::Malformed(_)), "{error}");
    let error = Writer::builder("x")
        .counter("n".repeat(600))
        .build()
        .unwrap_err();
    assert!(matches!(error, Error::Malformed(_)), "{error}");
}

#[test]
fn file_is_identified_when_its_file_system_is_not_asked() {
    let writer = Writer::builder("x").counter("n").build().unwrap();
    assert_eq!(identify(&writer), Ok(FileKind::Sealed));
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    // A name cannot pretend, and a file that may still shrink is not sealed.
    let memfd = memfd_create("anon_inode:kvm-vm-stats", flags).unwrap();
    assert_eq!(identify(&memfd), Ok(FileKind::Other));
    fcntl_add_seals(&memfd, SealFlags::GROW).unwrap();
    assert_eq!(identify(&memfd), Ok(FileKind::Other));
    fcntl_add_seals(&memfd, SealFlags::SHRINK).unwrap();
    assert_eq!(identify(&memfd), Ok(FileKind::Sealed));

    let folder = tempfile::tempdir().unwrap();
    let fifo = folder.path().join("fifo");
    mkfifoat(CWD, &fifo, Mode::RUSR | Mode::WUSR).unwrap();
    let both = File::options().read(true).write(true).open(&fifo).unwrap();
    assert_eq!(identify(&both), Ok(FileKind::Other));
    let pretending = folder.path().join("anon_inode:kvm-vm-stats");
    assert_eq!(
        identify(File::create(pretending).unwrap()),
        Ok(FileKind::Other)
    );
    assert_eq!(
        identify(File::open(folder.path()).unwrap()),
        Ok(FileKind::Other)
    );
    assert_eq!(
        identify(File::open("/dev/null").unwrap()),
        Ok(FileKind::Other)
    );
    let (reader, _writer) = std::io::pipe().unwrap();
    assert_eq!(identify(&reader), Ok(FileKind::Other));
    // A link that is longer than the buffer.
    let deep = folder.path().join("d".repeat(200)).join("e".repeat(200));
    std::fs::create_dir_all(&deep).unwrap();
    assert_eq!(identify(File::open(&deep).unwrap()), Ok(FileKind::Other));

    let Some(kvm) = kvm() else { return };
    let vm = kvm.create_vm().unwrap();
    assert_eq!(identify(open(&vm).unwrap()), Ok(FileKind::VmStats));
    let vcpu = vm.create_vcpu(300).unwrap();
    assert_eq!(identify(open(&vcpu).unwrap()), Ok(FileKind::VcpuStats(300)));
}
