//! Commands of one connection: found, let through the gates and carried out, in order. Knows no
//! role and no transport.

use super::{Connection, SessionLimits};
use crate::{
    protocol::{Decoder, ErrorCode, Event, Frame, TrId, frame::Found},
    session::{
        Outbox, Reason, Reject, Role, Row,
        command::{Admitted, Call, Later, Run},
        meters::Tally,
        read,
    },
};
use std::{
    future::poll_fn,
    task::{Context, Poll, ready},
};
use tokio::task::coop::poll_proceed;

/// Of a command that was found to be whole; so this is never seen.
const NOT_WHOLE: Reason = Reason::Internal;

/// How far commands were carried out.
enum Commands<R: 'static> {
    /// All that are there.
    Done,
    /// As many as the peer takes the replies of and the role takes; some may be left.
    Aside,
    /// All before this one, which may wait for something.
    UpTo { next: Next<R>, run: Later<R> },
}

/// A whole command that has passed the gates.
type Next<R> = (Found, Admitted<R>);

impl<R: Role, T> Connection<R, T> {
    /// Carries out all complete commands, in order, as long as the peer takes the replies and the
    /// role the commands. Returns whether some may be left.
    pub(super) async fn handle_commands(&mut self) -> Result<bool, Reason> {
        loop {
            let carried_out = poll_fn(|cx| {
                let carried_out = self.poll_commands(cx);
                read::pause(&mut self.decoder);
                carried_out
            });
            match carried_out.await? {
                Commands::Done => {
                    read::reclaim(&mut self.decoder);
                    return Ok(false);
                }
                Commands::Aside => return Ok(true),
                Commands::UpTo { next: (found, admitted), run } => {
                    let Self { role, decoder, outbox, commands, place, .. } = self;
                    let frame = decoder.take(found, admitted.payload_bytes);
                    let call = begin(role, outbox, commands, admitted, frame.ok_or(NOT_WHOLE)?);
                    place.leave();
                    let (trid, result) = (call.trid, run(role, &call, outbox).await);
                    result.or_else(|reject| self.reject(reject, trid))?;
                }
            }
        }
    }

    /// Carries out commands up to one that may wait for something. Not part of the future, in which
    /// each look at anything would be one at memory.
    fn poll_commands(&mut self, cx: &mut Context<'_>) -> Poll<Result<Commands<R>, Reason>> {
        while !self.outbox.is_behind() && self.role.takes_commands() {
            let next = match self.next_ordinary() {
                Some(next) => Some(next),
                None => self.next()?,
            };
            let Some((found, admitted)) = next else {
                return Poll::Ready(Ok(Commands::Done));
            };
            // Whoever sends many commands at once lets those who hear of them keep up.
            ready!(poll_proceed(cx)).made_progress();
            let run = match admitted.row.run {
                Run::Now(run) => run,
                Run::Later(run) => {
                    return Poll::Ready(Ok(Commands::UpTo { next: (found, admitted), run }));
                }
            };
            let Self { role, decoder, outbox, commands, .. } = self;
            let frame = decoder.take(found, admitted.payload_bytes);
            let call = begin(role, outbox, commands, admitted, frame.ok_or(NOT_WHOLE)?);
            let (trid, result) = (call.trid, run(role, &call, outbox));
            if let Err(reject) = result {
                self.reject(reject, trid)?;
            }
        }
        Poll::Ready(Ok(Commands::Aside))
    }

    /// The next command, if all of it is there and it passes the gates. It stays where it is.
    #[inline(never)]
    fn next(&mut self) -> Result<Option<Next<R>>, Reason> {
        let Self { role, decoder, outbox, awaited_bytes, limits, .. } = self;
        if decoder.held_bytes() < *awaited_bytes {
            return Ok(None);
        }
        let found = decoder.find_line().map_err(Reason::from);
        let admitted = found.and_then(|found| match found {
            Some(found) => {
                admit(role, decoder, found, limits).map(|admitted| Some((found, admitted)))
            }
            None => Ok(None),
        });
        let next = admitted.inspect_err(|reason| trace_refused(outbox, reason))?;
        let Some((found, admitted)) = next else { return Ok(None) };
        // Once all of it is there, it passes the gates again: that needs no memory.
        let bytes = found.frame_bytes(admitted.payload_bytes);
        *awaited_bytes = if decoder.held_bytes() < bytes { bytes } else { 0 };
        Ok((*awaited_bytes == 0).then_some((found, admitted)))
    }

    /// The same for most commands that are whole and in order; [`Self::next`] knows of the others.
    /// What says why a line is refused would be carried along in memory.
    #[inline(always)]
    fn next_ordinary(&self) -> Option<Next<R>> {
        let Self { role, decoder, awaited_bytes, limits, .. } = self;
        if *awaited_bytes > 0 {
            return None;
        }
        let found = decoder.find_ordinary_line()?;
        let admitted = admit(role, decoder, found, limits).ok()?;
        let bytes = found.frame_bytes(admitted.payload_bytes);
        (bytes <= decoder.held_bytes()).then_some((found, admitted))
    }

    /// Decides what the peer sees of a failure.
    pub(super) fn reject(&mut self, reject: Reject, trid: TrId) -> Result<(), Reason> {
        match reject {
            Reject::Code(code) => {
                self.send_error(trid, code);
                Ok(())
            }
            Reject::Final(code, reason) => {
                self.send_error(trid, code);
                Err(reason)
            }
            Reject::Close(reason) => Err(reason),
            Reject::Internal(code, error) => {
                tracing::error!("a command failed on our side: {error:#}");
                self.send_error(trid, code);
                if code == ErrorCode::InternalError { Err(Reason::Internal) } else { Ok(()) }
            }
        }
    }

    fn send_error(&mut self, trid: TrId, code: ErrorCode) {
        self.role.meters().error(code.number());
        self.outbox.send(&Event::Error { trid, code });
    }
}

/// Takes note of a command that is to be carried out now.
#[inline(always)]
fn begin<'a, R: Role>(
    role: &mut R,
    outbox: &mut Outbox,
    commands: &mut Tally,
    admitted: Admitted<R>,
    frame: Frame<'a>,
) -> Call<'a> {
    if commands.add(admitted.index, role.meters()) {
        role.on_carried_out(outbox);
    }
    let call = admitted.call(frame);
    if let Some(trace) = outbox.trace() {
        trace.received(call.line.as_bytes(), call.payload.map(<[u8]>::len));
    }
    tracing::trace!(cmd = admitted.row.verb, trid = %call.trid, "command");
    call
}

/// Lets a line through the gates.
#[inline(always)]
fn admit<R: Role>(
    role: &R,
    decoder: &Decoder,
    found: Found,
    limits: &SessionLimits,
) -> Result<Admitted<R>, Reason> {
    let (line, stage, dialect) = (decoder.line(found), role.stage(), role.dialect());
    Row::admit(R::rows(), line, stage, dialect, limits.payload_bytes_max)
}

fn trace_refused(outbox: &Outbox, reason: &Reason) {
    if let Some(trace) = outbox.trace() {
        trace.received(b"(refused)", None);
        tracing::debug!(%reason, "line refused");
    }
}
