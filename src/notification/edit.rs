//! One way for every list command: store first, then the hub, then the reply, in an order that
//! every client can follow.

use super::SignedIn;
use crate::{
    hub::Card,
    model::{Applied, Edit, Refusal},
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
        let (sender, receiver) = oneshot::channel();
        let (hub, person) = (self.member.hub().clone(), self.person.clone());
        let session = self.member.session();
        let publish = Box::new(move |applied: &Applied| {
            // The receiver is gone if the connection ended meanwhile.
            let _ = sender.send(hub.apply(applied, &person, session));
        });
        let edited = self.context.store.edit(self.account, edit, publish).await;
        let applied = edited.map_err(refused)?;
        let outcome = receiver.await.unwrap_or_default();
        for _ in 0..outcome.queued_before {
            if let Some(event) = self.inbox.try_recv() {
                self.tell(&event, outbox)?;
            }
        }
        Ok(Edited { applied, now_visible: outcome.now_visible })
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
