//! Transport below the protocol: accepting connections and encrypting them.

pub mod listener;
mod refusals;
pub mod tls;
