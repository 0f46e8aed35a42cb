//! `URL`: the web address behind a button of the client.
//!
//! Syntax: `URL n service [argument]`
//! Direction: client to NS
//! Replies: `URL n page login-page site-id`, always three arguments
//! Errors: 201 unknown service
//! Source: reference `ns-commands.md` URL, `http-services.md` §5
//! Quirks: libpurple asks for `INBOX` by itself after sign-in and on every 27th `QNG`; a short or
//! missing answer can crash it.

use crate::{
    notification::SignedIn,
    protocol::{ErrorCode, Event, escape},
    session::{Call, Outbox, Reject},
};

/// Longest argument that is passed on; longer ones are left out.
const ARGUMENT_BYTES_MAX: usize = 256;

pub(super) async fn handle(
    session: &mut SignedIn,
    call: &Call<'_>,
    outbox: &mut Outbox,
) -> Result<(), Reject> {
    let mut args = call.args();
    let name = args.word()?;
    let argument = argument(args.optional().unwrap_or_default());
    let pages = session.pages(name, &argument).ok_or(ErrorCode::InvalidParameter)?;
    let site_id = pages.site_id;
    outbox.send(&Event::Url { trid: call.trid, page: &pages.page, login: &pages.post, site_id });
    Ok(())
}

/// What the client sent along; nothing if it is too long or cannot be decoded.
fn argument(token: &[u8]) -> String {
    let fits = Some(token).filter(|token| token.len() <= ARGUMENT_BYTES_MAX);
    fits.and_then(|token| escape::decode(token).ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::argument;

    #[test]
    fn arguments_are_decoded_or_left_out() {
        assert_eq!(argument(b"x%20y&z"), "x y&z");
        assert_eq!(argument(b"%zz"), "");
        assert_eq!(argument(&[b'x'; 257]), "");
    }
}
