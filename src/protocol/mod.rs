//! Bytes and their meaning: framing, arguments, escapes, every line the server sends. Knows no
//! socket, no clock, no database.

pub mod args;
pub mod challenge;
pub mod dialect;
pub mod error_code;
pub mod escape;
pub mod event;
pub mod frame;
pub mod mail;
pub mod message;
pub mod notification;
pub mod scan;
mod words;

pub use args::{ArgError, Args, TrId};
pub use dialect::Dialect;
pub use error_code::ErrorCode;
pub use event::Event;
pub use frame::{Decoder, Frame, FrameError, Line};
