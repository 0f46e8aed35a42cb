//! The XML documents of `NOT` and `IPG`, and the one clients send with `PGD`. In the form that
//! clients of the time know: two spaces for each level, CRLF, no line end at the end.

use crate::model::{Address, Alert, AlertId, Page};
use quick_xml::{
    Reader,
    escape::{escape, partial_escape, resolve_predefined_entity},
    events::{BytesRef, Event},
};

/// The site number of pages.
const MOBILE_SITE: u32 = 111_100_400;
/// The category of pages.
const PAGE_CATEGORY: u32 = 110_110_001;

/// Whom a document is for and where it comes from: all that differs between the recipients of one
/// alert.
#[derive(Debug, Clone, Copy)]
pub struct Recipient<'a> {
    /// The account number, sent as two 32-bit halves as in the profile.
    pub member_id: u64,
    /// The handle.
    pub address: &'a Address,
    /// The server's web site, for what names none of its own.
    pub site_url: &'a str,
}

/// The first part of an alert's document, the recipient's own. [`alert_body`] follows directly.
#[must_use]
pub fn alert_head(id: AlertId, alert: &Alert, to: &Recipient<'_>) -> String {
    let site_url = alert.parts().site_url.as_deref().unwrap_or(to.site_url);
    format!(
        "<NOTIFICATION ver=\"1\" id=\"{id}\" siteid=\"{}\" siteurl=\"{}\">\r\n  \
           <TO pid=\"{}\" name=\"{}\"/>\r\n",
        alert.parts().site_id,
        escape(site_url),
        member(to.member_id),
        escape(to.address.as_str()),
    )
}

/// The rest of an alert's document, the same for everybody.
#[must_use]
pub fn alert_body(id: AlertId, alert: &Alert) -> String {
    let parts = alert.parts();
    let icon = parts.icon.as_deref().map(|icon| format!(" icon=\"{}\"", escape(icon)));
    let html = parts.html.as_deref().map(|html| {
        // Mark-up inside a text, not elements of the document.
        format!("      <TEXTX>{}</TEXTX>\r\n", partial_escape(html))
    });
    format!(
        "  <MSG pri=\"{}\" id=\"{id}\">\r\n    \
             <ACTION url=\"{}\"/>\r\n    \
             <SUBSCR url=\"{}\"/>\r\n    \
             <BODY lang=\"{}\"{}>\r\n      \
               <TEXT>{}</TEXT>\r\n\
         {}    \
             </BODY>\r\n  \
           </MSG>\r\n\
         </NOTIFICATION>",
        parts.priority,
        escape(&*parts.action_url),
        escape(&*parts.subscribe_url),
        parts.lang,
        icon.unwrap_or_default(),
        partial_escape(&*parts.text),
        html.unwrap_or_default(),
    )
}

/// The document of a page. `mobile_url` is where a click leads: the page of mobile settings.
#[must_use]
pub fn page(page: &Page, lang: u32, mobile_url: &str, to: &Recipient<'_>) -> String {
    let mobile_url = escape(mobile_url);
    format!(
        "<NOTIFICATION ver=\"1\" id=\"0\" siteid=\"{MOBILE_SITE}\" siteurl=\"{}\">\r\n  \
           <TO pid=\"{}\" name=\"{}\">\r\n    \
             <VIA agent=\"mobile\"/>\r\n  \
           </TO>\r\n  \
           <FROM name=\"{}\"/>\r\n  \
           <MSG pri=\"1\" id=\"0\">\r\n    \
             <CAT id=\"{PAGE_CATEGORY}\"/>\r\n    \
             <ACTION url=\"{mobile_url}\"/>\r\n    \
             <SUBSCR url=\"{mobile_url}\"/>\r\n    \
             <BODY lang=\"{lang}\">\r\n      \
               <TEXT>{}</TEXT>\r\n    \
             </BODY>\r\n  \
           </MSG>\r\n\
         </NOTIFICATION>",
        escape(to.site_url),
        member(to.member_id),
        escape(to.address.as_str()),
        escape(page.from().as_str()),
        partial_escape(page.text()),
    )
}

/// A `PGD` payload that is not the documented form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no well-formed page")]
pub struct BadPage;

/// The text of a page as clients write it: `<TEXT …>…</TEXT>`, perhaps behind
/// `<PHONE pri="1"><LOC>…</LOC><NUM>…</NUM></PHONE>`.
///
/// # Errors
/// [`BadPage`] if it is no UTF-8, not well-formed, or has other or no elements.
pub fn page_text(payload: &[u8]) -> Result<String, BadPage> {
    let mut reader = Reader::from_str(str::from_utf8(payload).map_err(|_| BadPage)?);
    let (mut open, mut found) = (Vec::new(), None);
    loop {
        let is_text = open.last().is_some_and(|name| *name == Element::Text);
        match reader.read_event().map_err(|_| BadPage)? {
            Event::Start(start) => {
                let element = Element::inside(open.last(), start.name().as_ref())?;
                if start.attributes().any(|attribute| attribute.is_err()) {
                    return Err(BadPage);
                }
                // One page, one text, and no phone behind it.
                if open.is_empty() && found.is_some() {
                    return Err(BadPage);
                }
                if element == Element::Text {
                    found = Some(String::new());
                }
                open.push(element);
            }
            Event::End(_) => {
                open.pop();
            }
            Event::Text(text) if is_text => found.get_or_insert_default().push_str(&text),
            Event::GeneralRef(entity) => {
                let character = resolve(&entity)?;
                match open.last() {
                    Some(Element::Text) => found.get_or_insert_default().push_str(&character),
                    Some(Element::Loc | Element::Num) => {}
                    _ => return Err(BadPage),
                }
            }
            Event::Text(text) => {
                let has_text = matches!(open.last(), Some(Element::Loc | Element::Num));
                if !has_text && !text.trim().is_empty() {
                    return Err(BadPage);
                }
            }
            Event::Eof if open.is_empty() => return found.ok_or(BadPage),
            _ => return Err(BadPage),
        }
    }
}

/// The elements of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Element {
    Phone,
    Loc,
    Num,
    Text,
}

impl Element {
    fn inside(parent: Option<&Self>, name: &str) -> Result<Self, BadPage> {
        match (parent, name) {
            (None, "PHONE") => Ok(Self::Phone),
            (None, "TEXT") => Ok(Self::Text),
            (Some(Self::Phone), "LOC") => Ok(Self::Loc),
            (Some(Self::Phone), "NUM") => Ok(Self::Num),
            _ => Err(BadPage),
        }
    }
}

fn resolve(entity: &BytesRef<'_>) -> Result<String, BadPage> {
    if let Some(character) = entity.resolve_char_ref().map_err(|_| BadPage)? {
        return Ok(character.into());
    }
    resolve_predefined_entity(entity).map(str::to_owned).ok_or(BadPage)
}

fn member(id: u64) -> String {
    format!("0x{:08x}:0x{:08x}", id >> 32, id & 0xffff_ffff)
}

#[cfg(test)]
mod tests;
