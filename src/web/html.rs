//! Pages as Internet Explorer 5 reads them: HTML 3.2, no script, no picture from elsewhere.

use crate::http1::Response;
use quick_xml::escape::escape;

const TYPE: &str = "text/html; charset=utf-8";

/// A page with a heading and paragraphs of plain text.
pub(super) fn page(title: &str, heading: &str, paragraphs: &[&str]) -> Response {
    let (title, heading) = (escape(title), escape(heading));
    let mut html = format!(
        "<!DOCTYPE HTML PUBLIC \"-//W3C//DTD HTML 3.2 Final//EN\">\r\n<HTML><HEAD>\
         <TITLE>{heading} - {title}</TITLE></HEAD>\r\n\
         <BODY BGCOLOR=\"#FFFFFF\" TEXT=\"#000000\">\r\n<H2>{heading}</H2>\r\n"
    );
    for paragraph in paragraphs {
        html.extend(["<P>", &escape(*paragraph), "</P>\r\n"]);
    }
    html.push_str(
        "<HR>\r\n<P><A HREF=\"/\">Start</A> | <A HREF=\"/help\">Help</A> | \
         <A HREF=\"/status\">Status</A></P>\r\n</BODY></HTML>\r\n",
    );
    Response::of_type("200 OK", TYPE).body(html)
}

/// An empty page: there is nothing here, and no reason to worry.
pub(super) fn nothing() -> Response {
    Response::of_type("200 OK", TYPE).body("<HTML><HEAD></HEAD><BODY></BODY></HTML>\r\n")
}

/// Sends a browser to one of our own pages, which `path` must be.
pub(super) fn redirect(path: &'static str) -> Response {
    Response::of_type("302 Found", TYPE).header("Location", path)
}
