//! `USR` on the dispatch server: the client names its account and is sent on.
//!
//! Syntax: `USR n TWN I email`
//! Direction: client to DS
//! Replies: `XFR n NS host:port 0 host:port`, then we wait a few seconds for the client to leave
//! Errors: another package or step: close; no address to name: 601 and close
//! Source: reference README §2.1, `ns-commands.md` USR and XFR
//! Quirks: whether the account exists is not looked up, here or elsewhere before the ticket.

use crate::{
    dispatch::Dispatch,
    model::Address,
    protocol::{ErrorCode, Event},
    session::{Call, Outbox, Reason, Reject},
};
use std::time::Duration;
use tokio::time::Instant;

pub(super) fn handle(
    ds: &mut Dispatch,
    call: &Call<'_>,
    outbox: &mut Outbox,
) -> Result<(), Reject> {
    ds.greeting.agreed()?;
    if ds.is_referred {
        return Err(Reason::OutOfState.into());
    }
    let mut args = call.args();
    if (args.word()?, args.word()?) != (&b"TWN"[..], &b"I"[..]) {
        return Err(Reason::BadAuthentication.into());
    }
    let user = args.word()?;
    args.finish()?;
    let referral = &ds.context.referral;
    let addresses =
        referral.notification_server(user, ds.local).zip(referral.this_server(ds.local));
    let Some((to, from)) = addresses else {
        let named = str::from_utf8(user).ok().and_then(|user| Address::parse(user).ok());
        tracing::warn!(
            session.id = %ds.session,
            user = named.as_ref().map_or("-", |user| user.as_str()),
            address = %ds.peer,
            reason = %Reason::NoReferral,
            "not referred: the client came over IPv6, whose addresses the protocol cannot name: set \
             notification.advertised and dispatch.advertised to a host name"
        );
        return Err(Reject::Final(ErrorCode::ServerUnavailable, Reason::NoReferral));
    };
    outbox.send(&Event::XfrNs { trid: call.trid, to: &to, from: &from });
    ds.is_referred = true;
    let linger = Duration::from_secs(ds.context.config.timers.dispatch_linger_secs);
    ds.deadline = Instant::now() + linger;
    Ok(())
}
