//! What somebody with an old Windows computer needs to sign in here: lines for the hosts file, the
//! certificate authority, a registry file, a batch file that applies all three, and a guide for
//! each generation of Windows. Pure: made from a few facts, written to a folder or served over
//! HTTP by others.

mod batch;
mod guide;
mod hosts;
mod registry;
#[cfg(test)]
mod tests;

use std::{fmt::Write as _, net::Ipv4Addr};

/// Path below which the HTTP service offers the bundle: the index at this path and at this path
/// with a slash, every other item behind the slash.
pub const PATH: &str = "/setup";
/// Name of the index among the items.
pub const INDEX: &str = "index.htm";
/// Name of the authority's certificate among the items.
pub const CA_CERTIFICATE: &str = "msnd-ca.crt";

/// The names under which clients look for the services, and which lead to us once they are in a
/// hosts file.
pub const SERVICE_NAMES: [&str; 13] = [
    "messenger.hotmail.com",
    "gateway.messenger.hotmail.com",
    "nexus.passport.com",
    "login.passport.com",
    "loginnet.passport.com",
    "config.messenger.msn.com",
    "g.msn.com",
    "rad.msn.com",
    "messenger.msn.com",
    "status.messenger.msn.com",
    "members.msn.com",
    "services.msn.com",
    "svcs.microsoft.com",
];
/// How many of them, from the first on, certificates are made for. The others are asked for plain
/// web pages only, and an authority should not vouch for more than it must.
pub const CERTIFIED_NAMES: usize = 9;

/// Longest name that is put into a hosts file, bytes: the batch file must stay within the lines
/// that Windows 98 can read.
const NAME_BYTES_MAX: usize = 80;
/// The same for the name of the authority; X.509 has room for no more either.
const CA_NAME_BYTES_MAX: usize = 64;
/// Names beside those of the services.
const NAMES_MAX: usize = 32;

/// What the bundle is made from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    address: Ipv4Addr,
    host: String,
    names: Vec<String>,
    ca: Authority,
}

/// The authority that users install.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authority {
    /// Its certificate, DER.
    pub der: Vec<u8>,
    /// The common name under which Windows lists it.
    pub name: String,
    /// SHA-1 fingerprint, capitals with colons; what Windows calls the thumbprint.
    pub sha1: String,
    /// SHA-256 fingerprint in the same form.
    pub sha256: String,
}

/// One file of the bundle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// File name, without a folder.
    pub name: &'static str,
    /// For the `Content-Type` header.
    pub content_type: &'static str,
    /// The content: for Windows, so lines end with CR LF; ASCII but for the certificate.
    pub bytes: Vec<u8>,
}

impl Facts {
    /// `address` is where clients find the server, `host` the same as people are told it (a name or
    /// again the address). `names` lead there too, beside [`SERVICE_NAMES`].
    ///
    /// # Errors
    /// What cannot be written into a hosts or a batch file.
    pub fn new(
        address: Ipv4Addr,
        host: &str,
        names: &[String],
        ca: Authority,
    ) -> Result<Self, String> {
        if address.is_unspecified() || address.is_multicast() || address.is_broadcast() {
            return Err(format!("{address} is not the address of one computer"));
        }
        let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
        let wrong = |name: &&String| {
            name.is_empty() || name.len() > NAME_BYTES_MAX || !name.bytes().all(legal)
        };
        let host = host.to_owned();
        if let Some(name) = names.iter().chain([&host]).find(wrong) {
            return Err(format!("`{name}` is no host name that old clients can read"));
        }
        if names.len() > NAMES_MAX {
            return Err(format!("at most {NAMES_MAX} names can be added"));
        }
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b" -._".contains(&byte);
        let hex = |byte: u8| byte.is_ascii_hexdigit() || byte == b':';
        let is_short = ca.name.len() <= CA_NAME_BYTES_MAX;
        if !is_short
            || !ca.name.bytes().all(plain)
            || !(ca.sha1.bytes().chain(ca.sha256.bytes()).all(hex))
        {
            return Err("the certificate has a name that Windows 98 cannot show".into());
        }
        let mut all: Vec<String> = SERVICE_NAMES.map(String::from).into();
        for name in names {
            if !all.iter().any(|known| known.eq_ignore_ascii_case(name)) {
                all.push(name.to_ascii_lowercase());
            }
        }
        Ok(Self { address, host, names: all, ca })
    }
}

/// All files, the index first.
#[must_use]
pub fn bundle(facts: &Facts) -> Vec<Item> {
    const HTML: &str = "text/html";
    // Not a type that a browser would show in place of saving it.
    const DOWNLOAD: &str = "application/octet-stream";
    let text =
        |name, content_type, text: String| Item { name, content_type, bytes: windows_text(&text) };
    let mut items = vec![
        text(INDEX, HTML, guide::index(facts)),
        text("hosts.txt", "text/plain", hosts::block(facts)),
        certificate(&facts.ca),
        text(registry::FILE, DOWNLOAD, registry::file()),
        text(batch::FILE, DOWNLOAD, batch::file(facts)),
    ];
    items.extend(
        guide::GENERATIONS.iter().map(|windows| text(windows.file, HTML, windows.page(facts))),
    );
    items
}

/// The authority's certificate, which is the same wherever clients reach us.
#[must_use]
pub fn certificate(ca: &Authority) -> Item {
    Item { name: CA_CERTIFICATE, content_type: "application/x-x509-ca-cert", bytes: ca.der.clone() }
}

/// Line ends of Windows. What is not ASCII, of which there is nothing, would become `?`.
fn windows_text(text: &str) -> Vec<u8> {
    let mut windows = String::with_capacity(text.len() + text.len() / 32);
    for line in text.lines() {
        // Writing to a string cannot fail.
        let _ = write!(windows, "{line}\r\n");
    }
    windows.chars().map(|character| u8::try_from(character).unwrap_or(b'?')).collect()
}
