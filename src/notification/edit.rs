//! One way for every list command: store first, then the hub, then the reply, in an order that
//! every client can follow.

use super::SignedIn;
use crate::{
    hub::{Card, Outcome},
    model::{Applied, Change, Edit, Refusal, roster::next_version},
    protocol::ErrorCode,
    session::{Outbox, Reason, Reject},
    store::{EditError, StoreError},
};
use std::sync::Arc;
use tokio::sync::oneshot;

/// A committed edit.
pub(super) struct Edited {
    /// What was committed.
    pub(super) applied: Applied,
    /// The new contact, if it can be seen.
    pub(super) now_visible: Option<Arc<Card>>,
}

impl SignedIn {
    /// Commits `edit` and takes it over into the hub. Everything that happened before it has been
    /// sent when this returns, so the reply can follow.
    pub(super) async fn edit(&mut self, edit: Edit, outbox: &mut Outbox) -> Result<Edited, Reject> {
        let (applied, outcome) = self.commit(edit).await.map_err(refused)?;
        self.end_if_parted(outbox)?;
        for _ in 0..outcome.queued_before {
            if let Some(event) = self.inbox.try_recv() {
                self.tell(&event, outbox)?;
            }
        }
        self.keep_list_current(&applied).await;
        Ok(Edited { applied, now_visible: outcome.now_visible })
    }

    async fn commit(&self, edit: Edit) -> Result<(Applied, Outcome), EditError> {
        let (sender, receiver) = oneshot::channel();
        let (hub, person) = (self.member.hub().clone(), self.person.clone());
        let session = self.member.session();
        let publish = Box::new(move |applied: &Applied| {
            // The receiver is gone if the connection ended meanwhile.
            let _ = sender.send(hub.apply(applied, &person, session));
        });
        let applied = self.context.store.edit(self.account, edit, publish).await?;
        Ok((applied, receiver.await.unwrap_or_default()))
    }

    /// Clients keep their list under the last version they saw. If another process has changed the
    /// list since, the version in the reply would stand for a list that the client does not have;
    /// a further version, which it never sees, makes its next `SYN` a full one.
    async fn keep_list_current(&mut self, applied: &Applied) {
        let Some(told) = self.told_version.replace(applied.version) else {
            self.told_version = None;
            return;
        };
        let expected = if applied.change == Change::None { told } else { next_version(told) };
        if applied.version != expected
            && let Err(error) = self.commit(Edit::Touch).await
        {
            tracing::warn!(session.id = %self.member.session(), user = %self.address,
                "the client may keep an incomplete list: {error:#}");
        }
    }
}

fn refused(error: EditError) -> Reject {
    match error {
        EditError::Refused(refusal) => code(refusal).into(),
        EditError::Store(StoreError::NotFound) => Reason::AccountGone.into(),
        EditError::Store(error) => Reject::Internal(ErrorCode::DatabaseUnavailable, error.into()),
    }
}

fn code(refusal: Refusal) -> ErrorCode {
    match refusal {
        Refusal::NoSuchUser => ErrorCode::NoSuchUser,
        Refusal::ListFull => ErrorCode::ListFull,
        Refusal::AlreadyThere => ErrorCode::AlreadyThere,
        Refusal::NotOnList => ErrorCode::NotOnList,
        Refusal::AlreadyInMode => ErrorCode::AlreadyInMode,
        Refusal::OnOppositeList => ErrorCode::OnOppositeList,
        Refusal::TooManyGroups => ErrorCode::TooManyGroups,
        Refusal::NoSuchGroup => ErrorCode::NoSuchGroup,
        Refusal::NotInGroup => ErrorCode::NotInGroup,
        Refusal::GroupZero => ErrorCode::GroupZero,
    }
}
