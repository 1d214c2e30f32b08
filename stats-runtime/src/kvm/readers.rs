//! Threads that read statistics ahead of the one that answers.
//!
//! In: a sweep of vCPUs. Out: blocks of values, which the thread that was asked
//! writes in order. They call no sink and know no query.
//!
//! A sweep is cut into parts. The readers take one after the other, from the
//! front; the thread that was asked writes them in the same order, and reads a
//! part itself that nobody has taken when its turn comes. So it never waits
//! for a reader that has not begun, and a sink sees what it would see without
//! readers.

use std::io;
use std::num::NonZeroUsize;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::thread;

use super::error::Error;
use super::values::DataBlock;

/// Objects of a part: some ten microseconds, more than waking a reader costs.
const PART_LEN: usize = 32;

/// With fewer objects it does not pay.
const OBJECTS_MIN: usize = 4 * PART_LEN;

/// How many parts' buffers are kept: those of 1,024 vCPUs.
const IDLE_PARTS_MAX: usize = 32;

/// Kept threads. They end when this is dropped.
pub(super) struct Readers {
    /// A way to tell each of a sweep. It does not keep the sweep alive: one
    /// that is over before a reader wakes is none of its concern.
    senders: Vec<Mutex<Sender<Weak<dyn Work>>>>,
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
            let (sender, receiver) = mpsc::channel();
            thread::Builder::new()
                .name("stats-reader".to_owned())
                .spawn(move || read_sweeps(&receiver))?;
            senders.push(Mutex::new(sender));
        }
        Ok(Self {
            senders,
            idle: Arc::default(),
        })
    }

    /// Reads `count` objects, by `read`, and has each written by `write`, all
    /// in their order; `block` is for what this thread reads. False, and nothing is done, if there are too few for
    /// this to pay.
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
            next: AtomicUsize::new(0),
            parts: (0..count.div_ceil(PART_LEN))
                .map(|_| Part::default())
                .collect(),
            idle: Arc::clone(&self.idle),
        });
        let work: Arc<dyn Work> = Arc::clone(&sweep) as Arc<dyn Work>;
        for sender in &self.senders {
            let sender = sender.lock().unwrap_or_else(PoisonError::into_inner);
            // One whose thread is gone does no harm.
            let _ = sender.send(Arc::downgrade(&work));
        }
        let outcome = sweep.write(block, &mut write);
        // What is left is nobody's, should there have been an error.
        sweep.next.store(sweep.parts.len(), Ordering::Relaxed);
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
    /// The first part that nobody has taken.
    next: AtomicUsize,
    parts: Box<[Part]>,
    idle: Arc<Idle>,
}

/// Some of them.
#[derive(Default)]
struct Part {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
enum State {
    #[default]
    Pending,
    /// As many blocks as could be read, and why there are no more.
    Read(Vec<DataBlock>, Result<(), Error>),
    /// Its reader has failed.
    Lost,
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
            let relaxed = Ordering::Relaxed;
            let taken = self
                .next
                .compare_exchange(index, index + 1, relaxed, relaxed);
            let read = match taken {
                Ok(_) => None,
                Err(_) => part.wait(),
            };
            let Some((mut blocks, outcome)) = read else {
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
    fn read_part(&self, part: usize) -> (Vec<DataBlock>, Result<(), Error>) {
        let objects = self.objects(part);
        let mut blocks = self.idle.get();
        blocks.resize_with(objects.len(), DataBlock::default);
        for (index, (object, block)) in objects.zip(&mut blocks).enumerate() {
            if let Err(error) = (self.read)(object, block) {
                blocks.truncate(index);
                return (blocks, Err(error));
            }
        }
        (blocks, Ok(()))
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
        loop {
            let index = self.next.fetch_add(1, Ordering::Relaxed);
            let Some(part) = self.parts.get(index) else {
                return;
            };
            let taken = Taken(part);
            let (blocks, outcome) = self.read_part(index);
            taken.done(blocks, outcome);
        }
    }
}

impl Part {
    /// Waits for its reader; `None` if that has failed.
    fn wait(&self) -> Option<(Vec<DataBlock>, Result<(), Error>)> {
        let pending = |state: &mut State| matches!(state, State::Pending);
        let state = self.changed.wait_while(self.state(), pending);
        let mut state = state.unwrap_or_else(PoisonError::into_inner);
        match std::mem::replace(&mut *state, State::Lost) {
            State::Read(blocks, outcome) => Some((blocks, outcome)),
            State::Pending | State::Lost => None,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A part that a reader has taken: whatever becomes of the reader, nobody waits
/// for it in vain.
struct Taken<'p>(&'p Part);

impl Taken<'_> {
    fn done(self, blocks: Vec<DataBlock>, outcome: Result<(), Error>) {
        *self.0.state() = State::Read(blocks, outcome);
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        let mut state = self.0.state();
        if matches!(*state, State::Pending) {
            *state = State::Lost;
        }
        drop(state);
        self.0.changed.notify_one();
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
                if object % 64 == 0 {
                    // Readers get ahead.
                    thread::sleep(Duration::from_micros(50));
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
        for count in [128, 129, 1000, 1024] {
            check(&readers, count, None);
            for failing in [0, 31, 32, count - 1] {
                check(&readers, count, Some(failing));
            }
        }
        let never = |_: usize, _: &mut DataBlock| -> Result<(), Error> { unreachable!() };
        let few = readers.sweep(OBJECTS_MIN - 1, &mut DataBlock::new(), never, never);
        assert_eq!(few, Ok(false));
    }

    #[test]
    fn a_reader_that_fails_is_replaced() {
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
            .sweep(500, &mut DataBlock::new(), read, |_, _| Ok(()))
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
