//! The start page, and where a button of the client leads: `URL` makes it write a form with the web
//! ticket of its session and post it here (reference `http-services.md` §5.2). The ticket decides
//! between the button's page and the start page; the page is one of ours, whatever the form says.
//! The form's digest of the password cannot be checked, since no password is stored.

use super::{Visit, form::field, html, pages};
use crate::http1::Response;
use std::time::Duration;

/// Longest form that is read, bytes.
pub(super) const FORM_BYTES_MAX: usize = 8 * 1024;
/// How far the client may be off when it tells how long it has been signed in.
const CLOCK_SLACK: Duration = Duration::from_secs(5 * 60);
/// Pages by site number, for forms that name no page of ours.
const BY_SITE: &[(&[u8], &str)] = &[
    (b"2", "/inbox"),
    (b"961", "/mobile"),
    (b"2260", "/chat"),
    (b"2823", "/phone"),
    (b"4263", "/account"),
];
const START: &str = "/";

pub(super) fn answer(visit: &Visit<'_>) -> Response {
    if visit.request.method != "POST" {
        return pages::today(visit);
    }
    let form = visit.body;
    if field(form, "auth").is_none() {
        // Later clients try with an empty POST whether the host is there at all.
        return Response::new("200 OK");
    }
    if !is_signed_in(visit) {
        tracing::debug!("web sign-in without a good ticket");
        return html::redirect(START);
    }
    let address = field(form, "rru").or_else(|| field(form, "ru")).unwrap_or_default();
    let by_site = || {
        let site = field(form, "id").unwrap_or_default();
        BY_SITE.iter().find(|(known, _)| *known == site.as_slice()).map(|(_, page)| *page)
    };
    html::redirect(page_of(&address).or_else(by_site).unwrap_or(START))
}

fn is_signed_in(visit: &Visit<'_>) -> bool {
    let age = field(visit.body, "auth").and_then(|auth| visit.tickets.web_age(&auth));
    let claimed = field(visit.body, "sl").and_then(|text| {
        let text = std::str::from_utf8(&text).ok()?;
        text.trim().parse().ok().map(Duration::from_secs)
    });
    let both = age.zip(claimed);
    both.is_some_and(|(age, claimed)| age.abs_diff(claimed) <= CLOCK_SLACK)
}

/// Our page with the path of an address; its host, which may be anything, does not matter.
fn page_of(address: &[u8]) -> Option<&'static str> {
    let text = std::str::from_utf8(address).ok()?;
    let rest = match text.split_once("://") {
        Some((_, rest)) => &rest[rest.find('/')?..],
        None => text,
    };
    let path = rest.split(['?', '#']).next()?;
    pages::local(&path.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn only_the_path_of_an_address_counts() {
        for (address, page) in [
            ("http://www.example.test/inbox", Some("/inbox")),
            ("http://evil.test/Compose?to=bob@example.test", Some("/compose")),
            ("/chat#top", Some("/chat")),
            ("http://evil.test", None),
            ("//evil.test/inbox", None),
            ("/inbox/../../evil", None),
            ("/\\evil.test", None),
            ("javascript:alert(1)", None),
            ("", None),
        ] {
            assert_eq!(page_of(address.as_bytes()), page, "{address}");
        }
    }

    proptest! {
        #[test]
        fn no_address_leads_away(address in ".{0,40}") {
            if let Some(page) = page_of(address.as_bytes()) {
                prop_assert!(pages::exists(page));
            }
        }
    }
}
