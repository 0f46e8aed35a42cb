//! `SYN`: fetch the lists.
//!
//! Syntax: `SYN n version`
//! Direction: client to NS
//! Replies: `SYN n version` if the client is up to date; else `SYN n version contacts groups` and
//! the whole block: `GTC`, `BLP`, `PRP`…, `LSG`…, `LST` each with its `BPR`s
//! Errors: version no 32-bit number: close; database failure 603
//! Source: reference `ns-commands.md` SYN; README §2.4; `presence-rules.md` §6
//! Quirks: nothing may stand between the lines of the block: libpurple and aMSN count them.

use super::STALE_READS_MAX;
use crate::{
    model::{Contact, ListBits, Roster},
    notification::SignedIn,
    protocol::{ErrorCode, Event},
    session::{Call, Outbox, Reason, Reject},
    store::StoreError,
};

pub(super) async fn handle(
    session: &mut SignedIn,
    call: &Call<'_>,
    outbox: &mut Outbox,
) -> Result<(), Reject> {
    let mut args = call.args();
    let known = args.u32()?;
    args.finish()?;
    // Listen first, read then: a change in between is told, and dropped if the block has it.
    session.member.listen();
    let kept = session.kept.take();
    let roster = read(session, kept).await?;
    session.end_if_parted(outbox)?;
    let version = roster.version;
    session.synchronised_at = Some(version);
    session.told_version = Some(version);
    if known == version {
        outbox.send(&Event::SynCurrent { trid: call.trid, version });
        return Ok(());
    }
    let (contacts, groups) = (roster.contacts.len(), roster.groups.len());
    outbox.send(&Event::Syn { trid: call.trid, version, contacts, groups });
    outbox.send(&Event::SynPrompt(roster.prompt));
    outbox.send(&Event::SynPrivacy(roster.privacy));
    for (key, value) in &roster.properties {
        outbox.send(&Event::SynProperty { key: *key, value });
    }
    for group in &roster.groups {
        outbox.send(&Event::Lsg(group));
    }
    for contact in &roster.contacts {
        outbox.send(&Event::Lst(contact));
        for (key, value) in &contact.properties {
            outbox.send(&Event::SynContactProperty { key: *key, value });
        }
    }
    Ok(())
}

/// The roster, with which the hub agrees about whom the session watches: nothing may be said after
/// the block about somebody whose account was removed by another process. The one that was read at
/// sign-in, unless the hub has heard of a change since.
async fn read(session: &SignedIn, mut kept: Option<Roster>) -> Result<Roster, Reject> {
    for _ in 0..STALE_READS_MAX {
        let roster = match kept.take() {
            Some(roster) => roster,
            None => session.context.store.roster(session.account).await.map_err(
                |error| match error {
                    StoreError::NotFound => Reason::AccountGone.into(),
                    error => Reject::Internal(ErrorCode::DatabaseUnavailable, error.into()),
                },
            )?,
        };
        let on_forward = |contact: &&Contact| contact.lists.has(ListBits::FORWARD);
        let forward = roster.contacts.iter().filter(on_forward).map(|contact| contact.id).collect();
        let (hub, id) = (session.member.hub(), session.member.session());
        if hub.reconcile(session.account, id, &forward, roster.version).is_ok() {
            return Ok(roster);
        }
    }
    let error = anyhow::anyhow!("the lists changed faster than they could be read");
    Err(Reject::Internal(ErrorCode::DatabaseUnavailable, error))
}
