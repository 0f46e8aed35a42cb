//! Web addresses that clients are told: the templates of `[urls]`, filled. Knows no command.

use super::SignedIn;
use crate::{
    config::{UrlService, Urls},
    protocol::{escape, mail::MailPages},
};

impl SignedIn {
    /// The web site of this server as this client is told.
    pub(super) fn site(&self) -> String {
        self.context.config.urls.site_at(self.local.ip(), self.context.web_port)
    }

    /// The addresses of a service, with what the client or somebody else put in escaped; `None` if
    /// there is no such service.
    pub(super) fn pages(&self, service: &[u8], argument: &str) -> Option<MailPages> {
        let UrlService { page, login, site_id, .. } = find(&self.context.config.urls, service)?;
        let site = self.site();
        let fill = |template: &str| fill(template, &site, self.address.as_str(), argument);
        Some(MailPages { page: fill(page), post: fill(login), site_id: *site_id })
    }

    /// [`Self::pages`], or the front page if an operator has left the service out.
    pub(super) fn pages_or_site(&self, service: &str, argument: &str) -> MailPages {
        self.pages(service.as_bytes(), argument).unwrap_or_else(|| {
            let site = self.site();
            MailPages { page: site.clone(), post: site, site_id: 0 }
        })
    }
}

fn find<'u>(urls: &'u Urls, name: &[u8]) -> Option<&'u UrlService> {
    urls.services.iter().find(|service| service.name.as_bytes() == name)
}

/// One word: what users and clients put in is escaped.
fn fill(template: &str, site: &str, user: &str, argument: &str) -> String {
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
            "argument" => filled += &escape::encode(argument, usize::MAX),
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
        assert_eq!(fill("{site}/inbox?u={user}", ""), "http://h/inbox?u=a@b.c");
        assert_eq!(fill("/to={argument}", "x y&z"), "/to=x%20y%26z");
        assert_eq!(fill("/to={argument}", "{site}"), "/to=%7Bsite%7D");
        assert_eq!(fill("/to={argument}", ""), "/to=");
    }
}
