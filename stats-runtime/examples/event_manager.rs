//! A monitor in rust-vmm's event-manager: a subscriber for each client.
use event_manager::{EventManager, EventOps, EventSet, Events, MutEventSubscriber, SubscriberOps};
use stats_runtime::qmp::{Limits, Session};
use stats_runtime::{Monitor, NoHost, Subscription, server::bind_private};
use std::time::{Duration, Instant};
use std::{io, io::Read, io::Write, os::unix::net::UnixStream, sync::Arc};
use vmm_sys_util::{eventfd::EventFd, timerfd::TimerFd};

pub(crate) struct Client(UnixStream, EventFd, TimerFd, Subscription, Session, Monitor);
impl Client {
    pub(crate) fn new(stream: UnixStream, monitor: Monitor) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        let (news, late) = (EventFd::new(0)?, TimerFd::new()?);
        let wake = news.try_clone()?;
        let events = monitor.subscribe(move || drop(wake.write(1)));
        let session = Session::new(&monitor.host().version(), Limits::default());
        Ok(Self(stream, news, late, events, session, monitor))
    }
    fn step(&mut self, ready: Events) -> io::Result<EventSet> {
        let (Self(stream, news, late, events, session, monitor), mut buffer) = (self, [0; 4096]);
        let is_writable = ready.event_set().contains(EventSet::OUT);
        match ready.data() {
            1 => drop(news.read()?),
            2 => drop(late.wait()?),
            _ if is_writable => session.sent(stream.write(session.output())?),
            _ => match stream.read(&mut buffer)? {
                0 => session.end_of_input(),
                count => session.receive(buffer.get(..count).unwrap_or_default()),
            },
        }
        events.run(session, monitor, &monitor.context());
        if let Some(at) = events.next_deadline() {
            late.reset(at - Instant::now() + Duration::from_nanos(1), None)?;
        }
        let read = session.output().is_empty();
        Ok(if read { EventSet::IN } else { EventSet::OUT })
    }
}
impl MutEventSubscriber for Client {
    fn init(&mut self, ops: &mut EventOps) {
        let _ = ops.add(Events::with_data(&self.1, 1, EventSet::IN));
        let _ = ops.add(Events::with_data(&self.2, 2, EventSet::IN));
        let _ = ops.add(Events::with_data(&self.0, 0, EventSet::OUT));
    }
    fn process(&mut self, ready: Events, ops: &mut EventOps) {
        let _ = match (self.step(ready), self.4.is_over()) {
            (Ok(event), false) => ops.modify(Events::with_data(&self.0, 0, event)),
            _ => ops.remove(Events::empty(&self.0)), // the VMM drops the rest
        };
    }
}
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let monitor = Monitor::new(Arc::default(), Arc::new(NoHost));
    let (stream, _) = bind_private("qmp.sock".as_ref())?.accept()?;
    let mut manager = EventManager::new()?;
    manager.add_subscriber(Client::new(stream, monitor)?);
    while manager.run().is_ok() {}
    Ok(())
}
