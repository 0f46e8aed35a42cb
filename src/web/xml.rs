//! Writing XML without saying everything twice.

use quick_xml::{
    Writer,
    events::{BytesDecl, BytesText, Event},
};
use std::io;

/// A document in the making.
pub(super) type Xml = Writer<Vec<u8>>;

/// What `write` writes, as text.
pub(super) fn document(write: impl FnOnce(&mut Xml) -> io::Result<()>) -> String {
    let mut xml = Writer::new(Vec::new());
    // Only the writer below can fail, and a Vec never does.
    let _ = write(&mut xml);
    String::from_utf8(xml.into_inner()).unwrap_or_default()
}

/// The line before the root element.
pub(super) fn declaration(xml: &mut Xml) -> io::Result<()> {
    xml.write_event(Event::Decl(BytesDecl::new("1.0", Some("utf-8"), None)))
}

/// An element with others in it.
pub(super) fn element(
    xml: &mut Xml,
    name: &str,
    inside: impl FnOnce(&mut Xml) -> io::Result<()>,
) -> io::Result<()> {
    xml.create_element(name).write_inner_content(inside).map(drop)
}

/// An element with text in it, of which every special character is escaped.
pub(super) fn text(xml: &mut Xml, name: &str, text: &str) -> io::Result<()> {
    xml.create_element(name).write_text_content(BytesText::new(text)).map(drop)
}

/// An element with attributes only.
pub(super) fn empty(xml: &mut Xml, name: &str, attributes: &[(&str, &str)]) -> io::Result<()> {
    let element = xml.create_element(name).with_attributes(attributes.iter().copied());
    element.write_empty().map(drop)
}
