//! `PGD`: page somebody's device.
//!
//! Syntax: `PGD n email device length`, payload: `[<PHONE …>]<TEXT …>…</TEXT>`
//! Direction: client to NS, MSNP9 only
//! Replies: none; a recipient who is signed in receives `IPG`
//! Errors: 201 address malformed, device unknown, payload no page or too long a text; 205 no such
//! account; 800 paged too often, or not delivered: the recipient takes no pages (`MBE` or `MOB` not
//! `Y`), does not let the sender reach it, or has no MSNP9 session that can be seen, and for any
//! watch, since there is no gateway; database failure 603; device no number: close
//! Source: reference `ns-commands.md` PGD, IPG; README §4.2; transcript 15
//! Quirks: the payload is consumed whatever the answer. 220 for those who take no pages is optional
//! and would tell more about them than 800.

use crate::{
    model::Page,
    notification::SignedIn,
    protocol::{ArgError, ErrorCode, notification::page_text},
    session::{Call, Outbox, Reason, Reject},
    store::StoreError,
};
use std::sync::Arc;

pub(super) async fn handle(
    session: &mut SignedIn,
    call: &Call<'_>,
    outbox: &mut Outbox,
) -> Result<(), Reject> {
    let mut args = call.args();
    let address = args.address()?;
    let device = Device::read(args.word()?)?;
    let (Some(address), Some(device)) = (address, device) else {
        return Err(ErrorCode::InvalidParameter.into());
    };
    let text = page_text(call.payload.unwrap_or_default());
    let page = text.ok().and_then(|text| Page::new(session.address.clone(), &text).ok());
    let page = page.ok_or(ErrorCode::InvalidParameter)?;
    if !session.context.pages.take(session.account) {
        return Err(ErrorCode::TooFast.into());
    }
    let (recipient, takes_pages) =
        session.context.store.takes_pages(&address).await.map_err(|error| match error {
            StoreError::NotFound => ErrorCode::NoSuchUser.into(),
            error => Reject::Internal(ErrorCode::DatabaseUnavailable, error.into()),
        })?;
    session.end_if_parted(outbox)?;
    let hub = session.member.hub();
    let is_delivered = takes_pages
        && device == Device::Phone
        && hub.page(session.account, recipient, Arc::new(page));
    session.context.metrics.news().paged(is_delivered);
    if is_delivered { Ok(()) } else { Err(ErrorCode::TooFast.into()) }
}

/// What can be paged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Device {
    Phone,
    Watch,
}

impl Device {
    /// `None` for a number that stands for nothing.
    fn read(word: &[u8]) -> Result<Option<Self>, Reason> {
        match word {
            b"1" => Ok(Some(Self::Phone)),
            b"2" => Ok(Some(Self::Watch)),
            number if number.iter().all(u8::is_ascii_digit) => Ok(None),
            _ => Err(ArgError::Number.into()),
        }
    }
}
