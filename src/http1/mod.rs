//! As much HTTP/1.x as clients of that time speak: Passport, the web pages and the gateway answer
//! through it. Written by hand because such clients compare header names byte by byte, and some ask
//! without an HTTP version; no library allows either. Knows nothing of what is asked for, and
//! neither sockets nor TLS, only streams.

mod read;
mod request;
mod response;
mod serve;

pub use read::{ReadError, Reader};
pub use request::{Malformed, Request, host_name};
pub use response::{Receipt, Response};
pub use serve::{Ends, KEEP_ALIVE_WAIT, REQUESTS_MAX, Service, serve};

/// Longest request head in bytes.
pub const HEAD_BYTES_MAX: usize = 8 * 1024;
/// Longest line of it in bytes, with its line end.
pub const LINE_BYTES_MAX: usize = 4 * 1024;
/// Header lines of one request.
pub const HEADERS_MAX: usize = 64;
/// Longest host name of a client's that we repeat, in bytes.
pub const HOST_BYTES_MAX: usize = 200;
