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

#[cfg(test)]
mod tests {
    use crate::config::{Bind, Config, Web, check::check};

    fn complaints(change: impl FnOnce(&mut Web)) -> Vec<&'static str> {
        let mut config = Config::default();
        change(&mut config.web);
        check(&config).into_iter().map(|complaint| complaint.key).collect()
    }

    #[test]
    fn texts_are_lines_and_addresses_are_addresses() {
        assert_eq!(complaints(|web| web.title = "a\nb".into()), ["web.title"]);
        assert_eq!(complaints(|web| web.welcome = "x".repeat(1025)), ["web.welcome"]);
        assert!(complaints(|web| web.welcome = "x".repeat(1024)).is_empty());
        for bad in
            ["www.example.test", "{site}x", "{user}/a", "http://a/{site}", "{site}/a b", "/a"]
        {
            assert_eq!(complaints(|web| web.today = bad.into()), ["web.today"], "{bad}");
            assert_eq!(complaints(|web| web.tabs[0].page = bad.into()), ["web.tabs"], "{bad}");
        }
        for good in ["{site}", "{site}/a?b=c&d=e", "http://www.example.test"] {
            assert!(complaints(|web| web.today = good.into()).is_empty(), "{good}");
        }
        assert!(complaints(|web| web.today.clear()).is_empty());
        assert_eq!(complaints(|web| web.trusted_domains = vec!["a:80".into()]).len(), 1);
        assert_eq!(complaints(|web| web.refresh_days = 366), ["web.refresh_days"]);
    }

    #[test]
    fn some_clients_need_a_tab() {
        assert_eq!(complaints(|web| web.tabs.clear()), ["web.tabs"]);
        let tabs = |count| move |web: &mut Web| web.tabs = vec![web.tabs[0].clone(); count];
        assert!(complaints(tabs(16)).is_empty());
        assert_eq!(complaints(tabs(17)), ["web.tabs"]);
    }

    #[test]
    fn the_front_shares_its_address_with_passport_only() {
        let mut config = Config::default();
        config.passport.http_bind = config.web.bind;
        assert!(check(&config).is_empty() && config.passport_is_on_web());
        config.web.bind = Bind::Off;
        assert!(!config.passport_is_on_web());
        config.web.bind = Bind::At("127.0.0.1:80".parse().unwrap());
        let found = check(&config);
        assert_eq!(found[0].key, "web.bind");
        assert!(found[0].remedy.contains("give both the same address"), "{}", found[0].remedy);
        assert_eq!(complaints(|web| web.bind = Bind::any(443)), ["web.bind"]);
        assert_eq!(complaints(|web| web.bind = Bind::Notification), ["web.bind"]);
        // Two free ports are two.
        config.web.bind = Bind::any(0);
        config.passport.http_bind = Bind::any(0);
        assert!(!config.passport_is_on_web());
    }
}
