//! Links of the client's menus: a number each, and pages about a member. What they carry along, an
//! e-mail address often, is not looked at (reference `http-services.md` §4).

use super::{Visit, html};
use crate::http1::Response;

/// What the numbers mean.
const NUMBERED: &[(&str, &str)] = &[
    ("60", "/svcs/mms/tabs.asp"),
    ("105", "/register"),
    ("106", "/profile"),
    ("107", "/help"),
    ("112", "/privacy"),
    ("117", "/avatars"),
    ("140", "/connection"),
    ("150", "/feedback"),
    ("153", "/news"),
];
/// Where all others lead, and 103, the home page.
const HOME: &str = "/";

/// `/5meen_us/107`: generation of the client, `me`, language, country, number.
pub(super) fn is_numbered(path: &str) -> bool {
    let parts = path.strip_prefix('/').and_then(|rest| rest.split_once('/'));
    parts.is_some_and(|(market, number)| {
        let market = market.trim_start_matches(|letter: char| letter.is_ascii_digit());
        let place = market.strip_prefix("me").and_then(|place| place.split_once('_'));
        let is_word = |word: &str| word.bytes().all(|byte| byte.is_ascii_lowercase());
        place.is_some_and(|(language, country)| is_word(language) && is_word(country))
            && number.bytes().next().is_some_and(|byte| byte.is_ascii_digit())
    })
}

/// Leads to our own page of that meaning.
pub(super) fn numbered(visit: &Visit<'_>) -> Response {
    let number = visit.request.path.rsplit('/').next().unwrap_or_default();
    let known = NUMBERED.iter().find(|(known, _)| *known == number);
    html::redirect(known.map_or(HOME, |(_, page)| page))
}

/// The same for every member, and for those who are none.
pub(super) fn member(_: &Visit<'_>) -> Response {
    html::redirect("/profile")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbered_links_have_a_market_and_a_number() {
        for path in ["/5meen_us/60", "/4mede_de/107", "/5me_/1", "/5meen_gb/106x"] {
            assert!(is_numbered(path), "{path}");
        }
        for path in ["/5meen_us", "/5meen_us/", "/5meen/60", "/people/60", "/60", "/5ME/x", ""] {
            assert!(!is_numbered(path), "{path}");
        }
    }
}
