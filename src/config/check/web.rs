//! What `[web]` cannot say: clients show it in a control of 2001.

use super::{Complaints, Port, Web};
use crate::config::web::{TABS_MAX, TEXT_BYTES_MAX};

pub(super) fn check(web: &Web, found: &mut Complaints) {
    text("web.title", &web.title, found);
    text("web.welcome", &web.welcome, found);
    text("web.text_ad", &web.text_ad, found);
    if !web.today.is_empty() {
        address("web.today", &web.today, found);
    }
    for domain in &web.trusted_domains {
        found.host("web.trusted_domains", domain, Port::None);
    }
    found.range("web.refresh_days", web.refresh_days.into(), 0..=365);
    if !(1..=TABS_MAX).contains(&web.tabs.len()) {
        let remedy = format!("some clients cannot read a list without one; list 1 to {TABS_MAX}");
        found.add("web.tabs", web.tabs.len(), remedy);
    }
    for tab in &web.tabs {
        text("web.tabs", &tab.name, found);
        text("web.tabs", &tab.tooltip, found);
        address("web.tabs", &tab.page, found);
        address("web.tabs", &tab.image, found);
    }
}

fn text(key: &'static str, text: &str, found: &mut Complaints) {
    if text.len() > TEXT_BYTES_MAX || text.chars().any(char::is_control) {
        let remedy = format!("write one line of at most {TEXT_BYTES_MAX} bytes");
        found.add(key, text, remedy);
    }
}

/// A whole address, or one on the site.
fn address(key: &'static str, address: &str, found: &mut Complaints) {
    let whole = match address.strip_prefix("{site}") {
        Some(rest) if rest.is_empty() || rest.starts_with('/') => format!("http://site{rest}"),
        _ => address.to_owned(),
    };
    if whole.contains(['{', '}']) {
        found.add(key, address, "only {site} is replaced, and only at the beginning");
    } else {
        found.url(key, &whole);
    }
}
