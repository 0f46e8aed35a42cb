//! The tabs of the sidebar: for MSN 4 and 5 as a list of their own, for later clients a part of
//! Messenger Config (reference `http-services.md` §2.3, §3).

use super::{
    Visit,
    xml::{Xml, document, element, text},
};
use crate::http1::Response;
use std::io;

const TYPE: &str = "text/xml; charset=utf-8";

/// Where MSN 4 and 5 find the list: the path is from old notes, which have two names for it.
pub(super) fn is_list(path: &str) -> bool {
    path.ends_with("/tabs.asp") || path.ends_with("/svcs.asp")
}

/// Settings and tabs behind each other, without a root around both.
pub(super) fn list(visit: &Visit<'_>) -> Response {
    let list = document(|xml| {
        settings(xml, visit)?;
        data(xml, visit)
    });
    Response::of_type("200 OK", TYPE).header("Cache-Control", "no-cache").body(list)
}

/// `msntabsettings`
pub(super) fn settings(xml: &mut Xml, visit: &Visit<'_>) -> io::Result<()> {
    let count = visit.config.tabs.len().to_string();
    element(xml, "msntabsettings", |xml| {
        text(xml, "oemdisplaylimit", &count)?;
        text(xml, "oemtotallimit", &count)
    })
}

/// `msntabdata`
pub(super) fn data(xml: &mut Xml, visit: &Visit<'_>) -> io::Result<()> {
    element(xml, "msntabdata", |xml| {
        visit.config.tabs.iter().try_for_each(|tab| {
            let page = visit.fill(&tab.page);
            element(xml, "tab", |xml| {
                text(xml, "type", "page")?;
                text(xml, "contenturl", &page)?;
                text(xml, "hiturl", &page)?;
                text(xml, "image", &visit.fill(&tab.image))?;
                text(xml, "name", &tab.name)?;
                text(xml, "tooltip", &tab.tooltip)?;
                text(xml, "siteid", "0")?;
                text(xml, "notificationid", "0")
            })
        })
    })
}
