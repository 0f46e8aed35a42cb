//! The plain HTTP front: everything that redirected names of old are asked for. Answers quickly and
//! harmlessly, sends nobody to https or to a foreign site, sets no cookie, tells nothing of an
//! account. Knows no socket and no store.

mod ads;
mod form;
mod html;
mod landing;
mod links;
mod messenger_config;
mod pages;
mod pictures;
mod routes;
mod tabs;
mod xml;

use crate::{
    config::{self, Config},
    http1::{Ends, Request, Response, Service},
    hub::ticket::Tickets,
};
use async_trait::async_trait;
use routes::Row;
use std::sync::Arc;
use zeroize::Zeroizing;

/// The front.
pub struct Web {
    config: config::Web,
    urls: config::Urls,
    tickets: Arc<Tickets>,
    guests: Vec<Guest>,
}

/// A service that answers here without being part of the front.
struct Guest {
    is_for: fn(&Request) -> bool,
    service: Arc<dyn Service>,
}

/// One request, as a page sees it.
struct Visit<'a> {
    request: &'a Request,
    /// Empty unless the page's row asks for it.
    body: &'a [u8],
    /// The site's address as this client reaches it, without a slash at the end.
    site: String,
    config: &'a config::Web,
    tickets: &'a Tickets,
}

impl Visit<'_> {
    /// An address of the options with the site in it.
    fn fill(&self, address: &str) -> String {
        match address.strip_prefix("{site}") {
            Some(rest) => format!("{}{rest}", self.site),
            None => address.to_owned(),
        }
    }
}

impl Web {
    /// `tickets` tell who posts a sign-in form of the client's.
    #[must_use]
    pub fn new(config: &Config, tickets: Arc<Tickets>) -> Self {
        let (urls, config) = (config.urls.clone(), config.web.clone());
        Self { config, urls, tickets, guests: Vec::new() }
    }

    /// Leaves requests to another service, before any page is looked for.
    #[must_use]
    pub fn with(mut self, is_for: fn(&Request) -> bool, service: Arc<dyn Service>) -> Self {
        self.guests.push(Guest { is_for, service });
        self
    }

    fn guest(&self, request: &Request) -> Option<&dyn Service> {
        let guest = self.guests.iter().find(|guest| (guest.is_for)(request));
        guest.map(|guest| &*guest.service)
    }

    /// The name under which the client knows us may be known to nobody else, so it is what links
    /// lead to, port and all.
    fn site(&self, request: &Request, ends: Ends) -> String {
        match (&request.host, request.port) {
            (Some(host), None | Some(80)) if self.urls.site.is_empty() => format!("http://{host}"),
            (Some(host), Some(port)) if self.urls.site.is_empty() => {
                format!("http://{host}:{port}")
            }
            _ => self.urls.site_at(ends.local.ip(), ends.local.port()),
        }
    }
}

#[async_trait]
impl Service for Web {
    fn body_bytes_max(&self, request: &Request) -> Option<usize> {
        match self.guest(request) {
            Some(guest) => guest.body_bytes_max(request),
            None => Row::of(request).and_then(Row::body_bytes_max),
        }
    }

    fn is_for_nobody_else(&self, request: &Request) -> bool {
        self.guest(request).is_some_and(|guest| guest.is_for_nobody_else(request))
    }

    async fn answer(&self, request: Request, body: Zeroizing<Vec<u8>>, ends: Ends) -> Response {
        if let Some(guest) = self.guest(&request) {
            return guest.answer(request, body, ends).await;
        }
        let site = self.site(&request, ends);
        let (config, tickets) = (&self.config, &*self.tickets);
        let visit = Visit { request: &request, body: &body, site, config, tickets };
        let row = Row::of(&request);
        tracing::debug!(
            address = %ends.peer, host = request.host.as_deref().unwrap_or("-"),
            path = %request.path.escape_debug(), page = row.map_or("-", Row::name), "web request"
        );
        row.map_or_else(html::nothing, |row| row.answer(&visit))
    }
}

#[cfg(test)]
mod tests;
