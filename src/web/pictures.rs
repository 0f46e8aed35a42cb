//! The two pictures that clients load by themselves.

use super::Visit;
use crate::http1::Response;

#[rustfmt::skip]
const TAB: &[u8] = b"\x89PNG\x0d\x0a\x1a\x0a\x00\x00\x00\x0dIHDR\x00\x00\x00\x16\x00\x00\x00\x16\x08\x02\x00\
    \x00\x00K\xd6\xfbl\x00\x00\x00CIDATx\xdac\xf8O1`\xa0\x95\x11VyK\xb1\x22\xa2\x8c\xc0\xa5\
    \x19\x8fA\x0c\xa4\xea\xc74\x85\x81\x0c\xfdh\xa6P\xcf\x08R\xf5#\x9b2j\xc4\xf05bp\xa4N\xead3\
    \xeadv\xea\x149\x03Sv\x02\x005\xe3\xd4\xc2!\x1e\xd4i\x00\x00\x00\x00IEND\xaeB`\x82";
#[rustfmt::skip]
const LOGO: &[u8] = b"GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff!\xf9\x04\x01\x00\x00\x00\x00,\
    \x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;";

/// Beside the name of a tab: a blue disc, 22 pixels wide.
pub(super) fn tab(_: &Visit<'_>) -> Response {
    picture("image/png", TAB)
}

/// Beside what Passport says about a failed sign-in: one transparent pixel.
pub(super) fn logo(_: &Visit<'_>) -> Response {
    picture("image/gif", LOGO)
}

fn picture(content_type: &str, bytes: &[u8]) -> Response {
    let response = Response::of_type("200 OK", content_type);
    response.header("Cache-Control", "max-age=86400").body(bytes)
}
