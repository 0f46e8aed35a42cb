//! Alerts and pages: texts that the server shows people, checked when they are made, so that
//! everything later may write them down without looking again. Knows no document form.

use super::Address;
use std::fmt;

/// Longest text of an alert, characters.
pub const ALERT_TEXT_CHARS_MAX: usize = 1024;
/// Longest extended text (HTML) of an alert, characters.
pub const ALERT_HTML_CHARS_MAX: usize = 2048;
/// Longest web address in an alert, bytes.
pub const ALERT_URL_BYTES_MAX: usize = 512;
/// The least urgent priority; 1 is the most urgent.
pub const ALERT_PRIORITY_MAX: u8 = 9;
/// Longest text of a page, characters.
pub const PAGE_TEXT_CHARS_MAX: usize = 512;
/// The site number of alerts that come from no site in particular.
pub const GENERAL_ALERTS_SITE: u32 = 199_999_999;

/// The number of a stored alert; rises in the order in which alerts were committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AlertId(pub u64);

impl fmt::Display for AlertId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What an alert is made of, not checked yet.
#[derive(Clone, PartialEq, Eq)]
pub struct AlertParts {
    /// The number of the site that sends it.
    pub site_id: u32,
    /// The site, to which the other addresses are relative; `None` is the site of this server.
    pub site_url: Option<String>,
    /// What a click on the alert opens.
    pub action_url: String,
    /// Where the subscription is changed.
    pub subscribe_url: String,
    /// The picture beside the text.
    pub icon: Option<String>,
    /// The language of the text (LCID).
    pub lang: u16,
    /// 1 (most urgent) to [`ALERT_PRIORITY_MAX`].
    pub priority: u8,
    /// The text; lines end with `\n`.
    pub text: String,
    /// The same with mark-up (HTML), for clients that can show it.
    pub html: Option<String>,
}

impl AlertParts {
    /// A general alert with this text that leads to the front page of the server's site.
    #[must_use]
    pub fn general(text: &str, lang: u16) -> Self {
        Self {
            site_id: GENERAL_ALERTS_SITE,
            site_url: None,
            action_url: "/".into(),
            subscribe_url: "/".into(),
            icon: None,
            lang,
            priority: 1,
            text: text.into(),
            html: None,
        }
    }
}

/// Shows no text: what people are told is in no log.
impl fmt::Debug for AlertParts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AlertParts").field("site_id", &self.site_id).finish_non_exhaustive()
    }
}

/// A field of an alert or page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "named like the fields of `AlertParts`")]
pub enum AlertField {
    SiteUrl,
    ActionUrl,
    SubscribeUrl,
    Icon,
    Lang,
    Priority,
    Text,
    Html,
}

impl AlertField {
    /// The name, as in [`AlertParts`].
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::SiteUrl => "site_url",
            Self::ActionUrl => "action_url",
            Self::SubscribeUrl => "subscribe_url",
            Self::Icon => "icon",
            Self::Lang => "lang",
            Self::Priority => "priority",
            Self::Text => "text",
            Self::Html => "html",
        }
    }
}

impl fmt::Display for AlertField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Why an alert or page cannot be; says which field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AlertError {
    /// Nothing where something must be.
    #[error("{0}: must not be empty")]
    Empty(AlertField),
    /// Longer than the limit, which is in characters for texts and in bytes for addresses.
    #[error("{0}: longer than {1}")]
    TooLong(AlertField, usize),
    /// A control character other than a line break, or one that XML does not know.
    #[error("{0}: contains a character that cannot be shown")]
    Character(AlertField),
    /// Not `http://…`, `https://…` or (but for the site) relative, or with spaces or quotes.
    #[error("{0}: must be a web address without spaces and quotes")]
    Address(AlertField),
    /// A number out of range.
    #[error("{0}: must be from 1 to {1}")]
    Range(AlertField, u16),
}

impl AlertError {
    /// The field that breaks a rule.
    #[must_use]
    pub const fn field(&self) -> AlertField {
        match self {
            Self::Empty(field)
            | Self::TooLong(field, _)
            | Self::Character(field)
            | Self::Address(field)
            | Self::Range(field, _) => *field,
        }
    }
}

/// An alert that can be written down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alert(AlertParts);

impl Alert {
    /// Checks all parts. Line breaks of whatever form become `\n`.
    ///
    /// # Errors
    /// [`AlertError`] names the first field that breaks a rule.
    pub fn new(mut parts: AlertParts) -> Result<Self, AlertError> {
        parts.text = shown(&parts.text, AlertField::Text, ALERT_TEXT_CHARS_MAX)?;
        if let Some(html) = &mut parts.html {
            *html = shown(html, AlertField::Html, ALERT_HTML_CHARS_MAX)?;
        }
        if let Some(site) = &parts.site_url {
            check_url(site, AlertField::SiteUrl, false)?;
        }
        check_url(&parts.action_url, AlertField::ActionUrl, true)?;
        check_url(&parts.subscribe_url, AlertField::SubscribeUrl, true)?;
        if let Some(icon) = &parts.icon {
            check_url(icon, AlertField::Icon, true)?;
        }
        if parts.lang == 0 {
            return Err(AlertError::Range(AlertField::Lang, u16::MAX));
        }
        if !(1..=ALERT_PRIORITY_MAX).contains(&parts.priority) {
            return Err(AlertError::Range(AlertField::Priority, ALERT_PRIORITY_MAX.into()));
        }
        Ok(Self(parts))
    }

    /// What it is made of.
    #[must_use]
    pub const fn parts(&self) -> &AlertParts {
        &self.0
    }
}

/// What one person writes to another one's mobile device.
#[derive(Clone, PartialEq, Eq)]
pub struct Page {
    from: Address,
    text: String,
}

impl Page {
    /// Checks the text.
    ///
    /// # Errors
    /// [`AlertError`] about [`AlertField::Text`].
    pub fn new(from: Address, text: &str) -> Result<Self, AlertError> {
        Ok(Self { from, text: shown(text, AlertField::Text, PAGE_TEXT_CHARS_MAX)? })
    }

    /// Who wrote it.
    #[must_use]
    pub const fn from(&self) -> &Address {
        &self.from
    }

    /// The text; lines end with `\n`.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }
}

/// Shows no text.
impl fmt::Debug for Page {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Page").field("from", &self.from).finish_non_exhaustive()
    }
}

/// A text to be shown, its line breaks all `\n`.
fn shown(text: &str, field: AlertField, chars_max: usize) -> Result<String, AlertError> {
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    if text.trim().is_empty() {
        return Err(AlertError::Empty(field));
    }
    if text.chars().count() > chars_max {
        return Err(AlertError::TooLong(field, chars_max));
    }
    let is_shown = |c: char| c == '\n' || !(c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}'));
    if !text.chars().all(is_shown) {
        return Err(AlertError::Character(field));
    }
    Ok(text)
}

fn check_url(url: &str, field: AlertField, may_be_relative: bool) -> Result<(), AlertError> {
    if url.is_empty() {
        return Err(AlertError::Empty(field));
    }
    if url.len() > ALERT_URL_BYTES_MAX {
        return Err(AlertError::TooLong(field, ALERT_URL_BYTES_MAX));
    }
    let is_plain = url.bytes().all(|b| b.is_ascii_graphic() && !b"\"'<>\\`".contains(&b));
    let rest = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://"));
    let is_web = match rest {
        Some(rest) => !rest.is_empty() && !rest.starts_with('/'),
        // A colon in the first part would make it the name of another scheme.
        None => may_be_relative && !url.split(['/', '?', '#']).next().unwrap_or(url).contains(':'),
    };
    if is_plain && is_web { Ok(()) } else { Err(AlertError::Address(field)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(change: impl FnOnce(&mut AlertParts)) -> Result<Alert, AlertError> {
        let mut parts = AlertParts::general("Hello", 1033);
        change(&mut parts);
        Alert::new(parts)
    }

    #[test]
    fn every_field_is_checked_and_named() {
        use AlertField::*;
        assert!(with(|_| ()).is_ok());
        let long = |count: usize| "é".repeat(count);
        for (broken, error) in [
            (with(|p| p.text = " \n".into()), AlertError::Empty(Text)),
            (with(|p| p.text = long(1025)), AlertError::TooLong(Text, 1024)),
            (with(|p| p.text = "a\u{7}b".into()), AlertError::Character(Text)),
            (with(|p| p.text = "a\tb".into()), AlertError::Character(Text)),
            (with(|p| p.text = "a\u{ffff}".into()), AlertError::Character(Text)),
            (with(|p| p.text = "a\u{85}".into()), AlertError::Character(Text)),
            (with(|p| p.html = Some(String::new())), AlertError::Empty(Html)),
            (with(|p| p.html = Some(long(2049))), AlertError::TooLong(Html, 2048)),
            (with(|p| p.html = Some("\0".into())), AlertError::Character(Html)),
            (with(|p| p.site_url = Some("/".into())), AlertError::Address(SiteUrl)),
            (with(|p| p.site_url = Some("ftp://a".into())), AlertError::Address(SiteUrl)),
            (with(|p| p.site_url = Some("http://".into())), AlertError::Address(SiteUrl)),
            (with(|p| p.action_url = "a b".into()), AlertError::Address(ActionUrl)),
            (with(|p| p.action_url = "javascript:x".into()), AlertError::Address(ActionUrl)),
            (with(|p| p.action_url = String::new()), AlertError::Empty(ActionUrl)),
            (with(|p| p.subscribe_url = "/\"".into()), AlertError::Address(SubscribeUrl)),
            (with(|p| p.subscribe_url = "x".repeat(513)), AlertError::TooLong(SubscribeUrl, 512)),
            (with(|p| p.icon = Some("/ü".into())), AlertError::Address(Icon)),
            (with(|p| p.lang = 0), AlertError::Range(Lang, u16::MAX)),
            (with(|p| p.priority = 0), AlertError::Range(Priority, 9)),
            (with(|p| p.priority = 10), AlertError::Range(Priority, 9)),
        ] {
            assert_eq!(broken.unwrap_err(), error);
            assert!(error.to_string().contains(": "), "{error}");
        }
    }

    #[test]
    fn what_is_legal_passes_at_the_limits() {
        let alert = with(|parts| {
            parts.text = "🌻".repeat(ALERT_TEXT_CHARS_MAX);
            parts.html = Some("<".repeat(ALERT_HTML_CHARS_MAX));
            parts.site_url = Some("https://calendar.example.org:8080".into());
            parts.action_url = "day.html?at=10:30&x=y".into();
            parts.subscribe_url = "http://other.example.org/".into();
            parts.icon = Some("/bell.png".into());
            parts.priority = ALERT_PRIORITY_MAX;
        });
        assert!(alert.is_ok());
        let lines = with(|parts| parts.text = "one\r\ntwo\rthree\n".into()).unwrap();
        assert_eq!(lines.parts().text, "one\ntwo\nthree\n");
    }

    #[test]
    fn a_page_has_a_bounded_text() {
        let from = Address::parse("alice@example.test").unwrap();
        let page = |text: &str| Page::new(from.clone(), text).map(|page| page.text().to_owned());
        assert_eq!(page("Running\r\nlate").as_deref(), Ok("Running\nlate"));
        assert_eq!(page(""), Err(AlertError::Empty(AlertField::Text)));
        assert!(page(&"x".repeat(PAGE_TEXT_CHARS_MAX)).is_ok());
        let long = page(&"x".repeat(PAGE_TEXT_CHARS_MAX + 1));
        assert_eq!(long, Err(AlertError::TooLong(AlertField::Text, PAGE_TEXT_CHARS_MAX)));
    }

    #[test]
    fn nobody_reads_a_text_in_debug_output() {
        let alert = with(|parts| parts.text = "hidden".into()).unwrap();
        let page = Page::new(Address::parse("a@b.c").unwrap(), "hidden").unwrap();
        assert!(!format!("{alert:?} {page:?}").contains("hidden"));
    }
}
