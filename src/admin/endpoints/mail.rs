//! `POST /api/v1/users/{address}/mail` and `…/mail/moves`: a mail service tells that a message has
//! come, or that some were read, moved or thrown away. Keeps no mail, counts only.

use crate::{
    admin::{Admin, Problem, request::address},
    model::{
        Address, Mailbox,
        mail::{Folder, MailError, MailMoved, NewMail},
    },
    store::StoreError,
};
use axum::{
    Json,
    extract::{
        Path, State,
        rejection::{JsonRejection, PathRejection},
    },
    http::StatusCode,
};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Without `Debug`: what people write to each other is in no log.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::admin) struct Arrival {
    /// A name, or the address if there is no `from_address`.
    from: String,
    from_address: Option<String>,
    subject: Option<String>,
    /// The inbox if not said.
    folder: Option<String>,
    reference: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::admin) struct Moves {
    /// The inbox if not said.
    from_folder: Option<String>,
    /// The same as `from_folder` if not said: the messages were read.
    to_folder: Option<String>,
    count: u32,
}

#[derive(Debug, Serialize)]
pub(in crate::admin) struct Unread {
    inbox_unread: u32,
    folders_unread: u32,
}

type Answer = Result<Json<Unread>, Problem>;

pub(in crate::admin) async fn arrived(
    State(admin): State<Arc<Admin>>,
    path: Result<Path<String>, PathRejection>,
    body: Result<Json<Arrival>, JsonRejection>,
) -> Answer {
    let owner = address(path)?;
    let mail = body?.0.read()?;
    counted(&owner, admin.alerts.new_mail(&owner, mail).await)
}

pub(in crate::admin) async fn moved(
    State(admin): State<Arc<Admin>>,
    path: Result<Path<String>, PathRejection>,
    body: Result<Json<Moves>, JsonRejection>,
) -> Answer {
    let owner = address(path)?;
    let moved = body?.0.read()?;
    counted(&owner, admin.alerts.mail_moved(&owner, moved).await)
}

fn counted(owner: &Address, outcome: Result<Mailbox, StoreError>) -> Answer {
    match outcome {
        Ok(Mailbox { inbox_unread, folders_unread }) => {
            tracing::debug!(user = %owner, inbox_unread, folders_unread, "news of mail");
            Ok(Json(Unread { inbox_unread, folders_unread }))
        }
        Err(StoreError::Conflict(what)) => {
            let remedy = format!("{what}; `msnd user mailbox {owner} --on` gives it one");
            Err(Problem::new(StatusCode::CONFLICT, remedy))
        }
        Err(error) => Err(Problem::store(Some(owner), error)),
    }
}

impl Arrival {
    fn read(self) -> Result<NewMail, Problem> {
        let Self { from, from_address, subject, folder, reference } = self;
        let (name, address, field) = match from_address {
            Some(address) => (from, address, "from_address"),
            None => (String::new(), from, "from"),
        };
        let address = Address::parse(&address).map_err(|error| {
            let unless = if field == "from" { " if there is no from_address" } else { "" };
            let detail = format!("{field}: must be an address{unless} ({error})");
            Problem::unfit_field(field, detail)
        })?;
        let folder = folder_named(folder.as_deref(), "folder")?;
        let folder = folder.unwrap_or_else(Folder::inbox);
        let (subject, reference) = (subject.unwrap_or_default(), reference.unwrap_or_default());
        Ok(NewMail::new(&name, address, &subject, &reference, folder)?)
    }
}

impl Moves {
    fn read(self) -> Result<MailMoved, Problem> {
        let from = folder_named(self.from_folder.as_deref(), "from_folder")?;
        let from = from.unwrap_or_else(Folder::inbox);
        let to = folder_named(self.to_folder.as_deref(), "to_folder")?;
        let to = to.unwrap_or_else(|| from.clone());
        Ok(MailMoved::new(from, to, self.count)?)
    }
}

fn folder_named(name: Option<&str>, field: &'static str) -> Result<Option<Folder>, MailError> {
    name.map(Folder::new).transpose().map_err(|error| error.named(field))
}
