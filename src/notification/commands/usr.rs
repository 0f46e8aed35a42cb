//! `USR`: sign in with a ticket from the login service.
//!
//! Syntax: `USR n TWN I email`, then `USR n TWN S ticket`
//! Direction: client to NS
//! Replies: `USR n TWN S policy`; `USR n OK email name 1 0` and the profile `MSG`
//! Errors: bad ticket 911 and close; shutting down 604 and close; database failure 601 and close;
//! after sign-in 207; other package or step: close
//! Source: reference `ns-commands.md` USR and MSG; `passport.md` §3, §7, §8;
//! `presence-rules.md` §7
//! Quirks: `TWN I` never tells whether the account exists. The older session of an account ends
//! here and not before, or anybody could throw out anybody.

use super::STALE_READS_MAX;
use crate::{
    hub::{Facts, Inbox, Member, Person, SignIn, ticket::Grant},
    model::Address,
    notification::{
        NAME, Notification, State,
        challenge::Challenged,
        handshake::{Handshake, policy, unix_secs},
        kept::Kept,
        lately::Lately,
        signed_in::SignedIn,
    },
    protocol::{ErrorCode, Event, message},
    session::{Call, Outbox, Reason, Reject, trace::Trace},
    store::{Account, StoreError},
};
use std::{
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
};
use tokio::time::Instant;

pub(super) async fn handle(
    role: &mut Notification,
    call: &Call<'_>,
    outbox: &mut Outbox,
) -> Result<(), Reject> {
    role.greeting.agreed()?;
    let State::Handshake(handshake) = &mut role.state else {
        return Err(ErrorCode::AlreadyLoggedIn.into());
    };
    let mut args = call.args();
    let step = (args.word()?, args.word()?);
    match step {
        (b"TWN", b"I") => {
            handshake.address = args.address()?;
            handshake.is_named = true;
            let user = handshake.address.as_ref();
            let traced = user.filter(|user| role.context.traced.contains(*user));
            outbox.set_trace(traced.map(|user| Trace::new(role.session, user.clone())));
            let mut random = [0; 16];
            getrandom::fill(&mut random)?;
            let policy = policy(role.context.config.notification.lcid, &random);
            outbox.send(&Event::UsrPolicy { trid: call.trid, policy: &policy });
            Ok(())
        }
        (b"TWN", b"S") if role.context.closing.is_cancelled() => {
            Err(refused(role, Reject::Final(ErrorCode::GoingDown, Reason::Shutdown)))
        }
        (b"TWN", b"S") if handshake.is_named => {
            let user = handshake.address.clone();
            // Presented once is presented, whoever it was.
            let grant = role.context.tickets.redeem(args.word()?, user.as_ref());
            let (Some(grant), Some(user)) = (grant, user) else {
                let reject = Reject::Final(ErrorCode::AuthenticationFailed, Reason::BadTicket);
                return Err(refused(role, reject));
            };
            let signed_in = sign_in(role, &grant, &user, call, outbox).await;
            signed_in.map_err(|reject| refused(role, reject))
        }
        _ => Err(Reason::BadAuthentication.into()),
    }
}

/// Counts a refusal by what it means to the connection.
fn refused(role: &Notification, reject: Reject) -> Reject {
    if let Reject::Final(_, reason) | Reject::Close(reason) = &reject {
        role.context.metrics.sign_in_refused(NAME, reason.label());
    }
    reject
}

async fn sign_in(
    role: &mut Notification,
    grant: &Grant,
    user: &Address,
    call: &Call<'_>,
    outbox: &mut Outbox,
) -> Result<(), Reject> {
    let dialect = role.greeting.agreed()?;
    let State::Handshake(handshake) = &mut role.state else {
        return Err(ErrorCode::AlreadyLoggedIn.into());
    };
    let Handshake { peer, local, .. } = **handshake;
    let facts = Arc::new(Facts {
        role: NAME,
        dialect,
        client_version: handshake.client_version.take(),
        peer,
        signed_in_at_secs: unix_secs(),
    });
    let wire = handshake.wire.take().filter(|_| outbox.trace().is_none());
    let Registered { account, has_alerts, kept, person, member, mut inbox } =
        register(role, grant, &facts).await?;
    if let Some(wire) = wire {
        inbox.set_wire(wire, dialect);
    }
    let missed = member.missed();
    let context = role.context.clone();
    context.metrics.signed_in(NAME);
    let (web_ticket, web_token) = context.tickets.issue_web(account.id);
    outbox.confirm_trace();
    outbox.send(&Event::UsrOk { trid: call.trid, address: user, name: &account.name });
    let config = &context.config.notification;
    let payload = message::profile(&message::Profile {
        login_time_secs: facts.signed_in_at_secs,
        member_id: account.id.0,
        address: user.as_str(),
        has_mailbox: account.mailbox.is_some(),
        lcid: config.lcid,
        country: &config.country,
        web_token: &web_token,
        client_ip: match peer.ip() {
            IpAddr::V4(ip) => ip,
            // COMPAT(Twisted): a colon in the value breaks its parser.
            IpAddr::V6(_) => Ipv4Addr::UNSPECIFIED,
        },
        client_port: peer.port(),
    });
    outbox.send(&Event::Msg { payload: &payload });
    tracing::info!(session.id = %role.session, %user, address = %peer, %dialect, "signed in");
    role.state = State::SignedIn(Box::new(SignedIn {
        context,
        dialect,
        account: account.id,
        // The same text as everywhere else, and in memory once.
        address: person.address.clone(),
        local,
        facts,
        person,
        member,
        inbox,
        _counted: role.context.metrics.session(NAME, dialect.name()),
        _web_ticket: web_ticket,
        status: None,
        takes_calls: true,
        kept,
        synchronised_at: None,
        told_version: None,
        challenged: Challenged::default(),
        heard_at: Instant::now(),
        idle_check_at: None,
        renamed: Lately::default(),
        asked_for_switchboard: Lately::default(),
        mailbox: account.mailbox.map(|read| missed.mailbox.unwrap_or(read)),
        has_alerts: has_alerts || missed.alert,
        told_alert: None,
    }));
    Ok(())
}

/// A session that is in the hub, and what was read for it.
struct Registered {
    account: Account,
    has_alerts: bool,
    kept: Kept,
    person: Arc<Person>,
    member: Member,
    inbox: Inbox,
}

/// Reads the account and enters it into the hub, anew if its lists change in between.
async fn register(
    role: &Notification,
    grant: &Grant,
    facts: &Arc<Facts>,
) -> Result<Registered, Reject> {
    let denied = |reason| Reject::Final(ErrorCode::AuthenticationFailed, reason);
    // Announced before the lists are read: an edit that an older session of the account still has
    // under way would otherwise be in neither.
    let arrival = role.context.hub.expect(grant.account);
    for _ in 0..STALE_READS_MAX {
        let read_at = Instant::now();
        let read =
            role.context.store.sign_in(grant.account).await.map_err(|error| match error {
                StoreError::NotFound => denied(Reason::AccountGone),
                error => {
                    tracing::error!("sign-in failed on our side: {error:#}");
                    Reject::Final(ErrorCode::ServerUnavailable, Reason::Internal)
                }
            })?;
        let (account, has_alerts) = (read.account, read.has_alerts);
        if !account.enabled {
            return Err(denied(Reason::AccountDisabled));
        }
        if account.credential_epoch != grant.credential_epoch {
            return Err(denied(Reason::BadTicket));
        }
        let person = Person::new(account.id, account.address.clone(), account.name.clone());
        let sign_in = SignIn {
            session: role.session,
            person: person.clone(),
            circle: read.circle,
            version: account.list_version,
            facts: facts.clone(),
        };
        if let Ok((member, inbox)) = arrival.sign_in(sign_in) {
            let kept = Kept::new(read.roster, read_at, &role.context.kept);
            return Ok(Registered { account, has_alerts, kept, person, member, inbox });
        }
    }
    Err(Reject::Final(ErrorCode::ServerUnavailable, Reason::Internal))
}
