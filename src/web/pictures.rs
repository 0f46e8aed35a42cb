//! The two pictures that clients load by themselves.

use super::Visit;
use crate::http1::Response;

/// Beside the name of a tab: a blue disc, 22 pixels wide.
pub(super) fn tab(_: &Visit<'_>) -> Response {
    picture("image/png", include_bytes!("pictures/tab.png"))
}

/// Beside what Passport says about a failed sign-in: one transparent pixel.
pub(super) fn logo(_: &Visit<'_>) -> Response {
    picture("image/gif", include_bytes!("pictures/logo.gif"))
}

fn picture(content_type: &str, bytes: &[u8]) -> Response {
    let response = Response::of_type("200 OK", content_type);
    response.header("Cache-Control", "max-age=86400").body(bytes)
}
