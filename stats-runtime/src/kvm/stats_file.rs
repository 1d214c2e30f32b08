//! An open statistics file, and the layout that it shares with others.
//!
//! In: fds. Out: a row of values for a sink. A statistics file knows neither its
//! object nor the other files of a query.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Weak};

use kvm_stats::{DataBlock, Header, Layout, read_descriptors};

use super::bounds::{LAYOUT_BYTES_MAX, LAYOUTS_MAX, SHARED_LAYOUT_BYTES_MAX, SHARED_LAYOUTS_MAX};
use super::described::DescribedLayout;
use super::error::Error;
use crate::lock::Lock;
use crate::provider::StatsSink;

/// The number of idle data blocks that are kept. As many queries can run at the
/// same time without allocating.
const IDLE_BLOCKS_MAX: usize = 16;

/// An open statistics file.
pub(super) struct StatsFile {
    pub(super) fd: OwnedFd,
    pub(super) compiled: Arc<CompiledLayout>,
}

/// The immutable part of a statistics file, compiled. All vCPUs of a VM share one.
pub(super) struct CompiledLayout {
    header: Header,
    descriptors: Box<[u8]>,
    pub(super) described: DescribedLayout,
}

impl CompiledLayout {
    /// Returns the most bytes that the layout takes.
    fn bytes(&self) -> usize {
        self.descriptors.len() + self.described.bytes()
    }
}

/// Refuses the layouts of one provider, its VM's among them, if they are too many or too
/// large.
///
/// # Errors
///
/// Returns [`Error::TooManyLayouts`] beyond [`LAYOUTS_MAX`], and
/// [`Error::LayoutsTooLarge`] beyond [`LAYOUT_BYTES_MAX`].
pub(super) fn check_layouts(
    layouts: &[Arc<CompiledLayout>],
    vm: Option<&StatsFile>,
) -> Result<(), Error> {
    if layouts.len() + usize::from(vm.is_some()) > LAYOUTS_MAX {
        return Err(Error::TooManyLayouts);
    }
    let all = layouts.iter().chain(vm.map(|vm| &vm.compiled));
    let bytes = all.map(|layout| layout.bytes()).sum();
    if bytes > LAYOUT_BYTES_MAX {
        return Err(Error::LayoutsTooLarge { bytes });
    }
    Ok(())
}

/// The compiled layouts and the idle buffers that statistics files share.
///
/// A layout takes some 5 KiB, so that 1,024 vCPUs would hold 5 MiB of equal
/// layouts without the cache. The price is a comparison of the descriptors when a
/// file is opened.
#[derive(Default)]
pub(super) struct LayoutCache {
    layouts: Lock<Vec<Weak<CompiledLayout>>>,
    /// The idle buffers, whose contents mean nothing.
    blocks: Lock<Vec<DataBlock>>,
}

impl LayoutCache {
    /// Reads the immutable part of the file, and compiles it unless an equal one is
    /// known.
    pub(super) fn open(&self, fd: OwnedFd) -> Result<StatsFile, Error> {
        let (header, descriptors) = read_descriptors(fd.as_fd())?;
        let same = |compiled: &Arc<CompiledLayout>| {
            compiled.header == header && compiled.descriptors == descriptors
        };
        let known = self
            .layouts
            .lock()
            .iter()
            .filter_map(Weak::upgrade)
            .find(same);
        let compiled = match known {
            Some(compiled) => compiled,
            None => {
                let layout =
                    Layout::parse(&header, &descriptors, None).map_err(kvm_stats::Error::from)?;
                let compiled = Arc::new(CompiledLayout {
                    header,
                    descriptors,
                    described: layout.into(),
                });
                let mut layouts = self.layouts.lock();
                // Two threads may compile equal layouts at the same time. Both
                // layouts are used then.
                layouts.retain(|compiled| compiled.strong_count() > 0);
                if layouts.len() >= SHARED_LAYOUTS_MAX {
                    return Err(Error::TooManyLayouts);
                }
                let others = layouts.iter().filter_map(Weak::upgrade);
                let bytes = others.map(|other| other.bytes()).sum::<usize>() + compiled.bytes();
                if bytes > SHARED_LAYOUT_BYTES_MAX {
                    return Err(Error::LayoutsTooLarge { bytes });
                }
                layouts.push(Arc::downgrade(&compiled));
                compiled
            }
        };
        Ok(StatsFile { fd, compiled })
    }

    /// Calls `read` with a buffer that no other query uses.
    pub(super) fn with_block<T>(&self, read: impl FnOnce(&mut DataBlock) -> T) -> T {
        let idle = || self.blocks.lock();
        let mut block = idle().pop().unwrap_or_default();
        let answer = read(&mut block);
        let mut idle = idle();
        if idle.len() < IDLE_BLOCKS_MAX {
            idle.push(block);
        }
        answer
    }
}

impl StatsFile {
    /// Reads the object's values and writes them as a row. Writes nothing if the
    /// read fails.
    #[allow(
        clippy::inline_always,
        reason = "entering the kernel clears the predictions of returns; without this function's \
                  `ret` a sweep of 64 vCPUs takes a quarter less"
    )]
    #[inline(always)]
    pub(super) fn query(
        &self,
        qom_path: Option<&str>,
        block: &mut DataBlock,
        sink: &mut dyn StatsSink,
    ) -> Result<(), Error> {
        let described = &self.compiled.described;
        described.layout.read(self.fd.as_fd(), block)?;
        described.write_row(qom_path, block, sink);
        Ok(())
    }
}
