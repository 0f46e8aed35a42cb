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
    config::UrlService,
    notification::SignedIn,
    protocol::{ErrorCode, Event, escape},
    session::{Call, Outbox, Reject},
};

/// Longest argument that is passed on; longer ones are left out.
const ARGUMENT_BYTES_MAX: usize = 256;

pub(super) async fn handle(
    session: &mut SignedIn,
    call: &Call,
    outbox: &mut Outbox,
) -> Result<(), Reject> {
    let mut args = call.args();
    let name = args.word()?;
    let argument = args.optional().unwrap_or_default();
    let urls = &session.context.config.urls;
    let service = urls.services.iter().find(|service| service.name.as_bytes() == name);
    let service = service.ok_or(ErrorCode::InvalidParameter)?;
    let site = urls.site_at(session.local.ip(), session.context.web_port);
    let fill = |template: &str| fill(template, &site, session.address.as_str(), argument);
    let UrlService { page, login, site_id, .. } = service;
    let (page, login) = (fill(page), fill(login));
    let site_id = *site_id;
    outbox.send(&Event::Url { trid: call.trid, page: &page, login: &login, site_id });
    Ok(())
}

/// One word: what users and clients put in is escaped.
fn fill(template: &str, site: &str, user: &str, argument: &[u8]) -> String {
    let argument = Some(argument)
        .filter(|argument| argument.len() <= ARGUMENT_BYTES_MAX)
        .and_then(|argument| escape::decode(argument).ok())
        .unwrap_or_default();
    // Only the template is searched: what is put in may contain braces.
    let mut filled = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        filled += before;
        let Some((name, after)) = after.split_once('}') else {
            rest = after;
            continue;
        };
        match name {
            "site" => filled += site,
            "user" => filled += &escape::encode(user, usize::MAX),
            "argument" => filled += &escape::encode(&argument, usize::MAX),
            _ => {}
        }
        rest = after;
    }
    filled + rest
}

#[cfg(test)]
mod tests {
    use super::fill;

    #[test]
    fn templates_are_filled_with_escaped_words() {
        let fill = |template, argument| fill(template, "http://h", "a@b.c", argument);
        assert_eq!(fill("{site}/inbox?u={user}", b""), "http://h/inbox?u=a@b.c");
        assert_eq!(fill("/to={argument}", b"x%20y&z"), "/to=x%20y%26z");
        assert_eq!(fill("/to={argument}", b"{site}"), "/to=%7Bsite%7D");
        assert_eq!(fill("/to={argument}", b"%zz"), "/to=");
        assert_eq!(fill("/to={argument}", &[b'x'; 300]), "/to=");
    }
}
