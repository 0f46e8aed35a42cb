//! Which page answers what. Paths decide first, since a proxy or a patched client may call us by
//! any name; then the name. What is in no row is answered with nothing at all.

use super::{Visit, ads, landing, links, messenger_config, pages, pictures, tabs};
use crate::http1::{Request, Response};

/// One kind of request.
pub(super) struct Row {
    name: &'static str,
    on: On,
    body_bytes_max: Option<usize>,
    answer: fn(&Visit<'_>) -> Response,
}

/// What decides; both get it in lower case.
enum On {
    Path(fn(&str) -> bool),
    Host(&'static str),
}

const ROWS: &[Row] = &[
    path("Messenger Config", |path| path.contains("msgrconfig"), messenger_config::answer),
    path("start", |path| path.is_empty() || path == "/", landing::answer)
        .with_body(landing::FORM_BYTES_MAX),
    path("tab list", tabs::is_list, tabs::list),
    path("portal", |path| path.ends_with("/portal.asp"), pages::today),
    path("MSN Today", |path| path == "/today", pages::today),
    path("banner", |path| path.ends_with("/adsadclient31.dll"), ads::banner),
    path("text ad", |path| path == "/textad", ads::text),
    path("numbered link", links::is_numbered, links::numbered),
    path("member", |path| path.ends_with("/default.msnw"), links::member),
    path("tab picture", |path| path == "/tab.png", pictures::tab),
    path("logo", |path| path == "/logo.gif", pictures::logo),
    path("page", pages::exists, pages::answer),
    host("status.messenger.msn.com", pages::status),
];

impl Row {
    /// The row for a request, if there is one.
    pub(super) fn of(request: &Request) -> Option<&'static Self> {
        let by_path =
            |row: &&Self| matches!(row.on, On::Path(is_for) if is_for(request.path.as_str()));
        let by_host = |row: &&Self| match (&row.on, &request.host) {
            (On::Host(name), Some(host)) => host.eq_ignore_ascii_case(name),
            _ => false,
        };
        ROWS.iter().find(by_path).or_else(|| ROWS.iter().find(by_host))
    }

    pub(super) const fn name(&self) -> &'static str {
        self.name
    }

    pub(super) const fn body_bytes_max(&self) -> Option<usize> {
        self.body_bytes_max
    }

    pub(super) fn answer(&self, visit: &Visit<'_>) -> Response {
        (self.answer)(visit)
    }

    const fn with_body(mut self, bytes_max: usize) -> Self {
        self.body_bytes_max = Some(bytes_max);
        self
    }
}

const fn path(
    name: &'static str,
    is_for: fn(&str) -> bool,
    answer: fn(&Visit<'_>) -> Response,
) -> Row {
    Row { name, on: On::Path(is_for), body_bytes_max: None, answer }
}

const fn host(name: &'static str, answer: fn(&Visit<'_>) -> Response) -> Row {
    Row { name, on: On::Host(name), body_bytes_max: None, answer }
}
