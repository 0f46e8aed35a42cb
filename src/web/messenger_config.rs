//! Messenger Config: tabs, pages and trusted domains for clients from MSN 6.0 on, which ask in SOAP
//! or, from WLM 8 on, with a simple GET. Whatever they ask, they get the same (reference
//! `http-services.md` §2).

use super::{
    Visit, tabs,
    xml::{Xml, declaration, document, element, empty, text},
};
use crate::http1::Response;
use quick_xml::events::BytesCData;
use std::io;

const TYPE: &str = "text/xml; charset=utf-8";
const SERVICE: &str = "http://www.msn.com/webservices/Messenger/Client";
const SOAP: [(&str, &str); 3] = [
    ("xmlns:soap", "http://schemas.xmlsoap.org/soap/envelope/"),
    ("xmlns:xsi", "http://www.w3.org/2001/XMLSchema-instance"),
    ("xmlns:xsd", "http://www.w3.org/2001/XMLSchema"),
];

pub(super) fn answer(visit: &Visit<'_>) -> Response {
    let body = match visit.request.method.as_str() {
        "POST" => envelope(&document(|xml| config(xml, visit))),
        _ => document(|xml| {
            declaration(xml)?;
            config(xml, visit)
        }),
    };
    Response::of_type("200 OK", TYPE).header("Cache-Control", "no-cache").body(body)
}

/// The document as text in an envelope. It cannot end the section around it: of `]]>`, the writer
/// escapes the last character wherever it may stand.
fn envelope(config: &str) -> String {
    document(|xml| {
        declaration(xml)?;
        let envelope = xml.create_element("soap:Envelope").with_attributes(SOAP);
        let body = |xml: &mut Xml| {
            let response = xml.create_element("GetClientConfigResponse");
            let response = response.with_attribute(("xmlns", SERVICE));
            let result = |xml: &mut Xml| {
                let result = xml.create_element("GetClientConfigResult");
                result.write_cdata_content(BytesCData::new(config)).map(drop)
            };
            response.write_inner_content(result).map(drop)
        };
        envelope.write_inner_content(|xml| element(xml, "soap:Body", body)).map(drop)
    })
}

/// What clients of 6.0 to 7.x have been seen to live with, and nothing of later ones.
fn config(xml: &mut Xml, visit: &Visit<'_>) -> io::Result<()> {
    element(xml, "MsgrConfig", |xml| {
        element(xml, "Simple", |xml| simple(xml, visit))?;
        element(xml, "TabConfig", |xml| {
            tabs::data(xml, visit)?;
            tabs::settings(xml, visit)
        })?;
        let localized = xml.create_element("LocalizedConfig").with_attribute(("Market", "en-US"));
        localized.write_inner_content(|xml| localized_config(xml, visit)).map(drop)
    })
}

fn simple(xml: &mut Xml, visit: &Visit<'_>) -> io::Result<()> {
    let days = visit.config.refresh_days.to_string();
    element(xml, "Config", |xml| text(xml, "ExpiresInDays", &days))?;
    text(xml, "DisablePhoneDialer", "1")?;
    let flash = [("MajorVersion", "7"), ("MinorVersion", "0"), ("BuildNumber", "60")];
    empty(xml, "MinFlashPlayer", &flash)?;
    element(xml, "Relay", |xml| {
        text(xml, "Enabled", "0")?;
        text(xml, "MaxCallLength", "0")
    })?;
    element(xml, "TrustedDomains", |xml| {
        let configured = visit.config.trusted_domains.iter().map(String::as_str);
        let mut domains = std::iter::once(domain(&visit.site)).chain(configured);
        domains.try_for_each(|domain| empty(xml, "domain", &[("name", domain)]))
    })
}

fn localized_config(xml: &mut Xml, visit: &Visit<'_>) -> io::Result<()> {
    let page = |path: &str| format!("{}{path}", visit.site);
    element(xml, "AdMainConfig", |xml| {
        text(xml, "TextAdRefresh", "30")?;
        text(xml, "TextAdServer", &page("/textad"))
    })?;
    let search = page("/search?q=$QUERY$");
    element(xml, "MSNSearch", |xml| text(xml, "SearchURL", &search))?;
    if !visit.config.today.is_empty() {
        element(xml, "MsnTodayConfig", |xml| {
            text(xml, "MsnTodaySiteID", "0")?;
            text(xml, "MsnTodayURL", &visit.fill(&visit.config.today))
        })?;
    }
    element(xml, "TermsOfUse", |xml| {
        text(xml, "TermsOfUseSID", "0")?;
        text(xml, "TermsOfUseURL", &page("/tos"))
    })
}

/// The host of a web address.
fn domain(site: &str) -> &str {
    let host = site.split_once("://").map_or(site, |(_, rest)| rest);
    let host = host.split('/').next().unwrap_or_default();
    match host.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => host,
    }
}

#[cfg(test)]
mod tests {
    use super::domain;

    #[test]
    fn a_domain_is_the_host_of_the_site() {
        for (site, host) in [
            ("http://192.0.2.7", "192.0.2.7"),
            ("http://www.example.test:8080", "www.example.test"),
            ("http://www.example.test/msn", "www.example.test"),
            ("http://[2001:db8::1]:8080", "[2001:db8::1]"),
            ("http://[2001:db8::1]", "[2001:db8::1]"),
        ] {
            assert_eq!(domain(site), host);
        }
    }
}
