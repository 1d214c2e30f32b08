//! Requests that come again: answered without being read again.
//!
//! In: the text of the next request. Out: its reply, if the same has been
//! executed before; otherwise what there is to learn from it.

use qapi_stats::wire::Context;
use qapi_stats::wire::command::CommandSet;

use super::reply::{self, Id};
use super::{Command, Phase, Session};

/// Room for an id that is kept; longer ones are rare.
const ID_BYTES_KEPT: usize = 256;

impl Session {
    /// Answers the next request if it is known, and says whether it was. Its
    /// reply comes behind what `events` emits when it has been written.
    pub(crate) fn repeat(
        &mut self,
        commands: &dyn CommandSet,
        events: impl FnOnce(&mut Self),
    ) -> bool {
        let idle = self.running.is_empty() && self.queue.is_empty();
        if self.phase != (Phase::Executing { oob: false }) || !idle || !self.has_room() {
            return false;
        }
        let Some(text) = self.frames.peek() else {
            return false;
        };
        let Some((known, id)) = self.repeats.find(text) else {
            self.repeats.consider(text);
            return false;
        };
        if !commands.is_current(&known.prepared) {
            self.repeats
                .retain(|prepared| commands.is_current(prepared));
            self.repeats.consider(text);
            return false;
        }
        let (prepared, info) = (known.prepared.clone(), known.info);
        let id_text = id.clone().and_then(|id| text.get(id)).unwrap_or_default();
        self.id.extend_from_slice(id_text);
        let has_id = id.is_some();
        self.frames.skip();
        let write = |session: &mut Self| {
            session.compact_output();
            reply::reply(
                &mut session.output,
                has_id.then_some(Id::Text(&session.id)),
                info.success_response,
                session.limits.reply_bytes_max,
                session.policy,
                |out| commands.repeat(&prepared, out),
            );
        };
        self.write_behind(write, events);
        self.id.clear();
        self.id.shrink_to(ID_BYTES_KEPT);
        true
    }

    /// Prepares a command that was handed out for the case that it comes
    /// again.
    pub(crate) fn learn(
        &mut self,
        command: &Command,
        commands: &dyn CommandSet,
        context: &Context<'_>,
    ) {
        if !self.repeats.has_candidate() || command.oob {
            return;
        }
        let Command {
            info, arguments, ..
        } = command;
        let Some(prepared) = commands.prepare(info.name, arguments, context) else {
            return;
        };
        let mut running = self.running.iter();
        let running = running.find(|running| running.ticket == command.ticket);
        if let Some(running) = running {
            self.repeats.learn(running.id.as_ref(), info, prepared);
        }
    }
}
