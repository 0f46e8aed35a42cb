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

    /// [`Self::pages_or_site`] as news of mail has them: a page of ours by its path alone.
    ///
    /// COMPAT(Twisted, all): so the original service named pages of its own here, with only the
    /// login service in full; and a parser that splits these fields at their colons, as Twisted's
    /// does with a message's first header block, stumbles over a whole address.
    pub(super) fn mail_pages(&self, service: &str, argument: &str) -> MailPages {
        let mut pages = self.pages_or_site(service, argument);
        if let Some(path) = path_on(&self.site(), &pages.page) {
            pages.page = path.to_owned();
        }
        pages
    }
}

/// The path of a page on the host of `site`.
fn path_on<'p>(site: &str, page: &'p str) -> Option<&'p str> {
    let (scheme, rest) = site.split_once("://")?;
    let host = rest.split('/').next()?;
    match page.strip_prefix(scheme)?.strip_prefix("://")?.strip_prefix(host)? {
        "" => Some("/"),
        path => path.starts_with('/').then_some(path),
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
    use super::{fill, path_on};

    #[test]
    fn templates_are_filled_with_escaped_words() {
        let fill = |template, argument| fill(template, "http://h", "a@b.c", argument);
        assert_eq!(fill("{site}/inbox?u={user}", ""), "http://h/inbox?u=a@b.c");
        assert_eq!(fill("/to={argument}", "x y&z"), "/to=x%20y%26z");
        assert_eq!(fill("/to={argument}", "{site}"), "/to=%7Bsite%7D");
        assert_eq!(fill("/to={argument}", ""), "/to=");
    }

    #[test]
    fn only_a_page_of_ours_is_named_by_its_path() {
        for (page, path) in [
            ("http://h/inbox?u=a", Some("/inbox?u=a")),
            ("http://h", Some("/")),
            ("http://hotmail.example/inbox", None),
            ("http://mail.example/http://h/inbox", None),
        ] {
            assert_eq!(path_on("http://h", page), path, "{page}");
        }
        assert_eq!(path_on("http://h:81/msn", "http://h:81/msn/inbox"), Some("/msn/inbox"));
        assert_eq!(path_on("http://h:81/msn", "http://h/msn/inbox"), None);
    }
}
