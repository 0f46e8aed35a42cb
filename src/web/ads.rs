//! Where advertisements were: an empty banner, and a line of the operator's own (reference
//! `http-services.md` §4).

use super::{
    Visit, html,
    xml::{declaration, document, element, text as text_element},
};
use crate::http1::Response;

/// The picture above the contact list.
pub(super) fn banner(_: &Visit<'_>) -> Response {
    html::nothing()
}

/// The line below it.
pub(super) fn text(visit: &Visit<'_>) -> Response {
    let line = match visit.config.text_ad.as_str() {
        "" => &visit.config.title,
        line => line,
    };
    let ad = document(|xml| {
        declaration(xml)?;
        element(xml, "TEXTAD", |xml| {
            text_element(xml, "adtext", line)?;
            text_element(xml, "hiturl", &format!("{}/", visit.site))?;
            text_element(xml, "tab", "")?;
            text_element(xml, "ct", "")?;
            text_element(xml, "flag", "0")
        })
    });
    Response::of_type("200 OK", "text/xml; charset=utf-8").body(ad)
}
