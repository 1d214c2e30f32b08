//! Threads that read statistics ahead of the one that answers.
//!
//! In: a sweep of vCPUs. Out: blocks of values, which the thread that was asked
//! writes in order. They call no sink and know no query.
//!
//! A sweep is cut into parts. The thread that was asked begins with the first,
//! the readers with the last, and where they meet it goes on with what they have
//! read. A part that is not there when its turn comes it reads itself, so that
//! it never waits for them, and a sink sees what it would see without readers.

use std::io;
use std::num::NonZeroUsize;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread;

use super::error::Error;
use super::values::DataBlock;

/// Objects of a part, which take some microseconds.
const PART_LEN: usize = 16;

/// With fewer objects it does not pay: waking a reader costs some of what it
/// saves.
const OBJECTS_MIN: usize = 512;

/// How many sweeps may wait for a reader that is busy.
const SWEEPS_MAX: usize = 4;

/// How many parts' buffers are kept: those of 1,024 vCPUs.
const IDLE_PARTS_MAX: usize = 64;

/// Kept threads. They end when this is dropped.
pub(super) struct Readers {
    /// A way to tell each of a sweep. It does not keep the sweep alive: one
    /// that is over before a reader wakes is none of its concern.
    senders: Vec<SyncSender<Weak<dyn Work>>>,
    idle: Arc<Idle>,
}

/// Buffers that nobody uses.
#[derive(Default)]
struct Idle(Mutex<Vec<Vec<DataBlock>>>);

/// What a reader does.
trait Work: Send + Sync {
    /// Reads all parts that nobody else takes.
    fn work(&self);
}

impl Readers {
    /// Starts `count` threads.
    pub(super) fn start(count: NonZeroUsize) -> io::Result<Self> {
        let mut senders = Vec::new();
        for _ in 0..count.get() {
            let (sender, receiver) = mpsc::sync_channel(SWEEPS_MAX);
            thread::Builder::new()
                .name("stats-reader".to_owned())
                .spawn(move || read_sweeps(&receiver))?;
            senders.push(sender);
        }
        Ok(Self {
            senders,
            idle: Arc::default(),
        })
    }

    /// Reads `count` objects, by `read`, and has each written by `write`, all
    /// in their order; `block` is for what this thread reads. False, and
    /// nothing is done, if there are too few for this to pay.
    ///
    /// # Errors
    ///
    /// The first that either answers. What comes before it has been written.
    pub(super) fn sweep<R>(
        &self,
        count: usize,
        block: &mut DataBlock,
        read: R,
        mut write: impl FnMut(usize, &mut DataBlock) -> Result<(), Error>,
    ) -> Result<bool, Error>
    where
        R: Fn(usize, &mut DataBlock) -> Result<(), Error> + Send + Sync + 'static,
    {
        if count < OBJECTS_MIN {
            return Ok(false);
        }
        let sweep = Arc::new(Sweep {
            count,
            read,
            parts: (0..count.div_ceil(PART_LEN))
                .map(|_| Part::default())
                .collect(),
            idle: Arc::clone(&self.idle),
        });
        let work: Arc<dyn Work> = Arc::clone(&sweep) as Arc<dyn Work>;
        for sender in &self.senders {
            // One that is busy, or gone, is not waited for.
            let _ = sender.try_send(Arc::downgrade(&work));
        }
        let outcome = sweep.write(block, &mut write);
        // Should there have been an error, nobody wants the rest.
        for part in &sweep.parts {
            part.is_taken.store(true, Ordering::Relaxed);
        }
        outcome.map(|()| true)
    }
}

fn read_sweeps(sweeps: &Receiver<Weak<dyn Work>>) {
    while let Ok(sweep) = sweeps.recv() {
        if let Some(sweep) = sweep.upgrade() {
            sweep.work();
        }
    }
}

/// Objects that are being read.
struct Sweep<R> {
    /// How many there are.
    count: usize,
    read: R,
    parts: Box<[Part]>,
    idle: Arc<Idle>,
}

/// Some of them.
#[derive(Default)]
struct Part {
    /// Whether somebody reads it, or has.
    is_taken: AtomicBool,
    /// What a reader has read.
    read: Mutex<Option<Read>>,
}

/// As many blocks as could be read, and why there are no more.
struct Read {
    blocks: Vec<DataBlock>,
    outcome: Result<(), Error>,
}

impl<R> Sweep<R>
where
    R: Fn(usize, &mut DataBlock) -> Result<(), Error>,
{
    /// Writes all parts.
    fn write(
        &self,
        own: &mut DataBlock,
        write: &mut impl FnMut(usize, &mut DataBlock) -> Result<(), Error>,
    ) -> Result<(), Error> {
        for (index, part) in self.parts.iter().enumerate() {
            let read = if part.take() {
                None
            } else {
                part.read().take()
            };
            let Some(Read {
                mut blocks,
                outcome,
            }) = read
            else {
                for object in self.objects(index) {
                    (self.read)(object, own)?;
                    write(object, own)?;
                }
                continue;
            };
            for (object, block) in self.objects(index).zip(&mut blocks) {
                write(object, block)?;
            }
            self.idle.put(blocks);
            outcome?;
        }
        Ok(())
    }

    /// Reads a part, up to the first object that cannot be read.
    fn read_part(&self, part: usize) -> Read {
        let objects = self.objects(part);
        let mut blocks = self.idle.get();
        blocks.resize_with(objects.len(), DataBlock::default);
        let mut outcome = Ok(());
        let mut count = 0;
        for (object, block) in objects.zip(&mut blocks) {
            outcome = (self.read)(object, block);
            if outcome.is_err() {
                break;
            }
            count += 1;
        }
        blocks.truncate(count);
        Read { blocks, outcome }
    }

    /// Which objects a part has.
    fn objects(&self, part: usize) -> Range<usize> {
        let begin = part * PART_LEN;
        begin..(begin + PART_LEN).min(self.count)
    }
}

impl<R> Work for Sweep<R>
where
    R: Fn(usize, &mut DataBlock) -> Result<(), Error> + Send + Sync,
{
    fn work(&self) {
        for (index, part) in self.parts.iter().enumerate().rev() {
            if part.take() {
                let read = self.read_part(index);
                *part.read() = Some(read);
            }
        }
    }
}

impl Part {
    /// Whether nobody had taken it.
    fn take(&self) -> bool {
        !self.is_taken.swap(true, Ordering::Relaxed)
    }

    fn read(&self) -> MutexGuard<'_, Option<Read>> {
        self.read.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Idle {
    fn get(&self) -> Vec<DataBlock> {
        let mut idle = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        idle.pop().unwrap_or_default()
    }

    fn put(&self, blocks: Vec<DataBlock>) {
        let mut idle = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < IDLE_PARTS_MAX {
            idle.push(blocks);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    /// Reads the object's number.
    fn read(object: usize, block: &mut DataBlock) -> Result<(), Error> {
        block.copy_from(&object.to_ne_bytes());
        Ok(())
    }

    fn check(readers: &Readers, count: usize, failing: Option<usize>) {
        let mut written = Vec::new();
        let outcome = readers.sweep(
            count,
            &mut DataBlock::new(),
            move |object, block| match failing {
                Some(failing) if failing == object => Err(Error::Unsupported),
                _ => read(object, block),
            },
            |object, block| {
                let mut expected = DataBlock::new();
                read(object, &mut expected).unwrap();
                assert_eq!(block.words_for(8), expected.words_for(8));
                written.push(object);
                if object < 64 {
                    // Readers get ahead.
                    thread::sleep(Duration::from_micros(20));
                }
                Ok(())
            },
        );
        let end = failing.unwrap_or(count);
        assert_eq!(outcome.is_err(), failing.is_some());
        assert_eq!(written, (0..end).collect::<Vec<_>>());
    }

    #[test]
    fn all_is_written_in_order_up_to_the_first_error() {
        let readers = Readers::start(NonZeroUsize::new(3).unwrap()).unwrap();
        for count in [512, 513, 1000, 1024] {
            check(&readers, count, None);
            for failing in [0, 15, 16, count - 1] {
                check(&readers, count, Some(failing));
            }
        }
        let never = |_: usize, _: &mut DataBlock| -> Result<(), Error> { unreachable!() };
        let few = readers.sweep(OBJECTS_MIN - 1, &mut DataBlock::new(), never, never);
        assert_eq!(few, Ok(false));
    }

    #[test]
    fn a_reader_that_panics_is_not_missed() {
        let readers = Readers::start(NonZeroUsize::new(2).unwrap()).unwrap();
        let asker = thread::current().id();
        for _ in 0..3 {
            let mut written = 0;
            let read = move |object: usize, block: &mut DataBlock| {
                assert_eq!(
                    thread::current().id(),
                    asker,
                    "a reader's panic, as planned"
                );
                read(object, block)
            };
            let write = |_: usize, _: &mut DataBlock| {
                written += 1;
                thread::sleep(Duration::from_micros(10));
                Ok(())
            };
            let swept = readers.sweep(1000, &mut DataBlock::new(), read, write);
            assert_eq!((swept, written), (Ok(true), 1000));
        }
    }

    #[test]
    fn readers_end_with_their_owner() {
        let readers = Readers::start(NonZeroUsize::new(2).unwrap()).unwrap();
        let held = Arc::new(());
        let holds = Arc::clone(&held);
        let read = move |object: usize, block: &mut DataBlock| {
            let _ = &holds;
            read(object, block)
        };
        readers
            .sweep(600, &mut DataBlock::new(), read, |_, _| Ok(()))
            .unwrap();
        let idle = Arc::downgrade(&readers.idle);
        drop(readers);
        let begin = Instant::now();
        while Arc::strong_count(&held) > 1 || idle.strong_count() > 0 {
            assert!(begin.elapsed() < Duration::from_secs(10));
            thread::yield_now();
        }
    }
}
