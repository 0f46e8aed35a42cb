//! `[web]`: the plain HTTP front, and what clients find on it.

use super::Bind;
use serde::{Deserialize, Serialize};
use std::net::{IpAddr, SocketAddr};

/// Tabs in the client's sidebar.
pub(super) const TABS_MAX: usize = 16;
/// Longest text that is shown on a page or in a tab, bytes.
pub(super) const TEXT_BYTES_MAX: usize = 1024;

/// `[web]`. In all addresses `{site}` stands for [`super::Urls::site`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Web {
    /// Where to listen. Plain HTTP.
    pub bind: Bind,
    /// What the network is called on pages.
    pub title: String,
    /// What the start page and the page after sign-in say.
    pub welcome: String,
    /// The line of text at the foot of the client's window; empty: the title.
    pub text_ad: String,
    /// The page that clients open after sign-in (MSN Today); empty: none.
    pub today: String,
    /// Domains that clients trust like that of the site.
    pub trusted_domains: Vec<String>,
    /// Days for which clients keep what they were told here; 0: until the next sign-in.
    pub refresh_days: u32,
    /// The tabs in the client's sidebar, at least one.
    pub tabs: Vec<Tab>,
}

/// One `[[web.tabs]]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tab {
    /// Its name.
    pub name: String,
    /// What is shown when the mouse rests on it.
    pub tooltip: String,
    /// The page in it.
    pub page: String,
    /// Its picture.
    pub image: String,
}

impl Default for Web {
    fn default() -> Self {
        Self {
            bind: Bind::any(80),
            title: "Messenger".into(),
            welcome: "Welcome. You are on a network of its own, run with msnd.".into(),
            text_ad: String::new(),
            today: "{site}/today".into(),
            trusted_domains: Vec::new(),
            refresh_days: 1,
            tabs: vec![Tab {
                name: "Welcome".into(),
                tooltip: "About this network".into(),
                page: "{site}/tab".into(),
                image: "{site}/tab.png".into(),
            }],
        }
    }
}

impl super::Config {
    /// Whether the front's listener serves Passport without TLS too: both have the same address.
    #[must_use]
    pub fn passport_is_on_web(&self) -> bool {
        let is_chosen = matches!(self.web.bind, Bind::At(address) if address.port() != 0);
        is_chosen && self.passport.http_bind == self.web.bind
    }
}

impl super::Urls {
    /// The site for a client that reached us at `ip`, where the front is on `port`; without a slash
    /// at its end.
    #[must_use]
    pub fn site_at(&self, ip: IpAddr, port: u16) -> String {
        match (self.site.as_str(), port) {
            ("", 80) => match ip.to_canonical() {
                IpAddr::V4(ip) => format!("http://{ip}"),
                IpAddr::V6(ip) => format!("http://[{ip}]"),
            },
            ("", _) => format!("http://{}", SocketAddr::new(ip.to_canonical(), port)),
            (site, _) => site.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::config::Urls;

    #[test]
    fn the_site_is_where_the_client_reached_us() {
        let urls = Urls::default();
        for (ip, port, site) in [
            ("192.0.2.7", 80, "http://192.0.2.7"),
            ("192.0.2.7", 8080, "http://192.0.2.7:8080"),
            ("::ffff:192.0.2.7", 80, "http://192.0.2.7"),
            ("2001:db8::1", 80, "http://[2001:db8::1]"),
            ("2001:db8::1", 8080, "http://[2001:db8::1]:8080"),
        ] {
            assert_eq!(urls.site_at(ip.parse().unwrap(), port), site);
        }
        let urls = Urls { site: "http://www.example.test".into(), ..urls };
        assert_eq!(urls.site_at([192, 0, 2, 7].into(), 8080), "http://www.example.test");
    }
}
